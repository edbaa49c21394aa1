/**
 * Round-trip times of one link.
 *
 * @module
 */

const SAMPLES = 9;
/** Of these, the ones that the least is taken of: a way that has become longer shows after so many pings. */
const LAST = 5;

/** The median of the last several measurements, which one late answer does not move, and their least. */
export class RoundTrip {
  readonly #samples: number[] = [];
  #next = 0;
  #median: number | undefined;
  #least: number | undefined;

  /** The smoothed time in ms; undefined before the first measurement. */
  get ms(): number | undefined {
    return this.#median;
  }

  /** The least of the last five in ms: what the way itself costs. Queues and busy threads only add to it. */
  get leastMs(): number | undefined {
    return this.#least;
  }

  /** How many measurements count. */
  get samples(): number {
    return this.#samples.length;
  }

  /** Adds a measurement in ms. */
  add(ms: number): void {
    this.#samples[this.#next] = ms;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#least = ms;
    for (let back = 2; back <= Math.min(LAST, this.#samples.length); back++) {
      this.#least = Math.min(this.#least, this.#samples[(this.#next + SAMPLES - back) % SAMPLES]!);
    }
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    this.#median = sorted.length % 2 === 1
      ? sorted[middle]!
      : (sorted[middle - 1]! + sorted[middle]!) / 2;
  }
}

const tokens = new Uint32Array(64);
let nextToken = 0;

/** A token for a PING that nobody guesses: an answer to a PING that was not read would make the way seem short. */
export function freshToken(): number {
  if (nextToken === 0) crypto.getRandomValues(tokens);
  nextToken = (nextToken + 1) % tokens.length;
  return tokens[nextToken]!;
}
