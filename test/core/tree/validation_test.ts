import { assert, assertEquals, assertGreater } from "@std/assert";
import { Frame } from "../../../src/wire/frames.ts";
import type { TreeMessage } from "../../../src/core/tree/port.ts";
import { line, type TestNode, World } from "./world.ts";

const signed = { tree: { sign: true } };

Deno.test("nothing is relayed or announced before validation accepts", () => {
  const [world, [a, b, c]] = line(3) as [World, [TestNode, TestNode, TestNode]];
  let waiting: TreeMessage | undefined;
  b.validate = (message) => {
    waiting = message;
    return undefined;
  };
  const id = a.publish("slow verdict");
  world.run(2_000);
  assertEquals([b.delivered.size, c.delivered.size], [0, 0]);
  assertEquals(b.tree.metrics().validating, 1);
  b.tree.verdict(waiting!, "accept");
  b.tree.verdict(waiting!, "accept");
  world.run(500);
  assertEquals([b.delivered.get(id), c.delivered.get(id)], [1, 1]);
  world.close();
});

Deno.test("ignore drops without blame, reject with", () => {
  const [world, [a, b, c]] = line(3) as [World, [TestNode, TestNode, TestNode]];
  b.validate = (message) => message.body.length % 2 === 0 ? "ignore" : "reject";
  a.publish("1");
  const rejected = a.publish("22");
  world.run(2_000);
  assertEquals([b.delivered.size, c.delivered.size], [0, 0]);
  const { ignored, rejected: count } = b.tree.metrics();
  assertEquals([ignored, count], [1, 1]);
  assertEquals(b.rejected.length, 1);
  assertEquals(b.blamed.map(([peer]) => peer), [a.id]);
  assert(b.rejected[0]![0] === rejected || b.rejected.length === 1);
  world.close();
});

Deno.test("what exceeds the bound on waiting verdicts is fetched later", () => {
  const [world, [a, b]] = line(2, { limits: { validating: 3 } }) as [
    World,
    [TestNode, TestNode],
  ];
  const waiting: TreeMessage[] = [];
  b.validate = (message) => {
    waiting.push(message);
    return undefined;
  };
  const ids = Array.from({ length: 9 }, (_, i) => a.publish(`m${i}`));
  world.run(20);
  assertEquals(b.tree.metrics().validating, 3);
  assertGreater(b.tree.metrics().dropped, 0);
  for (let i = 0; i < 2_000 && b.delivered.size < 9; i++) {
    for (const message of waiting.splice(0)) b.tree.verdict(message, "accept");
    world.run(10);
  }
  for (const id of ids) assertEquals(b.delivered.get(id), 1);
  world.close();
});

Deno.test("signed messages name their author, and every hop checks it", () => {
  const [world, [a, , c]] = line(3, signed) as [World, [TestNode, TestNode, TestNode]];
  a.publish("one");
  a.publish("two");
  world.run(1_000);
  assertEquals(c.messages.map((m) => [m.from, m.seq, m.hops]), [[a.id, 1, 2], [a.id, 2, 2]]);
  const { body, payloadAt } = c.messages[0]!;
  assertEquals(new TextDecoder().decode(body.subarray(payloadAt)), "one");
  world.close();
});

/** Catches the GOSSIP frames of a node's messages. */
function caught(from: TestNode, tree: TreeMessage): Uint8Array {
  void from;
  const frame = new Uint8Array(4 + tree.body.length);
  frame.set([Frame.GOSSIP, 7, 1, 0]);
  frame.set(tree.body, 4);
  return frame;
}

Deno.test("a bad signature never marks the id: the true message still comes through", () => {
  const [world, [a, b]] = line(2, signed) as [World, [TestNode, TestNode]];
  world.drop = (_from, _to, kind) => kind === Frame.GOSSIP;
  const message = a.tree.publish(new Uint8Array(10));
  const forged = caught(a, message);
  forged[11]! ^= 1;
  world.inject(a, b, forged);
  assertEquals(b.rejected, [[message.id, "bad signature"]]);
  assertEquals(b.blamed[0]![0], a.id);
  world.inject(a, b, caught(a, message));
  assertEquals(b.delivered.get(message.id), 1);
  world.close();
});

Deno.test("unsigned topics refuse signed messages, and signed topics unsigned ones", () => {
  const world = new World();
  const a = world.add({ sign: true }), b = world.add({ sign: false });
  world.link(a, b);
  a.publish("x");
  b.publish("y");
  world.run(1_000);
  assertEquals([a.delivered.size, b.delivered.size], [0, 0]);
  assertGreater(a.blamed.length, 0);
  assertGreater(b.blamed.length, 0);
  world.close();
});

Deno.test("a recorded message is not delivered again after its id was forgotten", () => {
  const [world, [a, b]] = line(2, { ...signed, limits: { seenIds: 50 } }) as [
    World,
    [TestNode, TestNode],
  ];
  const recorded = caught(a, a.tree.publish(new Uint8Array(10)));
  for (let i = 0; i < 60; i++) {
    a.publish(`m${i}`);
    world.run(10);
  }
  const before = b.tree.metrics();
  assertEquals(before.seen, 50);
  world.inject(a, b, recorded);
  assertEquals(b.tree.metrics().delivered, before.delivered);
  assertEquals(b.tree.metrics().ignored, before.ignored + 1);
  world.close();
});

Deno.test("a message of an older incarnation is taken only shortly after the newer one", () => {
  const world = new World(signed);
  const old = world.add({ incarnation: 1 }), b = world.add();
  world.link(old, b);
  world.run(3_000);
  world.drop = (_from, _to, kind) => kind === Frame.GOSSIP;
  const frames = Array.from({ length: 3 }, () => caught(old, old.tree.publish(new Uint8Array(9))));
  world.drop = () => false;
  // The same author after a restart.
  const twin = new World({ ...signed, seed: 2 });
  const restarted = twin.add({ incarnation: 2 });
  const fresh = caught(restarted, restarted.tree.publish(new Uint8Array(9)));
  world.inject(old, b, frames[0]!);
  world.inject(old, b, fresh);
  world.inject(old, b, frames[1]!);
  assertEquals(b.tree.metrics().delivered, 3, "overtaken, not replayed");
  world.cut(old, b);
  world.run(61_000);
  world.link(old, b);
  world.inject(old, b, frames[2]!);
  assertEquals(b.tree.metrics().delivered, 3);
  assertEquals(b.tree.metrics().ignored, 1);
  world.close();
  twin.close();
});

Deno.test("hops are bounded and start at one", () => {
  const [world, [a, b]] = line(2) as [World, [TestNode, TestNode]];
  world.drop = (_from, _to, kind) => kind === Frame.GOSSIP;
  for (const claimed of [0, 255]) {
    const frame = caught(a, a.tree.publish(new Uint8Array(3)));
    frame[2] = claimed;
    world.inject(a, b, frame);
  }
  assertEquals(b.messages.map((message) => message.hops), [1, 255]);
  world.close();
});
