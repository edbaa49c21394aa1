/**
 * Messages that their author signs together: a hash tree over their hashes (Merkle, CRYPTO 1987), of which the root is signed. Each
 * message travels with the hashes that lead from its own to the root, so that it is checked without the others. Pure.
 *
 * @module
 */

import type { Hash } from "./gossip.ts";

/** Bytes of a hash. */
export const HASH_BYTES = 32;
/** The longest way from a message to the root: of 2^5 messages. Of 64 the way costs a receiver more than it saves of the signature. */
export const MOST_HEIGHT = 5;
/** The longest way from a message of a bundle to the bundle's root: of 2^6 messages. */
export const MOST_BUNDLE_HEIGHT = 6;
/** The context label of a batch's signature; the root follows it. */
export const BATCH_LABEL: Uint8Array = new TextEncoder().encode("plumtree/1 batch\0");
/** What a knot's hash begins with; the hashes of its two branches follow. */
const KNOT_LABEL = new TextEncoder().encode("plumtree/1 knot\0");

/** Bytes that a way takes in a body: its height, and where there is one, the message's place and the hashes. */
export function wayBytes(height: number): number {
  return height === 0 ? 1 : 2 + HASH_BYTES * height;
}

const knot = new Uint8Array(KNOT_LABEL.length + 2 * HASH_BYTES);
knot.set(KNOT_LABEL);

/** Writes the hash of the knot over two branches to `out` at `at`. */
function tie(
  hash: Hash,
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  out: Uint8Array,
  at: number,
): void {
  const middle = KNOT_LABEL.length + HASH_BYTES;
  for (let i = 0; i < HASH_BYTES; i++) {
    knot[KNOT_LABEL.length + i] = left[leftAt + i]!;
    knot[middle + i] = right[rightAt + i]!;
  }
  hash(knot, 0, knot.length, out, at);
}

/** The tree over the hashes of 2 to 2^{@linkcode MOST_HEIGHT} messages, or of those of a bundle; free places are zeros. */
export class Batch {
  /** Steps from a message to the root. */
  readonly height: number;
  /** What the author signs. */
  readonly root: Uint8Array;
  /** A row of hashes for each step, the messages' own first. */
  readonly #rows: Uint8Array[] = [];

  /** Ties a tree of at most `most` steps over the first 32 bytes of each of `digests`. */
  constructor(hash: Hash, digests: readonly Uint8Array[], most = MOST_HEIGHT) {
    const height = Math.ceil(Math.log2(digests.length));
    if (!(height >= 1 && height <= most)) {
      throw new RangeError(`digests: expected 2 to ${2 ** most}, not ${digests.length}`);
    }
    this.height = height;
    let row = new Uint8Array(HASH_BYTES * 2 ** height);
    digests.forEach((digest, i) => row.set(digest.subarray(0, HASH_BYTES), HASH_BYTES * i));
    for (let used = digests.length, step = 0; step < height; step++) {
      this.#rows.push(row);
      const next = new Uint8Array(row.length / 2);
      used = Math.ceil(used / 2);
      for (let i = 0; i < used; i++) {
        const left = 2 * HASH_BYTES * i;
        tie(hash, row, left, row, left + HASH_BYTES, next, HASH_BYTES * i);
      }
      row = next;
    }
    this.root = row;
  }

  /** Writes the way of the message at `place` to `out` at `at`: {@linkcode wayBytes} bytes. */
  writeWay(place: number, out: Uint8Array, at: number): void {
    out[at] = this.height;
    out[at + 1] = place;
    this.#rows.forEach((row, step) => {
      const other = HASH_BYTES * (place >> step ^ 1);
      out.set(row.subarray(other, other + HASH_BYTES), at + 2 + HASH_BYTES * step);
    });
  }
}

/** Writes the root to which the way at `bytes[at]` leads from `digest` to `out` (32 bytes). The way was checked by `readGossip`. */
export function rootOf(
  hash: Hash,
  digest: Uint8Array,
  bytes: Uint8Array,
  at: number,
  out: Uint8Array,
): void {
  const height = bytes[at]!;
  out.set(digest.subarray(0, HASH_BYTES));
  for (let step = 0, place = bytes[at + 1]!; step < height; step++, place >>= 1) {
    const other = at + 2 + HASH_BYTES * step;
    if ((place & 1) === 0) tie(hash, out, 0, bytes, other, out, 0);
    else tie(hash, bytes, other, out, 0, out, 0);
  }
}

/** The bytes that an author signs for a batch. */
export function signedRoot(root: Uint8Array): Uint8Array {
  const message = new Uint8Array(BATCH_LABEL.length + HASH_BYTES);
  message.set(BATCH_LABEL);
  message.set(root.subarray(0, HASH_BYTES), BATCH_LABEL.length);
  return message;
}
