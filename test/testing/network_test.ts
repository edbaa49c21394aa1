import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { type Gossip, GossipError } from "@x/plumtree";
import { Network, type SpawnOptions } from "@x/plumtree/testing";
import { coreOf } from "../../src/gossip.ts";

/** Nodes that can be reached from the first one over links that both ends have. */
function reached(nodes: readonly Gossip[], topic: string): number {
  const views = new Map(nodes.map((node) => [node.id, node.topic(topic)!.neighbors]));
  const seen = new Set([nodes[0]!.id]);
  for (const id of seen) {
    for (const peer of views.get(id)!) if (views.get(peer)?.includes(id)) seen.add(peer);
  }
  return seen.size;
}

function delivered(nodes: readonly Gossip[], topic: string): number {
  return nodes.reduce((sum, node) => sum + node.topic(topic)!.metrics().delivered, 0);
}

for (const directory of [true, false]) {
  Deno.test(`a hundred nodes that start at once form one overlay, directory: ${directory}`, async () => {
    await using net = new Network({ seed: 1, latencyMs: [10, 50] });
    const nodes = await net.spawn(100, { join: ["blocks"], directory });
    assert(await net.until(() => reached(nodes, "blocks") === 100, { seconds: 10 }));
    await net.run({ seconds: 10 });
    assertEquals(reached(nodes, "blocks"), 100);
    const full = nodes.filter((node) => node.topic("blocks")!.neighbors.length === 5).length;
    assert(full >= 97, `${full} nodes have five neighbours`);
  });
}

Deno.test("the first node of a network, which finds nobody, tends its links as well", async () => {
  await using net = new Network({ seed: 4 });
  const nodes = await net.spawn(4, { preset: "local" });
  await net.run({ seconds: 60 });
  for (const node of nodes) {
    const [core] = [...coreOf(node).topics];
    const { active, halfLinks, shuffles } = core!.overlay.metrics();
    assertEquals([core!.name, active, halfLinks], ["plumtree/directory", 3, 0]);
    assert(shuffles > 1, `${shuffles} shuffles`);
  }
});

Deno.test("a broadcast reaches a thousand nodes, and the tree forms within a few", async () => {
  await using net = new Network({ seed: 2, latencyMs: [10, 50] });
  // Without X-BOT: a link that it swaps is eager at first, which brings a copy.
  const overlay = { swapMs: 0 };
  const nodes = await net.spawn(1_000, {
    join: ["blocks"],
    directory: false,
    preset: "wan",
    overlay,
  });
  await net.run({ seconds: 30 });
  const copies: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = nodes.reduce((sum, n) => sum + n.topic("blocks")!.metrics().duplicates, 0);
    await nodes[i * 100]!.topic("blocks")!.publish(`block ${i}`);
    await net.run({ seconds: 3 });
    assertEquals(delivered(nodes, "blocks"), 999 * (i + 1));
    const after = nodes.reduce((sum, n) => sum + n.topic("blocks")!.metrics().duplicates, 0);
    copies.push((after - before) / 999);
  }
  assertLess(copies[4]!, 0.05);
});

Deno.test("the halves of a cut network go on, and after it heals each has what the other published", async () => {
  await using net = new Network({ seed: 3, latencyMs: [5, 20] });
  const options: SpawnOptions = { join: ["blocks"], preset: "local" };
  const nodes = await net.spawn(20, options);
  await net.run({ seconds: 10 });
  const half = nodes.slice(0, 10), rest = nodes.slice(10);
  net.partition(half);
  await net.run({ seconds: 15 });
  await half[0]!.topic("blocks")!.publish("one");
  await rest[0]!.topic("blocks")!.publish("two");
  await net.run({ seconds: 5 });
  assertEquals([delivered(half, "blocks"), delivered(rest, "blocks")], [9, 9]);
  net.heal();
  assert(await net.until(() => delivered(nodes, "blocks") === 38, { seconds: 120 }));
  assertEquals(reached(nodes, "blocks"), 20);
});

Deno.test("killed nodes are noticed, and come back with their identity", async () => {
  await using net = new Network({ seed: 4 });
  const nodes = await net.spawn(12, { join: ["blocks"] });
  await net.run({ seconds: 10 });
  const dead = nodes.slice(2, 6), alive = nodes.filter((node) => !dead.includes(node));
  net.kill(dead);
  assertEquals(net.nodes.length, 8);
  await net.run({ seconds: 20 });
  assertEquals(reached(alive, "blocks"), 8);
  for (const node of alive) {
    assert(node.topic("blocks")!.neighbors.every((id) => alive.some((other) => other.id === id)));
  }
  const back = await net.restart(dead[0]!);
  assertEquals([back.id, back.address], [dead[0]!.id, dead[0]!.address]);
  await net.run({ seconds: 10 });
  assertEquals(reached([...alive, back], "blocks"), 9);
});

Deno.test("what is published right before a close gets out though the eager neighbour has just died", async () => {
  await using net = new Network({ seed: 6 });
  const nodes = await net.spawn(3, { join: ["blocks"], directory: false });
  await net.until(() => nodes.every((node) => node.topic("blocks")!.neighbors.length === 2));
  for (const node of nodes) {
    await node.topic("blocks")!.publish("forms the tree");
    await net.run({ seconds: 1 });
  }
  const eager = (node: Gossip) => {
    for (const { tree } of coreOf(node).topics) return tree.eagerPeers;
    return [];
  };
  // A tree over three nodes has two leaves, each with an eager and a lazy link.
  const [leaf, other] = nodes.filter((node) => eager(node).length === 1);
  const hub = nodes.find((node) => node !== leaf && node !== other)!;
  const before = other!.topic("blocks")!.metrics().delivered;
  net.kill([hub]);
  await leaf!.topic("blocks")!.publish("farewell");
  await leaf!.close();
  await net.run({ seconds: 5 });
  assertEquals(other!.topic("blocks")!.metrics().delivered, before + 1);
});

async function trace(seed: number): Promise<string> {
  await using net = new Network({ seed, latencyMs: [10, 50], loss: 0.01 });
  const nodes = await net.spawn(30, { join: ["blocks"] });
  await net.run({ seconds: 5 });
  net.kill(nodes.slice(0, 5));
  for (const node of nodes.slice(5, 10)) await node.topic("blocks")!.publish(node.id);
  await net.run({ seconds: 20 });
  return net.traceHash;
}

Deno.test("one seed gives one run, another seed another", async () => {
  const first = await trace(7);
  assertEquals(await trace(7), first);
  assertNotEquals(await trace(8), first);
});

Deno.test("until gives what a promise gives, runs user code under virtual time, and ends when time is up", async () => {
  await using net = new Network({ seed: 5 });
  const [a, b] = await net.spawn(2, { join: ["blocks"] });
  await net.until(a!.topic("blocks")!.ready());
  const read = (async () => {
    for await (const message of b!.topic("blocks")!) return message.text();
    return "nothing";
  })();
  await a!.topic("blocks")!.publish("hello");
  assertEquals(await net.until(read), "hello");
  const start = net.now;
  assertEquals(await net.until(() => false, { seconds: 3 }), false);
  assertEquals(net.now - start, 3_000);
});

Deno.test("a network counts what has happened in it, and time without events costs none", async () => {
  await using net = new Network({ seed: 5, latencyMs: 10 });
  const seen = { frames: 0, bytes: 0 };
  net.trace = (event) => {
    if (event.type !== "frame") return;
    seen.frames++;
    seen.bytes += event.length;
  };
  const nodes = await net.spawn(4, { join: ["blocks"] });
  await net.run({ seconds: 5 });
  const { frames, bytes, linkEnds, events } = net.metrics();
  assertEquals({ frames, bytes }, seen);
  assertEquals(linkEnds, nodes.reduce((sum, node) => sum + node.peers().length, 0));
  assert(frames > 20 && events > frames);
  net.kill(nodes);
  await net.run({ seconds: 60 });
  const after = net.metrics();
  assertEquals([after.nodes, after.linkEnds, after.frames], [0, 0, frames]);
  await net.run({ seconds: 1e6 });
  assertEquals(net.metrics(), after);
});

Deno.test("wrong arguments of a network are refused", async () => {
  await using net = new Network();
  await assertRejects(() => net.spawn(0), RangeError);
  await assertRejects(() => net.spawn(1, { limits: { messageBytes: -1 } }), RangeError);
  for (const seconds of [-1, NaN, Infinity]) {
    await assertRejects(() => net.run({ seconds }), RangeError);
  }
  await assertRejects(() => net.until(5 as never), TypeError, "a function or a promise");
  await assertRejects(() => net.restart(null as never), RangeError, "not of this network");
  await assertRejects(() => net.spawn(1, null as never), TypeError, "options must be");
  await assertRejects(() => net.spawn(1, { port: 5 } as never), TypeError, "options.port");
  const wrong = { directory: "no", skewMs: "x", bandwidth: 5 };
  for (const [name, value] of Object.entries(wrong)) {
    await assertRejects(() => net.spawn(1, { [name]: value }), TypeError, name);
  }
  const running = net.run({ seconds: 1 });
  const error = await assertRejects(() => net.run({ seconds: 1 }), GossipError);
  assertEquals(error.code, "busy");
  await running;
});

Deno.test("an answer takes the time of its way, and nothing more", async () => {
  await using net = new Network({ seed: 1, latencyMs: 10 });
  const [a, b] = await net.spawn(2, { join: ["x"] });
  using _ = a!.handle("ping", async (request) => {
    await Promise.resolve();
    return request.text();
  });
  await net.until(a!.topic("x")!.ready());
  for (let i = 0; i < 3; i++) {
    const asked = net.now;
    let took = 0;
    await net.until(b!.request(a!.id, "ping", "1").then(() => took = net.now - asked));
    assertEquals(took, 20);
  }
  net.kill([a!]);
  const asked = net.now;
  const failed = b!.request(a!.id, "ping", "1").catch(() => net.now - asked);
  assert((await net.until(failed)) as number <= 5_000);
});

Deno.test("a network refuses options that are none", async () => {
  for (
    const wrong of [
      { loss: 2 },
      { loss: -1 },
      { linkLoss: NaN },
      { jitter: -1 },
      { detectMs: 0 },
      { dialTimeoutMs: -5 },
      { idleMs: NaN },
      { asyncSlackMs: -1 },
    ]
  ) assertThrows(() => new Network(wrong), RangeError);
  assertThrows(() => new Network({ idleMs: "x" as unknown as number }), TypeError);
  for (const latencyMs of ["x", { kind: "foo" }, {}]) {
    assertThrows(() => new Network({ latencyMs: latencyMs as never }), TypeError, "latencyMs");
  }
  assertThrows(() => new Network({ latencyMs: [1] as never }), RangeError);
  await using net = new Network();
  await assertRejects(() => net.spawn(1, { join: "news" as unknown as string[] }), TypeError);
});
