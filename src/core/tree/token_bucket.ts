/**
 * Rate bounds.
 *
 * @module
 */

/** Lets `perSecond` units through, and a burst of as many seconds' worth as it was made with. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** A full bucket. */
  constructor(perSecond: number, burstSeconds: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, perSecond * burstSeconds);
    this.#tokens = this.#burst;
    this.#at = now;
  }

  /** Takes up to `wanted` units; returns how many there were. */
  take(wanted: number, now: number): number {
    this.#tokens = Math.min(
      this.#burst,
      this.#tokens + Math.max(0, now - this.#at) * this.#perSecond / 1_000,
    );
    this.#at = now;
    const granted = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= granted;
    return granted;
  }
}
