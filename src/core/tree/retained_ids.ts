/**
 * The retained ids in order, with salted fingerprints of ranges.
 *
 * @module
 */

import { ID_BYTES } from "../../wire/gossip.ts";
import type { Fingerprint, Range } from "../../wire/sync_messages.ts";
import type { MessageLog } from "./message_log.ts";

const INDEX_BITS = 2 ** 21;
const SECOND_SALT = 0x5bd1e995;

/** A snapshot of what is retained, sorted by the first 32 bits of the id. */
export class RetainedIds {
  /** When it was taken. */
  readonly takenAt: number;
  /** Ids that were hashed for fingerprints: the measure of work. */
  work = 0;
  readonly #log: MessageLog;
  readonly #heads: Uint32Array;
  readonly #entries: Float64Array;

  /** Takes a snapshot. */
  constructor(log: MessageLog, now: number) {
    const size = log.retainedBodies;
    this.takenAt = now;
    this.#log = log;
    const keys = new Float64Array(size);
    for (let i = 0; i < size; i++) keys[i] = log.idHead(log.retainedAt(i)) * INDEX_BITS + i;
    // Numbers sort without a comparator; the index rides in the low bits.
    keys.sort();
    this.#heads = new Uint32Array(size);
    this.#entries = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      const head = Math.floor(keys[i]! / INDEX_BITS);
      this.#heads[i] = head;
      this.#entries[i] = log.retainedAt(keys[i]! - head * INDEX_BITS);
    }
  }

  /** Ids in the snapshot. */
  get size(): number {
    return this.#entries.length;
  }

  /** Calls `visit` for each entry of the range that is still retained and came at `since` or later. */
  each(range: Range, since: number, visit: (entry: number) => void): void {
    const last = range.prefix + 2 ** (32 - 4 * range.depth);
    for (let i = this.#first(range.prefix); i < this.size && this.#heads[i]! < last; i++) {
      this.work++;
      const entry = this.#entries[i]!;
      if (!this.#log.holds(entry) || !this.#log.retains(entry)) continue;
      if (this.#log.at(entry) >= since) visit(entry);
    }
  }

  /**
   * Count and 64 bits over the ids of a range. Each id is mixed with the session's salt first: without it somebody could
   * publish messages whose ids cancel each other out.
   */
  fingerprint(range: Range, since: number, salt: number): Fingerprint {
    let count = 0, high = 0, low = 0;
    this.each(range, since, (entry) => {
      count++;
      high ^= this.#log.idMix(entry, salt);
      low ^= this.#log.idMix(entry, salt ^ SECOND_SALT);
    });
    return { count, high: high >>> 0, low: low >>> 0 };
  }

  /** The ids of entries one after another. */
  ids(entries: readonly number[]): Uint8Array {
    const ids = new Uint8Array(entries.length * ID_BYTES);
    entries.forEach((entry, i) => this.#log.writeId(entry, ids, i * ID_BYTES));
    return ids;
  }

  #first(prefix: number): number {
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#heads[middle]! < prefix) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
