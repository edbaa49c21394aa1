import { assert, assertEquals } from "@std/assert";
import { type Gossip, type GossipEvent, overlayDefaults } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";
import { regionLatency } from "../../src/testing/regions.ts";

const NODES = 120;

function meanCost(nodes: readonly Gossip[]): number {
  return nodes.reduce((sum, node) => sum + node.topic("news")!.metrics().meanCostMs, 0) /
    nodes.length;
}

function degrees(nodes: readonly Gossip[]): number[] {
  return nodes.map((node) => node.topic("news")!.neighbors.length);
}

function connected(nodes: readonly Gossip[]): boolean {
  const views = new Map(nodes.map((node) => [node.id, node.topic("news")!.neighbors]));
  const reached = new Set([nodes[0]!.id]);
  for (const id of reached) for (const peer of views.get(id) ?? []) reached.add(peer);
  return reached.size === nodes.length;
}

Deno.test("a world-wide network swaps its links for near ones, and loses no message meanwhile", async () => {
  const latencyMs = regionLatency();
  await using net = new Network({ seed: 5, latencyMs });
  const nodes = await net.spawn(NODES, { preset: "lan", join: ["news"], directory: false });
  const missed: GossipEvent[] = [], swaps: (GossipEvent & { type: "swap" })[] = [];
  const watched = nodes.map(async (node) => {
    for await (const event of node.events()) {
      if (event.type === "missed" || event.type === "fault") missed.push(event);
      if (event.type === "swap") swaps.push(event);
    }
  });
  await net.until(() => degrees(nodes).every((degree) => degree === 5), { seconds: 60 });
  const random = nodes.reduce(
    (sum, a) => nodes.reduce((part, b) => part + 2 * latencyMs(a.id, b.id), sum),
    0,
  ) / NODES ** 2;
  const published = 100;
  for (let i = 0; i < published; i++) {
    await nodes[(7 * i) % NODES]!.topic("news")!.publish(`message ${i}`);
    await net.run({ seconds: 0.6 });
    assert(connected(nodes), `not connected after ${i} messages`);
  }
  await net.run({ seconds: 15 });
  for (const node of nodes) {
    const { delivered, published: own } = node.topic("news")!.metrics();
    assertEquals(delivered + own, published);
  }
  assertEquals(missed, []);
  assert(swaps.length > NODES / 3, `${swaps.length} swaps`);
  assert(swaps.every(({ topic, gainMs }) => topic === "news" && gainMs >= 2));
  await net.run({ seconds: 120 });
  assert(meanCost(nodes) < 0.5 * random, `from ${random} to ${meanCost(nodes)}`);
  await net.until(() => degrees(nodes).every((degree) => degree === 5), { seconds: 60 });
  assertEquals(degrees(nodes), Array(NODES).fill(5));
  await Promise.all(nodes.map((node) => node.close()));
  await Promise.all(watched);
});

Deno.test("swaps are made in the presets for networks, not in the one for a single machine", async () => {
  assertEquals(overlayDefaults("local").swapMs, 0);
  assert(overlayDefaults("lan").swapMs > 0 && overlayDefaults("wan").swapMs > 0);
  await using net = new Network({ seed: 6, latencyMs: [1, 200] });
  const nodes = await net.spawn(30, { preset: "local", join: ["news"], directory: false });
  await net.run({ seconds: 60 });
  for (const node of nodes) assertEquals(node.topic("news")!.metrics().swapsTried, 0);
});
