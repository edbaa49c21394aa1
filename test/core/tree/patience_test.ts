import { assertEquals, assertGreater } from "@std/assert";
import { Frame, Lane } from "../../../src/wire/frames.ts";
import { treeFrame } from "../../../src/wire/tree_messages.ts";
import { fromHex } from "../../../src/wire/bytes.ts";
import { type TestNode, World, type WorldOptions } from "./world.ts";

const ALIAS = 7;

function ihave(ids: Uint8Array[]): Uint8Array {
  const frame = treeFrame(Frame.IHAVE, ALIAS, ids.length * 22);
  ids.forEach((id, i) => frame.set(id, 2 + 22 * i));
  return frame;
}

/** Two neighbours; what is pushed to the second is lost, what it asks for is not. */
function pair(options: WorldOptions): [World, TestNode, TestNode] {
  const world = new World(options);
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  return [world, a, b];
}

/** What `a` has published and `b` has only heard of. */
function announced(world: World, a: TestNode, b: TestNode, count: number): string[] {
  world.drop = (from, _to, kind) => from === a.index && kind !== Frame.SYNC;
  const ids = Array.from({ length: count }, (_, i) => a.publish(`m${world.now} ${i}`));
  // What was pushed just now is not given again.
  world.run(1_100);
  world.drop = () => false;
  world.inject(a, b, ihave(ids.map(fromHex)));
  return ids;
}

/** Everything but control frames takes 55 s. */
const queue = (_a: number, _b: number, _random: () => number, lane: Lane) =>
  lane === Lane.CONTROL ? 1 : 55_000;

Deno.test("nobody is blamed whose answer stands in a queue", () => {
  const [world, a, b] = pair({ latency: queue });
  const ids = announced(world, a, b, 30);
  world.run(56_000);
  assertEquals([b.blamed, b.missed], [[], []]);
  for (const id of ids) assertEquals(b.delivered.get(id), 1);
  world.close();
});

Deno.test("nobody is blamed soon, however many announce and are asked", () => {
  const world = new World({ latency: queue });
  const nodes = world.spawn(9);
  for (const node of nodes.slice(1)) world.link(nodes[0]!, node);
  world.run(3_000);
  const bogus = () => new Uint8Array(20).map(() => Math.floor(world.random() * 256));
  const ids = Array.from({ length: 30 }, bogus);
  world.drop = (_from, _to, kind) => kind === Frame.GONE;
  for (const node of nodes.slice(1)) world.inject(node, nodes[0]!, ihave(ids));
  world.run(55_000);
  assertEquals([nodes[0]!.blamed, nodes[0]!.missed], [[], []]);
  world.close();
});

Deno.test("one that announces what it never gives is given up and blamed after a minute", () => {
  const [world, a, b] = pair({});
  world.drop = (_from, _to, kind) => kind === Frame.GONE;
  const bogus = () => new Uint8Array(20).map(() => Math.floor(world.random() * 256));
  world.inject(a, b, ihave(Array.from({ length: 30 }, bogus)));
  world.run(50_000);
  assertEquals([b.missed.length, b.blamed.length], [0, 0]);
  world.run(25_000);
  assertEquals(b.missed.map(([, why]) => why), Array(30).fill("no-answer"));
  assertEquals(b.blamed[0], [a.id, 20, "announces what it does not give"]);
  world.close();
});

Deno.test("T2 follows the time that answers take", () => {
  const [world, a, b] = pair({ latency: () => 400 });
  const grafts = (): number => {
    const before = b.tree.metrics().grafts;
    announced(world, a, b, 1);
    world.run(5_000);
    return b.tree.metrics().grafts - before;
  };
  // The first one is asked for again and again before its answer can be here.
  assertGreater(grafts(), 2);
  assertEquals([grafts(), grafts(), grafts()], [1, 1, 1]);
  assertEquals([b.missed, b.blamed, b.delivered.size], [[], [], 4]);
  world.close();
});
