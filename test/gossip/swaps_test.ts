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

Deno.test("nodes over sealed connections measure one another and swap far neighbours for near ones", async () => {
  const net = new MemoryNetwork(), sides = [new Side(net), new Side(net)];
  const nodes: Gossip[] = [];
  const swaps: (GossipEvent & { type: "swap"; side: number })[] = [];
  const faults: GossipEvent[] = [], watched: Promise<void>[] = [];
  for (let n = 0; n < 12; n++) {
    const node = await listenOn(sides[n % 2]!, {
      hostname: "127.0.0.1",
      preset: "local",
      bootstrap: nodes.slice(0, 1).map(({ address }) => address),
      overlay: { activeSize: 3, swapMs: 300, swapGainMs: 40, shuffleMs: 500 },
    });
    watched.push((async () => {
      for await (const event of node.events()) {
        if (event.type === "swap") swaps.push({ side: n % 2, ...event });
        if (event.type === "fault" || event.type === "misbehaved") faults.push(event);
      }
    })());
    nodes.push(node);
  }
  for (const node of nodes) node.join("news");
  const sideOf = new Map(nodes.map((node, n) => [node.id, n % 2]));
  // A busy machine may measure more than there is, so that others swap too.
  const meant = () =>
    swaps.filter(({ side, from, to }) => sideOf.get(from) !== side && sideOf.get(to) === side);
  // The views that chance made may leave room for one such swap only.
  await until("a far neighbour is swapped for a near one", () => meant().length >= 1, 30_000);
  assert(swaps.every(({ gainMs }) => gainMs >= 40));
  const done = nodes.reduce((sum, node) => sum + node.topic("news")!.metrics().swapsDone, 0);
  assert(done >= 1);
  await nodes[0]!.topic("news")!.publish("to both sides");
  await until(
    "everybody has it",
    () => nodes.slice(1).every((node) => node.topic("news")!.metrics().delivered === 1),
  );
  assertEquals(faults, []);
  await Promise.all(nodes.map((node) => node.close()));
  await Promise.all(watched);
});
