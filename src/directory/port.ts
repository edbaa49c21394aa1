/**
 * What the directory asks of the node that it is a part of.
 *
 * @module
 */

import type { Clock, PeerId } from "../core/host.ts";
import type { ShardBits, SignedRecord } from "../wire/record.ts";
import type { Sha256 } from "./table.ts";

/** What a node says of itself. */
export interface OwnEntry {
  /** Where others can dial it, best first. */
  readonly addresses: readonly string[];
  /** The topics it is on, without those of shards and the library's own. */
  readonly topics: Iterable<string>;
  /** The shards it is on, by shard set. */
  readonly shards: ReadonlyMap<string, ShardBits>;
}

/** The node, as the directory sees it. */
export interface DirectoryPort extends Clock {
  /** This node. */
  readonly self: PeerId;
  /** What the node is on now; asked for at the start and after each `changed()`. */
  own(): OwnEntry;
  /** Milliseconds since 1970 by the wall clock. */
  wallClock(): number;
  /** Signs with this node's identity. */
  sign(message: Uint8Array): Uint8Array;
  /** Checks an ed25519 signature. */
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean;
  /** SHA-256. */
  readonly sha256: Sha256;
  /** Publishes a record on the directory's topic. */
  publish(record: Uint8Array): void;
  /** Makes a request of the library's own; rejects with a `GossipError`. */
  request(
    peer: PeerId,
    protocol: string,
    body: Uint8Array,
    options: { signal?: AbortSignal; maxBytes?: number },
  ): Promise<{ readonly found: boolean; readonly data: Uint8Array }>;
  /** A topic that this node is on gained members: its overlay may want them. */
  membersGained(topic: string): void;
  /** A peer broke the protocol; `points` of 100 end its connection. */
  misbehaved(peer: PeerId, points: number, what: string): void;
  /** Decodes a record; where it is left out, `decodeRecord`. A host of many nodes in one process can share the results. */
  decode?(bytes: Uint8Array): SignedRecord;
}
