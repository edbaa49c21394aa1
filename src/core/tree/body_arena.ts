/**
 * Where retained bodies live.
 *
 * A body arrives as a view into a decrypted record of up to 64 KiB. Where many of a record's bodies are retained the record itself is
 * kept, which costs nothing; where it would be pinned for the sake of a few, they are copied one behind the other into slabs. Either
 * way no more than twice the retained bytes, and one slab, is held.
 *
 * @module
 */

const FIRST_SLAB = 1_024;
const LARGEST_SLAB = 64 * 1024;
/** A slab is at most this part of what is retained: so much more or less is dropped at a time. */
const SLAB_PART = 1 / 16;
/** Bodies above this get a buffer of their own. */
const SMALL = 8 * 1024;
/** Buffers below this are never kept: their bodies are copied together, since every one of them would be several objects, scattered over the memory. */
const LEAST_KEPT = 2 * 1024;

/** A buffer that retained bodies lie in. */
interface Slab {
  readonly bytes: Uint8Array;
  /** Where the next body goes; at the end for a buffer that came with its bodies. */
  used: number;
  live: number;
}

/** Keeps bodies, and frees a buffer when its last body is given back. Buffers have numbers, so that whoever keeps a body needs no object for it. */
export class BodyArena {
  readonly #slabs: (Slab | undefined)[] = [];
  /** Numbers that are free again. */
  readonly #free: number[] = [];
  /** The slab with room. */
  #open = -1;
  #live = 0;
  readonly #largest: number;
  /** Bytes of all buffers held. */
  bytes = 0;
  /** The number of the buffer that the newest body lies in. */
  slab = -1;
  /** The newest buffer that came with its bodies: most likely the next one comes in it, too. */
  #adopted = -1;

  /** Makes one for bodies of `most` bytes together. */
  constructor(most: number) {
    this.#largest = Math.min(LARGEST_SLAB, most * SLAB_PART);
  }

  /** Keeps `bytes[start, end)` in {@linkcode BodyArena.slab}; returns a view that pins no more than is counted. */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start, { buffer } = bytes;
    this.#live += size;
    const adopted = this.#slabs[this.#adopted];
    if (adopted !== undefined && adopted.bytes.buffer === buffer) {
      adopted.live++;
      this.slab = this.#adopted;
    } else if (this.#mayAdopt(buffer.byteLength, size)) {
      this.#add(new Uint8Array(buffer), buffer.byteLength);
      // A body that is all of its buffer, as one's own are, says nothing of the next.
      if (size < buffer.byteLength) this.#adopted = this.slab;
    } else {
      return this.#copy(bytes, start, end);
    }
    return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  }

  /** The body of `size` bytes that {@linkcode BodyArena.keep} put at `at` of a buffer. */
  body(slab: number, at: number, size: number): Uint8Array {
    return new Uint8Array(this.#slabs[slab]!.bytes.buffer, at, size);
  }

  /** Gives a kept body of `size` bytes back. */
  release(slab: number, size: number): void {
    const { bytes } = this.#slabs[slab]!;
    this.#live -= size;
    if (--this.#slabs[slab]!.live > 0) return;
    // The slab with room goes too once it is empty: a quiet topic holds nothing.
    if (slab === this.#open) this.#open = -1;
    if (slab === this.#adopted) this.#adopted = -1;
    this.#slabs[slab] = undefined;
    this.#free.push(slab);
    this.bytes -= bytes.length;
  }

  /** Whether to keep a buffer for a body of `size`: it fills most of it, or what is retained outweighs what is pinned. */
  #mayAdopt(length: number, size: number): boolean {
    return length >= LEAST_KEPT && (size * 2 >= length || this.bytes + length <= 2 * this.#live);
  }

  #copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    let slab = this.#slabs[this.#open];
    if (size > SMALL) {
      slab = this.#add(new Uint8Array(size), 0);
    } else if (slab === undefined || slab.bytes.length - slab.used < size) {
      const wish = Math.min(Math.max(FIRST_SLAB, this.#live), this.#largest);
      slab = this.#add(new Uint8Array(Math.max(size, wish)), 0);
      this.#open = this.slab;
    } else {
      slab.live++;
      this.slab = this.#open;
    }
    const view = slab.bytes.subarray(slab.used, slab.used += size);
    view.set(bytes.subarray(start, end));
    return view;
  }

  /** Holds a buffer with one body in it. */
  #add(bytes: Uint8Array, used: number): Slab {
    const slab = { bytes, used, live: 1 };
    this.slab = this.#free.pop() ?? this.#slabs.length;
    this.#slabs[this.slab] = slab;
    this.bytes += bytes.length;
    return slab;
  }
}
