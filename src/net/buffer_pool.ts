/**
 * Buffers that connections hand on to one another.
 *
 * @module
 */

/** Free buffers of one size, the last one given first: it is the one that the caches know. */
export class BufferPool {
  /** Bytes of each. */
  readonly bytes: number;
  readonly #kept: number;
  readonly #free: Uint8Array[] = [];

  /** Buffers of `bytes`, of which at most `kept` wait for their next use. */
  constructor(bytes: number, kept: number) {
    this.bytes = bytes;
    this.#kept = kept;
  }

  /** A buffer with anything in it. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.bytes);
  }

  /** Gives one back that nobody looks at or writes to any more. */
  give(buffer: Uint8Array): void {
    if (this.#free.length < this.#kept && buffer.length === this.bytes) this.#free.push(buffer);
  }
}
