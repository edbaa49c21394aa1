/**
 * Who is on which topic, as a user sees it.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import type { PeerRecord } from "../wire/record.ts";

export type { PeerRecord, ShardBits } from "../wire/record.ts";

/** Where a {@linkcode Directory} looks. */
export interface DirectorySource {
  /** Peers known. */
  readonly size: number;
  /** The newest record of a peer. */
  record(id: PeerId): PeerRecord | undefined;
  /** The records of a topic's members. */
  onTopic(topic: string): PeerRecord[];
  /** All records. */
  records(): Iterable<PeerRecord>;
}

/**
 * Which peers there are and what they are on, as far as this node has heard; this node itself is among them. Every entry is signed
 * by its peer, who renews it; one that is not renewed expires after the time that the peer says in it: for peers of this version 5 minutes, or
 * 15 seconds for each peer that it knows where that is more, an hour at most. A node tells its changes to all others, so answers may be a moment old.
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using gossip = await Gossip.listen({ hostname: "127.0.0.1" });
 * for (const { id, addresses } of gossip.directory) {
 *   assertEquals([id, addresses], [gossip.id, [gossip.address]]);
 * }
 * assertEquals(gossip.directory.get("0".repeat(64)), undefined);
 * ```
 */
export class Directory implements Iterable<PeerRecord> {
  readonly #source: DirectorySource;

  /** Made by a node; see `Gossip.directory`. */
  constructor(source: DirectorySource) {
    this.#source = source;
  }

  /** How many peers are known, this node included. */
  get size(): number {
    return this.#source.size;
  }

  /** The newest record of a peer; undefined where none is known or it has expired. */
  get(id: PeerId): PeerRecord | undefined {
    return this.#source.record(id);
  }

  /**
   * The records of the peers on a topic, this node's own among them; `name/7` finds those on shard 7 of the shard set `name` too.
   *
   * @throws {TypeError} for a topic that is no string.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1 });
   * const [node, other] = await net.spawn(2, { join: ["news"] });
   * await net.run({ seconds: 5 });
   * const ids = node!.directory.lookup("news").map(({ id }) => id);
   * assertEquals(ids.sort(), [node!.id, other!.id].sort());
   * ```
   */
  lookup(topic: string): PeerRecord[] {
    if (typeof topic !== "string") throw new TypeError("a topic is a string");
    return this.#source.onTopic(topic);
  }

  /** All records, those that were renewed last at the end. */
  [Symbol.iterator](): Iterator<PeerRecord> {
    return this.#source.records()[Symbol.iterator]();
  }
}
