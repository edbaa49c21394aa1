/**
 * Signatures of peer records that held: the nodes of one process, and several ways into one node, bring the same record again and again.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { sameBytes } from "../wire/bytes.ts";

/** Records remembered by default; most cost about 500 bytes. */
const MOST_RECORDS = 2_048;
/** Larger ones are checked each time. */
const LARGEST_BYTES = 1_024;

interface Checked {
  readonly author: PeerId;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** A bounded set of checked signatures, the oldest forgotten first. What is found in it equals what was checked, byte for byte. */
export class CheckedRecords {
  readonly #most: number;
  readonly #checked = new Map<number, Checked>();

  /** Makes an empty one for `most` signatures. */
  constructor(most: number = MOST_RECORDS) {
    this.#most = most;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#checked.size;
  }

  /** True where exactly this was checked before, and held. */
  has(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
    const known = this.#checked.get(placeOf(signature));
    return known !== undefined && known.author === author &&
      sameBytes(known.signature, signature) && sameBytes(known.message, message);
  }

  /** Remembers a signature that held. */
  add(author: PeerId, message: Uint8Array, signature: Uint8Array): void {
    if (message.length > LARGEST_BYTES) return;
    const place = placeOf(signature);
    this.#checked.delete(place);
    this.#checked.set(place, { author, message: message.slice(), signature: signature.slice() });
    if (this.#checked.size <= this.#most) return;
    for (const oldest of this.#checked.keys()) {
      this.#checked.delete(oldest);
      return;
    }
  }
}

/** 30 bits of a signature. */
function placeOf(signature: Uint8Array): number {
  return signature[0]! | signature[1]! << 8 | signature[2]! << 16 | (signature[3]! & 0x3f) << 24;
}
