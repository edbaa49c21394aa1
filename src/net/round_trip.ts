/**
 * Round-trip times of one link.
 *
 * @module
 */

const SAMPLES = 9;

/** The median of the last several measurements: one late answer does not move it. */
export class RoundTrip {
  readonly #samples: number[] = [];
  #next = 0;
  #median: number | undefined;

  /** The smoothed time in ms; undefined before the first measurement. */
  get ms(): number | undefined {
    return this.#median;
  }

  /** How many measurements count. */
  get samples(): number {
    return this.#samples.length;
  }

  /** Adds a measurement in ms. */
  add(ms: number): void {
    this.#samples[this.#next] = ms;
    this.#next = (this.#next + 1) % SAMPLES;
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    this.#median = sorted.length % 2 === 1
      ? sorted[middle]!
      : (sorted[middle - 1]! + sorted[middle]!) / 2;
  }
}
