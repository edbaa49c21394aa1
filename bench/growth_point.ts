/**
 * One point of `bench:growth`: a dimension and its size as arguments; prints one JSON object.
 *
 * @module
 */

import { Network } from "@x/plumtree/testing";
import { DirectoryTable } from "../src/directory/table.ts";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import { nodeHash } from "../src/secure/primitives_node.ts";
import { signRecord } from "../src/wire/record.ts";
import type { Point } from "./growth.ts";
import { PlumtreeCluster } from "./plumtree_cluster.ts";
import { cpuMicros, round, runWorkload, warmUp } from "./workload.ts";

/** Heap and what hangs on it in bytes, after a collection. */
function memory(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const before = memory();
const megabytes = () => round((memory() - before) / 1e6);

/** Simulated nodes without a directory; one of them publishes 20 messages a second for 20 seconds of virtual time. */
async function nodes(count: number): Promise<Point> {
  await using net = new Network({ seed: 1, latencyMs: [5, 20] });
  const spawned = await net.spawn(count, { join: ["bench"], directory: false });
  await net.run({ seconds: 20 });
  let delivered = 0;
  for (const node of spawned) {
    void (async () => {
      for await (const _ of node.topic("bench")!) delivered++;
    })();
  }
  const publish = async (messages: number) => {
    for (let i = 0; i < messages; i++) {
      await spawned[0]!.topic("bench")!.publish(new Uint8Array(1_024));
      await net.run({ seconds: 0.05 });
    }
    await net.run({ seconds: 2 });
  };
  await publish(100);
  delivered = 0;
  const cpu = cpuMicros();
  await publish(400);
  const cpuUsPerDelivery = round((cpuMicros() - cpu) / delivered);
  return { cpuUsPerDelivery, memoryMb: megabytes(), delivered, expected: 400 * (count - 1) };
}

async function onTcp(
  options: Omit<Parameters<typeof PlumtreeCluster.start>[0], "nodes">,
  count: number,
  window: number,
): Promise<Point> {
  const cluster = await PlumtreeCluster.start({ nodes: 8, ...options });
  await cluster.filled();
  const load = { size: 1_024, count, window, senders: 1, mode: "burst", rate: 0 } as const;
  await warmUp(cluster, load);
  const { cpuUsPerDelivery, delivered, expected } = await runWorkload(cluster, load);
  const memoryMb = megabytes();
  await cluster.close();
  return { cpuUsPerDelivery, memoryMb, delivered, expected };
}

/** The directory's table: newer records for peers that it knows, and as many look-ups. */
function peers(count: number): Point {
  const table = new DirectoryTable("ff".repeat(32), DEFAULT_LIMITS, nodeHash.sha256Into);
  const record = (index: number, seq: number) =>
    signRecord({
      id: index.toString(16).padStart(64, "0"),
      addresses: [`10.0.${index >> 8}.${index & 255}:7946`],
      seq,
      ttlSeconds: 300,
      topics: [`topic-${index % 1_000}`],
      shards: new Map(),
    }, () => new Uint8Array(64));
  const updates = 20_000;
  for (let i = 0; i < count; i++) table.put(record(i, 1), 300, 0);
  const newer = Array.from({ length: updates }, (_, i) => record(i * 7_919 % count, 2 + i));
  for (const each of newer.slice(0, updates / 4)) table.put(each, 300, 0);
  const cpu = cpuMicros();
  let delivered = 0;
  for (const each of newer.slice(updates / 4)) {
    table.put(each, 300, 0);
    if (table.record(each.id) === each) delivered++;
  }
  const expected = updates * 3 / 4, cpuUsPerDelivery = round((cpuMicros() - cpu) / expected);
  newer.length = 0;
  const memoryMb = megabytes();
  return { cpuUsPerDelivery, memoryMb, delivered: table.size === count ? delivered : 0, expected };
}

const [dimension, text] = Deno.args, size = Number(text);
let point: Point;
if (dimension === "nodes") point = await nodes(size);
else if (dimension === "topics") point = await onTcp({ topics: size }, 5_000, 64);
// A window well below what the smallest log holds, for repair lives on the log.
else if (dimension === "held") {
  point = await onTcp({ tree: { retainMessages: size } }, 12_000, 16);
} else if (dimension === "peers") point = peers(size);
else throw new TypeError(`${dimension} does not grow here`);
console.log(JSON.stringify(point));
Deno.exit();
