import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { connect, isSpanningTree, randomGraph, rng, World } from "./world.ts";

function ring(n: number): [number, number][] {
  return Array.from({ length: n }, (_, i) => [i, (i + 1) % n]);
}
function mesh(n: number): [number, number][] {
  return Array.from({ length: n }, (_, i) => i).flatMap((a) =>
    Array.from({ length: n - a - 1 }, (_, k): [number, number] => [a, a + 1 + k])
  );
}
/** A random graph in which (nearly) every node has `degree` links. */
function regular(n: number, degree: number, random: () => number): [number, number][] {
  const edges = new Map<string, [number, number]>();
  const left = new Array<number>(n).fill(degree);
  for (let i = 0; i < n; i++) {
    const [a, b] = [Math.min(i, (i + 1) % n), Math.max(i, (i + 1) % n)];
    edges.set(`${a},${b}`, [a, b]);
    left[i]! -= 2;
  }
  for (let tries = 0; tries < n * degree * 20; tries++) {
    const x = Math.floor(random() * n), y = Math.floor(random() * n);
    const a = Math.min(x, y), b = Math.max(x, y);
    if (a === b || left[a]! < 1 || left[b]! < 1 || edges.has(`${a},${b}`)) continue;
    edges.set(`${a},${b}`, [a, b]);
    left[a]!--;
    left[b]!--;
  }
  return [...edges.values()];
}

const graphs: [string, number, [number, number][]][] = [
  ["a line", 8, Array.from({ length: 7 }, (_, i) => [i, i + 1])],
  ["a ring", 9, ring(9)],
  ["a star", 8, Array.from({ length: 7 }, (_, i) => [0, i + 1])],
  ["a full mesh", 7, mesh(7)],
  ["a random 5-regular graph", 40, regular(40, 5, rng(3))],
];
for (const [name, n, edges] of graphs) {
  Deno.test(`Plumtree delivers once to all and becomes a spanning tree on ${name}`, () => {
    const world = new World({ seed: 5, latency: (_a, _b, random) => 1 + random() });
    world.spawn(n);
    connect(world, edges);
    world.run(2_000);
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) {
      ids.push(world.nodes[0]!.publish(`m${i}`));
      world.run(1_000);
    }
    for (const node of world.nodes.slice(1)) {
      assertEquals([...node.delivered.keys()], ids);
      assert([...node.delivered.values()].every((times) => times === 1));
    }
    assertEquals(world.nodes[0]!.delivered.size, 0, "own messages are not delivered");
    const before = world.payloads();
    world.nodes[0]!.publish("counted");
    world.run(1_000);
    assertEquals(world.payloads() - before, n - 1, "no redundant payload");
    assert(isSpanningTree(n, world.eagerEdges()));
    assertEquals(world.asymmetric(), []);
    world.close();
    assertEquals(world.timers, 0);
  });
}

Deno.test("Plumtree heals a link lost while a burst is on its way", () => {
  const world = new World({ seed: 8, latency: (_a, _b, random) => 2 + random() });
  const nodes = world.spawn(30);
  connect(world, regular(30, 5, rng(4)));
  world.run(1_000);
  nodes[0]!.publish("warm up");
  world.run(2_000);
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    ids.push(nodes[0]!.publish(`burst ${i}`));
    world.run(1);
    if (i % 4 === 3) {
      const [a, b] = world.eagerEdges()[i]!;
      world.cut(nodes[a]!, nodes[b]!);
    }
  }
  world.run(20_000);
  for (const node of nodes.slice(1)) {
    for (const id of ids) assertEquals(node.delivered.get(id), 1);
    assertEquals(node.missed, []);
  }
  assertEquals(world.asymmetric(), []);
  world.close();
});

Deno.test("Plumtree delivers to all on any connected graph, whoever publishes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 14 }), fc.nat(20), fc.nat(), (n, extra, seed) => {
      const world = new World({ seed, latency: (_a, _b, random) => 1 + 20 * random() });
      const nodes = world.spawn(n);
      connect(world, randomGraph(n, extra, world.random));
      const sent = new Map<string, number>();
      for (let i = 0; i < 6; i++) {
        const sender = Math.floor(world.random() * n);
        sent.set(nodes[sender]!.publish(`m${i}`), sender);
        world.run(world.random() * 30);
      }
      world.run(30_000);
      for (const [id, sender] of sent) {
        for (const node of nodes) {
          assertEquals(node.delivered.get(id), node.index === sender ? undefined : 1);
        }
      }
      assertEquals(world.asymmetric(), []);
      world.close();
    }),
    { numRuns: 60 },
  );
});

Deno.test("Plumtree does not flap with random senders", () => {
  const world = new World({
    seed: 11,
    latency: (a, b, random) => 1 + ((a * 7 + b * 7) % 9) + random(),
  });
  const nodes = world.spawn(16);
  connect(world, regular(16, 5, rng(6)));
  world.run(2_000);
  const send = (count: number) => {
    for (let i = 0; i < count; i++) {
      nodes[Math.floor(world.random() * 16)]!.publish(new Uint8Array(64));
      world.run(20 * world.random());
    }
    world.run(500);
  };
  const sum = (what: "duplicates" | "delivered" | "swaps" | "grafts") =>
    nodes.reduce((total, node) => total + node.tree.metrics()[what], 0);
  send(3_000);
  const duplicates = sum("duplicates"), delivered = sum("delivered"), swaps = sum("swaps");
  send(1_000);
  assertEquals(sum("delivered") - delivered, 15_000);
  assertLess((sum("duplicates") - duplicates) / 15_000, 0.02);
  assertEquals(sum("swaps") - swaps, 0, "no swap after the warm-up");
  assertEquals(world.asymmetric(), []);
  world.close();
});
