/**
 * The small frames of the node's door: heads of topic frames, TOPIC_OPEN, TOPIC_CLOSE, TOPIC_NONE. Pure.
 *
 * @module
 */

import { Frame } from "./frames.ts";
import { varintSize, writeVarint } from "./bytes.ts";

/** The head of a topic frame: kind, varint alias. */
export function topicHead(kind: number, alias: number): Uint8Array {
  const head = new Uint8Array(1 + varintSize(alias));
  head[0] = kind;
  writeVarint(head, 1, alias);
  return head;
}

/** TOPIC_OPEN: kind, varint alias, 32-byte topic key. */
export function encodeOpen(alias: number, key: Uint8Array): Uint8Array {
  const head = topicHead(Frame.TOPIC_OPEN, alias);
  const frame = new Uint8Array(head.length + key.length);
  frame.set(head);
  frame.set(key, head.length);
  return frame;
}
