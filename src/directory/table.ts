/**
 * The records of all peers, found by id, by topic and by shard set; bounded, and forgotten in time.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import type { Limits } from "../limits.ts";
import { fromHex, sameBytes } from "../wire/bytes.ts";
import type { SignedRecord } from "../wire/record.ts";
import type { DirectorySource } from "./directory.ts";
import { hasShard, shardsOf, topicKey } from "./topic_key.ts";

/**
 * The longest time to live that a directory record may have. It bounds how long a peer that vanished is listed, and keeps
 * contact records (a day, and no topics) from being replayed as directory records.
 */
export const RECORD_TTL_MOST_SECONDS = 3_600;

/** Milliseconds for which the sequence number of a peer that left or expired is remembered, so that nobody brings it back. */
const GRAVE_MS = 2 * RECORD_TTL_MOST_SECONDS * 1_000;

/** SHA-256 of `bytes[start, end)` into `out` at `at`. */
export type Sha256 = (
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
) => void;

/** One peer in the table. */
export interface Entry {
  readonly record: SignedRecord;
  /** When it expires, ms on the monotonic clock; Infinity for this node's own. */
  readonly until: number;
  /** Grows with every change of the table; pages are read in its order. */
  readonly stamp: number;
  /** The halves of its part of the fingerprint. */
  readonly high: number;
  readonly low: number;
  /** It was read in somebody's table and has not come over the topic yet. */
  fetched?: boolean;
}

/** What two tables compare before they exchange anything. */
export interface Fingerprint {
  /** Records. */
  readonly count: number;
  /** The upper 32 bits of the XOR over the records of the first 8 bytes of SHA-256(id, seq as 8 bytes big-endian). */
  readonly high: number;
  /** The lower 32 bits of it. */
  readonly low: number;
}

/** The table. */
export class DirectoryTable implements DirectorySource {
  readonly #self: PeerId;
  readonly #limits: Limits;
  readonly #sha256: Sha256;
  /** In the order of their stamps. */
  readonly #entries = new Map<PeerId, Entry>();
  readonly #byTopic = new Map<string, Set<PeerId>>();
  /**
   * Peers by shard set, not by shard: one record of a few kilobytes can claim half a million shards, and an index of them
   * would be that large too.
   */
  readonly #bySet = new Map<string, Set<PeerId>>();
  /** Who expires in which second. */
  readonly #expiring = new Map<number, Set<PeerId>>();
  readonly #graves = new Map<PeerId, { readonly seq: number; readonly until: number }>();
  readonly #scratch = new Uint8Array(40 + 32);
  #stamp = 0;
  #bytes = 0;
  #high = 0;
  #low = 0;

  constructor(self: PeerId, limits: Limits, sha256: Sha256) {
    this.#self = self;
    this.#limits = limits;
    this.#sha256 = sha256;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of all records as they travel. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What the table holds, in 12 to 16 bytes. */
  get fingerprint(): Fingerprint {
    return { count: this.#entries.size, high: this.#high >>> 0, low: this.#low >>> 0 };
  }

  record(id: PeerId): SignedRecord | undefined {
    return this.#entries.get(id)?.record;
  }

  *records(): Generator<SignedRecord, void, undefined> {
    for (const { record } of this.#entries.values()) yield record;
  }

  /** All entries in the order of their stamps. */
  entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** The ids of a topic's members, this node among them. */
  members(topic: string): PeerId[] {
    const { set, shard } = topicKey(topic);
    const found = this.#byTopic.get(topic);
    const ids = found === undefined ? [] : [...found];
    if (set === undefined) return ids;
    for (const id of this.#bySet.get(set) ?? []) {
      if (found?.has(id)) continue;
      if (hasShard(this.#entries.get(id)!.record.shards.get(set), shard)) ids.push(id);
    }
    return ids;
  }

  onTopic(topic: string): SignedRecord[] {
    return this.members(topic).map((id) => this.#entries.get(id)!.record);
  }

  /** Who is on which shard of a set, by one walk over its members; records that claim another count are left out. */
  shardTable(set: string, count: number): Map<number, PeerId[]> {
    const table = new Map<number, PeerId[]>();
    for (const id of this.#bySet.get(set) ?? []) {
      const shards = this.#entries.get(id)!.record.shards.get(set)!;
      if (shards.count !== count) continue;
      for (const shard of shardsOf(shards)) {
        const ids = table.get(shard);
        if (ids === undefined) table.set(shard, [id]);
        else ids.push(id);
      }
    }
    return table;
  }

  /** The highest sequence number known of a peer, living or gone; -1 where there is none. */
  seqOf(id: PeerId): number {
    return this.#entries.get(id)?.record.seq ?? this.#graves.get(id)?.seq ?? -1;
  }

  /** Takes in a record that is newer than {@linkcode seqOf}; gives the one that it replaces. `seconds` of 0 remove the peer. */
  put(
    record: SignedRecord,
    seconds: number,
    now: number,
    fetched = false,
  ): SignedRecord | undefined {
    const old = this.#entries.get(record.id);
    if (old !== undefined) this.#remove(old);
    if (seconds === 0) {
      this.#bury(record.id, record.seq, now);
      return old?.record;
    }
    this.#graves.delete(record.id);
    const own = record.id === this.#self;
    const most = Math.min(seconds, record.ttlSeconds, RECORD_TTL_MOST_SECONDS);
    const until = own ? Infinity : now + most * 1_000;
    const entry = { record, until, stamp: ++this.#stamp, ...this.#print(record), fetched };
    this.#insert(entry);
    this.#shrink(now);
    return old?.record;
  }

  /** True, once, for a record that is in the table, byte for byte, since it was fetched. */
  takeFetched({ id, encoded }: SignedRecord): boolean {
    const entry = this.#entries.get(id);
    if (!entry?.fetched || !sameBytes(entry.record.encoded, encoded)) return false;
    entry.fetched = false;
    return true;
  }

  /** Removes what has expired; gives how many did. */
  expire(now: number): number {
    let count = 0;
    // The seconds are those of one hour at most.
    for (const [second, ids] of [...this.#expiring]) {
      if (second * 1_000 > now) continue;
      for (const id of [...ids]) {
        this.#drop(id, now);
        count++;
      }
    }
    return count;
  }

  /** When the next record expires. */
  nextExpiry(): number | undefined {
    const second = this.#nextSecond();
    return second === undefined ? undefined : second * 1_000;
  }

  #nextSecond(): number | undefined {
    let least: number | undefined;
    for (const second of this.#expiring.keys()) {
      if (least === undefined || second < least) least = second;
    }
    return least;
  }

  /** Makes room: whoever would expire first goes, never this node. */
  #shrink(now: number): void {
    const { directoryPeers, directoryBytes } = this.#limits;
    while (this.#entries.size > directoryPeers || this.#bytes > directoryBytes) {
      const second = this.#nextSecond();
      if (second === undefined) return;
      const [id] = this.#expiring.get(second)!;
      const entry = this.#entries.get(id!)!;
      // Not buried: it is alive, and there may be room for it later.
      this.#remove(entry);
    }
    this.#purgeGraves(now);
  }

  #drop(id: PeerId, now: number): void {
    const entry = this.#entries.get(id)!;
    this.#remove(entry);
    this.#bury(id, entry.record.seq, now);
  }

  #bury(id: PeerId, seq: number, now: number): void {
    this.#graves.delete(id);
    this.#graves.set(id, { seq, until: now + GRAVE_MS });
    this.#purgeGraves(now);
  }

  #purgeGraves(now: number): void {
    for (const [id, { until }] of this.#graves) {
      if (until > now && this.#graves.size <= this.#limits.directoryPeers) return;
      this.#graves.delete(id);
    }
  }

  #insert(entry: Entry): void {
    const { record, until } = entry;
    this.#entries.set(record.id, entry);
    this.#bytes += record.encoded.length;
    this.#high ^= entry.high;
    this.#low ^= entry.low;
    for (const topic of record.topics) addTo(this.#byTopic, topic, record.id);
    for (const set of record.shards.keys()) addTo(this.#bySet, set, record.id);
    if (until < Infinity) addTo(this.#expiring, Math.ceil(until / 1_000), record.id);
  }

  #remove(entry: Entry): void {
    const { record, until } = entry;
    this.#entries.delete(record.id);
    this.#bytes -= record.encoded.length;
    this.#high ^= entry.high;
    this.#low ^= entry.low;
    for (const topic of record.topics) takeFrom(this.#byTopic, topic, record.id);
    for (const set of record.shards.keys()) takeFrom(this.#bySet, set, record.id);
    if (until < Infinity) takeFrom(this.#expiring, Math.ceil(until / 1_000), record.id);
  }

  #print(record: SignedRecord): { high: number; low: number } {
    const scratch = this.#scratch;
    scratch.set(fromHex(record.id));
    const view = new DataView(scratch.buffer);
    view.setUint32(32, Math.floor(record.seq / 2 ** 32));
    view.setUint32(36, record.seq % 2 ** 32);
    this.#sha256(scratch, 0, 40, scratch, 40);
    return { high: view.getUint32(40), low: view.getUint32(44) };
  }
}

function addTo<K>(index: Map<K, Set<PeerId>>, key: K, id: PeerId): void {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, new Set([id]));
  else ids.add(id);
}

function takeFrom<K>(index: Map<K, Set<PeerId>>, key: K, id: PeerId): void {
  const ids = index.get(key);
  if (ids?.delete(id) && ids.size === 0) index.delete(key);
}
