import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { DelayEstimate } from "../../../src/core/tree/delay_estimate.ts";
import { connect, type TestNode, World } from "./world.ts";

/** A square 0-1-3-2 whose link 1-3 is lazy; from then on the link 2-3 takes `slow` ms more. */
function diamond(slow: number, jitter: number): [World, TestNode[]] {
  let far = -1;
  const world = new World({
    latency: (a, b, random) => {
      const more = far < 0 ? (a + b === 4 ? 5 : 0) : (a + b === 5 ? far : 0);
      return 2 + more + jitter * random();
    },
  });
  const nodes = world.spawn(4);
  connect(world, [[0, 1], [0, 2], [2, 3], [1, 3]]);
  world.run(3_000);
  nodes[0]!.publish("over 2");
  world.run(3_000);
  assertEquals(nodes[3]!.tree.eagerPeers, [nodes[2]!.id]);
  far = slow;
  return [world, nodes];
}

Deno.test("a link that keeps bringing payloads late is swapped for the one that announces early", () => {
  const [world, nodes] = diamond(40, 1);
  for (let i = 0; i < 30; i++) {
    nodes[0]!.publish(`m${i}`);
    world.run(200);
  }
  assertEquals(nodes[3]!.tree.eagerPeers, [nodes[1]!.id]);
  assertEquals(nodes[3]!.tree.metrics().swaps, 1);
  assertEquals(nodes[3]!.tree.metrics().duplicates, 1);
  assertEquals(nodes[3]!.messages.length, 31);
  assertEquals(world.asymmetric(), []);
  world.close();
});

Deno.test("a small or irregular gain swaps nothing", () => {
  const [world, nodes] = diamond(3, 6);
  for (let i = 0; i < 400; i++) {
    nodes[i % 4]!.publish(`m${i}`);
    world.run(100);
  }
  const swaps = nodes.reduce((sum, node) => sum + node.tree.metrics().swaps, 0);
  assertLess(swaps, 2);
  world.close();
});

Deno.test("the wait before a GRAFT follows the measured delay within its bounds", () => {
  const estimate = new DelayEstimate();
  assertEquals(estimate.wait(50, 5_000, undefined), 50);
  assertEquals(estimate.wait(50, 5_000, 200), 300);
  for (let i = 0; i < 50; i++) estimate.sample(300 + (i % 2) * 20);
  assertGreater(estimate.wait(50, 5_000, 1), 310);
  assertLess(estimate.wait(50, 5_000, 1), 500);
  for (let i = 0; i < 20; i++) estimate.sample(100_000);
  assertEquals(estimate.wait(50, 5_000, 1), 5_000);
  for (let i = 0; i < 10_000; i++) estimate.calm();
  assertEquals(estimate.wait(50, 5_000, 1), 50);
});

Deno.test("a tree slower than the least wait grafts nothing once it has been measured", () => {
  const [world, nodes] = diamond(120, 1);
  assert(nodes.length === 4);
  for (let i = 0; i < 20; i++) {
    nodes[0]!.publish(`m${i}`);
    world.run(1_000);
  }
  const before = nodes.reduce((sum, node) => sum + node.tree.metrics().grafts, 0);
  for (let i = 0; i < 20; i++) {
    nodes[0]!.publish(`n${i}`);
    world.run(1_000);
  }
  assertEquals(nodes.reduce((sum, node) => sum + node.tree.metrics().grafts, 0), before);
  world.close();
});
