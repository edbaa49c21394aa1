import { assertEquals } from "@std/assert";
import type { Host } from "../../src/core/host.ts";
import { Node, type NodeHandlers } from "../../src/core/node.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { Frame, Lane } from "../../src/wire/frames.ts";
import { encodeOpen, topicHead } from "../../src/wire/node_messages.ts";

const PEER = "aa".repeat(32);

Deno.test("who talks on a topic that this node is not on is told so, behind all that this node has published there", () => {
  const sent: [kind: number, lane: Lane][] = [];
  const host = {
    now: () => 0,
    record: () => ({ encoded: new Uint8Array(0) }),
    send(_peer: string, lane: Lane, head: Uint8Array) {
      sent.push([head[0]!, lane]);
      return true;
    },
  };
  const told: string[] = [];
  const handlers = { unknownTopic: (peer: string) => told.push(peer) };
  const node = new Node(
    host as unknown as Host,
    DEFAULT_LIMITS,
    handlers as unknown as NodeHandlers,
  );
  node.peerUp(PEER);
  const receive = (frame: Uint8Array) => node.receive(PEER, frame, 0, frame.length);
  receive(encodeOpen(3, new Uint8Array(32).fill(7)));
  receive(topicHead(Frame.OVERLAY, 3));
  receive(topicHead(Frame.GOSSIP, 3));
  // Its last messages are in faster lanes: one who heard first that this node has left would take them for a stranger's.
  assertEquals(sent, [[Frame.HELLO, Lane.CONTROL], [Frame.TOPIC_NONE, Lane.BULK]]);
  assertEquals(told, [PEER]);
});
