/**
 * Real nodes of this library in one process.
 *
 * @module
 */

import { Gossip, type Topic, type TreeOptions } from "@x/plumtree";
import { type Cluster, type Counters, cpuMicros } from "./workload.ts";

/** How nodes are started. */
export interface ClusterOptions {
  readonly nodes: number;
  /** Authors sign. */
  readonly sign?: boolean;
  /** Topics that every node is on; messages go round them. */
  readonly topics?: number;
  /** Addresses of nodes elsewhere; without any, the first node here is what the others join by. */
  readonly bootstrap?: readonly string[];
  /** Overrides of the broadcast trees' options. */
  readonly tree?: Partial<TreeOptions>;
  /** All at once, and not one after the other. */
  readonly storm?: boolean;
}

/** Most milliseconds for the overlays to fill. */
const FILL_MS = 30_000;

/** See the module. */
export class PlumtreeCluster implements Cluster {
  onDelivery: (node: number, payload: Uint8Array) => void = () => {};
  /** Milliseconds from the common start until each node was on all its topics, ascending. */
  readonly readyMs: number[] = [];
  /** Memory when the first node was up alone. */
  first: Memory = { rss: 0, live: 0 };
  readonly #options: ClusterOptions;
  readonly #gossips: Gossip[] = [];
  readonly #topics: Topic[][] = [];
  readonly #reading: Promise<void>[] = [];
  #published = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Starts nodes and waits until they are ready and their overlays are filled. */
  static async start(options: ClusterOptions): Promise<PlumtreeCluster> {
    const cluster = new PlumtreeCluster(options);
    const bootstrap = options.bootstrap ?? [];
    await cluster.#startNode(0, bootstrap, performance.now());
    cluster.first = await memory();
    const seed = bootstrap.length > 0 ? bootstrap : [cluster.#gossips[0]!.address];
    const start = performance.now();
    const rest: Promise<void>[] = [];
    for (let node = 1; node < options.nodes; node++) {
      const starting = cluster.#startNode(node, seed, start);
      rest.push(starting);
      if (!options.storm) await starting;
    }
    await Promise.all(rest);
    cluster.readyMs.sort((a, b) => a - b);
    return cluster;
  }

  get nodes(): number {
    return this.#options.nodes;
  }

  /** Address of a node. */
  address(node: number): string {
    return this.#gossips[node]!.address;
  }

  publish(node: number, payload: Uint8Array): Promise<void> {
    const topics = this.#topics[node]!;
    return topics[this.#published++ % topics.length]!.publish(payload).then(() => {});
  }

  counters(): Counters {
    let duplicates = 0, wireBytes = 0;
    for (const topic of this.#topics.flat()) duplicates += topic.metrics().duplicates;
    for (const gossip of this.#gossips) wireBytes += gossip.metrics().transport.bytesOut;
    return { duplicates, wireBytes, cpuUs: cpuMicros() };
  }

  /** Connections between the nodes, each counted at one of its ends. */
  connections(): number {
    return this.#gossips.reduce((sum, each) => sum + each.peers().length, 0) / 2;
  }

  /** Records written by all nodes since the start. */
  records(): number {
    return this.#gossips.reduce((sum, each) => sum + each.metrics().transport.recordsOut, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#gossips.map((gossip) => gossip.close()));
    await Promise.all(this.#reading);
  }

  /** Waits until most active views are as full as a cluster of `total` nodes allows. */
  async filled(total = this.nodes): Promise<void> {
    const wanted = Math.min(4, total - 1), deadline = performance.now() + FILL_MS;
    const topics = this.#topics.flat();
    const full = () => topics.filter(({ neighbors }) => neighbors.length >= wanted).length;
    while (full() < topics.length * 0.8 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #startNode(node: number, bootstrap: readonly string[], start: number): Promise<void> {
    const { sign = false, topics: count = 1, tree } = this.#options;
    const hostname = "127.0.0.1";
    const gossip = await Gossip.listen({ hostname, bootstrap: [...bootstrap], tree });
    const names = Array.from({ length: count }, (_, i) => `bench-${i}`);
    const topics = names.map((name) => gossip.join(name, { sign, buffer: 100_000 }));
    this.#gossips[node] = gossip;
    this.#topics[node] = topics;
    for (const topic of topics) this.#reading.push(this.#read(topic, node));
    // The first of all has nobody to be ready with.
    if (bootstrap.length === 0) return;
    await Promise.all(topics.map((topic) => topic.ready()));
    this.readyMs.push(performance.now() - start);
  }

  async #read(topic: Topic, node: number): Promise<void> {
    for await (const { data } of topic) this.onDelivery(node, data);
  }
}

/** Looks at the memory until it no longer falls by a hundredth, and this long apart: other threads give pages back behind a collection. */
const LOOKS = 8, LOOK_MS = 250;

/** Memory of this process in bytes. */
export interface Memory {
  /** Resident. */
  readonly rss: number;
  /** What lives on the heap and hangs on it. */
  readonly live: number;
}

/**
 * Memory without garbage: all of it is collected and free pages are given back, where `--v8-flags=--expose-gc` allows it. V8 by itself leaves
 * both for later as long as nobody needs the memory.
 */
export async function memory(): Promise<Memory> {
  const { gc } = globalThis as { gc?: (options: Record<string, string>) => void };
  let least = Infinity;
  for (let look = 0;; look++) {
    gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
    const { rss, heapUsed, external } = Deno.memoryUsage();
    if (gc === undefined || look === LOOKS || rss > 0.99 * least && look > 1) {
      return { rss, live: heapUsed + external };
    }
    least = Math.min(least, rss);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
