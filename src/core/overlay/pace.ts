/**
 * Pace: repeating timers with jitter, and budgets that bound how often something may happen.
 *
 * @module
 */

import type { Clock, TimerId } from "../host.ts";

/** `ms` ± 20 %, so that nodes that started together do not stay in step. */
export function jittered(clock: Clock, ms: number): number {
  return ms * (0.8 + 0.4 * clock.random());
}

/** Calls `fire` about every `ms` until stopped; the first time after a random part of it. */
export class Periodic {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #fire: (lateMs: number) => void;
  #timer: TimerId | undefined;
  #due = 0;

  constructor(clock: Clock, ms: number, fire: (lateMs: number) => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#fire = fire;
  }

  /** Begins; does nothing where it already runs. */
  start(): void {
    if (this.#timer === undefined) this.#arm(this.#ms * this.#clock.random());
  }

  /** Ends. */
  stop(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    this.#due = this.#clock.now() + ms;
    this.#timer = this.#clock.after(ms, () => {
      const late = this.#clock.now() - this.#due;
      this.#arm(jittered(this.#clock, this.#ms));
      this.#fire(late);
    });
  }
}

/** Most calls of one round: what they send to one peer must fit, with room to spare, into the ten messages that the smallest `overlayPerSecond` takes at once. */
const TOGETHER = 8;
/** Places by which each round begins later than the one before: where a peer drops what comes last, it is not always of the same topics. */
const SHIFT = 3;

/** What makes a round: calls that come at the same time. */
interface Round {
  readonly ms: number;
  readonly fires: Set<(lateMs: number) => void>;
  readonly periodic: Periodic;
}

/**
 * What many topics of one node do about every so many ms, in common rounds: what they send to one peer leaves in one record. 16 nodes on 64 topics
 * write 620 records a second instead of 830 (`bench:cluster --nodes 16 --topics 64 --storm --idle 30 --settle 120`), the rest is shuffles.
 */
export class Rounds {
  readonly #clock: Clock;
  #rounds: Round[] = [];

  /** No rounds yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `fire`, which nobody else joins with, about every `ms`; the first time after a part of it. Ends when what is returned is called. */
  join(ms: number, fire: (lateMs: number) => void): () => void {
    const round = this.#rounds.find((each) => each.ms === ms && each.fires.size < TOGETHER) ??
      this.#begin(ms);
    round.fires.add(fire);
    return () => {
      if (!round.fires.delete(fire) || round.fires.size > 0) return;
      round.periodic.stop();
      this.#rounds = this.#rounds.filter((each) => each !== round);
    };
  }

  #begin(ms: number): Round {
    const fires: Round["fires"] = new Set();
    let start = 0;
    const periodic = new Periodic(this.#clock, ms, (lateMs) => {
      const all = [...fires];
      start += SHIFT;
      for (let i = 0; i < all.length; i++) {
        const fire = all[(start + i) % all.length]!;
        if (!fires.has(fire)) continue;
        try {
          fire(lateMs);
        } catch (error) {
          // One topic's fault stops no other, and is told like that of any timer.
          this.#clock.after(0, () => {
            throw error;
          });
        }
      }
    });
    const round = { ms, fires, periodic };
    this.#rounds.push(round);
    periodic.start();
    return round;
  }
}

/** A token bucket: `burst` at once, `burst` again after `ms`. */
export class Budget {
  readonly #burst: number;
  readonly #ms: number;
  #left: number;
  #at = 0;

  constructor(burst: number, ms: number) {
    this.#burst = burst;
    this.#ms = ms;
    this.#left = burst;
  }

  /** Takes one where one is left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#burst / this.#ms);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
