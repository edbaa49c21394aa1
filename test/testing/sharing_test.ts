import { assert, assertEquals } from "@std/assert";
import type { Gossip } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";
import { coreOf } from "../../src/gossip.ts";

/** Links between nodes, each with how many topics it serves, that of the directory among them. */
function links(nodes: readonly Gossip[]): Map<string, number> {
  const served = new Map<string, number>();
  for (const node of nodes) {
    for (const { overlay } of coreOf(node).topics) {
      for (const peer of overlay.active) {
        const link = [node.id, peer].sort().join();
        served.set(link, (served.get(link) ?? 0) + 1 / 2);
      }
    }
  }
  return served;
}

/** How many of the nodes on a topic are reached from the first of them over its links. */
function reached(nodes: readonly Gossip[], topic: string): number {
  const views = new Map(nodes.map((node) => [node.id, node.topic(topic)!.neighbors]));
  const seen = new Set([nodes[0]!.id]);
  for (const id of seen) for (const peer of views.get(id) ?? []) seen.add(peer);
  return seen.size;
}

Deno.test("topics that everybody is on share the directory's links instead of making their own", async () => {
  await using net = new Network({ seed: 3 });
  const topics = ["a", "b", "c"];
  const nodes = await net.spawn(100, { join: topics, preset: "lan" });
  await net.run({ seconds: 120 });
  const degrees = nodes.map((node) => topics.map((name) => node.topic(name)!.neighbors.length));
  assert(degrees.flat().filter((degree) => degree === 5).length >= 290, `${degrees}`);
  for (const name of topics) assertEquals(reached(nodes, name), 100);
  const all = [...links(nodes).values()];
  // Four overlays drawn one by one have close to 1,000 links, and one has 250; each of three adds 50 that it found itself.
  assert(all.length < 440, `${all.length} links`);
  // A link that one topic needs goes on when another one is left.
  const before = nodes.map((node) => node.peers().length);
  await Promise.all(nodes.map((node) => node.topic("b")!.leave()));
  await net.run({ seconds: 5 });
  assert(nodes.every((node, i) => node.peers().length >= Math.min(5, before[i]!)));
});

Deno.test("a topic that a part of the nodes is on is one overlay, whatever it shares with others", async () => {
  await using net = new Network({ seed: 4 });
  const nodes = await net.spawn(90, { join: ["all"], preset: "lan" });
  // Groups of six would be islands on "some" if they filled it with each other.
  const some = nodes.slice(0, 60);
  some.forEach((node, i) => {
    node.join(`group ${i % 10}`);
    node.join("some");
  });
  await net.run({ seconds: 120 });
  assertEquals(reached(some, "some"), 60);
  assertEquals(reached(nodes, "all"), 90);
  const full = some.filter((node) => node.topic("some")!.neighbors.length === 5).length;
  assert(full >= 55, `${full} full views`);
});
