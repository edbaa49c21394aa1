/**
 * How topics and shards are found in records. Pure.
 *
 * @module
 */

import type { PeerRecord, ShardBits } from "../wire/record.ts";

/** A topic's name, and what it says if it is one of a shard. */
export interface TopicKey {
  /** The whole name. */
  readonly topic: string;
  /** The shard set, for a name that ends with a slash and a number. */
  readonly set: string | undefined;
  /** The shard; -1 without a set. */
  readonly shard: number;
}

/** Takes a topic's name apart. */
export function topicKey(topic: string): TopicKey {
  const slash = topic.lastIndexOf("/");
  const digits = topic.slice(slash + 1);
  if (slash < 1 || !/^(0|[1-9][0-9]{0,4})$/.test(digits)) {
    return { topic, set: undefined, shard: -1 };
  }
  return { topic, set: topic.slice(0, slash), shard: Number(digits) };
}

/** True where a shard's bit is set. */
export function hasShard(shards: ShardBits | undefined, shard: number): boolean {
  return shards !== undefined && shard >= 0 && shard < shards.count &&
    (shards.bits[shard >> 3]! & 1 << (shard & 7)) !== 0;
}

/** The shards whose bit is set, ascending. */
export function* shardsOf(shards: ShardBits): Generator<number, void, undefined> {
  for (let shard = 0; shard < shards.count; shard++) {
    if (hasShard(shards, shard)) yield shard;
  }
}

/** True where a record says that its peer is on a topic. */
export function isOn(record: PeerRecord, key: TopicKey): boolean {
  return key.set !== undefined && hasShard(record.shards.get(key.set), key.shard) ||
    record.topics.includes(key.topic);
}
