/** Speed of the simulator's parts; an iteration is the batch in its title. */

import { EventHeap } from "../src/testing/event_heap.ts";
import { simPeerId, simSha256, simSign, simVerify } from "../src/testing/sim_crypto.ts";
import { SimFabric } from "../src/testing/sim_fabric.ts";
import { Rng } from "../src/testing/rng.ts";
import type { SimTransport } from "../src/testing/sim_transport.ts";
import { VirtualClock } from "../src/testing/virtual_clock.ts";
import { Lane } from "../src/wire/frames.ts";

const heads = Array.from({ length: 100 }, (_, ttl) => new Uint8Array([ttl, 0, 0, 0]));

/** A random graph of `count` nodes that dialled `degree` others; a frame with a time to live goes on to a random link. */
export async function graph(
  count: number,
  degree: number,
): Promise<{ fabric: SimFabric; nodes: SimTransport[] }> {
  const fabric = new SimFabric({ seed: 1, latencyMs: [10, 50], idleMs: 1e12 });
  const rng = fabric.rng("graph");
  const nodes = Array.from({ length: count }, (_, i) => fabric.createTransport(simPeerId(1, i)));
  for (const node of nodes) {
    const links: string[] = [];
    node.start({
      up: (peer) => void links.push(peer),
      down() {},
      unreachable() {},
      receive(_, bytes, start, end) {
        const ttl = bytes[start]!;
        if (ttl === 0) return;
        const to = links[Math.floor(node.random() * links.length)]!;
        node.send(to, Lane.NORMAL, heads[ttl - 1]!, bytes.subarray(start + 4, end));
      },
      dialFailed() {},
      refused() {},
      addressChanged() {},
    });
  }
  for (const node of nodes) {
    for (let i = 0; i < degree; i++) {
      const other = nodes[rng.int(count)]!;
      if (other !== node) node.connect(other.id, other.addresses);
    }
  }
  await fabric.clock.run(1_000);
  return { fabric, nodes };
}

/** Sends `frames` frames of 100 B over walks of 100 hops, as many at once as needed. */
export async function walks(
  { fabric, nodes }: { fabric: SimFabric; nodes: SimTransport[] },
  frames: number,
): Promise<void> {
  const body = new Uint8Array(96);
  for (let i = 0; i < frames / 100; i++) {
    const node = nodes[i % nodes.length]!;
    const to = node.links()[0]!.id;
    node.send(to, Lane.NORMAL, heads[99]!, body);
  }
  await fabric.clock.run(fabric.clock.now() + 10_000);
}

const heap = new EventHeap<object>();
const rng = new Rng(1);
const item = {};
for (let i = 0; i < 100_000; i++) heap.push(rng.next(), item);

Deno.bench("event heap: 100,000 x push and pop among 100,000", () => {
  for (let i = 0; i < 100_000; i++) {
    heap.pop();
    heap.push(heap.poppedTime + rng.next(), item);
  }
});

Deno.bench("event heap: 100,000 x push and cancel among 100,000", () => {
  for (let i = 0; i < 100_000; i++) heap.cancel(heap.push(heap.poppedTime + rng.next(), item));
});

const small = await graph(1_000, 5);
Deno.bench("fabric: 100,000 frames of 100 B among 1,000 nodes", { n: 5, warmup: 1 }, async () => {
  await walks(small, 100_000);
});

const large = await graph(10_000, 5);
Deno.bench(
  "fabric: 200,000 frames of 100 B among 10,000 nodes",
  { n: 2, warmup: 1 },
  async () => {
    await walks(large, 200_000);
  },
);

Deno.bench("virtual clock: 10,000 events that each wake a promise", async () => {
  const clock = new VirtualClock();
  for (let i = 0; i < 10_000; i++) clock.after(i, () => clock.touch());
  await clock.run(10_000);
});

const id = simPeerId(1, 1);
const message = rng.fill(new Uint8Array(100));
const out = new Uint8Array(32);
Deno.bench("modelled crypto: 10,000 x hash of 100 B", () => {
  for (let i = 0; i < 10_000; i++) simSha256(message, 0, 100, out, 0);
});

const signature = simSign(id, message);
Deno.bench("modelled crypto: 10,000 x verify of 100 B", () => {
  for (let i = 0; i < 10_000; i++) simVerify(id, message, signature);
});
