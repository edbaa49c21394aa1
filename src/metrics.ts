/**
 * Counters and gauges, as plain frozen snapshots.
 *
 * @module
 */

import type { NodeCounters } from "./core/node.ts";
import type { OverlayMetrics } from "./core/overlay/overlay_metrics.ts";
import type { TreeMetrics } from "./core/tree/plumtree.ts";
import type { TransportMetrics } from "./transport.ts";
import type { RequestMetrics } from "./request/port.ts";

/**
 * What one topic has counted since it was joined, and how large it is now; see `Topic.metrics`. Counts of messages, ids, frames or peers.
 *
 * @example
 * ```ts
 * import { Gossip, type TopicMetrics } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using news = node.join("news");
 * await news.publish("hello");
 * const { published, delivered, neighbors }: TopicMetrics = news.metrics();
 * assertEquals([published, delivered, neighbors], [1, 0, 0]);
 * ```
 */
export interface TopicMetrics extends Readonly<OverlayMetrics>, Readonly<TreeMetrics> {
  /** Peers in the active view; the same as `active`. */
  readonly neighbors: number;
  /** Peers in the passive view. */
  readonly passive: number;
}

/**
 * What a node has counted since it started, and how large it is now; see `Gossip.metrics`.
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using gossip = await Gossip.listen({ hostname: "127.0.0.1" });
 * assertEquals(gossip.metrics().transport.connections, 0);
 * ```
 */
export interface Metrics {
  /** Every joined topic, by name. */
  readonly topics: Readonly<Record<string, TopicMetrics>>;
  /** Connections and bytes. */
  readonly transport: TransportMetrics;
  /** Frames that reached no topic, and errors. */
  readonly core: Readonly<NodeCounters>;
  /** Requests, made here and by others. */
  readonly requests: Readonly<RequestMetrics>;
  /** Peers in the directory, this node included. */
  readonly directory: number;
}
