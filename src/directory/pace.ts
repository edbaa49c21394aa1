/**
 * A token bucket.
 *
 * @module
 */

/** Lets `burst` through at once and one more per `everyMs`. */
export class Pace {
  readonly #burst: number;
  readonly #everyMs: number;
  #tokens: number;
  #at: number;

  constructor(burst: number, everyMs: number, now: number) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes a token where there is one, else the next one in advance. */
  spend(now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(-1, this.#tokens - 1);
  }

  /** Milliseconds until there is a token. */
  wait(now: number): number {
    this.#refill(now);
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) * this.#everyMs;
  }

  /** True where nothing was taken lately: then a new bucket would be the same. */
  full(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#burst;
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#everyMs);
    this.#at = now;
  }
}
