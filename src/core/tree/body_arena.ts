/**
 * Where retained bodies live.
 *
 * A body arrives as a view into a decrypted record of up to 64 KiB. One that is all of its buffer stays in it, or nearly all of a large one, and so
 * do the bodies of a record that are retained for the most part. All others are copied one behind the other into slabs, which are filled again when their last body has gone:
 * buffers that live for a while and go are what makes V8 collect old memory. No view of a slab leaves the arena. No more than twice the retained
 * bytes, and one slab, is held, and while much is retained a spare slab.
 *
 * @module
 */

const FIRST_SLAB = 1_024;
const LARGEST_SLAB = 64 * 1024;
/** A body above this stays in a buffer that it fills for the most part: of memory as cold as that of a slab it would fill half or more. */
const LARGE = LARGEST_SLAB / 2;
/** A slab is at most this part of what is retained: so much more or less is dropped at a time. */
const SLAB_PART = 1 / 16;
/** Buffers below this are never kept: their bodies are copied together, since every one of them would be several objects, scattered over the memory. */
const LEAST_KEPT = 2 * 1024;
/** A slab is spared for the next bodies while so many times as much is retained. */
const SPARED = 4;

/** A buffer that retained bodies lie in. */
interface Slab {
  readonly bytes: Uint8Array;
  /** It came with its bodies. */
  readonly adopted: boolean;
  /** Where the next body goes. */
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
  #spare: Uint8Array | undefined;
  /** Bytes of all buffers held, without the spare slab. */
  bytes = 0;
  /** The number of the buffer that the newest body lies in, and where. */
  slab = -1;
  at = 0;
  /** The newest buffer that came with its bodies: most likely the next one comes in it, too. */
  #adopted = -1;

  /** Makes one for bodies of `most` bytes together. */
  constructor(most: number) {
    this.#largest = Math.floor(Math.min(LARGEST_SLAB, most * SLAB_PART));
  }

  /**
   * Keeps `bytes[start, end)` at {@linkcode BodyArena.at} of {@linkcode BodyArena.slab}; returns the same bytes for whoever uses them now, as a view
   * that pins no more than twice as much, or than what is counted here.
   */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start, { buffer } = bytes, length = buffer.byteLength;
    const body = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    this.#live += size;
    const adopted = this.#slabs[this.#adopted];
    if (adopted?.bytes.buffer === buffer) {
      adopted.live++;
      this.slab = this.#adopted;
    } else if (size === length ? size >= LEAST_KEPT : size > LARGE && 2 * size >= length) {
      this.#add(new Uint8Array(buffer), true);
    } else if (2 * size >= length) {
      this.#copy(body);
      return body;
    } else if (length >= LEAST_KEPT && this.bytes + length <= 2 * this.#live) {
      this.#add(new Uint8Array(buffer), true);
      this.#adopted = this.slab;
    } else {
      this.#copy(body);
      return new Uint8Array(body);
    }
    this.at = body.byteOffset;
    return body;
  }

  /** The body of `size` bytes that {@linkcode BodyArena.keep} put at `at` of a buffer; a copy where it lies in a slab. */
  body(slab: number, at: number, size: number): Uint8Array {
    const { bytes, adopted } = this.#slabs[slab]!;
    const body = new Uint8Array(bytes.buffer, at, size);
    return adopted ? body : new Uint8Array(body);
  }

  /** Gives a kept body of `size` bytes back. */
  release(slab: number, size: number): void {
    const { bytes, adopted } = this.#slabs[slab]!;
    this.#live -= size;
    if (this.#live < SPARED * this.#largest) this.#spare = undefined;
    if (--this.#slabs[slab]!.live > 0) return;
    // The slab with room goes too once it is empty: a quiet topic holds nothing.
    if (slab === this.#open) this.#open = -1;
    if (slab === this.#adopted) this.#adopted = -1;
    this.#slabs[slab] = undefined;
    this.#free.push(slab);
    this.bytes -= bytes.length;
    if (!adopted && bytes.length === this.#largest && this.#live >= SPARED * this.#largest) {
      this.#spare = bytes;
    }
  }

  #copy(body: Uint8Array): void {
    const size = body.length;
    let slab = this.#slabs[this.#open];
    if (slab === undefined || slab.bytes.length - slab.used < size) {
      slab = this.#add(this.#slab(size), false);
      this.#open = this.slab;
    } else {
      slab.live++;
      this.slab = this.#open;
    }
    this.at = slab.used;
    slab.bytes.set(body, slab.used);
    slab.used += size;
  }

  #slab(size: number): Uint8Array {
    const wish = Math.max(size, Math.min(Math.max(FIRST_SLAB, this.#live), this.#largest));
    const spare = this.#spare;
    if (spare?.length !== wish) return new Uint8Array(wish);
    this.#spare = undefined;
    return spare;
  }

  /** Holds a buffer with one body in it. */
  #add(bytes: Uint8Array, adopted: boolean): Slab {
    const slab = { bytes, adopted, used: 0, live: 1 };
    this.slab = this.#free.pop() ?? this.#slabs.length;
    this.#slabs[this.slab] = slab;
    this.bytes += bytes.length;
    return slab;
  }
}
