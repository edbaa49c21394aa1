/**
 * This node's own record: made when something changes, renewed before it expires.
 *
 * @module
 */

import type { TimerId } from "../core/host.ts";
import { RECORD_TTL_MOST_SECONDS } from "./table.ts";
import { RECORD_LIMITS, type ShardBits, type SignedRecord, signRecord } from "../wire/record.ts";
import { Pace } from "./pace.ts";
import type { DirectoryPort, OwnEntry } from "./port.ts";
import { hasShard, isOn, shardsOf, type TopicKey, topicKey } from "./topic_key.ts";

/** Milliseconds for which changes wait for company: a node joins its topics one after the other. */
export const COALESCE_MS = 50;

/** Changed records that may follow each other at once, and the milliseconds per further one. Receivers allow twice as many. */
export const CHANGES_BURST = 8;
/** See {@linkcode CHANGES_BURST}. */
export const CHANGE_MS = 1_000;

/** Room for everything in a record but addresses, shards and topics: id, numbers, heads of lists, signature. */
const FIXED_BYTES = 192;

/**
 * Seconds of ttl per peer known: every record goes to every node, so with a fixed ttl a node's work would grow with their number. With this
 * a node reads at most one renewal in five seconds, as long as {@linkcode RECORD_TTL_MOST_SECONDS} allows it: 240 nodes.
 */
const TTL_PER_PEER = 15;

/**
 * Renewals wait for the next multiple of this on the wall clock, ms, or of an eighth of their time where that is less: those of many nodes that
 * started together then share wake-ups and records.
 */
const TOGETHER_MS = 5_000;

/** Most bytes that CBOR adds to a text in a list. */
const TEXT_HEAD_BYTES = 3;

/** The same for a shard set: four heads, one of them with the count. */
const SET_HEAD_BYTES = 12;

const encoder = new TextEncoder();

/** What a record says of its peer. */
interface Fields {
  readonly addresses: string[];
  readonly topics: string[];
  readonly shards: Map<string, ShardBits>;
}

/** Signs, numbers and renews the record; hands each new one to `made`. */
export class OwnRecord {
  readonly #port: DirectoryPort;
  readonly #ttlSeconds: number;
  readonly #recordTopics: number;
  readonly #peers: () => number;
  readonly #made: (record: SignedRecord) => void;
  readonly #pace: Pace;
  #interests: readonly TopicKey[] = [];
  #own: Fields = { addresses: [], topics: [], shards: new Map() };
  /** Something changed since they were made: a node that joins thousands of topics one after the other goes through all of them once. */
  #stale = false;
  #seq = 0;
  #timer: TimerId | undefined;
  #timerAt = Infinity;
  #left = false;
  #madeAt = 0;
  /** When the next record follows for something that changed; Infinity where nothing did. */
  #changeAt = Infinity;
  /** What the newest record says. */
  #ttlGiven = 0;
  /** The part of its time after which the next one follows. */
  #part = 0;
  #omitted = 0;

  constructor(
    port: DirectoryPort,
    options: { ttlSeconds: number; recordTopics: number; peers: () => number },
    made: (record: SignedRecord) => void,
  ) {
    this.#port = port;
    this.#ttlSeconds = options.ttlSeconds;
    this.#recordTopics = options.recordTopics;
    this.#peers = options.peers;
    this.#made = made;
    this.#pace = new Pace(CHANGES_BURST, CHANGE_MS, port.now());
  }

  /** The sequence number of the newest record. */
  get seq(): number {
    return this.#seq;
  }

  /** Topics and shard sets that did not fit into the newest record. */
  get omitted(): number {
    this.#look();
    return this.#omitted;
  }

  /** The topics that this node is on, those of shards among them. */
  get interests(): readonly TopicKey[] {
    this.#look();
    return this.#interests;
  }

  /** Makes the first record at once. */
  start(): void {
    this.#stale = true;
    this.#make();
  }

  /** Something changed: the next record follows soon. */
  changed(): void {
    if (this.#left) return;
    this.#stale = true;
    const now = this.#port.now(), wait = this.#pace.wait(now);
    this.#changeAt = Math.min(this.#changeAt, now + Math.max(COALESCE_MS, wait));
    this.#wake();
  }

  /** A record of this node that somebody still has, from before a restart: the next one goes above it. */
  above(seq: number): void {
    if (this.#left || seq < this.#seq || seq >= Number.MAX_SAFE_INTEGER - 1) return;
    this.#seq = seq;
    this.changed();
  }

  /** The record that says that this node is gone; no other follows. */
  leave(): SignedRecord {
    this.close();
    return this.#sign({ addresses: [], topics: [], shards: new Map() }, 0);
  }

  /** Forgets the timer; no record follows. */
  close(): void {
    this.#left = true;
    if (this.#timer !== undefined) this.#port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (!this.#stale) return;
    this.#stale = false;
    const { addresses, topics, shards } = this.#port.own();
    const names = [...new Set(topics)].filter((topic) => {
      const { set, shard } = topicKey(topic);
      return set === undefined || !hasShard(shards.get(set), shard);
    });
    const keys = names.map(topicKey);
    for (const [set, bits] of shards) {
      for (const shard of shardsOf(bits)) keys.push({ topic: `${set}/${shard}`, set, shard });
    }
    this.#interests = keys;
    this.#own = this.#fitting([...new Set(addresses)], names, shards);
  }

  /** As much as a record has room for: addresses, then shard sets, then topics, the oldest first. */
  #fitting(
    addresses: readonly string[],
    topics: readonly string[],
    shards: OwnEntry["shards"],
  ): Fields {
    const { topics: mostTopics, topicLength, shardSets, addressLength } = RECORD_LIMITS;
    let left = RECORD_LIMITS.bytes - FIXED_BYTES;
    const fits = (text: string, most: number, more: number): boolean => {
      const length = encoder.encode(text).length, cost = length + more;
      if (length === 0 || length > most || cost > left) return false;
      left -= cost;
      return true;
    };
    const own: Fields = { addresses: [], topics: [], shards: new Map() };
    for (const address of addresses) {
      if (own.addresses.length >= RECORD_LIMITS.addresses) break;
      if (fits(address, addressLength, TEXT_HEAD_BYTES)) own.addresses.push(address);
    }
    for (const [set, { count, bits }] of shards) {
      if (own.shards.size >= shardSets) break;
      // A copy: the owner goes on setting bits.
      if (fits(set, topicLength, bits.length + SET_HEAD_BYTES)) {
        own.shards.set(set, { count, bits: bits.slice() });
      }
    }
    for (const topic of topics) {
      if (own.topics.length >= Math.min(mostTopics, this.#recordTopics)) break;
      if (fits(topic, topicLength, TEXT_HEAD_BYTES)) own.topics.push(topic);
    }
    this.#omitted = topics.length - own.topics.length + shards.size - own.shards.size;
    return own;
  }

  #make(): void {
    if (this.#left) return;
    this.#pace.spend(this.#port.now());
    this.#madeAt = this.#port.now();
    this.#look();
    this.#changeAt = Infinity;
    this.#part = (0.8 + 0.3 * this.#port.random()) / 3;
    this.#ttlGiven = this.#ttl();
    this.#made(this.#sign(this.#own, this.#ttlGiven));
    this.#wake();
  }

  /** Makes the next record when it is due; looks again in time for a network that has become smaller meanwhile. */
  #wake(): void {
    if (this.#left) return;
    const now = this.#port.now(), due = Math.min(this.#changeAt, this.#renewAt(now));
    if (due <= now) return this.#make();
    const at = Math.min(due, now + this.#part * this.#ttlSeconds * 1_000);
    if (this.#timer !== undefined) {
      if (at >= this.#timerAt) return;
      this.#port.cancel(this.#timer);
    }
    this.#timerAt = at;
    this.#timer = this.#port.after(at - now, () => {
      this.#timer = undefined;
      this.#wake();
    });
  }

  /**
   * About a third of the ttl after the newest record. Nodes that started together knew of few others then, and gave short ttls: where the
   * network turned out to be much larger, twice as late, which is still in time for everybody who has the record.
   */
  #renewAt(now: number): number {
    const ms = this.#part * Math.min(this.#ttl(), 2 * this.#ttlGiven) * 1_000;
    const at = this.#madeAt + ms, step = Math.min(TOGETHER_MS, ms / 8);
    const wallAt = this.#port.wallClock() + at - now;
    return at + Math.ceil(wallAt / step) * step - wallAt;
  }

  #ttl(): number {
    const scaled = Math.min(RECORD_TTL_MOST_SECONDS, TTL_PER_PEER * this.#peers());
    return Math.max(this.#ttlSeconds, scaled);
  }

  #sign(own: Fields, ttlSeconds: number): SignedRecord {
    this.#seq = Math.max(this.#seq + 1, Math.floor(this.#port.wallClock()));
    return signRecord(
      { id: this.#port.self, seq: this.#seq, ttlSeconds, ...own },
      (message) => this.#port.sign(message),
    );
  }
}

/** The topics among `interests` that `record` is on and `old` was not. */
export function gained(
  interests: readonly TopicKey[],
  record: SignedRecord,
  old: SignedRecord | undefined,
): string[] {
  return interests
    .filter((key) => isOn(record, key) && (old === undefined || !isOn(old, key)))
    .map(({ topic }) => topic);
}
