import { assertEquals, assertGreater, assertLess } from "@std/assert";
import type { PlumtreeOptions } from "../../../src/core/tree/plumtree.ts";
import { Frame, Lane } from "../../../src/wire/frames.ts";
import { connect, type TestNode, World } from "./world.ts";

/** A message at its reader. */
interface Arrival {
  readonly sentAt: number;
  readonly at: number;
}

/** Publishes at `node` every `gap` ms, `count` times; when each arrived at `reader`. */
function stream(
  world: World,
  node: TestNode,
  reader: TestNode,
  count: number,
  gap: number,
): Arrival[] {
  const sentAt = new Map<string, number>(), arrivals: Arrival[] = [];
  for (let ms = 0; ms < count * gap + 3_000; ms++) {
    if (ms % gap === 0 && sentAt.size < count) {
      sentAt.set(node.publish(`m${ms}`), world.now);
    }
    world.run(1);
    for (const { id } of reader.messages.splice(0)) {
      arrivals.push({ sentAt: sentAt.get(id)!, at: world.now });
    }
  }
  assertEquals([...sentAt.keys()].filter((id) => reader.delivered.get(id) !== 1), []);
  return arrivals;
}

function longest(arrivals: readonly Arrival[]): number {
  return Math.max(...arrivals.map(({ sentAt, at }) => at - sentAt));
}

/** 0 in the middle, and a lazy link between 1 and 2. */
function triangle(tree: Partial<PlumtreeOptions> = {}): [World, TestNode[]] {
  const world = new World({ latency: () => 2, tree });
  const nodes = world.spawn(3);
  connect(world, [[0, 1], [0, 2], [1, 2]]);
  world.run(3_000);
  nodes[0]!.publish("first");
  world.run(3_000);
  assertEquals(nodes[1]!.tree.lazyPeers, [nodes[2]!.id]);
  nodes.forEach((node) => node.messages.splice(0));
  return [world, nodes];
}

Deno.test("where messages come fast, their ids are gathered longer, in fewer frames", () => {
  const [world, nodes] = triangle();
  const frames = (gap: number) => {
    const before = world.frames.get(Frame.IHAVE) ?? 0;
    stream(world, nodes[0]!, nodes[1]!, 1_000 / gap, gap);
    return (world.frames.get(Frame.IHAVE) ?? 0) - before;
  };
  assertLess(frames(1), 50, "both ends, about 20 times a second");
  assertGreater(frames(20), 40, "each by itself");
  world.close();
});

Deno.test("a torn tree costs one wait, not one for every message", () => {
  const [world, nodes] = triangle();
  let from = Infinity;
  world.drop = (sender, receiver, kind) =>
    kind === Frame.GOSSIP && sender === 0 && receiver === 1 && world.now >= from;
  from = world.now + 100;
  const arrivals = stream(world, nodes[0]!, nodes[1]!, 400, 5);
  const late = arrivals.filter(({ sentAt, at }) => at - sentAt > 20);
  const first = Math.min(...late.map(({ at }) => at));
  // What was announced by then; the last few ids were still being gathered.
  const lost = late.filter(({ sentAt }) => sentAt < first - 40);
  assertGreater(lost.length, 30);
  assertLess(Math.max(...lost.map(({ at }) => at)), first + 10);
  world.close();
});

Deno.test("a slow way is replaced in the midst of a stream, at the cost of one wait at most", () => {
  let slow = 0;
  const world = new World({
    latency: (a, b) => 2 + (slow > 0 ? (a + b === 2 ? slow : 0) : (a + b === 4 ? 5 : 0)),
  });
  const nodes = world.spawn(4);
  connect(world, [[0, 1], [0, 2], [2, 3], [1, 3]]);
  world.run(3_000);
  nodes[0]!.publish("over 2");
  world.run(3_000);
  assertEquals(nodes[3]!.tree.eagerPeers, [nodes[2]!.id]);
  nodes[3]!.messages.splice(0);
  slow = 40;
  const arrivals = stream(world, nodes[0]!, nodes[3]!, 6_000, 1);
  // Node 2 hears over 3 now, which is the shorter way for it, too.
  assertEquals(nodes.map(({ tree }) => tree.metrics().swaps), [0, 0, 0, 1]);
  assertEquals(nodes.map(({ tree }) => tree.eagerPeers.length), [1, 2, 1, 2]);
  // T1 of 50 to 75 ms, gathered for 10.
  assertLess(longest(arrivals), 2 + slow + 90);
  assertLess(nodes[3]!.tree.metrics().grafts, 5);
  assertLess(nodes[3]!.tree.metrics().duplicates, 2 * slow);
  assertEquals(world.asymmetric(), []);
  world.close();
});

Deno.test("a link that was grafted where queues are long is not pruned before they have drained", () => {
  let slow = 0;
  const queue = (lane: Lane) => lane === Lane.CONTROL || slow === 0 ? 2 : 150;
  const world = new World({
    latency: (a, b, _random, lane) =>
      queue(lane) + (slow > 0 ? (a + b === 2 ? slow : 0) : (a + b === 4 ? 5 : 0)),
  });
  const nodes = world.spawn(4);
  connect(world, [[0, 1], [0, 2], [2, 3], [1, 3]]);
  world.run(3_000);
  nodes[0]!.publish("over 2");
  world.run(3_000);
  nodes.forEach((node) => node.messages.splice(0));
  slow = 100;
  const arrivals = stream(world, nodes[0]!, nodes[3]!, 3_000, 3);
  assertLess(longest(arrivals), 2 * (150 + slow) + 100);
  assertLess(nodes[3]!.tree.metrics().grafts, 10, "40 where it is pruned at once");
  world.close();
});

Deno.test("what a comparison told of is fetched in portions, in few frames", () => {
  const world = new World({ tree: { history: "retained" } });
  const [a, b, c] = world.spawn(3) as [TestNode, TestNode, TestNode];
  world.link(a, c);
  world.run(3_000);
  for (let i = 0; i < 2_000; i++) a.publish(`old ${i}`);
  world.run(3_000);
  world.link(a, b);
  world.run(20_000);
  assertEquals(b.delivered.size, 2_000);
  assertLess(world.frames.get(Frame.GRAFT)!, 40);
  world.close();
});

Deno.test("where little is retained, ids are not gathered longer", () => {
  const [world, nodes] = triangle({ retainMessages: 64 });
  stream(world, nodes[0]!, nodes[1]!, 1_000, 1);
  assertGreater(world.frames.get(Frame.IHAVE)!, 90);
  world.close();
});
