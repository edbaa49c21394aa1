import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type Gossip, shardOf, type ShardOptions, type Shards } from "@x/plumtree";
import { Inbox, meet, Nodes, rejectsWith, take, throwsWith, until, within } from "./helper.ts";
import vectors from "../vectors/shard_hash.json" with { type: "json" };

/** Nodes with the same shard set, node `i` on the shards `on[i]`. */
async function sharded(
  nodes: Nodes,
  count: number,
  on: readonly number[][],
): Promise<{ made: Gossip[]; sets: Shards[] }> {
  const made = await nodes.many(on.length);
  const sets = made.map((node) => node.shards("tx", { count }));
  for (const [i, shards] of on.entries()) for (const shard of shards) sets[i]!.join(shard);
  const full = () => made.every(({ directory }) => directory.size === made.length);
  await until("everybody is known", full);
  for (const [i, shards] of on.entries()) {
    for (const shard of shards) {
      const known = () => sets.every((set) => set.table().get(shard)?.includes(made[i]!.id));
      await until(`node ${i} is known on ${shard}`, known);
    }
  }
  return { made, sets };
}

Deno.test("shards() gives one set per name, and refuses another count", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const shards = a.shards("tx", { count: 64 });
  assertEquals([shards.name, shards.count, shards.joined], ["tx", 64, []]);
  assertStrictEquals(a.shards("tx", { count: 64 }), shards as unknown);
  assertThrows(() => a.shards("tx", { count: 32 }), RangeError);
  assertThrows(
    () => a.shards("tx", { count: 64, singed: true } as ShardOptions<Uint8Array>),
    TypeError,
    "singed",
  );
  for (const count of [0, -1, 1.5, 65_537, NaN]) {
    assertThrows(() => a.shards("other", { count }), RangeError, undefined, `${count}`);
  }
});

Deno.test("shards() refuses options that no shard can be joined with, and makes no set of them", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  for (
    const [wrong, error] of [
      [{ echo: "y" }, TypeError],
      [{ validate: "x" }, TypeError],
      [{ retain: { second: 1 } }, TypeError],
      [{ buffer: -1 }, RangeError],
      [{ contacts: ["zzz"] }, TypeError],
      [{ codec: 5 }, TypeError],
    ] as const
  ) {
    const options = { count: 3, ...wrong } as unknown as ShardOptions<Uint8Array>;
    assertThrows(() => a.shards("tx", options), error, undefined, JSON.stringify(wrong));
  }
  assertThrows(() => a.shards("x".repeat(255), { count: 3 }), RangeError);
  await using shard = a.shards("tx", { count: 3 }).join(2);
  assertEquals(shard.name, "tx/2");
});

Deno.test("a shard is a topic of its own that can be joined, left and joined again", async () => {
  await using nodes = new Nodes();
  const shards = (await nodes.start()).shards("tx", { count: 8 });
  const seven = shards.join(7);
  assertEquals(seven.name, "tx/7");
  assertStrictEquals(shards.join(7), seven);
  assertStrictEquals(shards.topic(7), seven);
  shards.join(2);
  assertEquals(shards.joined, [2, 7]);
  await seven.leave();
  assertEquals([shards.joined, shards.topic(7)], [[2], undefined]);
  assert(shards.join(7) !== seven);
  for (const shard of [-1, 8, 1.5, NaN]) {
    assertThrows(() => shards.join(shard), RangeError, undefined, `${shard}`);
  }
  assertThrows(() => shards.join("7" as unknown as number), TypeError);
  await shards.leave();
  await shards.leave();
  assertEquals(shards.joined, []);
});

Deno.test("of() gives what the vectors say", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  for (const [i, { hex, count, shard }] of vectors.vectors.entries()) {
    const shards = a.shards(`set ${i}`, { count });
    const key = Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
    assertEquals(shards.of(key), shard);
    assertEquals(shardOf(key, count), shard);
  }
  assertThrows(() => a.shards("x", { count: 2 }).of(1 as unknown as string), TypeError);
});

Deno.test("messages stay on their shard, published by number and by key", async () => {
  await using nodes = new Nodes();
  const { sets } = await sharded(nodes, 4, [[0, 1], [0, 1]]);
  const topics = sets.map((set) => [set.topic(0)!, set.topic(1)!]);
  await meet(...topics.flat());
  const inboxes = topics[0]!.map((topic) => new Inbox(topic));
  const keys = ["ann", "bob", "cid", "dan"].map((key) => [key, sets[1]!.of(key)] as const);
  const byKey = keys.filter(([, shard]) => shard < 2);
  for (const [key, shard] of byKey) {
    const published = await sets[1]!.publish(key, key);
    assertEquals(published.shard, shard);
    assertEquals(published.id.length, 40);
  }
  await sets[1]!.publish(0, "zero");
  await sets[1]!.publish(1, "one");
  const want = [0, 1].map((shard) => [
    ...byKey.filter(([, s]) => s === shard).map(([key]) => key),
    ["zero", "one"][shard]!,
  ]);
  await until("all are here", () => inboxes.every((box, i) => box.texts.length >= want[i]!.length));
  assertEquals(inboxes.map(({ texts }) => texts), want);
});

Deno.test("publishing to a shard that one is not on goes through a member, signed by the author", async () => {
  await using nodes = new Nodes();
  const { made, sets } = await sharded(nodes, 4, [[3], [3], []]);
  const topics = [sets[0]!.topic(3)!, sets[1]!.topic(3)!];
  await meet(...topics);
  const inboxes = topics.map((topic) => new Inbox(topic));
  const { id, shard } = await within("published", sets[2]!.publish(3, "from outside"));
  assertEquals(shard, 3);
  await until("both have it", () => inboxes.every(({ messages }) => messages.length === 1));
  for (const { messages: [m] } of inboxes) {
    assertEquals([m!.id, m!.from, m!.text()], [id, made[2]!.id, "from outside"]);
  }
  for (let i = 0; i < 20; i++) await sets[2]!.publish(3, `more ${i}`);
  await until("all of them", () => inboxes.every(({ messages }) => messages.length === 21));
  assertEquals(inboxes[0]!.messages.map(({ seq }) => seq), inboxes[1]!.messages.map((m) => m.seq));
  assertEquals(sets[2]!.joined, []);
});

Deno.test("publishing to a shard without members, or what is none, is refused", async () => {
  await using nodes = new Nodes();
  const [, shards] = [await nodes.start(), (await nodes.start()).shards("tx", { count: 4 })];
  await rejectsWith(shards.publish(2, "x"), "unknown-peer");
  await assertRejects(() => shards.publish(4, "x"), RangeError);
  await assertRejects(() => shards.publish(null as unknown as number, "x"), TypeError);
  await assertRejects(() => shards.publish(2, 7 as unknown as string), TypeError);
  await assertRejects(() => shards.publish(2, "x", { priority: "urgent" as "high" }), TypeError);
  await rejectsWith(shards.publish(2, new Uint8Array(5_000_000)), "too-large");
  const reason = new Error("no");
  const aborted = shards.publish(2, "x", { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await aborted.catch((error) => error), reason);
});

Deno.test("the table and the directory tell who is on which shard", async () => {
  await using nodes = new Nodes();
  const { made, sets } = await sharded(nodes, 16, [[0, 15], [15], [7]]);
  for (const set of sets) {
    const table = set.table();
    assertEquals([...table.keys()].toSorted((x, y) => x - y), [0, 7, 15]);
    assertEquals(table.get(15)!.toSorted(), [made[0]!.id, made[1]!.id].toSorted());
    assertEquals([table.get(0), table.get(7)], [[made[0]!.id], [made[2]!.id]]);
  }
  const bits = made[2]!.directory.get(made[0]!.id)!.shards.get("tx")!;
  assertEquals([bits.count, [...bits.bits]], [16, [0x01, 0x80]]);
  const members = made[2]!.directory.lookup("tx/15").map(({ id }) => id);
  assertEquals(members.toSorted(), [made[0]!.id, made[1]!.id].toSorted());
  await sets[0]!.move({ leave: [15], join: [] });
  await until("seen elsewhere", () => sets[2]!.table().get(15)?.length === 1);
});

Deno.test("move makes before it breaks: there is no moment without either shard", async () => {
  await using nodes = new Nodes();
  const { made, sets } = await sharded(nodes, 8, [[1], [1], [2], [2]]);
  await meet(...[0, 1].map((i) => sets[i]!.topic(1)!), ...[2, 3].map((i) => sets[i]!.topic(2)!));
  const [mover] = sets, seen: string[] = [];
  const old = mover!.topic(1)!, inbox = new Inbox(old);
  const moving = mover!.move({ leave: [1], join: [2] });
  const fresh = mover!.topic(2)!;
  let left = false;
  void inbox.done.then(() => left = true);
  const ready = fresh.ready().then(() => seen.push(`ready, old left: ${left}`));
  await within("moved", moving);
  await ready;
  assertEquals(seen, ["ready, old left: false"]);
  assertEquals(mover!.joined, [2]);
  assert(fresh.neighbors.length > 0);
  await within("old iterations end", inbox.done);
  const reader = fresh.messages();
  await sets[3]!.publish(2, "welcome");
  assertEquals((await take(reader, 1))[0]!.text(), "welcome");
  assertEquals(made[0]!.topic("tx/1"), undefined);
});

Deno.test("move to an empty shard does not wait, and shards in both lists stay", async () => {
  await using nodes = new Nodes();
  const shards = (await nodes.start()).shards("tx", { count: 8 });
  const kept = shards.join(3);
  await within("moved", shards.move({ leave: [3], join: [3, 4] }));
  assertEquals(shards.joined, [3, 4]);
  assertStrictEquals(shards.topic(3), kept);
  await assertRejects(() => shards.move({ join: [8] }), RangeError);
  await assertRejects(() => shards.move({ leave: [-1], join: [5] }), RangeError);
  assertEquals(shards.joined, [3, 4]);
});

Deno.test("a move of what is no list of shards is a TypeError and moves nothing", async () => {
  await using nodes = new Nodes();
  const shards = (await nodes.start()).shards("tx", { count: 8 });
  shards.join(1);
  for (const wrong of [undefined, 5, { join: 1 }, { leave: "1" }, { signal: 1 }]) {
    await assertRejects(() => shards.move(wrong as never), TypeError, "must be");
  }
  await assertRejects(() => shards.move({ leave: [1], join: [8] }), RangeError);
  assertEquals(shards.joined, [1]);
});

Deno.test("an aborted move rejects with its reason and leaves everything as it was", async () => {
  await using nodes = new Nodes();
  const { made, sets } = await sharded(nodes, 8, [[1], [1], [2]]);
  await meet(sets[0]!.topic(1)!, sets[1]!.topic(1)!);
  // The only member of shard 2 is gone, and nobody has noticed yet: its neighbour never comes.
  await nodes.kill(made[2]!);
  const reason = new Error("stay"), stop = new AbortController();
  const moving = sets[0]!.move({ leave: [1], join: [2], signal: stop.signal });
  assertEquals(sets[0]!.joined, [1, 2]);
  stop.abort(reason);
  assertStrictEquals(await within("aborted", moving.catch((error) => error)), reason);
  assertEquals(sets[0]!.joined, [1]);
  const early = sets[0]!.move({ leave: [1], join: [2], signal: stop.signal });
  assertStrictEquals(await early.catch((error) => error), reason);
  assertEquals(sets[0]!.joined, [1]);
  const reader = sets[0]!.topic(1)!.messages();
  await sets[1]!.publish(1, "still here");
  assertEquals((await take(reader, 1))[0]!.text(), "still here");
});

Deno.test("shards are disposed of together, and closed with their node", async () => {
  await using nodes = new Nodes();
  const node = await nodes.start();
  const shards = node.shards("tx", { count: 4 });
  {
    await using all = shards;
    for (let i = 0; i < 4; i++) all.join(i);
    await using one = all.join(1);
    assertEquals(one.name, "tx/1");
  }
  assertEquals(shards.joined, []);
  const inbox = new Inbox(shards.join(2));
  await node.close();
  await within("ended", inbox.done);
  assertEquals(shards.joined, []);
  throwsWith(() => shards.join(2), "closed");
  await rejectsWith(shards.move({ join: [2] }), "closed");
});
