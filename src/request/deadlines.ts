/**
 * Many deadlines, one timer.
 *
 * @module
 */

import type { Clock, TimerId } from "../core/host.ts";

/** Something that is to happen at a time unless it is taken back. */
export interface Timed {
  /** Called once, when its time has passed. */
  expire(): void;
}

/**
 * Deadlines of requests. The timer stands at the earliest one that was ever asked for and looks at all of them when it
 * fires, so that setting and clearing a deadline costs no timer; there are at most as many as requests in progress.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #due = new Map<Timed, number>();
  #timer: TimerId | undefined;
  #timerAt = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets or moves a deadline to `ms` from now. */
  set(timed: Timed, ms: number): void {
    const at = this.#clock.now() + ms;
    this.#due.set(timed, at);
    this.#arm(at);
  }

  /** Takes a deadline back. */
  clear(timed: Timed): void {
    this.#due.delete(timed);
  }

  /** Takes all deadlines back. */
  close(): void {
    this.#due.clear();
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#timerAt = at;
    this.#timer = this.#clock.after(at - this.#clock.now(), () => this.#fire(), true);
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    const expired: Timed[] = [];
    let next = Infinity;
    for (const [timed, at] of this.#due) {
      if (at <= now) expired.push(timed);
      else if (at < next) next = at;
    }
    if (next < Infinity) this.#arm(next);
    for (const timed of expired) {
      if (this.#due.delete(timed)) timed.expire();
    }
  }
}
