/**
 * Signatures over several messages that were found good: the first message of a batch costs a check, the others a comparison.
 *
 * @module
 */

/** Author (32 bytes), root (32), signature (64). */
const ENTRY_BYTES = 128;
/** Batches remembered, 8 KiB in all: those of a few authors whose messages come mixed. */
const MOST = 64;

/** A ring of the last good signatures. */
export class CheckedRoots {
  readonly #bytes = new Uint8Array(ENTRY_BYTES * MOST);
  readonly #heads = new Int32Array(MOST);
  #next = 0;

  /** True where this author's signature over this root was added. All three have to be the same to the last byte. */
  has(bytes: Uint8Array, authorAt: number, root: Uint8Array, signatureAt: number): boolean {
    const known = this.#bytes, head = headOf(root);
    for (let i = Math.min(this.#next, MOST) - 1; i >= 0; i--) {
      if (this.#heads[i] !== head) continue;
      const at = ENTRY_BYTES * i;
      if (!equal(known, at, bytes, authorAt, 32) || !equal(known, at + 32, root, 0, 32)) continue;
      if (equal(known, at + 64, bytes, signatureAt, 64)) return true;
    }
    return false;
  }

  /** Remembers one in the place of the oldest. */
  add(bytes: Uint8Array, authorAt: number, root: Uint8Array, signatureAt: number): void {
    const known = this.#bytes, i = this.#next++ % MOST, at = ENTRY_BYTES * i;
    this.#heads[i] = headOf(root);
    known.set(bytes.subarray(authorAt, authorAt + 32), at);
    known.set(root.subarray(0, 32), at + 32);
    known.set(bytes.subarray(signatureAt, signatureAt + 64), at + 64);
  }
}

function headOf(root: Uint8Array): number {
  return root[0]! << 24 | root[1]! << 16 | root[2]! << 8 | root[3]!;
}

function equal(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}
