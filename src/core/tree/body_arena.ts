/**
 * Where retained bodies live.
 *
 * A body arrives as a view into a decrypted record of up to 32 KiB. Where many of a record's bodies are retained the record itself is
 * kept, which costs nothing; where it would be pinned for the sake of a few, they are copied one behind the other into slabs. Either
 * way no more than twice the retained bytes, and one slab, is held.
 *
 * @module
 */

const FIRST_SLAB = 1_024;
const LARGEST_SLAB = 64 * 1024;
/** Bodies above this get a buffer of their own. */
const SMALL = 8 * 1024;

/** A buffer that retained bodies lie in. */
interface Slab {
  readonly bytes: Uint8Array;
  /** Where the next body goes; at the end for a buffer that came with its bodies. */
  used: number;
  live: number;
}

/** Keeps bodies, and frees a buffer when its last body is given back. */
export class BodyArena {
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  /** The slab with room. */
  #open: Slab | undefined;
  /** The buffer that the newest body came in: most likely the next one's, too. */
  #newest: Slab | undefined;
  #live = 0;
  /** Bytes of all buffers held. */
  bytes = 0;

  /** Keeps `bytes[start, end)`; returns a view that pins no more than is counted. Each is given back by {@linkcode release}. */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start, { buffer } = bytes;
    let slab = this.#newest?.bytes.buffer === buffer ? this.#newest : this.#slabs.get(buffer);
    this.#live += size;
    if (slab === undefined && this.#mayAdopt(buffer.byteLength, size)) {
      slab = this.#add(new Uint8Array(buffer), buffer.byteLength);
    }
    if (slab !== undefined) {
      this.#newest = slab;
      slab.live++;
      return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    }
    slab = this.#open;
    if (size > SMALL) slab = this.#add(new Uint8Array(size), 0);
    else if (slab === undefined || slab.bytes.length - slab.used < size) {
      const wish = slab === undefined ? FIRST_SLAB : Math.min(LARGEST_SLAB, slab.bytes.length * 2);
      slab = this.#open = this.#add(new Uint8Array(Math.max(wish, size)), 0);
    }
    const view = slab.bytes.subarray(slab.used, slab.used += size);
    view.set(bytes.subarray(start, end));
    slab.live++;
    return view;
  }

  /** Gives a kept body back. */
  release(body: Uint8Array): void {
    const slab = this.#slabs.get(body.buffer)!;
    this.#live -= body.length;
    if (--slab.live > 0) return;
    // The slab with room goes too once it is empty: a quiet topic holds nothing.
    if (slab === this.#open) this.#open = undefined;
    if (slab === this.#newest) this.#newest = undefined;
    this.#slabs.delete(body.buffer);
    this.bytes -= slab.bytes.length;
  }

  /** Whether to keep a buffer for a body of `size`: it fills most of it, or what is retained outweighs what is pinned. */
  #mayAdopt(length: number, size: number): boolean {
    return size * 2 >= length || this.bytes + length <= 2 * this.#live;
  }

  #add(bytes: Uint8Array, used: number): Slab {
    const slab = { bytes, used, live: 0 };
    this.#slabs.set(bytes.buffer, slab);
    this.bytes += bytes.length;
    return slab;
  }
}
