/**
 * Signed peer records: who a peer is, where it can be dialled, and (in the directory) which topics it is on. Pure.
 *
 * On the wire: CBOR `[version, id, seq, ttl, [address…], [topic…], [[name, count, bits]…]]` as one byte string, followed
 * by the ed25519 signature of {@linkcode RECORD_LABEL} and that byte string.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { fromHex, sameBytes, toHex, WireError } from "./bytes.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";

/** The context label of record signatures. */
export const RECORD_LABEL: Uint8Array = new TextEncoder().encode("plumtree/1 record\0");

/** What one record may hold, whoever made it; the lengths are in bytes (of UTF-8). */
export const RECORD_LIMITS = {
  bytes: 16_384,
  addresses: 8,
  addressLength: 262,
  topics: 1_024,
  topicLength: 255,
  shardSets: 64,
  shardCount: 65_536,
} as const;

/**
 * The shards of one set that a peer is on, as a bitfield: shard `i` is bit `i % 8` of byte `i >> 3`.
 *
 * @example
 * ```ts
 * import { Gossip, type ShardBits } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * const shards = node.shards("tx", { count: 16 });
 * await using _ = shards.join(9);
 * const { count, bits }: ShardBits = shards.bits();
 * assertEquals(count, 16);
 * assertEquals(bits, new Uint8Array([0, 0b10]));
 * ```
 */
export interface ShardBits {
  /** How many shards the set has. */
  readonly count: number;
  /** `ceil(count / 8)` bytes. */
  readonly bits: Uint8Array;
}

/**
 * What a peer says of itself under its signature, as the directory has it.
 *
 * @example
 * ```ts
 * import { Gossip, type PeerRecord } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * const own: PeerRecord | undefined = node.directory.get(node.id);
 * assertEquals([own?.id, own?.addresses], [node.id, [node.address]]);
 * ```
 */
export interface PeerRecord {
  /** The peer. */
  readonly id: PeerId;
  /** Where it can be dialled, "host:port", best first; empty for a peer that only dials out. */
  readonly addresses: readonly string[];
  /** Grows with every record that the peer signs; the highest one holds. */
  readonly seq: number;
  /** Seconds for which the record holds from the moment it is received. */
  readonly ttlSeconds: number;
  /** The topics it is on, by name; empty in records that only tell an address. */
  readonly topics: readonly string[];
  /** The shards it is on, by name of the shard set. */
  readonly shards: ReadonlyMap<string, ShardBits>;
}

/** A record with the bytes that were signed, so that it can be passed on. */
export interface SignedRecord extends PeerRecord {
  /** The whole record as it travels: signed bytes, then 64 bytes of signature. */
  readonly encoded: Uint8Array;
}

const VERSION = 1;
const SIGNATURE_BYTES = 64;

/** The bytes that are signed, without the label. */
function encodeUnsigned(record: PeerRecord): Uint8Array {
  return encodeCbor([
    VERSION,
    fromHex(record.id),
    record.seq,
    record.ttlSeconds,
    [...record.addresses],
    [...record.topics],
    [...record.shards].map(([name, { count, bits }]) => [name, count, bits]),
  ]);
}

/** The message that a record's signature is over. */
function signedMessage(unsigned: Uint8Array): Uint8Array {
  const message = new Uint8Array(RECORD_LABEL.length + unsigned.length);
  message.set(RECORD_LABEL);
  message.set(unsigned, RECORD_LABEL.length);
  return message;
}

/** True where a signed message is that of a record: no other begins with its label. */
export function isRecordMessage(message: Uint8Array): boolean {
  return sameBytes(message.subarray(0, RECORD_LABEL.length), RECORD_LABEL);
}

/**
 * Encodes and signs a record; `sign` is the identity's. Throws `RangeError` on a record that no peer would accept, so that a node
 * never signs itself out of the network.
 */
export function signRecord(
  record: PeerRecord,
  sign: (message: Uint8Array) => Uint8Array,
): SignedRecord {
  const unsigned = encodeUnsigned(record);
  const encoded = new Uint8Array(unsigned.length + SIGNATURE_BYTES);
  encoded.set(unsigned);
  encoded.set(sign(signedMessage(unsigned)), unsigned.length);
  try {
    return decodeRecord(encoded);
  } catch (cause) {
    throw new RangeError("the record breaks RECORD_LIMITS", { cause });
  }
}

/** True where the signature of a decoded record is its peer's. */
export function verifyRecord(
  record: SignedRecord,
  verify: (author: PeerId, message: Uint8Array, signature: Uint8Array) => boolean,
): boolean {
  const split = record.encoded.length - SIGNATURE_BYTES;
  return verify(
    record.id,
    signedMessage(record.encoded.subarray(0, split)),
    record.encoded.subarray(split),
  );
}

/** Text of 1 to `most` bytes. */
function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length > 0 && utf8Length(value) <= most;
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // the two halves of a surrogate pair make four bytes together
    if (unit >= 0x800) bytes += unit >= 0xd800 && unit <= 0xdfff ? 1 : 2;
    else if (unit >= 0x80) bytes++;
  }
  return bytes;
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most &&
    !Object.is(value, -0);
}

function texts(value: unknown, count: number, length: number): string[] {
  if (!Array.isArray(value) || value.length > count) throw new WireError("bad list in record");
  if (!value.every((text) => isText(text, length))) throw new WireError("bad text in record");
  if (new Set(value).size !== value.length) throw new WireError("duplicate in record");
  return value;
}

/** Of all records that tell of none: a Map of each one's own would take 180 bytes. */
const NO_SHARDS: ReadonlyMap<string, ShardBits> = new Map();

function shardSets(value: unknown): ReadonlyMap<string, ShardBits> {
  if (!Array.isArray(value) || value.length > RECORD_LIMITS.shardSets) {
    throw new WireError("bad shard sets in record");
  }
  if (value.length === 0) return NO_SHARDS;
  const sets = new Map<string, ShardBits>();
  for (const entry of value) {
    if (!Array.isArray(entry) || entry.length !== 3) throw new WireError("bad shard set");
    const [name, count, bits] = entry;
    if (!isText(name, RECORD_LIMITS.topicLength)) throw new WireError("bad shard set name");
    if (!isCount(count, RECORD_LIMITS.shardCount)) throw new WireError("bad shard count");
    if (!(bits instanceof Uint8Array) || bits.length !== Math.ceil(count / 8)) {
      throw new WireError("bad shard bits");
    }
    if (count % 8 !== 0 && bits[bits.length - 1]! >> (count % 8) !== 0) {
      throw new WireError("bits past the last shard");
    }
    if (sets.has(name)) throw new WireError("duplicate in record");
    sets.set(name, { count, bits: bits.slice() });
  }
  return sets;
}

/**
 * Small records decoded before, by bits of their signature: views and shuffles bring the same ones again and again. Two places for each such row of
 * bits, the one used last first: with one place, 200 nodes of one process held each record 30 times.
 */
let decoded: (SignedRecord | undefined)[] = new Array(2_048);
const SMALL_RECORD_BYTES = 1_024;

/**
 * Sets how many decoded records are remembered, a power of two. Default 2,048, of at most 1 KiB each; a simulation of many nodes in one
 * process shares them that way.
 */
export function rememberRecords(count: number): void {
  decoded = new Array(Math.max(2, count));
}

/**
 * Decodes a record and checks the shape of everything in it, not its signature; throws {@linkcode WireError}. The result is shared: not to
 * be changed.
 */
export function decodeRecord(bytes: Uint8Array): SignedRecord {
  const { length } = bytes;
  if (length <= SIGNATURE_BYTES || length > RECORD_LIMITS.bytes) {
    throw new WireError("bad record length");
  }
  if (length > SMALL_RECORD_BYTES) return decodeFully(bytes);
  const at = length - SIGNATURE_BYTES;
  const place = (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16) & (decoded.length - 2);
  const known = decoded[place];
  if (known !== undefined && sameBytes(known.encoded, bytes)) return known;
  const other = decoded[place + 1];
  const found = other !== undefined && sameBytes(other.encoded, bytes);
  const record = found ? other : decodeFully(bytes);
  decoded[place + 1] = known;
  return decoded[place] = record;
}

function decodeFully(bytes: Uint8Array): SignedRecord {
  // A copy: the record outlives the frame that it came in.
  const encoded = bytes.slice();
  const fields = decodeCbor(encoded.subarray(0, encoded.length - SIGNATURE_BYTES));
  if (!Array.isArray(fields) || fields.length !== 7) throw new WireError("bad record");
  const [version, id, seq, ttl, addresses, topics, shards] = fields;
  if (version !== VERSION) throw new WireError("unknown record version");
  if (!(id instanceof Uint8Array) || id.length !== 32) throw new WireError("bad id in record");
  if (!isCount(seq, Number.MAX_SAFE_INTEGER) || !isCount(ttl, 86_400 * 365)) {
    throw new WireError("bad number in record");
  }
  return {
    id: toHex(id),
    seq,
    ttlSeconds: ttl,
    addresses: texts(addresses, RECORD_LIMITS.addresses, RECORD_LIMITS.addressLength),
    topics: texts(topics, RECORD_LIMITS.topics, RECORD_LIMITS.topicLength),
    shards: shardSets(shards),
    encoded,
  };
}
