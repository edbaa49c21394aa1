/**
 * Seeded chance: 32-bit integer arithmetic only, so that one seed gives the same numbers on every machine.
 *
 * @module
 */

/** Mixes a 32-bit number so that every bit of it reaches every bit of the result (murmur3's finalizer). */
export function mix32(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** A 32-bit hash of a text (FNV-1a over its UTF-16 units, then {@linkcode mix32}). */
export function hashText(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix32(hash);
}

/**
 * A small fast generator (sfc32) behind a seed of 64 bits.
 */
export class Rng {
  readonly #low: number;
  readonly #high: number;
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /**
   * Makes a generator.
   *
   * @param seed Any safe integer, or a text.
   */
  constructor(seed: number | string) {
    if (typeof seed === "string") {
      this.#low = hashText(seed, 1);
      this.#high = hashText(seed, 2);
    } else {
      if (!Number.isSafeInteger(seed)) throw new RangeError("a seed is a safe integer or a text");
      this.#low = seed >>> 0;
      this.#high = Math.floor(seed / 2 ** 32) >>> 0;
    }
    // splitmix: consecutive seeds must not give related streams.
    this.#a = mix32(this.#low + 0x9e3779b9);
    this.#b = mix32(this.#high ^ mix32(this.#a + 0x9e3779b9));
    this.#c = mix32(this.#b + 0x3c6ef372);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** The next number in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** The next number in [0, 1), a multiple of 2^-32. */
  next(): number {
    return this.uint32() / 4294967296;
  }

  /** The next integer in [0, n); `n` at most 2^32. */
  int(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** Shuffles `items` in place and returns it. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const item = items[i]!;
      items[i] = items[j]!;
      items[j] = item;
    }
    return items;
  }

  /** Fills `bytes` and returns it. */
  fill(bytes: Uint8Array): Uint8Array {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }

  /** A generator of its own for `label`: depends on seed and label, not on how many numbers were drawn. */
  fork(label: string | number): Rng {
    const text = String(label);
    const low = mix32(hashText(text, this.#low) ^ this.#high);
    const high = mix32(hashText(text, ~this.#low) + this.#high) & 0xfffff;
    return new Rng(high * 2 ** 32 + low);
  }
}
