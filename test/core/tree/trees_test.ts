import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { TreeChoice } from "../../../src/core/tree/tree_choice.ts";
import { connect, rng, type TestNode, World } from "./world.ts";

/** A random 4-regular graph of `count` nodes (two random rings) whose links take 5 ms. */
function regular(count: number, trees: number): [World, TestNode[]] {
  const world = new World({ latency: () => 5, tree: { trees } });
  const nodes = world.spawn(count);
  const random = rng(7), edges: [number, number][] = [];
  for (let ring = 0; ring < 2; ring++) {
    const order = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    order.forEach((a, i) => edges.push([a, order[(i + 1) % count]!]));
  }
  connect(world, edges);
  world.run(3_000);
  return [world, nodes];
}

/** Publishes from random nodes, one message at a time; returns the mean over the last half of the hops of the last delivery. */
function depth([world, nodes]: [World, TestNode[]], messages: number): number {
  const random = rng(3);
  let sum = 0;
  for (let i = 0; i < messages; i++) {
    const id = nodes[Math.floor(random() * nodes.length)]!.publish(`m${i}`);
    world.run(1_000);
    let last = 0;
    for (const node of nodes) {
      for (const message of node.messages) {
        if (message.id === id) last = Math.max(last, message.hops);
      }
      node.messages.length = 0;
    }
    if (i >= messages / 2) sum += last;
  }
  return sum / Math.ceil(messages / 2);
}

Deno.test("with several trees random authors have a shorter way, and copies stay the exception", () => {
  const [world, nodes] = regular(300, 8);
  const shared = depth(regular(300, 1), 60);
  depth([world, nodes], 60);
  const copies = () => nodes.reduce((sum, node) => sum + node.tree.metrics().duplicates, 0);
  const before = copies();
  const chosen = depth([world, nodes], 60);
  assertLess(chosen, shared - 0.3);
  assertLess((copies() - before) / 60 / 300, 0.02);
  assertEquals(world.asymmetric(), []);
});

Deno.test("a node that relays one tree takes part in the others of its neighbours", () => {
  const world = new World({ latency: () => 5 });
  const nodes = [
    world.add({ trees: 15 }),
    world.add({ trees: 1 }),
    world.add({ trees: 4 }),
  ];
  connect(world, [[0, 1], [1, 2], [2, 0]]);
  world.run(1_000);
  for (let i = 0; i < 60; i++) {
    nodes[i % 3]!.publish(`m${i}`);
    world.run(500);
  }
  for (const node of nodes) {
    assertEquals(node.messages.length, 40);
    assertLess(node.tree.metrics().duplicates, 15);
    assertEquals(node.tree.metrics().missed, 0);
  }
});

Deno.test("a message that is fetched makes the link eager in its own tree", () => {
  const world = new World({ latency: () => 5, tree: { trees: 4 } });
  const nodes = world.spawn(3);
  connect(world, [[0, 1], [1, 2], [2, 0]]);
  world.run(1_000);
  for (let i = 0; i < 40; i++) {
    nodes[i % 2]!.publish(`m${i}`);
    world.run(200);
  }
  // The one link that carries this tree to node 2 is cut: it hears of the message from the other one.
  world.cut(nodes[0]!, nodes[2]!);
  nodes[0]!.publish("after the cut");
  world.run(3_000);
  nodes[0]!.publish("and one more");
  world.run(100);
  assertEquals(nodes[2]!.messages.length, 42);
  assertEquals(world.asymmetric(), []);
});

Deno.test("an author takes the tree whose centre is nearest, and founds its own where nobody has", () => {
  const choice = new TreeChoice(4, () => 0.5);
  assertEquals([choice.best(), choice.depth(3)], [3, 0]);
  choice.heard(1, 9, 4);
  assertEquals(choice.best(), 3, "nothing came through its own");
  choice.heard(3, 8, 2);
  assertEquals([choice.best(), choice.depth(1)], [1, 5]);
  choice.heard(2, 3, 1);
  assertEquals([choice.best(), choice.depth(2)], [2, 2]);
  choice.heard(2, 4, 0);
  assertEquals(choice.depth(2), 4, "a longer way across the centre");
  for (let i = 0; i < 200; i++) choice.heard(3, 2, 1);
  assertEquals([choice.best(), choice.depth(3)], [3, 3], "what nothing confirms fades");
  choice.heard(9, 1, 1);
  assert(choice.best() <= 4, "others may have more trees");
  const one = new TreeChoice(1, Math.random);
  one.heard(5, 3, 1);
  assertEquals([one.best(), one.depth(0)], [0, 0]);
  assertGreater(new TreeChoice(99, () => 0.999).best(), 14);
});
