/**
 * What an overlay remembers beside its views: contacts for ever, neighbours that were lost, peers to leave alone for a
 * while, and how large the topic seems to be.
 *
 * @module
 */

import type { Clock, PeerId } from "../host.ts";

/** Entries of shuffles after which what was seen before counts half. */
const FULL_SAMPLE = 4_096, FILLING_SAMPLE = 64;
/** Lost neighbours that are remembered as contacts of the last resort. */
const LOST_MOST = 8;
/** Given contacts that are remembered; a bootstrap node that restarts with a new identity each day must not fill memory. */
const GIVEN_MOST = 64;

/** Peers given by the user, kept for ever, and the last neighbours whose connections broke. */
export class Contacts {
  #given: PeerId[] = [];
  #lost: PeerId[] = [];

  /** Remembers peers for ever. */
  give(peers: readonly PeerId[]): void {
    for (const peer of peers) if (!this.#given.includes(peer)) this.#given.push(peer);
    if (this.#given.length > GIVEN_MOST) this.#given = this.#given.slice(-GIVEN_MOST);
  }

  /** Remembers a neighbour whose connection broke: after a partition it is a way back. */
  lose(peer: PeerId): void {
    if (this.#lost.includes(peer)) return;
    this.#lost.push(peer);
    if (this.#lost.length > LOST_MOST) this.#lost.shift();
  }

  /** Forgets a lost neighbour that is back or has said goodbye. */
  find(peer: PeerId): void {
    const at = this.#lost.indexOf(peer);
    if (at >= 0) this.#lost.splice(at, 1);
  }

  /** True for a peer given by the user. */
  isGiven(peer: PeerId): boolean {
    return this.#given.includes(peer);
  }

  /** All of them, in a new array. */
  all(): PeerId[] {
    return [...this.#given, ...this.#lost];
  }
}

/** Peers that are not asked again before a time; bounded, the oldest entry goes first. */
export class Cooldown {
  readonly #clock: Clock;
  readonly #most: number;
  #until: Map<PeerId, number> | undefined;

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** How many peers are remembered. */
  get size(): number {
    return this.#until?.size ?? 0;
  }

  /** Leaves a peer alone for `ms`. */
  add(peer: PeerId, ms: number): void {
    this.#until ??= new Map();
    const until = Math.max(this.#clock.now() + ms, this.#until.get(peer) ?? 0);
    this.#until.delete(peer);
    this.#until.set(peer, until);
    if (this.#until.size > this.#most) {
      for (const oldest of this.#until.keys()) {
        this.#until.delete(oldest);
        break;
      }
    }
  }

  /** True while a peer is to be left alone. */
  has(peer: PeerId): boolean {
    const until = this.#until?.get(peer);
    return until !== undefined && until > this.#clock.now();
  }

  /** The peers, oldest first. */
  peers(): PeerId[] {
    return this.#until === undefined
      ? []
      : [...this.#until.keys()].filter((peer) => this.has(peer));
  }

  /** Forgets everybody. */
  clear(): void {
    this.#until = undefined;
  }
}

/**
 * Guesses the size of the topic from how often an entry of a shuffle is already in the views: views hold a random sample,
 * so a share of about `views / n` is known. Old entries count less and less.
 */
export class Census {
  #seen = 0;
  #known = 0;

  /** True before the first entry: the guess knows nothing beyond the views. */
  get empty(): boolean {
    return this.#seen === 0;
  }

  /** Notes one entry of a shuffle; while the views still fill, what was unknown a while ago tells little. */
  note(known: boolean, filling: boolean): void {
    this.#seen++;
    if (known) this.#known++;
    if (this.#seen >= (filling ? FILLING_SAMPLE : FULL_SAMPLE)) {
      this.#seen /= 2;
      this.#known /= 2;
    }
  }

  /** The guess, with this node in it, where its views hold `views` peers. */
  estimate(views: number): number {
    return 1 + views * (this.#seen + 1) / (this.#known + 1);
  }
}
