/**
 * Where retained bodies live.
 *
 * A body arrives as a view into a decrypted record of up to 64 KiB. A large one that fills at least half of its buffer stays there. So do smaller
 * ones, as long as the buffers held are no more than twice what is retained. All others are copied one behind the other into slabs, of which one is
 * kept for the next bodies when its last one has gone, while much is retained: buffers that live for a while and go are what makes V8 collect old
 * memory. No view of a slab leaves the arena.
 *
 * @module
 */

const FIRST_SLAB = 1_024;
/** Up to here slabs are as large as all that is retained, above it a part of that: so much more or less is dropped at a time. */
const SMALL_SLAB = 64 * 1024;
const LARGEST_SLAB = 256 * 1024;
const SLAB_PART = 1 / 16;
/** A body above this part of a slab gets a buffer of its own, or much of a slab would stay empty. */
const SHARE = 1 / 4;
/** Bodies above this stay in their buffer: a slab is as cold as new memory, and the copy of one of 64 KiB took an 8th of a delivery. */
const LARGE = 32 * 1024;
/** Buffers below this are never kept: their bodies are copied together, since every one of them would be several objects, scattered over the memory. */
const LEAST_KEPT = 2 * 1024;
/** A slab is spared for the next bodies while so many times as much is retained. */
const SPARED = 4;
/** After a record that was kept for less than a quarter of it, so many bodies are copied: whoever holds their views pins records that nobody counts. */
const WARY = 64;

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
  /** The newest buffer that came with its bodies, most likely the next one comes in it, too; how much of it was kept. */
  #adopted = -1;
  #keptOfIt = 0;
  #wary = 0;
  /** The newest buffer most of which was copied. */
  #copied: ArrayBufferLike | undefined;
  /** Bytes of all buffers held, without the spare slab. */
  bytes = 0;
  /** The number of the buffer that the newest body lies in, and where. */
  slab = -1;
  at = 0;

  /** Makes one for bodies of `most` bytes together. */
  constructor(most: number) {
    this.#largest = Math.min(LARGEST_SLAB, most * SLAB_PART);
  }

  /**
   * Keeps `bytes[start, end)` at {@linkcode BodyArena.at} of {@linkcode BodyArena.slab}; returns the same bytes for whoever uses them now: where they
   * came, if they fill half of it or it is held here, else by themselves.
   */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start, { buffer } = bytes, length = buffer.byteLength;
    const body = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    const most = 2 * size >= length;
    this.#live += size;
    const adopted = this.#slabs[this.#adopted];
    if (adopted?.bytes.buffer === buffer) {
      adopted.live++;
      this.slab = this.#adopted;
      this.#keptOfIt += size;
    } else if (most ? this.#mayStay(size, length) : this.#mayAdopt(body)) {
      this.#add(new Uint8Array(buffer), true);
      // A body that is all of its buffer says nothing of the next.
      if (size < length) {
        this.#adopted = this.slab;
        this.#keptOfIt = size;
      }
    } else {
      this.#copy(body);
      if (most && length >= LEAST_KEPT) this.#copied = buffer;
      return most ? body : new Uint8Array(body);
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
    if (this.#live === 0) this.#copied = undefined;
    if (this.#spare !== undefined && this.#live < SPARED * this.#spare.length) {
      this.#spare = undefined;
    }
    if (--this.#slabs[slab]!.live > 0) return;
    // The slab with room goes too once it is empty: a quiet topic holds nothing.
    if (slab === this.#open) this.#open = -1;
    if (slab === this.#adopted) this.#adopted = -1;
    this.#slabs[slab] = undefined;
    this.#free.push(slab);
    this.bytes -= bytes.length;
    if (adopted || bytes.length !== this.#room()) return;
    if (this.#live >= SPARED * bytes.length) this.#spare = bytes;
  }

  /** Whether a body that fills most of its buffer stays there. */
  #mayStay(size: number, length: number): boolean {
    return size > LARGE || size === length && size >= LEAST_KEPT;
  }

  /** Whether to keep a buffer for one of its bodies, and those that may follow. */
  #mayAdopt({ buffer, byteOffset }: Uint8Array): boolean {
    const last = this.#slabs[this.#adopted], { byteLength } = buffer;
    if (last !== undefined && 4 * this.#keptOfIt < last.bytes.length) {
      this.#wary = WARY;
      this.#adopted = -1;
    }
    if (this.#wary > 0) {
      this.#wary--;
      return false;
    }
    return byteLength >= LEAST_KEPT && 2 * byteOffset < byteLength && buffer !== this.#copied &&
      this.bytes + byteLength <= 2 * this.#live;
  }

  #copy(body: Uint8Array): void {
    const size = body.length, room = this.#room();
    let slab = this.#slabs[this.#open];
    if (slab !== undefined && slab.bytes.length - slab.used >= size) {
      slab.live++;
      this.slab = this.#open;
    } else if (size > room * SHARE) {
      slab = this.#add(new Uint8Array(size), false);
    } else {
      slab = this.#add(this.#spare?.length === room ? this.#spare : new Uint8Array(room), false);
      if (slab.bytes === this.#spare) this.#spare = undefined;
      this.#open = this.slab;
    }
    this.at = slab.used;
    slab.bytes.set(body, slab.used);
    slab.used += size;
  }

  /** How large a slab would be now; a large one a power of two, or few would be of the size of the spare one. */
  #room(): number {
    const part = Math.min(this.#live, Math.max(SMALL_SLAB, this.#live * SLAB_PART));
    const wish = Math.min(Math.max(FIRST_SLAB, part), this.#largest);
    return wish <= SMALL_SLAB ? Math.floor(wish) : 2 ** Math.floor(Math.log2(wish));
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
