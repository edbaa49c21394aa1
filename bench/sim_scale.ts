/**
 * `deno task bench:sim`: how many nodes a simulated network holds and how fast it runs. Options: `--nodes 10000 --messages 20
 * --settle 20 --seed 1 --wave 0 --json`.
 *
 * Nodes of one topic join in waves of `--wave` nodes per virtual second (0: all at once), get `--settle` virtual seconds for their
 * overlay, and then broadcasts follow one another, the first one over no tree at all. A hundred thousand nodes take a large heap, and one
 * that is not collected again and again while it grows:
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc,--max-old-space-size=20000,--initial-heap-size=10000,--min-semi-space-size=64,--max-semi-space-size=64,--external-memory-max-growing-factor=4 bench/sim_scale.ts --nodes 100000 --messages 1 --settle 8
 * ```
 *
 * @module
 */

import process from "node:process";
import type { Gossip } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";
import { Progress, readArgs, runCommand, table } from "../src/cli/args.ts";

/** What one run showed. */
export interface ScaleReport {
  readonly nodes: number;
  /** Share of the nodes, the author not counted, that got the first broadcast, and all of them. */
  readonly firstReached: number;
  readonly reached: number;
  readonly deliveries: number;
  /** Per second of CPU time of the whole process, garbage collection included. */
  readonly deliveriesPerSecond: number;
  readonly framesPerSecond: number;
  readonly joinSeconds: number;
  readonly settleSeconds: number;
  readonly firstSeconds: number;
  readonly broadcastSeconds: number;
  /** Real seconds for one virtual second of a quiet network. */
  readonly quietPerSecond: number;
  readonly heapBytesPerNode: number;
  readonly outsideBytesPerNode: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly neighbors: number;
  readonly traceHash: string;
}

/** How a run is made. */
export interface ScaleOptions {
  readonly nodes: number;
  readonly messages: number;
  readonly settle: number;
  readonly seed: number;
  readonly wave: number;
}

const TOPIC = "scale";
const QUIET_SECONDS = 5;
/** A broadcast through an overlay of this latency is over within. */
const BROADCAST_SECONDS = 3;

/** CPU seconds of this process, all of its threads. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The most memory that the process ever had; 0 where the system does not say. */
function peakRss(): number {
  try {
    const found = /VmHWM:\s*(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"));
    return found === null ? 0 : Number(found[1]) * 1024;
  } catch {
    return 0;
  }
}

function memory(): { heap: number; outside: number; rss: number } {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { heap: heapUsed, outside: external, rss };
}

function delivered(nodes: readonly Gossip[]): number {
  return nodes.reduce((sum, node) => sum + node.topic(TOPIC)!.metrics().delivered, 0);
}

/** Runs one network and measures it. */
export async function measureScale(
  options: ScaleOptions,
  show: (line: string) => void,
): Promise<ScaleReport> {
  const { count, before } = { count: options.nodes, before: memory() };
  const net = new Network({ seed: options.seed, latencyMs: [10, 50] });
  let frames = 0, mark = cpuSeconds();
  const lap = () => {
    const last = mark;
    return (mark = cpuSeconds()) - last;
  };
  show(`${count} nodes join`);
  await join(net, options, show);
  const joinSeconds = lap();
  for (let s = 0; s < options.settle; s++) {
    show(`overlay: ${s} of ${options.settle} virtual seconds`);
    await net.run({ seconds: 1 });
  }
  const settleSeconds = lap();
  const { nodes } = net;
  await net.run({ seconds: QUIET_SECONDS });
  const quietPerSecond = lap() / QUIET_SECONDS;
  const after = memory();
  mark = cpuSeconds();
  const framesBefore = received(nodes);
  let first = 0, firstSeconds = 0;
  for (let i = 0; i < options.messages; i++) {
    show(`broadcast ${i + 1} of ${options.messages}`);
    await nodes[Math.floor(i * nodes.length / options.messages)]!.topic(TOPIC)!.publish(`${i}`);
    await net.run({ seconds: BROADCAST_SECONDS });
    if (i === 0) {
      firstSeconds = lap();
      first = delivered(nodes);
    }
  }
  const broadcastSeconds = lap() + firstSeconds;
  frames = received(nodes) - framesBefore;
  const deliveries = delivered(nodes);
  const neighbors = nodes.reduce((sum, n) => sum + n.topic(TOPIC)!.neighbors.length, 0);
  return {
    nodes: count,
    firstReached: first / (count - 1),
    reached: deliveries / (count - 1) / options.messages,
    deliveries,
    deliveriesPerSecond: deliveries / broadcastSeconds,
    framesPerSecond: frames / broadcastSeconds,
    ...{ joinSeconds, settleSeconds, firstSeconds, broadcastSeconds, quietPerSecond },
    heapBytesPerNode: (after.heap - before.heap) / count,
    outsideBytesPerNode: (after.outside - before.outside) / count,
    rssBytes: after.rss,
    peakRssBytes: peakRss(),
    neighbors: neighbors / count,
    traceHash: net.traceHash,
  };
}

async function join(net: Network, { nodes, wave }: ScaleOptions, show: (line: string) => void) {
  const step = wave === 0 ? nodes : wave;
  for (let left = nodes; left > 0; left -= step) {
    show(`${nodes - left} of ${nodes} nodes joined`);
    await net.spawn(Math.min(step, left), { join: [TOPIC], directory: false });
    await net.run({ seconds: 1 });
  }
}

function received(nodes: readonly Gossip[]): number {
  return nodes.reduce((sum, node) => sum + node.metrics().transport.framesIn, 0);
}

/** The command; true where every broadcast reached every node. */
export async function benchScale(args: readonly string[]): Promise<boolean> {
  const numbers = { nodes: 10_000, messages: 20, settle: 20, seed: 1, wave: 0 };
  const options = readArgs(args, numbers, ["json"], {});
  if (options.nodes < 2 || options.messages < 1) {
    throw new RangeError("two nodes and one message are the least");
  }
  const progress = new Progress();
  const report = await measureScale(options, (line) => progress.show(line));
  progress.clear();
  if (options.json) {
    console.log(JSON.stringify(report));
  } else {
    const cell = (value: number | string) =>
      typeof value === "string" ? value : value.toLocaleString("en", { maximumFractionDigits: 3 });
    console.log(table(Object.entries(report).map(([name, value]) => [name, cell(value)])));
  }
  return report.reached === 1;
}

if (import.meta.main) await runCommand(() => benchScale(Deno.args));
