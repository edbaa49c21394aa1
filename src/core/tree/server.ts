/**
 * Answers GRAFT: payloads that are retained, GONE for those that are not. What a full lane keeps back follows as it gets room.
 *
 * @module
 */

import { Frame, Lane } from "../../wire/frames.ts";
import { gossipHead, ID_BYTES, laneOf } from "../../wire/gossip.ts";
import { readGraft, treeFrame } from "../../wire/tree_messages.ts";
import type { PeerId, TimerId } from "../host.ts";
import type { TreeContext } from "./context.ts";
import type { Link } from "./links.ts";
import { Seen } from "./message_log.ts";
import { TokenBucket } from "./token_bucket.ts";
import type { TreeLinks } from "./tree_links.ts";

/** Payloads a second for peers that are no neighbours (any more), all together. */
const STRANGERS_PER_SECOND = 100;
/** A payload pushed this short ago is on its way: it is not sent again. */
const ON_ITS_WAY_MS = 1_000;

/** The same payload to the same neighbour, after the first time. */
const REPEATS = 6;
const REPEATS_KEPT = 4_096;

/** Heads for so many different ways are kept. */
const HEADS_KEPT = 64;

/** Gives retained payloads to those who ask. */
export class Server {
  readonly #context: TreeContext;
  readonly #treeLinks: TreeLinks;
  #strangers: TokenBucket | undefined;
  #heads: Map<number, Uint8Array> | undefined;
  #timer: TimerId | undefined;

  /** Works on the log of a context. */
  constructor(context: TreeContext, treeLinks: TreeLinks) {
    this.#context = context;
    this.#treeLinks = treeLinks;
  }

  /** The head for an entry of the log. There are few different ones, and they are kept. */
  head(entry: number): Uint8Array {
    const { log, port } = this.#context;
    const way = Math.min(255, log.hops(entry) + 1) << 8 | log.path(entry);
    const heads = this.#heads ??= new Map();
    let head = heads.get(way);
    if (head === undefined) {
      if (heads.size >= HEADS_KEPT) heads.clear();
      heads.set(way, head = gossipHead(port.alias, way >> 8, way & 255));
    }
    return head;
  }

  /** A GRAFT came. */
  graft(
    peer: PeerId,
    link: Link | undefined,
    bytes: Uint8Array,
    at: number,
    end: number,
    now: number,
  ): void {
    const { limits, counters } = this.#context;
    const { tree, stamp, count } = readGraft(bytes, at, end, limits.idsPerFrame);
    counters.graftsReceived++;
    if (stamp !== undefined && link !== undefined) {
      this.#treeLinks.change(link.branch(tree), true, stamp, now);
    }
    if (count === 0) return;
    const bucket = link?.grafts ??
      (this.#strangers ??= new TokenBucket(STRANGERS_PER_SECOND, 1, now));
    const granted = bucket.take(count, now);
    counters.graftsRefused += count - granted;
    this.#answer(peer, link, bytes, end - count * ID_BYTES, granted, now);
  }

  /** Stops the timer. */
  close(): void {
    if (this.#timer !== undefined) this.#context.port.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Keeps what found no room in a lane. Who asked may ask for it again, and then that counts: so no more than one GRAFT is kept. */
  #owe(link: Link, ids: Uint8Array): void {
    const { port, options } = this.#context;
    link.owed = ids;
    this.#timer ??= port.after(options.graftMinMs, () => {
      this.#timer = undefined;
      const now = port.now();
      for (const each of this.#context.links.list) {
        const { owed } = each;
        each.owed = undefined;
        if (owed !== undefined) this.#answer(each.peer, each, owed, 0, owed.length / ID_BYTES, now);
      }
    });
  }

  #answer(
    peer: PeerId,
    link: Link | undefined,
    bytes: Uint8Array,
    at: number,
    count: number,
    now: number,
  ): void {
    const { log, port, counters } = this.#context;
    const gone: number[] = [], end = at + count * ID_BYTES;
    for (; at < end; at += ID_BYTES) {
      const entry = log.find(bytes, at);
      if (entry >= 0 && log.state(entry) === Seen.VALIDATING) continue;
      if (entry < 0 || !log.retains(entry)) {
        gone.push(at);
        continue;
      }
      if (link !== undefined && link.bit !== 0 && log.has(entry, link.bit)) {
        // Sent before, or announced by the one who asks.
        if (now - log.at(entry) < ON_ITS_WAY_MS || repeats(link, entry) >= REPEATS) {
          counters.graftsRefused++;
          continue;
        }
      }
      // Not before: it may be a copy.
      const body = log.body(entry)!;
      if (!port.send(peer, laneOf(body), this.head(entry), body)) {
        if (link !== undefined) this.#owe(link, bytes.slice(at, end));
        break;
      }
      if (link === undefined) continue;
      if (link.bit !== 0 && log.has(entry, link.bit)) {
        link.repeats!.set(entry, repeats(link, entry) + 1);
      }
      log.setHas(entry, link.bit);
    }
    if (gone.length === 0) return;
    const frame = treeFrame(Frame.GONE, port.alias, gone.length * ID_BYTES);
    let to = frame.length - gone.length * ID_BYTES;
    for (const from of gone) {
      frame.set(bytes.subarray(from, from + ID_BYTES), to);
      to += ID_BYTES;
    }
    if (port.send(peer, Lane.CONTROL, frame)) counters.goneSent += gone.length;
  }
}

/** How often a payload was sent to that neighbour again. */
function repeats(link: Link, entry: number): number {
  const repeats = link.repeats ??= new Map();
  if (repeats.size >= REPEATS_KEPT) repeats.clear();
  return repeats.get(entry) ?? 0;
}
