import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { type Gossip, GossipError } from "@x/plumtree";
import { coreOf } from "../../src/gossip.ts";
import { Network, regions, type SpawnOptions } from "@x/plumtree/testing";

const OPTIONS: SpawnOptions = { join: ["blocks"], directory: false, preset: "local" };

function delivered(nodes: readonly Gossip[]): number[] {
  return nodes.map((node) => node.topic("blocks")!.metrics().delivered);
}

function neighbors(node: Gossip): readonly string[] {
  return node.topic("blocks")!.neighbors;
}

Deno.test("three groups are cut off from one another, and from nodes in none", async () => {
  await using net = new Network({ seed: 1, latencyMs: [5, 20], detectMs: 1_000 });
  const nodes = await net.spawn(16, OPTIONS);
  await net.run({ seconds: 5 });
  const groups = [nodes.slice(0, 4), nodes.slice(4, 8), nodes.slice(8, 12), nodes.slice(12)];
  assertEquals(net.partition(groups.slice(0, 3)), groups[0]);
  await net.run({ seconds: 10 });
  for (const group of groups) {
    const ids = group.map(({ id }) => id);
    for (const node of group) assert(neighbors(node).every((id) => ids.includes(id)));
  }
});

Deno.test("a random part of the nodes is cut off, another one for another seed, and later heals", async () => {
  const parts = await Promise.all([1, 1, 2].map(async (seed) => {
    await using net = new Network({ seed, latencyMs: 10, detectMs: 1_000 });
    const nodes = await net.spawn(20, OPTIONS);
    await net.run({ seconds: 5 });
    const part = net.partition(0.3);
    assertEquals(part.length, 6);
    await net.run({ seconds: 5 });
    const ids = part.map(({ id }) => id);
    for (const node of nodes) {
      assert(neighbors(node).every((id) => ids.includes(id) === ids.includes(node.id)));
    }
    net.heal();
    await net.run({ seconds: 60 });
    await nodes[0]!.topic("blocks")!.publish("all are back");
    assert(await net.until(() => delivered(nodes.slice(1)).every((count) => count === 1)));
    return nodes.map((node) => part.includes(node));
  }));
  assertEquals(parts[0], parts[1]);
  assertNotEquals(parts[0], parts[2]);
});

Deno.test("over a one-way cut a node hears the others for a while, and nobody hears it", async () => {
  await using net = new Network({ seed: 1, latencyMs: 10, detectMs: 5_000 });
  const nodes = await net.spawn(6, OPTIONS);
  await net.run({ seconds: 5 });
  const [mute, other] = nodes;
  net.partition([mute!], { oneWay: true });
  await mute!.topic("blocks")!.publish("unheard");
  await other!.topic("blocks")!.publish("heard");
  await net.run({ seconds: 1 });
  assertEquals(delivered(nodes), [1, 0, 1, 1, 1, 1]);
});

Deno.test("a restarted node comes back as itself or as another one, with what it was told at its start", async () => {
  await using net = new Network({ seed: 3, latencyMs: 10, detectMs: 1_000 });
  const nodes = await net.spawn(5, { ...OPTIONS, skewMs: 60_000 });
  await net.run({ seconds: 5 });
  const first = nodes.pop()!;
  await first.topic("blocks")!.publish("before");
  await net.run({ seconds: 1 });
  net.kill([first]);
  await net.run({ seconds: 3 });
  const same = await net.restart(first);
  assertEquals([same.id, same.address], [first.id, first.address]);
  await net.run({ seconds: 5 });
  // With an earlier clock than before its crash its messages would pass for replays.
  await same.topic("blocks")!.publish("here again");
  await net.run({ seconds: 2 });
  assertEquals(delivered(nodes), [2, 2, 2, 2]);
  net.kill([same]);
  await net.run({ seconds: 3 });
  const other = await net.restart(same, { identity: "new" });
  assertNotEquals(other.id, first.id);
  assertEquals(other.address, first.address);
  assertEquals(net.nodes.length, 5);
  await net.run({ seconds: 10 });
  await other.topic("blocks")!.publish("back");
  await net.run({ seconds: 2 });
  assertEquals(delivered(nodes), [3, 3, 3, 3]);
  for (const node of nodes) assert(!neighbors(node).includes(first.id));
  await assertRejects(() => new Network().restart(first), RangeError);
});

Deno.test("links break, one or a share of them, are noticed at both ends and made again", async () => {
  await using net = new Network({ seed: 4, latencyMs: 10, detectMs: 1_000 });
  const nodes = await net.spawn(12, OPTIONS);
  await net.run({ seconds: 5 });
  const [a, b] = [nodes[0]!, nodes.find((node) => neighbors(nodes[0]!).includes(node.id))!];
  const ends: string[] = [];
  net.trace = (event) => {
    if (event.type === "down") ends.push(event.to);
  };
  assertEquals(net.breakLinks([a, b]), 1);
  await net.run({ seconds: 2 });
  assertEquals(ends.sort(), [a.id, b.id].sort());
  assertEquals(net.breakLinks(0), 0);
  const links = nodes.reduce((sum, node) => sum + node.peers().length, 0) / 2;
  assertEquals(net.breakLinks(1), links);
  ends.length = 0;
  assert(await net.until(() => ends.length >= 2 * links, { seconds: 5 }));
  await net.run({ seconds: 60 });
  await a.topic("blocks")!.publish("mended");
  assert(await net.until(() => delivered(nodes.slice(1)).every((count) => count === 1)));
});

Deno.test("wall clocks are off by what was asked for, each by its own within a range", async () => {
  await using net = new Network({ seed: 5, epochMs: 1_000_000 });
  const skews = (nodes: Gossip[]) =>
    nodes.map((node) => coreOf(node).host.record().seq - 1_000_000).sort((a, b) => a - b);
  const [exact] = skews(await net.spawn(1, { skewMs: 5_000 }));
  assert(exact! >= 5_000 && exact! < 5_010, `${exact}`);
  const drawn = skews(await net.spawn(50, { skewMs: [-2_000, 2_000] }));
  assert(drawn[0]! >= -2_000 && drawn[0]! < -1_500 && drawn[49]! > 1_500 && drawn[49]! < 2_010);
  assertEquals(new Set(drawn).size > 40, true);
});

Deno.test("a network over the regions of the world delivers in about the time its links take", async () => {
  await using net = new Network({ seed: 6, latencyMs: regions(), jitter: 0.1 });
  const nodes = await net.spawn(60, { ...OPTIONS, preset: "wan" });
  await net.run({ seconds: 20 });
  assertEquals(new Set(nodes.map((node) => net.region(node))).has("europe"), true);
  await nodes[0]!.topic("blocks")!.publish("to all regions");
  const start = net.now;
  assert(await net.until(() => delivered(nodes.slice(1)).every((count) => count === 1)));
  assert(net.now - start > 60 && net.now - start < 3_000);
});

Deno.test("large messages cost a network with bandwidth their time", async () => {
  const spent = await Promise.all([undefined, { up: 500_000, down: 2_000_000 }].map(
    async (bandwidth) => {
      await using net = new Network({ seed: 7, latencyMs: 10, bandwidth });
      const nodes = await net.spawn(10, OPTIONS);
      await net.run({ seconds: 10 });
      const start = net.now;
      await nodes[0]!.topic("blocks")!.publish(new Uint8Array(200_000));
      assert(await net.until(() => delivered(nodes.slice(1)).every((count) => count === 1)));
      return net.now - start;
    },
  ));
  assert(spent[0]! < 200, `${spent}`);
  assert(spent[1]! > 400, `${spent}`);
});

Deno.test("a killed node takes nothing more, and a node of another network is not of this one", async () => {
  await using net = new Network({ seed: 1 });
  await using other = new Network({ seed: 1 });
  const [a, b] = await net.spawn(2, { join: ["news"] });
  const [stranger] = await other.spawn(1);
  await net.until(a!.topic("news")!.ready());
  net.kill([b!]);
  const publish = () => b!.topic("news")!.publish("from the dead");
  assertEquals((await assertRejects(publish, GossipError)).code, "closed");
  assertEquals(stranger!.id, a!.id);
  assertThrows(() => net.kill([stranger!]), RangeError);
  assertThrows(() => net.slow(a!, -1), RangeError);
  assertThrows(() => net.slow(a!, NaN), RangeError);
});

Deno.test("a message reaches a shard through a member though half of those known are dead", async () => {
  await using net = new Network({ seed: 3, latencyMs: [10, 50] });
  const [author] = await net.spawn(1);
  const members = await net.spawn(12);
  for (const node of members) node.shards("kv", { count: 1 }).join(0);
  await net.until(() => author!.directory.size === 13);
  net.kill(members.slice(0, 6));
  for (let i = 0; i < 10; i++) {
    const before = net.now;
    assert(await net.until(author!.shards("kv", { count: 1 }).publish(0, `${i}`)));
    assert(net.now - before < 8_000, `${net.now - before} ms`);
  }
});

Deno.test("faults that are none are refused", async () => {
  await using net = new Network();
  const [a, b] = await net.spawn(2);
  assertThrows(() => net.partition(0), RangeError);
  assertThrows(() => net.partition(1), RangeError);
  assertThrows(() => net.breakLinks(1.5), RangeError);
  assertThrows(() => new Network().breakLinks([a!, b!]), RangeError);
  assertThrows(() => new Network().partition([a!]), RangeError);
  await assertRejects(() => net.spawn(1, { skewMs: [1, 0] }), RangeError);
  await assertRejects(() => net.spawn(1, { bandwidth: { up: 0, down: 1 } }), RangeError);
});

Deno.test("what is no network, no list of nodes and no sides is refused with a word", async () => {
  for (const none of [5, null, []]) {
    assertThrows(() => new Network(none as never), TypeError, "options must be an object");
  }
  const misspelt = { sede: 1 } as never;
  assertThrows(() => new Network(misspelt), TypeError, "options.sede is not an option");
  const net = new Network({ seed: 1 });
  await assertRejects(() => net.spawn(1, { jion: ["a"] } as never), TypeError, "options.jion");
  const [node] = await net.spawn(2);
  assertThrows(() => net.kill(node as never), TypeError, "nodes must be a list");
  assertThrows(() => net.partition(undefined as never), TypeError, "sides must be");
  assertThrows(() => net.partition(node as never), TypeError, "sides must be");
  assertThrows(() => net.partition([node!], { onWay: true } as never), TypeError, "options.onWay");
  const later = { second: 1 } as never;
  await assertRejects(() => net.until(() => false, later), TypeError, "time.second is");
  await assertRejects(() => net.run(later), TypeError, "time.second is");
  for (const id of [{ identiy: "new" }, { identity: "other" }]) {
    await assertRejects(() => net.restart(node!, id as never), TypeError, "identi");
  }
  assertThrows(() => net.kill([node!, {} as never]), RangeError);
  assertEquals(net.nodes.length, 2);
});

Deno.test("a node that was restarted is killed by whichever handle, and its iterations end", async () => {
  await using net = new Network({ seed: 1 });
  const [first] = await net.spawn(2);
  const again = await net.restart(first!);
  const events = again.events();
  net.kill([first!]);
  assertEquals(net.nodes.length, 1);
  while (!(await events.next()).done);
});
