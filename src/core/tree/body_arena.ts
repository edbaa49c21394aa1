/**
 * Where retained bodies live.
 *
 * A body arrives as a view into a decrypted record of up to 32 KiB that holds others too. Retaining the view would pin the
 * whole record, so small bodies are copied one behind the other into slabs; a body that fills most of its buffer stays.
 *
 * @module
 */

const FIRST_SLAB = 1_024;
const LARGEST_SLAB = 64 * 1024;
/** Bodies above this get a buffer of their own. */
const SMALL = 8 * 1024;

interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  live: number;
}

/** A bump allocator that frees in the order of allocation, slab by slab. */
export class BodyArena {
  readonly #slabs: Slab[] = [];
  /** Bytes held: slabs in whole, and the buffers of bodies that are not in one. */
  bytes = 0;

  /** Keeps `bytes[start, end)`; returns a view that pins no more than is counted. Each is given back by {@linkcode release}, oldest first. */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size * 2 >= bytes.buffer.byteLength) {
      this.bytes += bytes.buffer.byteLength;
      return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    }
    if (size > SMALL) {
      this.bytes += size;
      return bytes.slice(start, end);
    }
    let slab = this.#slabs.at(-1);
    if (slab === undefined || slab.bytes.length - slab.used < size) slab = this.#open(slab, size);
    const view = slab.bytes.subarray(slab.used, slab.used += size);
    view.set(bytes.subarray(start, end));
    slab.live++;
    return view;
  }

  /** Gives the oldest kept body back. */
  release(body: Uint8Array): void {
    const slab = this.#slabs[0];
    if (slab === undefined || slab.bytes.buffer !== body.buffer) {
      this.bytes -= body.buffer.byteLength;
      return;
    }
    if (--slab.live > 0) return;
    // The newest slab is dropped too once it is empty: a quiet topic holds nothing.
    this.#slabs.shift();
    this.bytes -= slab.bytes.length;
  }

  #open(last: Slab | undefined, size: number): Slab {
    const wish = last === undefined ? FIRST_SLAB : Math.min(LARGEST_SLAB, last.bytes.length * 2);
    const slab = { bytes: new Uint8Array(Math.max(wish, size)), used: 0, live: 0 };
    this.#slabs.push(slab);
    this.bytes += slab.bytes.length;
    return slab;
  }
}
