import { sha256 } from "@noble/hashes/sha2.js";
import type { PeerId } from "../../src/core/host.ts";
import type { DirectoryPort } from "../../src/directory/port.ts";
import { DirectoryService } from "../../src/directory/service.ts";
import { GossipError } from "../../src/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/limits.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import {
  decodeRecord,
  type PeerRecord,
  type ShardBits,
  type SignedRecord,
  signRecord,
} from "../../src/wire/record.ts";
import type { VirtualTime } from "../support/virtual_time.ts";

/** An id made of a number. */
export function idOf(index: number): PeerId {
  return index.toString(16).padStart(64, "0");
}

/** A stand-in for a signature: only who goes through this function can make it. */
export function signAs(id: PeerId, message: Uint8Array): Uint8Array {
  const input = new Uint8Array(32 + message.length);
  input.set(fromHex(id));
  input.set(message, 32);
  const half = sha256(input);
  return new Uint8Array([...half, ...half]);
}

/** A signed record; what is not named is usual. */
export function recordOf(index: number, fields: Partial<PeerRecord> = {}): SignedRecord {
  const id = idOf(index);
  const record: PeerRecord = {
    id,
    addresses: [`10.0.0.${index % 256}:7946`],
    seq: 1,
    ttlSeconds: 300,
    topics: ["news"],
    shards: new Map(),
    ...fields,
  };
  return signRecord(record, (message) => signAs(id, message));
}

/** A record with a flaw in its signature. */
export function forged(record: SignedRecord): Uint8Array {
  const bytes = record.encoded.slice();
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

/** The shards of a set as a bitfield. */
export function bits(count: number, ...shards: number[]): ShardBits {
  const field = new Uint8Array(Math.ceil(count / 8));
  for (const shard of shards) field[shard >> 3]! |= 1 << (shard & 7);
  return { count, bits: field };
}

/** SHA-256 as the port has it. */
export function hash(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): void {
  out.set(sha256(bytes.subarray(start, end)), at);
}

/** A directory with everything around it made up. */
export class FakeDirectory implements DirectoryPort {
  readonly self: PeerId;
  readonly time: VirtualTime;
  readonly service: DirectoryService;
  readonly published: SignedRecord[] = [];
  readonly gained: string[] = [];
  readonly accused: { peer: PeerId; points: number; what: string }[] = [];
  readonly asked: { bytes: number; answer: number }[] = [];
  /** What answers requests to a peer. */
  readonly peers = new Map<PeerId, (body: Uint8Array) => Uint8Array>();
  readonly sha256 = hash;
  addresses = ["127.0.0.1:7946"];
  topics: string[] = [];
  shards = new Map<string, ShardBits>();
  wall = 1_700_000_000_000;
  verified = 0;

  constructor(time: VirtualTime, index: number, options: {
    limits?: Partial<Limits>;
    ttlSeconds?: number;
    topics?: string[];
  } = {}) {
    this.time = time;
    this.self = idOf(index);
    this.topics = options.topics ?? [];
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.service = new DirectoryService(this, limits, { ttlSeconds: options.ttlSeconds });
  }

  now(): number {
    return this.time.now();
  }
  random(): number {
    return this.time.random();
  }
  after(ms: number, fire: () => void): number {
    return this.time.after(ms, fire);
  }
  cancel(timer: number): void {
    this.time.cancel(timer);
  }
  wallClock(): number {
    return this.wall + this.time.now();
  }
  own() {
    return { addresses: this.addresses, topics: this.topics, shards: this.shards };
  }
  sign(message: Uint8Array): Uint8Array {
    return signAs(this.self, message);
  }
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
    this.verified++;
    const expected = signAs(author, message);
    return expected.every((byte, i) => byte === signature[i]);
  }
  publish(record: Uint8Array): void {
    this.published.push(decodeRecord(record));
  }
  async request(peer: PeerId, protocol: string, body: Uint8Array, options: { maxBytes?: number }) {
    await new Promise<void>((resolve) => this.after(1, resolve));
    const answer = this.peers.get(peer);
    if (answer === undefined) throw new GossipError("unknown-peer", protocol);
    const data = answer(body);
    if (data.length > options.maxBytes!) throw new GossipError("too-large", protocol);
    this.asked.push({ bytes: body.length, answer: data.length });
    return { found: true, data };
  }
  membersGained(topic: string): void {
    this.gained.push(topic);
  }
  misbehaved(peer: PeerId, points: number, what: string): void {
    this.accused.push({ peer, points, what });
  }

  /** Receives a record over gossip. */
  hear(record: SignedRecord): string {
    return this.service.receive(record.encoded);
  }
}
