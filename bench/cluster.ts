/**
 * `deno task bench:cluster`: real nodes on loopback TCP under one workload. Options: `--nodes 16 --size 1024 --count 5000
 * --window 64 --senders 1 --sign 0 --mode burst|paced --rate 20 --json`.
 *
 * @module
 */

import { Gossip, type Topic } from "@x/plumtree";
import { Progress, readArgs, runCommand, table } from "../src/cli/args.ts";
import { checkLoad, type Cluster, runWorkload, warmUp } from "./workload.ts";

/** Real nodes in this process, all on one topic. */
export class PlumtreeCluster implements Cluster {
  readonly nodes: number;
  onDelivery: (node: number, payload: Uint8Array) => void = () => {};
  readonly #gossips: Gossip[];
  readonly #topics: Topic[];
  readonly #reading: Promise<void>[];

  private constructor(gossips: Gossip[], topics: Topic[]) {
    this.nodes = gossips.length;
    this.#gossips = gossips;
    this.#topics = topics;
    this.#reading = topics.map((topic, node) => this.#read(topic, node));
  }

  /** Starts nodes and waits until the overlay is filled and a first round of messages has formed the tree. */
  static async start(nodes: number, sign: boolean): Promise<PlumtreeCluster> {
    const gossips: Gossip[] = [];
    for (let i = 0; i < nodes; i++) {
      const bootstrap = gossips.slice(0, 1).map(({ address }) => address);
      gossips.push(await Gossip.listen({ hostname: "127.0.0.1", bootstrap }));
    }
    const topics = gossips.map((gossip) => gossip.join("bench", { sign, buffer: 100_000 }));
    await Promise.all(topics.map((topic) => topic.ready()));
    const cluster = new PlumtreeCluster(gossips, topics);
    await cluster.#settle();
    return cluster;
  }

  publish(node: number, payload: Uint8Array): Promise<void> {
    return this.#topics[node]!.publish(payload).then(() => {});
  }

  counters(): { duplicates: number; wireBytes: number } {
    let duplicates = 0, wireBytes = 0;
    for (const topic of this.#topics) duplicates += topic.metrics().duplicates;
    for (const gossip of this.#gossips) wireBytes += gossip.metrics().transport.bytesOut;
    return { duplicates, wireBytes };
  }

  async close(): Promise<void> {
    await Promise.all(this.#gossips.map((gossip) => gossip.close()));
    await Promise.all(this.#reading);
  }

  async #read(topic: Topic, node: number): Promise<void> {
    for await (const { data } of topic) this.onDelivery(node, data);
  }

  async #settle(): Promise<void> {
    const wanted = Math.min(4, this.nodes - 1);
    const deadline = performance.now() + 20_000;
    while (
      this.#topics.filter(({ neighbors }) => neighbors.length >= wanted).length < this.nodes * 0.8
    ) {
      if (performance.now() > deadline) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Runs the command; true where everything arrived. */
export async function benchCluster(args: readonly string[]): Promise<boolean> {
  const { nodes, size, count, window, senders, sign, mode, rate, json } = readArgs(
    args,
    { nodes: 16, size: 1_024, count: 5_000, window: 64, senders: 1, sign: 0, rate: 20 },
    ["json"],
    { mode: "burst" },
  );
  const load = checkLoad(nodes, { size, count, window, senders, mode, rate });
  const progress = new Progress();
  progress.show(`starting ${nodes} nodes`);
  const cluster = await PlumtreeCluster.start(nodes, sign !== 0);
  try {
    await warmUp(cluster, load);
    progress.show(`publishing ${count} messages`);
    const result = await runWorkload(cluster, load);
    const rssMb = Math.round(Deno.memoryUsage().rss / 1e6);
    const report = { nodes, size, count, ...result, rssMb };
    progress.clear();
    console.log(table(Object.entries(report)));
    if (json) console.log(JSON.stringify(report));
    return result.delivered === result.expected;
  } finally {
    await cluster.close();
  }
}

if (import.meta.main) await runCommand(() => benchCluster(Deno.args));
