import { assert, assertEquals } from "@std/assert";
import type { Gossip, GossipEvent } from "@x/plumtree";
import { listenOn } from "../../src/gossip.ts";
import type { Duplex, StreamListener, StreamNetwork } from "../../src/net/duplex.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import { until } from "./helper.ts";

const FAR_MS = 80;

/** What nodes of one side see of a network: whatever comes over a stream that they dialled to the other side comes late. */
class Side implements StreamNetwork {
  readonly #net: StreamNetwork;
  readonly #own: Set<number>;

  constructor(net: StreamNetwork) {
    this.#net = net;
    this.#own = new Set();
  }

  listen(options: { hostname: string; port: number }): StreamListener {
    const listener = this.#net.listen(options);
    this.#own.add(listener.port);
    return listener;
  }

  async connect(hostname: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const duplex = await this.#net.connect(hostname, port, signal);
    return this.#own.has(port) ? duplex : late(duplex);
  }
}

function late(duplex: Duplex): Duplex {
  return {
    localAddress: duplex.localAddress,
    remoteAddress: duplex.remoteAddress,
    read: async (into) => {
      const count = await duplex.read(into);
      await new Promise((resolve) => setTimeout(resolve, FAR_MS));
      return count;
    },
    write: (bytes) => duplex.write(bytes),
    closeWrite: () => duplex.closeWrite(),
    close: () => duplex.close(),
  };
}

/** Twelve nodes on two sides, on one topic; what they told. */
class Cluster {
  readonly nodes: Gossip[] = [];
  readonly faults: GossipEvent[] = [];
  readonly #swaps: (GossipEvent & { type: "swap"; side: number })[] = [];
  readonly #watched: Promise<void>[] = [];

  async start(): Promise<void> {
    const { nodes } = this, net = new MemoryNetwork(), sides = [new Side(net), new Side(net)];
    for (let n = 0; n < 12; n++) {
      const node = await listenOn(sides[n % 2]!, {
        hostname: "127.0.0.1",
        preset: "local",
        bootstrap: nodes.slice(0, 1).map(({ address }) => address),
        overlay: { activeSize: 3, swapMs: 300, swapGainMs: 40, shuffleMs: 500 },
      });
      this.#watched.push(this.#watch(node, n % 2));
      nodes.push(node);
    }
    for (const node of nodes) node.join("news");
  }

  /** Swaps of a far neighbour for a near one. A busy machine may measure more than there is, so that others swap too. */
  get meant(): number {
    const sideOf = new Map(this.nodes.map((node, n) => [node.id, n % 2]));
    return this.#swaps.filter(({ side, from, to }) =>
      sideOf.get(from) !== side && sideOf.get(to) === side
    ).length;
  }

  get leastGainMs(): number {
    return Math.min(...this.#swaps.map(({ gainMs }) => gainMs));
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await Promise.all(this.#watched);
  }

  async #watch(node: Gossip, side: number): Promise<void> {
    for await (const event of node.events()) {
      if (event.type === "swap") this.#swaps.push({ side, ...event });
      if (event.type === "fault" || event.type === "misbehaved") this.faults.push(event);
    }
  }
}

Deno.test("nodes over sealed connections measure one another and swap far neighbours for near ones", async () => {
  let cluster = new Cluster();
  await cluster.start();
  // The views that chance made may leave room for one such swap only, or for none: then others are drawn.
  for (let draw = 0; draw < 3 && !await swapped(cluster, 8_000); draw++) {
    await cluster.close();
    cluster = new Cluster();
    await cluster.start();
  }
  await until("a far neighbour is swapped for a near one", () => cluster.meant >= 1);
  assert(cluster.leastGainMs >= 40);
  const { nodes, faults } = cluster;
  const done = nodes.reduce((sum, node) => sum + node.topic("news")!.metrics().swapsDone, 0);
  assert(done >= 1);
  await nodes[0]!.topic("news")!.publish("to both sides");
  await until(
    "everybody has it",
    () => nodes.slice(1).every((node) => node.topic("news")!.metrics().delivered === 1),
  );
  assertEquals(faults, []);
  await cluster.close();
});

/** Whether a swap came within so many milliseconds. */
function swapped(cluster: Cluster, ms: number): Promise<boolean> {
  return until("a swap", () => cluster.meant >= 1, ms).then(() => true, () => false);
}
