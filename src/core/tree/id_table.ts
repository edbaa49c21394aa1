/**
 * A hash table from 20-byte ids to small integers: open addressing in typed arrays, no object per id.
 *
 * @module
 */

const NONE = new Int32Array(0);

/** Big-endian word `i` of the id at `at`. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

/**
 * Maps ids to handles that the owner chooses (0, 1, 2 …). The hash is salted per table: announced ids are the announcer's
 * choice, and without a salt it could choose them to fall on one place.
 */
export class IdTable {
  #words: Int32Array = NONE;
  /** Handle + 1 in the low bits, above it bits of the hash, by which most ids are told apart without a look at them; zero is empty. */
  #index: Int32Array = NONE;
  #mask = 0;
  /** The low bits. */
  #handles = 0;
  readonly #saltA: number;
  readonly #saltB: number;

  /** Makes an empty table; it holds no memory before {@linkcode reserve}. */
  constructor(random: () => number) {
    this.#saltA = (random() * 0x1_0000_0000) | 0;
    this.#saltB = (random() * 0x1_0000_0000) | 0;
  }

  /** Makes room for handles below `handles`, keeping what is there; `live` says which of the old ones are in use. */
  reserve(handles: number, live: (handle: number) => boolean): void {
    const old = this.#words;
    this.#words = new Int32Array(handles * 5);
    this.#words.set(old);
    let size = 8;
    while (size < handles * 2) size *= 2;
    this.#index = new Int32Array(size);
    this.#mask = size - 1;
    this.#handles = 2 ** Math.ceil(Math.log2(handles + 1)) - 1;
    for (let handle = 0; handle < old.length / 5; handle++) {
      if (live(handle)) this.#place(handle);
    }
  }

  /** The handle of the id at `bytes[at]`, or -1. */
  find(bytes: Uint8Array, at: number): number {
    const index = this.#index;
    if (index.length === 0) return -1;
    const words = this.#words, mask = this.#mask;
    const a = word(bytes, at), b = word(bytes, at + 4), c = word(bytes, at + 8);
    const d = word(bytes, at + 12), e = word(bytes, at + 16);
    const hash = this.#hash(a, b, c, d, e), handles = this.#handles;
    for (let i = hash & mask;; i = (i + 1) & mask) {
      const found = index[i]!;
      if (found === 0) return -1;
      if (((found ^ hash) & ~handles) !== 0) continue;
      const handle = (found & handles) - 1;
      const w = handle * 5;
      if (
        words[w] === a && words[w + 1] === b && words[w + 2] === c && words[w + 3] === d &&
        words[w + 4] === e
      ) return handle;
    }
  }

  /** Adds the id at `bytes[at]`, which must not be there, under a free handle. */
  put(handle: number, bytes: Uint8Array, at: number): void {
    const words = this.#words, w = handle * 5;
    for (let i = 0; i < 5; i++) words[w + i] = word(bytes, at + 4 * i);
    this.#place(handle);
  }

  /** Removes a handle that is in use. */
  delete(handle: number): void {
    const index = this.#index, mask = this.#mask, handles = this.#handles;
    let hole = this.#home(handle);
    while ((index[hole]! & handles) !== handle + 1) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; index[i] !== 0; i = (i + 1) & mask) {
      // An entry may fill the hole unless its home lies behind it: no tombstones, so no decay.
      const home = this.#home((index[i]! & handles) - 1);
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        index[hole] = index[i]!;
        hole = i;
      }
    }
    index[hole] = 0;
  }

  /** Writes the id of a handle; returns the offset behind it. */
  write(handle: number, out: Uint8Array, at: number): number {
    for (let i = 0, w = handle * 5; i < 5; i++, at += 4) {
      const value = this.#words[w + i]!;
      out[at] = value >>> 24;
      out[at + 1] = value >>> 16;
      out[at + 2] = value >>> 8;
      out[at + 3] = value;
    }
    return at;
  }

  /** The first 32 bits of a handle's id, unsigned. */
  head(handle: number): number {
    return this.#words[handle * 5]! >>> 0;
  }

  /** 32 bits of a handle's id mixed with a salt, for fingerprints. */
  mix(handle: number, salt: number): number {
    const words = this.#words, w = handle * 5;
    return mix(salt, words[w]!, words[w + 1]!, words[w + 2]!, words[w + 3]!, words[w + 4]!);
  }

  #hash(a: number, b: number, c: number, d: number, e: number): number {
    return mix(this.#saltA, a ^ this.#saltB, b, c, d, e);
  }

  #hashOf(handle: number): number {
    const words = this.#words, w = handle * 5;
    return this.#hash(words[w]!, words[w + 1]!, words[w + 2]!, words[w + 3]!, words[w + 4]!);
  }

  #home(handle: number): number {
    return this.#hashOf(handle) & this.#mask;
  }

  #place(handle: number): void {
    const index = this.#index, mask = this.#mask, hash = this.#hashOf(handle);
    let i = hash & mask;
    while (index[i] !== 0) i = (i + 1) & mask;
    index[i] = hash & ~this.#handles | handle + 1;
  }
}

/** All five words go in: an attacker may make ids that differ in one of them only. */
function mix(salt: number, a: number, b: number, c: number, d: number, e: number): number {
  let h = Math.imul(salt ^ a, 0x9e3779b1);
  h = Math.imul((h ^ h >>> 15) ^ b, 0x85ebca77);
  h = Math.imul((h ^ h >>> 13) ^ c, 0xc2b2ae3d);
  h = Math.imul((h ^ h >>> 16) ^ d, 0x27d4eb2f);
  h = Math.imul((h ^ h >>> 15) ^ e, 0x165667b1);
  h = Math.imul(h ^ h >>> 16 ^ salt, 0x85ebca6b);
  return h ^ h >>> 13;
}
