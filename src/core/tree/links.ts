/**
 * The links of a topic: one per neighbour.
 *
 * @module
 */

import type { Limits } from "../../limits.ts";
import type { PeerId } from "../host.ts";
import { type EagerRegister, newLife } from "./eager_relation.ts";
import { TokenBucket } from "./token_bucket.ts";

/** The slot that means no link: this node itself, or a link that is gone. */
export const NO_SLOT = 255;

/** What the tree knows of one neighbour. */
export class Link implements EagerRegister {
  /** The neighbour. */
  readonly peer: PeerId;
  /** A small number, reused after the link is gone. */
  readonly slot: number;
  /** The neighbour's bit in the log's masks; zero where there are too many neighbours for bits. */
  readonly bit: number;
  /** When it came up. */
  readonly upAt: number;
  eager = true;
  mine: number;
  theirs = 0;
  lastGraft = false;
  doubt = 0;
  /** False once the neighbour is gone. */
  up = true;
  /** When it was last sent a PRUNE. */
  prunedAt = -Infinity;
  /** Until when it is not pruned, because it was grafted. */
  graceUntil = -Infinity;
  /** When it last brought a message first. */
  firstAt = -Infinity;
  /** Log entries to announce. */
  announcements: number[] = [];
  /** Own messages that this link was the first to carry. */
  firstPush: number[] | undefined;
  /** Log entries whose payload was sent more than once, and how often. */
  repeats: Map<number, number> | undefined;
  /** When a comparison is to be opened; infinite where none is due. */
  syncAt = Infinity;
  /** Comparisons opened and not answered. */
  syncTries = 0;
  /** Ids asked for and not answered, against answered ones. */
  unanswered = 0;
  answered = 0;
  /** The link that announcements through this one have beaten, how often in a row, and when last. */
  rival: Link | undefined;
  wins = 0;
  wonAt = -Infinity;
  /** Announcements taken. */
  readonly ihaves: TokenBucket;
  /** Payloads asked for. */
  readonly grafts: TokenBucket;
  /** SYNC frames taken. */
  readonly syncs: TokenBucket;
  /** GRAFT and PRUNE frames taken without blame. */
  readonly changes: TokenBucket;

  /** A new link; it begins eager. */
  constructor(peer: PeerId, slot: number, limits: Limits, now: number, random: () => number) {
    this.peer = peer;
    this.slot = slot;
    this.bit = slot < 31 ? 1 << slot : 0;
    this.upAt = now;
    this.mine = newLife(random);
    this.ihaves = new TokenBucket(limits.ihavePerSecond, 1, now);
    this.grafts = new TokenBucket(limits.graftsPerSecond, 1, now);
    this.syncs = new TokenBucket(limits.syncPerSecond, 2, now);
    this.changes = new TokenBucket(100, 2, now);
  }
}

/** The current neighbours. */
export class Links {
  readonly #byPeer = new Map<PeerId, Link>();
  readonly #bySlot: (Link | undefined)[] = [];
  /** All of them; replaced as a whole at every change, so that a loop over it may cause changes. */
  list: readonly Link[] = [];

  /** The link to a neighbour. */
  get(peer: PeerId): Link | undefined {
    return this.#byPeer.get(peer);
  }

  /** The link of a slot. */
  at(slot: number): Link | undefined {
    return this.#bySlot[slot];
  }

  /** Eager links. */
  get eager(): number {
    let count = 0;
    for (const link of this.list) if (link.eager) count++;
    return count;
  }

  /** Adds a neighbour; undefined where it is one, or there are too many. */
  add(peer: PeerId, limits: Limits, now: number, random: () => number): Link | undefined {
    if (this.#byPeer.has(peer)) return undefined;
    let slot = 0;
    while (this.#bySlot[slot] !== undefined) slot++;
    if (slot >= NO_SLOT) return undefined;
    const link = new Link(peer, slot, limits, now, random);
    this.#byPeer.set(peer, link);
    this.#bySlot[slot] = link;
    this.list = [...this.list, link];
    return link;
  }

  /** Removes a neighbour. */
  remove(link: Link): void {
    link.up = false;
    link.announcements = [];
    this.#byPeer.delete(link.peer);
    this.#bySlot[link.slot] = undefined;
    this.list = this.list.filter((other) => other !== link);
  }
}
