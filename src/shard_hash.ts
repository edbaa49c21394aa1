/**
 * The stable hash by which a key finds its shard.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";

/** The most shards that one set can have: what a peer record can carry as a bitfield. */
export const SHARD_COUNT_MOST = 65_536;

const encoder = new TextEncoder();

/**
 * The shard of a key: SHA-256 of the key (a string as UTF-8), its first eight bytes as a big-endian number, modulo `count`.
 *
 * The same in every version and every language; `test/vectors/shard_hash.json` has examples. The bias is below
 * `count / 2^64`. In Python: `int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % count`.
 *
 * @example
 * ```ts
 * import { shardOf } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(shardOf("hello", 64), shardOf(new TextEncoder().encode("hello"), 64));
 * ```
 *
 * @param key What is looked for: an account, a block hash, a file name.
 * @param count The number of shards, 1 to 65,536.
 * @returns The shard, 0 to `count - 1`.
 */
export function shardOf(key: string | Uint8Array, count: number): number {
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    throw new TypeError("a key is a string or a Uint8Array");
  }
  if (!Number.isInteger(count) || count < 1 || count > SHARD_COUNT_MOST) {
    throw new RangeError(`a number of shards is 1 to ${SHARD_COUNT_MOST}, not ${count}`);
  }
  const digest = sha256(typeof key === "string" ? encoder.encode(key) : key);
  const view = new DataView(digest.buffer, digest.byteOffset, 8);
  // By remainders of both halves: every product stays below 2^53.
  const high = (view.getUint32(0) % count) * (2 ** 32 % count);
  return (high + view.getUint32(4)) % count;
}
