/**
 * X-BOT against plain HyParView in the simulator: cost of links, degrees, connectivity, delivery times, and what is left when
 * half of the nodes are killed.
 *
 * ```sh
 * deno run -A bench/xbot.ts --nodes 1000 --preset wan --seed 1 --latency regions
 * ```
 *
 * `--latency clusters`: two clusters, 5 ms of round trip inside and 150 ms between; `--overlay JSON` overrides options.
 *
 * @module
 */

import type { OverlayOptions, Preset } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";
import { regionLatency } from "../src/testing/regions.ts";
import { Rng } from "../src/testing/rng.ts";

type Latency = (from: string, to: string) => number;
type Graph = ReadonlyMap<string, readonly string[]>;

const TOPIC = "news";
const QUIET_SECONDS = 20, OPTIMIZE_SECONDS = 300, KILLS = 200;

interface Options {
  readonly nodes: number;
  readonly seed: number;
  readonly preset: Preset;
  readonly latency: string;
  readonly overlay: Partial<OverlayOptions>;
}

/** What one overlay showed. */
export interface OverlayReport {
  /** Mean round trip of a link in ms. */
  readonly costMs: number;
  readonly degrees: Record<number, number>;
  /** Seconds of those watched in which not everybody could reach everybody. */
  readonly secondsDivided: number;
  readonly swaps: number;
  readonly tried: number;
  readonly connections: number;
  readonly dials: number;
  /** The same of the quickest paths there are, in ms. */
  readonly quickestP50: number;
  readonly quickestP99: number;
  /** Delivery of 30 messages from random nodes, in ms. */
  readonly p50: number;
  readonly p99: number;
  /** Share of the nodes that got them. */
  readonly reliability: number;
  /** Mean share of survivors in the largest part when a random half is gone, before any repair. */
  readonly halfLeft: number;
  /** Of 20 messages in the 20 s after half of the nodes were killed, the share of survivors that got them. */
  readonly afterKill: number;
  readonly afterKillP99: number;
  readonly realSeconds: number;
}

function graphOf(net: Network): Graph {
  return new Map(net.nodes.map((node) => [node.id, node.topic(TOPIC)!.neighbors]));
}

/** Size of the largest part of the graph among the given nodes. */
function largestPart(graph: Graph, nodes: ReadonlySet<string>): number {
  const seen = new Set<string>();
  let largest = 0;
  for (const start of nodes) {
    if (seen.has(start)) continue;
    const before = seen.size, stack = [start];
    seen.add(start);
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      for (const peer of graph.get(id) ?? []) {
        if (!nodes.has(peer) || seen.has(peer)) continue;
        seen.add(peer);
        stack.push(peer);
      }
    }
    largest = Math.max(largest, seen.size - before);
  }
  return largest;
}

/** Delivery times over the quickest paths: what no tree over these links can beat, in ms. */
function quickest(graph: Graph, latency: Latency, rng: Rng): { p50: number; p99: number } {
  const ids = [...graph.keys()], times: number[] = [];
  for (let i = 0; i < 30; i++) {
    const best = new Map([[ids[rng.int(ids.length)]!, 0]]);
    // Bellman-Ford with a queue: costs are few and small.
    const queue = [...best.keys()];
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      for (const peer of graph.get(id)!) {
        const time = best.get(id)! + latency(id, peer);
        if (time >= (best.get(peer) ?? Infinity)) continue;
        best.set(peer, time);
        queue.push(peer);
      }
    }
    times.push(...best.values());
  }
  times.sort((a, b) => a - b);
  return { p50: times[times.length >> 1]!, p99: times[Math.floor(0.99 * times.length)]! };
}

function halfLeft(graph: Graph, rng: Rng): number {
  let sum = 0;
  for (let i = 0; i < KILLS; i++) {
    const left = new Set([...graph.keys()].filter(() => rng.next() < 0.5));
    sum += largestPart(graph, left) / left.size;
  }
  return sum / KILLS;
}

/** Publishes from random nodes and sees when it arrives. */
async function broadcasts(net: Network, count: number, gapSeconds: number, rng: Rng) {
  const nodes = net.nodes, times: number[] = [], sentAt = new Map<string, number>();
  const readers = nodes.map(async (node) => {
    for await (const message of node.topic(TOPIC)!.messages()) {
      const at = sentAt.get(message.text());
      if (at !== undefined) times.push(net.now - at);
    }
  });
  for (let i = 0; i < count; i++) {
    const text = `${net.now} ${i}`;
    sentAt.set(text, net.now);
    await nodes[rng.int(nodes.length)]!.topic(TOPIC)!.publish(text);
    await net.run({ seconds: gapSeconds });
  }
  await net.run({ seconds: 15 });
  void readers;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), share: times.length / (count * (nodes.length - 1)) };
}

function latencyOf(kind: string): Latency {
  if (kind === "regions") return regionLatency();
  const side = (id: string) => parseInt(id.slice(0, 8), 16) % 2;
  return (from, to) => side(from) === side(to) ? 2.5 : 75;
}

function meanCost(graph: Graph, latency: Latency): number {
  let sum = 0, links = 0;
  for (const [id, peers] of graph) {
    for (const peer of peers) sum += latency(id, peer) + latency(peer, id);
    links += peers.length;
  }
  return sum / links;
}

/** Runs one overlay. */
export async function measure(options: Options): Promise<OverlayReport> {
  const started = performance.now(), { nodes, seed, preset } = options;
  const latencyMs = latencyOf(options.latency), rng = new Rng(`xbot ${seed}`);
  await using net = new Network({ seed, latencyMs });
  await net.spawn(nodes, { preset, join: [TOPIC], directory: false, overlay: options.overlay });
  await net.run({ seconds: QUIET_SECONDS });
  let secondsDivided = 0;
  for (let second = QUIET_SECONDS; second < OPTIMIZE_SECONDS; second++) {
    await net.run({ seconds: 1 });
    const graph = graphOf(net);
    if (largestPart(graph, new Set(graph.keys())) < nodes) secondsDivided++;
  }
  const graph = graphOf(net), degrees: Record<number, number> = {};
  for (const { length } of graph.values()) degrees[length] = (degrees[length] ?? 0) + 1;
  const sums = { swaps: 0, tried: 0, connections: 0, dials: 0 };
  for (const node of net.nodes) {
    const { swapsDone, swapsTried } = node.topic(TOPIC)!.metrics();
    const { connections, dials } = node.metrics().transport;
    sums.swaps += swapsDone;
    sums.tried += swapsTried;
    sums.connections += connections / nodes;
    sums.dials += dials / nodes;
  }
  await broadcasts(net, 100, 1, rng);
  const calm = await broadcasts(net, 30, 2, rng);
  const best = quickest(graphOf(net), latencyMs, rng);
  const left = halfLeft(graph, rng);
  net.kill(net.nodes.filter(() => rng.next() < 0.5));
  const hurt = await broadcasts(net, 20, 1, rng);
  return {
    costMs: meanCost(graph, latencyMs),
    degrees,
    secondsDivided,
    ...sums,
    quickestP50: best.p50,
    quickestP99: best.p99,
    p50: calm.p50,
    p99: calm.p99,
    reliability: calm.share,
    halfLeft: left,
    afterKill: hurt.share,
    afterKillP99: hurt.p99,
    realSeconds: (performance.now() - started) / 1_000,
  };
}

function readOptions(args: readonly string[]): Options {
  const given = new Map<string, string>();
  for (let i = 0; i + 1 < args.length; i += 2) given.set(args[i]!.slice(2), args[i + 1]!);
  return {
    nodes: Number(given.get("nodes") ?? 1_000),
    seed: Number(given.get("seed") ?? 1),
    preset: (given.get("preset") ?? "wan") as Preset,
    latency: given.get("latency") ?? "regions",
    overlay: JSON.parse(given.get("overlay") ?? "{}"),
  };
}

if (import.meta.main) {
  const options = readOptions(Deno.args);
  const plain = await measure({ ...options, overlay: { ...options.overlay, swapMs: 0 } });
  const swapped = await measure(options);
  console.table({ "HyParView": plain, "X-BOT": swapped });
  console.log(`cost ${Math.round(100 * (swapped.costMs / plain.costMs - 1))} %`);
}
