/**
 * The newest signed record of every peer heard of, each checked once.
 *
 * @module
 */

import type { Host, PeerId } from "./host.ts";
import { sameBytes } from "../wire/bytes.ts";
import { type SignedRecord, verifyRecord } from "../wire/record.ts";

/** A bounded map from peer to record; the longest unused is forgotten first. */
export class AddressBook {
  readonly #records = new Map<PeerId, SignedRecord>();
  readonly #most: number;
  readonly #host: Pick<Host, "verify" | "proven">;

  constructor(most: number, host: Pick<Host, "verify" | "proven">) {
    this.#most = most;
    this.#host = host;
  }

  /** How many are known. */
  get size(): number {
    return this.#records.size;
  }

  /** The newest record of a peer; counts as use. */
  get(peer: PeerId): SignedRecord | undefined {
    const record = this.#records.get(peer);
    if (record) {
      this.#records.delete(peer);
      this.#records.set(peer, record);
    }
    return record;
  }

  /** True where the record's signature holds; then it is kept, if it is newer than what is known. */
  accept(record: SignedRecord): boolean {
    const known = this.#records.get(record.id);
    if (known && known.seq === record.seq && sameBytes(known.encoded, record.encoded)) return true;
    if (!this.#holds(record)) return false;
    if (known && known.seq > record.seq) return true;
    this.#records.delete(record.id);
    this.#records.set(record.id, record);
    if (this.#records.size > this.#most) {
      const [oldest] = this.#records.keys();
      this.#records.delete(oldest!);
    }
    return true;
  }

  #holds(record: SignedRecord): boolean {
    const host = this.#host;
    if (host.proven?.has(record)) return true;
    if (!verifyRecord(record, (a, m, s) => host.verify(a, m, s))) return false;
    host.proven?.add(record);
    return true;
  }
}
