/**
 * `deno task bench:cluster`: real nodes on loopback TCP under one workload. Options: `--nodes 16 --size 1024 --count 5000
 * --window 64 --senders 1 --sign 0 --mode burst|paced --rate 20 --processes 1 --topics 1 --idle 0 --settle 60 --storm --json`.
 * `--idle 30` tells CPU share, records and memory of the quiet cluster over 30 seconds, `--settle` seconds after its overlays are filled; `--storm`
 * starts all nodes but the first at once and tells when they were ready.
 *
 * @module
 */

import { percentile, Progress, readArgs, runCommand, table } from "../src/cli/args.ts";
import { memory, PlumtreeCluster } from "./plumtree_cluster.ts";
import { SpreadCluster } from "./spread_cluster.ts";
import { checkLoad, cpuMicros, round, runWorkload, warmUp, whole } from "./workload.ts";

const NUMBERS = {
  ...{ nodes: 16, size: 1_024, count: 5_000, window: 64, senders: 1, sign: 0, rate: 20 },
  ...{ processes: 1, topics: 1, idle: 0, settle: 60 },
};

function sleep(secs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, secs * 1_000));
}

/** CPU share of one core and memory of a cluster without messages. */
async function idle(cluster: PlumtreeCluster, secs: number): Promise<Record<string, number>> {
  const before = cpuMicros(), records = cluster.records(), start = performance.now();
  await sleep(secs);
  const ms = performance.now() - start;
  const cpuShare = (cpuMicros() - before) / 1e3 / ms;
  const recordsPerSec = Math.round((cluster.records() - records) / ms * 1e3);
  const { rss, live } = await memory();
  const more = (bytes: number) => Math.round(bytes / 1_024 / (cluster.nodes - 1));
  return {
    idleSecs: secs,
    cpuShare: round(cpuShare),
    recordsPerSec,
    connections: cluster.connections(),
    rssPerNodeKb: more(rss - cluster.first.rss),
    heapPerNodeKb: more(live - cluster.first.live),
  };
}

/** Runs the command; true where everything arrived. */
export async function benchCluster(args: readonly string[]): Promise<boolean> {
  const options = readArgs(args, NUMBERS, ["json", "storm"], { mode: "burst" });
  const { nodes, sign, processes, topics, storm, json } = options;
  const load = checkLoad(nodes, options);
  whole("sign", sign, 0, 1);
  whole("topics", topics, 1, 1_024);
  whole("processes", processes, 1, Math.floor(nodes / 2));
  if (processes > 1 && (storm || options.idle > 0)) {
    throw new RangeError("--storm and --idle look at one process: --processes 1");
  }
  const progress = new Progress();
  progress.show(`starting ${nodes} nodes`);
  const start = { nodes, sign: sign === 1, topics };
  const cluster = processes > 1
    ? await SpreadCluster.start({ ...start, processes })
    : await PlumtreeCluster.start({ ...start, storm });
  try {
    const { readyMs } = cluster;
    const ready = storm
      ? { readyP50Ms: round(percentile(readyMs, 0.5)), readyMaxMs: round(percentile(readyMs, 1)) }
      : {};
    let quiet = {};
    if (cluster instanceof PlumtreeCluster) {
      await cluster.filled();
      if (options.idle > 0) {
        progress.show(`settling for ${options.settle} s`);
        await sleep(options.settle);
        progress.show(`quiet for ${options.idle} s`);
        quiet = await idle(cluster, options.idle);
      }
    }
    progress.show(`publishing ${load.count} messages`);
    await warmUp(cluster, load);
    const result = await runWorkload(cluster, load);
    const rssMb = Math.round(Deno.memoryUsage().rss / 1e6);
    const { size, count } = load;
    const report = { nodes, processes, topics, size, count, ...result, rssMb, ...ready, ...quiet };
    progress.clear();
    console.log(table(Object.entries(report)));
    if (json) console.log(JSON.stringify(report));
    return result.delivered === result.expected;
  } finally {
    await cluster.close();
  }
}

if (import.meta.main) await runCommand(() => benchCluster(Deno.args));
