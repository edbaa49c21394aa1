/**
 * What every contender of `bench:compare` does in a process of its own: read the workload from its options, start a cluster, run,
 * print one JSON object.
 *
 * @module
 */

import { readArgs, runCommand } from "../src/cli/args.ts";
import { checkLoad, type Cluster, runWorkload, warmUp } from "./workload.ts";

/** Runs a contender whose clusters `start` makes; `sign`: authors sign their messages. */
export async function runContender(
  start: (nodes: number, sign: boolean) => Promise<Cluster>,
): Promise<void> {
  await runCommand(async () => {
    const options = readArgs(
      Deno.args,
      { nodes: 16, size: 1_024, count: 5_000, window: 64, senders: 1, sign: 0, rate: 20 },
      ["json"],
      { mode: "burst" },
    );
    const { nodes, sign } = options;
    const load = checkLoad(nodes, options);
    const cluster = await start(nodes, sign !== 0);
    try {
      await warmUp(cluster, load);
      const result = await runWorkload(cluster, load);
      const rssMb = Math.round(Deno.memoryUsage().rss / 1e6);
      console.log(JSON.stringify({ nodes, size: load.size, count: load.count, ...result, rssMb }));
      return result.delivered === result.expected;
    } finally {
      await cluster.close();
    }
  });
}
