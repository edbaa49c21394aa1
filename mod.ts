/**
 * Gossip for Deno: who is in the network (HyParView), how messages reach everybody (Plumtree), over authenticated and
 * encrypted TCP, with a topic per shard, a directory of members, and requests between peers.
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [a.address] });
 *
 * await using blocks = a.join("blocks");
 * await using same = b.join("blocks");
 * await same.ready({ signal: AbortSignal.timeout(5_000) });
 * await same.publish("hello");
 * for await (const m of blocks) {
 *   console.log(m.id, m.from, m.hops, m.text());
 *   break;
 * }
 * ```
 *
 * @module
 */

export { Gossip, type PeerInfo } from "./src/gossip.ts";
export type { GossipOptions } from "./src/gossip_options.ts";
export type { PeerId } from "./src/core/host.ts";
export { Identity } from "./src/secure/identity.ts";
export type { Priority, Topic, TopicOptions, Verdict } from "./src/topic.ts";
export { cbor, type Codec, json, type Message } from "./src/message.ts";
export { type MoveOptions, type ShardOptions, Shards } from "./src/shards.ts";
export { shardOf } from "./src/shard_hash.ts";
export type { DownReason, GossipEvent } from "./src/events.ts";
export type { Metrics, TopicMetrics } from "./src/metrics.ts";
export type { OverlayCounters, OverlayMetrics } from "./src/core/overlay/overlay_metrics.ts";
export type { TreeMetrics } from "./src/core/tree/context.ts";
export type { NodeCounters } from "./src/core/node.ts";
export type { TransportMetrics } from "./src/transport.ts";
export type { RequestMetrics } from "./src/request/port.ts";
export { GossipError, type GossipErrorCode } from "./src/errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./src/limits.ts";
export {
  overlayDefaults,
  type OverlayOptions,
  type Preset,
  treeDefaults,
  type TreeOptions,
} from "./src/options.ts";
export { Directory, type PeerRecord, type ShardBits } from "./src/directory/directory.ts";
export type { IncomingRequest, RequestAnswer, RequestHandler } from "./src/request/handlers.ts";
export type { Reply, RequestOptions } from "./src/request/reply.ts";
