/**
 * A simulated network for tests: the same nodes as over TCP, without sockets, under virtual time, reproducible by a seed.
 *
 * @example
 * ```ts
 * import { Network } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using net = new Network({ seed: 1, latencyMs: [5, 20] });
 * const nodes = await net.spawn(10, { join: ["blocks"] });
 * await net.run({ seconds: 5 });
 * await nodes[3]!.topic("blocks")!.publish("to all");
 * await net.run({ seconds: 1 });
 * assertEquals(nodes[9]!.topic("blocks")!.metrics().delivered, 1);
 * ```
 *
 * @module
 */

export { Network } from "./network.ts";
export type { Sides, SpawnOptions } from "./network_options.ts";
export { regions } from "./regions.ts";
export type {
  Bandwidth,
  Latency,
  MatrixLatency,
  NormalLatency,
  SimFabricMetrics as NetworkMetrics,
  SimFabricOptions as NetworkOptions,
} from "./sim_fabric.ts";
export type { TraceEvent } from "./sim_trace.ts";
