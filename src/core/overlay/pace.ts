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
