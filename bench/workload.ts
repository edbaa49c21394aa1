/**
 * One workload over any cluster: publish so many messages from so many senders, in a burst with a window or paced, and measure
 * what arrives.
 *
 * @module
 */

import process from "node:process";
import { percentile } from "../src/cli/args.ts";

/** Counters of a cluster since its start. */
export interface Counters {
  /** Copies beyond the first. */
  duplicates: number;
  /** Bytes written to sockets. */
  wireBytes: number;
  /** CPU time of all its processes in µs; without it, this one's. */
  cpuUs?: number;
}

/** What is measured: anything that spreads messages. */
export interface Cluster {
  /** Nodes in it. */
  readonly nodes: number;
  /** Publishes from a node. */
  publish(node: number, payload: Uint8Array): Promise<void> | void;
  /** Called by the cluster for every delivery at a node other than the publisher. */
  onDelivery: (node: number, payload: Uint8Array) => void;
  /** Counters since the start. */
  counters(): Counters | Promise<Counters>;
  /** Ends it. */
  close(): Promise<void>;
}

/** One workload. */
export interface Workload {
  readonly size: number;
  readonly count: number;
  /** Messages on their way at once (burst). */
  readonly window: number;
  /** Nodes that publish in turn. */
  readonly senders: number;
  readonly mode: "burst" | "paced";
  /** Messages per second (paced). */
  readonly rate: number;
}

/** What it gave; times in the units of their names. */
export interface WorkloadResult {
  delivered: number;
  expected: number;
  secs: number;
  deliveriesPerSec: number;
  mbPerSec: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  cpuUsPerDelivery: number;
  duplicatesPerDelivery: number;
  wireBytesPerDelivery: number;
}

/** Bytes at the head of each payload: its number, and a mark of the run. */
export const HEAD_BYTES = 8;
/** How long nothing may arrive before a run is given up. */
const STALLED_MS = 10_000;

/** CPU time of this process in µs. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Puts a message's number and its run at the head of a payload. */
export function payloadOf(message: number, run: number, payload: Uint8Array): Uint8Array {
  const view = new DataView(payload.buffer, payload.byteOffset);
  view.setUint32(0, message);
  view.setUint32(4, run);
  return payload;
}

let runs = 0;

/** Runs a workload and waits for all its deliveries. */
export async function runWorkload(cluster: Cluster, load: Workload): Promise<WorkloadResult> {
  const { size, count, window, senders, mode, rate } = load;
  const receivers = cluster.nodes - 1;
  const run = ++runs;
  const sentAt = new Float64Array(count);
  const left = new Int32Array(count).fill(receivers);
  const latencies = new Float64Array(count * receivers);
  let delivered = 0, open = 0, lastAt = performance.now();
  let wake: (() => void) | undefined;

  cluster.onDelivery = (_node, payload) => {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    if (view.getUint32(4) !== run) return;
    const message = view.getUint32(0);
    lastAt = performance.now();
    latencies[delivered++] = lastAt - sentAt[message]!;
    if (--left[message]! > 0) return;
    open--;
    wake?.();
  };

  const room = (most: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setInterval(() => {
        if (performance.now() - lastAt < STALLED_MS) return;
        clearInterval(timer);
        reject(new Error(`stalled: ${delivered} of ${count * receivers} deliveries`));
      }, 1_000);
      wake = () => {
        if (open > most) return;
        clearInterval(timer);
        wake = undefined;
        resolve();
      };
      wake();
    });

  const before = await cluster.counters();
  const cpuBefore = before.cpuUs ?? cpuMicros();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    if (mode === "burst" && open >= window) await room(window - 1);
    if (mode === "paced") {
      const wait = start + i * 1_000 / rate - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
    const payload = payloadOf(i, run, new Uint8Array(size));
    open++;
    sentAt[i] = performance.now();
    await cluster.publish(i % senders, payload);
  }
  await room(0);
  const secs = (lastAt - start) / 1_000;
  const after = await cluster.counters();
  const cpu = (after.cpuUs ?? cpuMicros()) - cpuBefore;
  const sorted = latencies.subarray(0, delivered).sort();
  return {
    delivered,
    expected: count * receivers,
    secs: round(secs),
    deliveriesPerSec: Math.round(delivered / secs),
    mbPerSec: round(delivered * size / secs / 1e6),
    p50Ms: round(percentile(sorted, 0.5)),
    p99Ms: round(percentile(sorted, 0.99)),
    maxMs: round(percentile(sorted, 1)),
    cpuUsPerDelivery: round(cpu / delivered),
    duplicatesPerDelivery: round((after.duplicates - before.duplicates) / delivered),
    wireBytesPerDelivery: Math.round((after.wireBytes - before.wireBytes) / delivered),
  };
}

/** Checks a workload's options for a cluster of so many nodes. */
export function checkLoad(
  nodes: number,
  options: { [K in keyof Workload]: K extends "mode" ? string : number },
): Workload {
  const { size, count, window, senders, mode, rate } = options;
  if (mode !== "burst" && mode !== "paced") {
    throw new TypeError(`--mode is burst or paced, not ${mode}`);
  }
  whole("nodes", nodes, 2);
  whole("size", size, HEAD_BYTES);
  whole("count", count, 1);
  whole("window", window, 1);
  whole("senders", senders, 1, nodes);
  if (!(rate > 0)) throw new RangeError("--rate must be above 0");
  return { size, count, window, senders, mode, rate };
}

/** Checks that an option is a whole number within bounds. */
export function whole(name: string, value: number, least: number, most = Infinity): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const upTo = most === Infinity ? "" : ` and at most ${most}`;
  throw new RangeError(
    `--${name} must be a whole number of at least ${least}${upTo}, not ${value}`,
  );
}

/** Lets the tree form and the code get hot: a round of small messages from everyone, then a fifth of the workload, unpaced. */
export async function warmUp(cluster: Cluster, load: Workload): Promise<void> {
  const { nodes } = cluster;
  const round = { ...load, size: 100, count: 4 * nodes, window: 1, senders: nodes };
  await runWorkload(cluster, { ...round, mode: "burst" });
  const count = Math.min(2_000, Math.ceil(load.count / 5));
  await runWorkload(cluster, { ...load, count, mode: "burst" });
}

/** To three places. */
export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
