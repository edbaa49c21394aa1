/**
 * The directory of a node at work: publishes the own record, takes in those of others, exchanges whole tables.
 *
 * @module
 */

import type { PeerId, TimerId } from "../core/host.ts";
import type { Verdict } from "../core/tree/port.ts";
import type { Limits } from "../limits.ts";
import { sameBytes, WireError } from "../wire/bytes.ts";
import { decodeRecord, type SignedRecord, verifyRecord } from "../wire/record.ts";
import { Directory } from "./directory.ts";
import { CHANGE_MS, CHANGES_BURST, gained, OwnRecord } from "./own_record.ts";
import { Pace } from "./pace.ts";
import {
  decodePage,
  decodePageRequest,
  DIRECTORY_PROTOCOL,
  encodeEqual,
  encodePage,
  encodePageRequest,
  type Page,
  PAGE_BYTES,
  type PageRecord,
} from "./pages.ts";
import type { DirectoryPort } from "./port.ts";
import { isOn, topicKey } from "./topic_key.ts";
import { DirectoryTable, RECORD_TTL_MOST_SECONDS } from "./table.ts";

/** Records of a fetched page that are checked before other work gets a turn: about 5 ms. */
const SLICE = 64;

/** What {@linkcode DirectoryService.fetch} found. */
export interface FetchResult {
  /** Records that were new here. */
  readonly added: number;
  /** Pages that came; 0 where both tables were equal. */
  readonly pages: number;
}

/** What became of one received record. */
type Admission =
  /** Newer than what was known, or heard over the topic for the first time. */
  | "new"
  /** Nothing new, or not for this node to keep; nobody's fault. */
  | "known"
  /** Newer, but too soon after the last one. */
  | "hasty"
  /** Malformed or forged. */
  | "bad";

/** The directory of a node. */
export class DirectoryService {
  /** What users see of it. */
  readonly directory: Directory;
  readonly #port: DirectoryPort;
  readonly #limits: Limits;
  readonly #table: DirectoryTable;
  readonly #own: OwnRecord;
  /** How fast peers may change their records; full buckets are forgotten. */
  readonly #paces = new Map<PeerId, Pace>();
  #timer: TimerId | undefined;
  #timerAt = Infinity;
  #closed = false;

  /**
   * Makes the directory of a node; {@linkcode start} sets it to work.
   *
   * @param port The node.
   * @param limits Its bounds.
   * @param options `ttlSeconds`: how long others list this node after its last record, 1 to 3600, default 300, and at least 15 s per peer known up to an hour. Shorter
   * forgets vanished peers sooner; a record is published every third of it.
   */
  constructor(port: DirectoryPort, limits: Limits, options: { ttlSeconds?: number } = {}) {
    const { ttlSeconds = 300 } = options;
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > RECORD_TTL_MOST_SECONDS) {
      throw new RangeError(`ttlSeconds is 1 to ${RECORD_TTL_MOST_SECONDS}, not ${ttlSeconds}`);
    }
    this.#port = port;
    this.#limits = limits;
    this.#table = new DirectoryTable(port.self, limits, port.sha256);
    this.directory = new Directory(this.#table);
    this.#own = new OwnRecord(port, {
      ttlSeconds,
      recordTopics: limits.recordTopics,
      peers: () => this.#table.size,
    }, (record) => {
      this.#table.put(record, record.ttlSeconds, port.now());
      port.publish(record.encoded);
    });
  }

  /** Peers known, this node included. */
  get size(): number {
    return this.#table.size;
  }

  /** Own topics and shard sets that found no room in the own record; others do not find this node there. */
  get omittedTopics(): number {
    return this.#own.omitted;
  }

  /** Makes and publishes the first record. */
  start(): void {
    if (!this.#closed) this.#own.start();
  }

  /** The node's topics, shards or addresses changed: a new record follows within a moment. */
  changed(): void {
    if (!this.#closed) this.#own.changed();
  }

  /** The newest record of a peer, for dialling. */
  recordOf(peer: PeerId): SignedRecord | undefined {
    return this.#table.record(peer);
  }

  /** True where a peer's record says that it is on a topic. */
  isMember(topic: string, peer: PeerId): boolean {
    const record = this.#table.record(peer);
    return record !== undefined && isOn(record, topicKey(topic));
  }

  /** The part of all peers known that is on a topic; 1 where none is known. */
  presence(topic: string): number {
    const { size } = this.#table;
    return size === 0 ? 1 : this.#table.members(topic).length / size;
  }

  /** At most `most` members of a topic in random order, without this node. */
  members(topic: string, most: number = Infinity): PeerId[] {
    const ids = this.#table.members(topic).filter((id) => id !== this.#port.self);
    const count = Math.min(most, ids.length);
    for (let i = 0; i < count; i++) {
      const other = i + Math.floor(this.#port.random() * (ids.length - i));
      [ids[i], ids[other]] = [ids[other]!, ids[i]!];
    }
    return ids.slice(0, count);
  }

  /** Who is on which shard of a set, this node among them, by one walk over the set's members. */
  shardTable(set: string, count: number): Map<number, PeerId[]> {
    return this.#table.shardTable(set, count);
  }

  /** A record came over the directory's topic; the answer is the verdict of its validation. Never throws. */
  receive(bytes: Uint8Array): Verdict {
    if (this.#closed) return "ignore";
    const topics: Set<string> = new Set();
    const admission = this.#admit(bytes, Infinity, true, topics);
    for (const topic of topics) this.#port.membersGained(topic);
    if (admission === "bad") return "reject";
    return admission === "new" ? "accept" : "ignore";
  }

  /** Answers a request of the protocol {@linkcode DIRECTORY_PROTOCOL}; throws `WireError` where it is malformed. */
  answer(body: Uint8Array): Uint8Array {
    const { cursor, fingerprint } = decodePageRequest(body);
    const own = this.#table.fingerprint;
    if (
      cursor === 0 && own.count === fingerprint.count && own.high === fingerprint.high &&
      own.low === fingerprint.low
    ) return encodeEqual();
    return encodePage(this.#table.entries(), cursor, this.#port.now(), PAGE_BYTES);
  }

  /** Fetches the table of a peer, page by page, and takes in what is new. Rejects as `request` does. */
  async fetch(peer: PeerId, options: { signal?: AbortSignal } = {}): Promise<FetchResult> {
    let cursor = 0, added = 0, pages = 0, records = 0;
    while (!this.#closed) {
      const request = encodePageRequest({ cursor, fingerprint: this.#table.fingerprint });
      const reply = await this.#port.request(peer, DIRECTORY_PROTOCOL, request, {
        signal: options.signal,
        maxBytes: PAGE_BYTES + 1_024,
      });
      const page = reply.found ? this.#page(peer, reply.data) : undefined;
      if (page === undefined || page.records.length === 0) break;
      pages++;
      records += page.records.length;
      const fresh = await this.#merge(peer, page.records, options.signal);
      if (fresh === undefined) break;
      added += fresh;
      if (!page.more) break;
      // A table cannot hold more than this node would keep, twice over for what changes meanwhile.
      if (page.cursor <= cursor || records > 2 * this.#limits.directoryPeers) {
        this.#port.misbehaved(peer, 25, "a directory without end");
        break;
      }
      cursor = page.cursor;
    }
    return { added, pages };
  }

  /** Publishes that this node is gone, then closes. */
  leave(): void {
    if (this.#closed) return;
    this.#port.publish(this.#own.leave().encoded);
    this.close();
  }

  /** Forgets every timer; the records stay readable. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#own.close();
    if (this.#timer !== undefined) this.#port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #page(peer: PeerId, bytes: Uint8Array): Page | undefined {
    try {
      return decodePage(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#port.misbehaved(peer, 100, `directory page: ${error.message}`);
      return undefined;
    }
  }

  /** How many of a page's records were new; undefined where one was forged. */
  async #merge(
    peer: PeerId,
    records: readonly PageRecord[],
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    let added = 0;
    for (let at = 0; at < records.length && !this.#closed; at += SLICE) {
      const topics: Set<string> = new Set();
      let bad = false;
      for (const { seconds, bytes } of records.slice(at, at + SLICE)) {
        const admission = seconds === 0 ? "known" : this.#admit(bytes, seconds, false, topics);
        if (admission === "new") added++;
        if (admission === "bad") bad = true;
        if (bad) break;
      }
      for (const topic of topics) this.#port.membersGained(topic);
      if (bad) {
        this.#port.misbehaved(peer, 100, "a forged record in a directory page");
        return undefined;
      }
      if (at + SLICE < records.length) {
        await new Promise<void>((resolve) => this.#port.after(0, resolve));
        signal?.throwIfAborted();
      }
    }
    return added;
  }

  #admit(bytes: Uint8Array, seconds: number, paced: boolean, topics: Set<string>): Admission {
    let record: SignedRecord;
    try {
      record = this.#port.decode?.(bytes) ?? decodeRecord(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return "bad";
    }
    if (record.id === this.#port.self) return this.#admitOwn(record);
    if (record.seq <= this.#table.seqOf(record.id)) {
      // Whoever read it in a table passes it on all the same when it comes over the topic: others may not have read it.
      return paced && this.#table.takeFetched(record) ? "new" : "known";
    }
    // A record that is meant for longer is an address record, one with more topics is from a node with other limits.
    if (record.ttlSeconds > RECORD_TTL_MOST_SECONDS) return "known";
    if (record.topics.length > this.#limits.recordTopics) return "known";
    const now = this.#port.now();
    if (paced && this.#tooSoon(record.id, now)) return "hasty";
    if (
      !verifyRecord(record, (id, message, signature) => this.#port.verify(id, message, signature))
    ) {
      return "bad";
    }
    if (paced) this.#spend(record.id, now);
    const left = Math.min(seconds, record.ttlSeconds);
    const old = this.#table.put(record, left, now, !paced);
    if (left > 0) {
      for (const topic of gained(this.#own.interests, record, old)) topics.add(topic);
      this.#arm(now + left * 1_000);
    }
    return "new";
  }

  /** Others still have a record from before a restart: ours must be newer than that. */
  #admitOwn(record: SignedRecord): Admission {
    if (record.seq < this.#own.seq) return "known";
    if (record.seq === this.#own.seq) {
      const own = this.#table.record(record.id);
      if (own !== undefined && sameBytes(own.encoded, record.encoded)) return "known";
    }
    if (record.ttlSeconds > RECORD_TTL_MOST_SECONDS) return "known";
    if (
      !verifyRecord(record, (id, message, signature) => this.#port.verify(id, message, signature))
    ) {
      return "bad";
    }
    this.#own.above(record.seq);
    return "known";
  }

  #tooSoon(id: PeerId, now: number): boolean {
    const pace = this.#paces.get(id);
    return pace !== undefined && pace.wait(now) > 0;
  }

  /** Counted after the signature is checked, so that nobody else can use up a peer's changes. */
  #spend(id: PeerId, now: number): void {
    let pace = this.#paces.get(id);
    if (pace === undefined) {
      for (const [other, idle] of this.#paces) {
        if (!idle.full(now) && this.#paces.size < this.#limits.directoryPeers) break;
        this.#paces.delete(other);
      }
      this.#paces.set(id, pace = new Pace(2 * CHANGES_BURST, CHANGE_MS / 2, now));
    }
    pace.spend(now);
  }

  /** One timer for the expiry of all. */
  #arm(at: number): void {
    // Records expire in whole seconds.
    const due = Math.ceil(at / 1_000) * 1_000;
    if (this.#closed || due >= this.#timerAt) return;
    if (this.#timer !== undefined) this.#port.cancel(this.#timer);
    this.#timerAt = due;
    this.#timer = this.#port.after(Math.max(0, due - this.#port.now()), () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.#table.expire(this.#port.now());
      const next = this.#table.nextExpiry();
      if (next !== undefined) this.#arm(next);
    });
  }
}
