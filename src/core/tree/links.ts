/**
 * The links of a topic: one per neighbour.
 *
 * @module
 */

import type { Limits } from "../../limits.ts";
import type { PeerId } from "../host.ts";
import { type EagerRegister, newLife } from "./eager_relation.ts";
import { TokenBucket } from "./token_bucket.ts";

/** Trees that a topic may have; the number of one is four bits on the wire. */
export const TREES = 16;

/** The slot that means no link: this node itself, or a link that is gone. */
export const NO_SLOT = 255;

/** One link as part of one tree. */
export class Branch implements EagerRegister {
  /** The link. */
  readonly link: Link;
  /** The tree, below {@linkcode TREES}. */
  readonly tree: number;
  eager = true;
  mine: number;
  theirs = 0;
  lastGraft = false;
  doubt = 0;
  /** When the neighbour was last sent a PRUNE. */
  prunedAt = -Infinity;
  /** Until when it is not pruned, because it was grafted. */
  graceUntil = -Infinity;
  /** When a GRAFT last made it eager, of either side. */
  graftedAt = -Infinity;
  /** When it last brought a message first. */
  firstAt = -Infinity;
  /** The link that announcements through this one have beaten, how often in a row, and when last. */
  rival: Link | undefined;
  wins = 0;
  wonAt = -Infinity;

  /** A branch begins eager. */
  constructor(link: Link, tree: number, life: number) {
    this.link = link;
    this.tree = tree;
    this.mine = life;
  }
}

/** What the trees know of one neighbour. */
export class Link {
  /** The neighbour. */
  readonly peer: PeerId;
  /** A small number, reused after the link is gone. */
  readonly slot: number;
  /** The neighbour's bit in the log's masks; zero where there are too many neighbours for bits. */
  readonly bit: number;
  /** When it came up. */
  readonly upAt: number;
  /** False once the neighbour is gone. */
  up = true;
  /** Log entries to announce. */
  announcements: number[] = [];
  /** How many of them there are: the array keeps its places. */
  waiting = 0;
  /** How many were added to them since the last were sent. */
  announced = 0;
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
  /** The longest time lately from a GRAFT to its payload. */
  answerMs = 0;
  /** When the last payload that was asked for came. */
  gaveAt = -Infinity;
  /** When that one was first asked for. */
  gaveAsked = Infinity;
  /** Ids of the last GRAFT that found no room in a lane. */
  owed: Uint8Array | undefined = undefined;
  /** Announcements taken. */
  readonly ihaves: TokenBucket;
  /** Payloads asked for. */
  readonly grafts: TokenBucket;
  /** SYNC frames taken. */
  readonly syncs: TokenBucket;
  /** GRAFT and PRUNE frames taken without blame. */
  readonly changes: TokenBucket;
  readonly #random: () => number;
  readonly #branches: (Branch | undefined)[];

  /** A new link; it begins eager in every tree. */
  constructor(peer: PeerId, slot: number, limits: Limits, now: number, random: () => number) {
    this.peer = peer;
    this.slot = slot;
    this.bit = slot < 31 ? 1 << slot : 0;
    this.upAt = now;
    this.#random = random;
    this.#branches = [new Branch(this, 0, newLife(random))];
    this.ihaves = new TokenBucket(limits.ihavePerSecond, 1, now);
    this.grafts = new TokenBucket(limits.graftsPerSecond, 1, now);
    this.syncs = new TokenBucket(limits.syncPerSecond, 2, now);
    this.changes = new TokenBucket(100, 2, now);
  }

  /** Its part in a tree. */
  branch(tree: number): Branch {
    const branches = this.#branches;
    while (branches.length <= tree) branches.push(undefined);
    return branches[tree] ??= new Branch(this, tree, newLife(this.#random));
  }

  /** True where it is eager in a tree that was used over it, or in none but the first. */
  get eager(): boolean {
    return this.#branches.some((branch) => branch?.eager);
  }

  /** Trees that it was eager in. */
  get eagerTrees(): number[] {
    return this.#branches.flatMap((branch) => branch?.eager ? [branch.tree] : []);
  }

  /** Forgets a link that is gone. */
  forgetRival(rival: Link): void {
    for (const branch of this.#branches) {
      if (branch?.rival === rival) branch.rival = undefined;
    }
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

  /** How many are eager in a tree. */
  eager(tree: number): number {
    let count = 0;
    for (const link of this.list) if (link.branch(tree).eager) count++;
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
    link.waiting = 0;
    this.#byPeer.delete(link.peer);
    this.#bySlot[link.slot] = undefined;
    this.list = this.list.filter((other) => other !== link);
  }
}
