import { assert, assertEquals, assertGreater } from "@std/assert";
import { Batch, signedRoot } from "../../../src/wire/batch.ts";
import { fromHex } from "../../../src/wire/bytes.ts";
import { draftGossip, finishGossip, gossipHead, signedOrigin } from "../../../src/wire/gossip.ts";
import { Frame } from "../../../src/wire/frames.ts";
import { sha256 as hash } from "../../wire/sha256.ts";
import { CheckedRoots } from "../../../src/core/tree/checked_roots.ts";
import { line as row, seal, type TestNode, text, type World, type WorldOptions } from "./world.ts";

const signed = { tree: { sign: true }, turns: true };

type Nodes = [TestNode, TestNode, TestNode, TestNode];
const line = (n: number, options: WorldOptions) => row(n, options) as [World, Nodes];

/** Where the height of the way is in a body of the first tree. */
const HEIGHT_AT = 65;

Deno.test("messages of one turn share a signature, but for the first", () => {
  const [world, [a, b]] = line(2, signed);
  const ids = Array.from({ length: 20 }, (_, i) => a.publish(`m${i}`));
  assertEquals(a.signed, 1, "the first is on its way at once");
  world.run(1_000);
  assertEquals(a.signed, 2);
  assertEquals([...b.delivered.keys()], ids, "in the order of publishing");
  assertEquals(b.checked, 2);
  assertEquals(b.messages.map(({ body }) => body[HEIGHT_AT]), [0, ...new Array(19).fill(5)]);
  world.close();
});

Deno.test("in a stream of full turns the first waits too, and a lone message never does", () => {
  const [world, [a, b]] = line(2, signed);
  for (let turn = 0; turn < 10; turn++) {
    for (let i = 0; i < 8; i++) a.publish(`${turn}/${i}`);
    world.run(1);
  }
  assertEquals(a.signed, 11);
  a.publish("last of the stream");
  world.run(1);
  a.publish("alone");
  assertEquals(a.signed, 13, "signed before the turn was over");
  world.run(1_000);
  assertEquals(b.delivered.size, 82);
  world.close();
});

Deno.test("more than 32 messages of a turn are signed 32 at a time", () => {
  const [world, [a, b]] = line(2, signed);
  for (let i = 0; i < 100; i++) a.publish(`m${i}`);
  assertEquals(a.signed, 1 + 3);
  world.run(1_000);
  assertEquals([a.signed, b.checked, b.delivered.size], [5, 5, 100]);
  world.close();
});

Deno.test("a host without turns signs each message at once", () => {
  const [world, [a, b]] = line(2, { ...signed, turns: false });
  for (let i = 0; i < 10; i++) a.publish(`m${i}`);
  assertEquals(a.signed, 10);
  world.run(1_000);
  assertEquals([b.checked, b.delivered.size], [10, 10]);
  world.close();
});

Deno.test("what waits for its signature leaves before the goodbye", () => {
  const [world, [a, b]] = line(2, signed);
  for (let i = 0; i < 5; i++) a.publish(`m${i}`);
  a.tree.flush();
  a.tree.close();
  world.run(1_000);
  assertEquals(b.delivered.size, 5);
  world.close();
});

Deno.test("relays pass batched messages on, and late joiners fetch them, each by itself", () => {
  const [world, nodes] = line(4, { ...signed, tree: { sign: true, history: "retained" } });
  for (let i = 0; i < 9; i++) nodes[0]!.publish(`m${i}`);
  world.run(1_000);
  const late = world.add();
  world.link(nodes[3]!, late);
  world.run(10_000);
  for (const node of [...nodes.slice(1), late]) assertEquals(node.delivered.size, 9);
  assertEquals(nodes[3]!.checked, 2);
  world.close();
});

/** Frames of messages that `author` signs together; `origins` may name others. */
function batchOf(author: TestNode, origins: readonly TestNode[]): Uint8Array[] {
  const drafts = origins.map((origin, i) =>
    draftGossip({
      origin: signedOrigin(fromHex(origin.id), 1_000),
      seq: i + 1,
      priority: "normal",
      payload: text.encode(`forged ${i}`),
      key: new Uint8Array(32).fill(9),
      hash,
      signed: true,
    })
  );
  const batch = new Batch(hash, drafts.map(({ digest }) => digest));
  const signature = seal(author.id, signedRoot(batch.root));
  return drafts.map((draft, place) => {
    const body = finishGossip(draft, { signature, batch, place }), head = gossipHead(7, 1, 0);
    const frame = new Uint8Array(head.length + body.length);
    frame.set(head);
    frame.set(body, head.length);
    return frame;
  });
}

Deno.test("a root that one author signed clears no message of another's", () => {
  const [world, [a, b, victim]] = line(3, signed);
  const [own, forged] = batchOf(a, [a, victim]) as [Uint8Array, Uint8Array];
  world.inject(a, b, own);
  assertEquals(b.delivered.size, 1, "its own one is fine");
  world.inject(a, b, forged);
  assertEquals(b.delivered.size, 1);
  assertEquals(b.rejected.map(([, why]) => why), ["bad signature"]);
  assertEquals(b.blamed.map(([peer]) => peer), [a.id]);
  world.close();
});

Deno.test("after a good message, a copy of the next with other bytes in signature or way is refused and does not mark its id", () => {
  const [world, [a, b]] = line(2, signed);
  world.drop = (_from, _to, kind) => kind === Frame.GOSSIP;
  const [first, second] = batchOf(a, [a, a]) as [Uint8Array, Uint8Array];
  world.inject(a, b, first);
  // Signature, height, place, way: everything between the flags and the origin.
  const from = gossipHead(7, 1, 0).length + 1;
  for (let at = from; at < from + 64 + 2 + 32; at++) {
    const garbled = second.slice();
    garbled[at]! ^= 1;
    world.inject(a, b, garbled);
    assertEquals(b.delivered.size, 1, `byte ${at}`);
  }
  assertGreater(b.blamed.length, 90);
  world.inject(a, b, second);
  assertEquals(b.delivered.size, 2);
  world.close();
});

Deno.test("the last 64 good signatures are remembered, to the last byte", () => {
  const roots = new CheckedRoots();
  const bytesOf = (i: number) => new Uint8Array(96).fill(i),
    rootOf = (i: number) => new Uint8Array(32).fill(i);
  for (let i = 0; i < 70; i++) roots.add(bytesOf(i), 0, rootOf(i), 32);
  assertEquals(roots.has(bytesOf(5), 0, rootOf(5), 32), false);
  for (let i = 6; i < 70; i++) assert(roots.has(bytesOf(i), 0, rootOf(i), 32));
  for (let at = 0; at < 96; at++) {
    const other = bytesOf(69);
    other[at]! ^= 1;
    assertEquals(roots.has(other, 0, rootOf(69), 32), false);
  }
  const root = rootOf(69);
  root[31]! ^= 1;
  assertEquals(roots.has(bytesOf(69), 0, root, 32), false);
  assertEquals(new CheckedRoots().has(bytesOf(0), 0, rootOf(0), 32), false);
});
