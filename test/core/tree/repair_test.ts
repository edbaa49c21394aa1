import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Frame } from "../../../src/wire/frames.ts";
import { connect, type TestNode, World } from "./world.ts";

Deno.test("what is published before the first neighbour reaches it, whatever its history says", () => {
  const world = new World();
  const [a] = world.spawn(1) as [TestNode];
  const ids = Array.from({ length: 5 }, (_, i) => a.publish(`early ${i}`));
  world.run(10_000);
  const late = world.add();
  world.link(a, late);
  world.run(1_000);
  for (const id of ids) assertEquals(late.delivered.get(id), 1);
  world.close();
});

Deno.test("history none does not bring what others had before, history retained does", () => {
  const world = new World();
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  const ids = Array.from({ length: 40 }, (_, i) => a.publish(`old ${i}`));
  world.run(5_000);
  const none = world.add({ history: "none" }), all = world.add({ history: "retained" });
  world.link(a, none);
  world.link(a, all);
  world.run(30_000);
  assertEquals(none.delivered.size, 0);
  for (const id of ids) assertEquals(all.delivered.get(id), 1);
  world.close();
});

Deno.test("two parts of a network exchange what each missed when they meet again", () => {
  const world = new World({ latency: (_a, _b, random) => 1 + 5 * random() });
  const nodes = world.spawn(8);
  connect(world, [[0, 1], [1, 2], [2, 3], [0, 3], [4, 5], [5, 6], [6, 7], [4, 7]]);
  world.link(nodes[3]!, nodes[4]!);
  world.run(3_000);
  nodes[0]!.publish("warm");
  world.run(2_000);
  world.cut(nodes[3]!, nodes[4]!);
  const ids = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    const sender = i % 8;
    ids.set(nodes[sender]!.publish(`cut ${i}`), sender);
    world.run(20);
  }
  world.link(nodes[3]!, nodes[4]!);
  world.run(20_000);
  for (const node of nodes) {
    for (const [id, sender] of ids) {
      assertEquals(node.delivered.get(id), node.index === sender ? undefined : 1);
    }
  }
  assertEquals(world.asymmetric(), []);
  world.close();
});

Deno.test("a newcomer that wants history gets thousands of messages", () => {
  const world = new World();
  const [a] = world.spawn(1) as [TestNode];
  const first = world.add();
  world.link(a, first);
  world.run(2_500);
  for (let i = 0; i < 6_000; i++) a.publish(`m${i}`);
  world.run(2_000);
  const late = world.add({ history: "retained" });
  world.link(a, late);
  world.run(30_000);
  assertEquals(late.delivered.size, 6_000);
  assertEquals(late.missed, []);
  assertEquals(late.tree.metrics().duplicates, 0);
  world.close();
});

Deno.test("equal sets cost at most 40 bytes", () => {
  const world = new World();
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  for (let i = 0; i < 100; i++) a.publish(`m${i}`);
  world.run(100);
  const before = world.bytes.get(Frame.SYNC) ?? 0, frames = world.frames.get(Frame.SYNC) ?? 0;
  world.run(40_000);
  const sessions = ((world.frames.get(Frame.SYNC) ?? 0) - frames) / 2;
  assertGreater(sessions, 2);
  assertLess(((world.bytes.get(Frame.SYNC) ?? 0) - before) / sessions, 41);
  world.close();
});

Deno.test("fetching after a comparison leaves lazy links lazy", () => {
  const world = new World();
  const [a, b, c] = world.spawn(3) as [TestNode, TestNode, TestNode];
  connect(world, [[0, 1], [1, 2], [0, 2]]);
  world.run(3_000);
  a.publish("makes 1-2 lazy");
  world.run(1_000);
  assertEquals(b.tree.lazyPeers, [c.id]);
  // Neither payload nor announcement gets to b: only a comparison can tell.
  world.drop = (_from, to, kind) =>
    to === b.index && (kind === Frame.GOSSIP || kind === Frame.IHAVE);
  const id = a.publish("kept from b");
  world.run(500);
  world.drop = () => false;
  assertEquals(b.delivered.has(id), false);
  world.run(60_000);
  assertEquals(b.delivered.get(id), 1);
  assertEquals(b.tree.lazyPeers, [c.id]);
  assertGreater(b.tree.metrics().repairs, 0);
  world.close();
});

Deno.test("comparisons asked for too often are not answered", () => {
  const world = new World({ limits: { syncPerSecond: 5 } });
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  const frame = new Uint8Array(2 + 4 + 1 + 1 + 8 + 1);
  frame.set([Frame.SYNC, 7]);
  frame[7] = 100;
  const before = b.tree.metrics().syncsReceived;
  for (let i = 0; i < 1_000; i++) world.inject(a, b, frame);
  assertLess(b.tree.metrics().syncsReceived - before, 11);
  world.close();
});

Deno.test("both ends agree about every link under churn, loss of frames and random senders", () => {
  for (let seed = 1; seed <= 15; seed++) {
    const world = new World({
      seed,
      latency: (_a, _b, random, lane) => 1 + (lane === 0 ? 10 : 60) * random(),
      tree: { syncMs: 2_000 },
    });
    const nodes = world.spawn(10);
    const edges: [number, number][] = [];
    for (let i = 0; i < 10; i++) edges.push([i, (i + 1) % 10], [i, (i + 3) % 10]);
    connect(world, edges);
    world.drop = () => world.random() < 0.02;
    for (let i = 0; i < 150; i++) {
      nodes[Math.floor(world.random() * 10)]!.publish(`m${i}`);
      world.run(world.random() * 60);
      if (i % 10 !== 0) continue;
      const [a, b] = edges[Math.floor(world.random() * edges.length)]!;
      world.cut(nodes[a]!, nodes[b]!);
      world.run(5);
      world.link(nodes[a]!, nodes[b]!);
    }
    world.drop = () => false;
    world.run(60_000);
    assertEquals(world.asymmetric(), [], `seed ${seed}`);
    // The next messages mend what the last ones left in pieces.
    for (let i = 0; i < 10; i++) {
      nodes[i]!.publish(`after ${i}`);
      world.run(6_000);
    }
    assertEquals(world.asymmetric(), [], `seed ${seed}`);
    const edgesLeft = world.eagerEdges().length;
    assert(edgesLeft >= 9, `seed ${seed}: ${edgesLeft} eager links`);
    for (const node of nodes) {
      assertEquals(node.delivered.size + node.tree.metrics().published, 160, `seed ${seed}`);
    }
    world.close();
  }
});
