import { assert, assertEquals } from "@std/assert";
import { halfLinks, largestPart, peerId, World } from "./fake_port.ts";

/** `count` nodes that join through node 0, one every `everyMs`. */
function joined(count: number, everyMs: number, seed = 1): World {
  const world = new World({ seed });
  for (let n = 0; n < count; n++) {
    world.add(n).overlay.join(n === 0 ? [] : [peerId(0)]);
    world.queue.run(everyMs);
  }
  return world;
}

/** The share of nodes with at least `degree` neighbours. */
function share(world: World, degree: number): number {
  const nodes = world.alive();
  return nodes.filter((node) => node.overlay.active.length >= degree).length / nodes.length;
}

/** Lets what is under way come to an end, so that symmetry can be judged. */
function assertWhole(world: World): void {
  const nodes = world.alive();
  for (let i = 0; i < 20 && halfLinks(nodes).length > 0; i++) world.queue.run(50);
  assertEquals(halfLinks(nodes), []);
  assertEquals(largestPart(nodes), nodes.length);
}

Deno.test("a hundred nodes that join through one contact at once become one overlay", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = joined(100, 0, seed);
    world.queue.run(5_000);
    assertWhole(world);
    assertEquals(share(world, 2), 1, `seed ${seed}`);
    assert(share(world, 5) >= 0.95, `seed ${seed}: ${share(world, 5)}`);
    const evictions = world.alive().reduce(
      (sum, node) => sum + node.overlay.metrics().evictions,
      0,
    );
    assert(evictions < 1_000, `${evictions}`);
    for (const key in world.sent) world.sent[key] = 0;
    world.queue.run(60_000);
    assert(world.sent["disconnect"]! < 60, "the storm does not go round");
  }
});

Deno.test("a thousand nodes have full views after fifty cycles, and fill them early", () => {
  const world = joined(1_000, 10);
  world.queue.run(5 * world.overlay.shuffleMs);
  assert(share(world, 5) >= 0.99, `after five cycles ${share(world, 5)}`);
  for (const key in world.sent) world.sent[key] = 0;
  world.queue.run(45 * world.overlay.shuffleMs);
  assert(share(world, 5) >= 0.998, `${share(world, 5)}`);
  assertWhole(world);
  assert(world.alive().every((node) => node.overlay.passive.length >= 25));
  const replies = world.sent["shuffle-reply"]!;
  const lost = Math.abs(world.sent["shuffle"]! - replies) / replies;
  assert(lost < 0.1, `a reply takes its walk's way back: ${lost} of the hops differ`);
  assert(world.sent["neighbor"]! < 1_000, `${world.sent["neighbor"]} requests in a steady overlay`);
  assert(
    world.sent["disconnect"]! < 500,
    `${world.sent["disconnect"]} links cut in a steady overlay`,
  );
});

for (const percent of [33, 60, 80]) {
  Deno.test(`an overlay heals when ${percent} % of its nodes are killed at once`, () => {
    const world = joined(300, 10, percent);
    world.queue.run(10 * world.overlay.shuffleMs);
    for (const node of world.alive()) if (world.random() < percent / 100) world.crash(node);
    world.queue.run(10_000);
    assertWhole(world);
    assert(share(world, 2) === 1);
    assert(share(world, 5) >= 0.9, `${share(world, 5)}`);
  });
}

Deno.test("two islands with full views merge when one contact is remembered", () => {
  for (let seed = 1; seed <= 3; seed++) {
    const world = new World({ seed });
    const island = (id: string) => parseInt(id, 16) < 20 ? 0 : 1;
    world.cut = (a, b) => island(a) !== island(b);
    for (let n = 0; n < 40; n++) {
      const own = n < 20 ? 0 : 20;
      // Everybody on the second island remembers node 0 beside its own contact.
      world.add(n).overlay.join(n === own ? [] : n < 20 ? [peerId(0)] : [peerId(20), peerId(0)]);
      world.queue.run(20);
    }
    world.queue.run(120_000);
    const nodes = world.alive();
    assertEquals(largestPart(nodes), 20);
    assert(share(world, 5) >= 0.9, `${share(world, 5)}`);
    for (const node of nodes) {
      for (const peer of node.overlay.passive) assertEquals(island(peer), island(node.self));
    }
    world.cut = () => false;
    let waited = 0;
    while (largestPart(nodes) < 40 && waited++ < 20) world.queue.run(world.overlay.probeMs);
    assertEquals(largestPart(nodes), 40, `seed ${seed}`);
    world.queue.run(20 * world.overlay.probeMs);
    const across = nodes.flatMap((node) =>
      node.overlay.active.filter((peer) => island(peer) !== island(node.self))
    );
    assertEquals(largestPart(nodes), 40);
    assert(across.length >= 10, `${across.length} ends of links across`);
  }
});

Deno.test("an overlay that a partition cut in two grows together again by itself", () => {
  const world = joined(60, 20, 4);
  world.queue.run(60_000);
  world.cut = (a, b) => (parseInt(a, 16) % 2) !== (parseInt(b, 16) % 2);
  world.applyCut();
  world.queue.run(300_000);
  assertEquals(largestPart(world.alive()), 30);
  world.cut = () => false;
  world.queue.run(300_000);
  assertWhole(world);
});

Deno.test("probes cost a steady overlay the same few links whatever its size", () => {
  for (const count of [50, 400]) {
    const world = joined(count, 10);
    world.queue.run(300_000);
    const before = world.alive().reduce((sum, node) => sum + node.overlay.metrics().probes, 0);
    world.queue.run(20 * world.overlay.probeMs);
    const after = world.alive().reduce((sum, node) => sum + node.overlay.metrics().probes, 0);
    assert(after - before <= 20 * 9, `${after - before} of ${count}`);
  }
});

Deno.test("nodes that nobody can dial get full views", () => {
  const world = new World({ seed: 6 });
  for (let n = 0; n < 60; n++) {
    world.add(n, n % 3 === 2).overlay.join(n === 0 ? [] : [peerId(0)]);
    world.queue.run(50);
  }
  world.queue.run(60_000);
  assertWhole(world);
  assert(share(world, 4) >= 0.95, `${share(world, 4)}`);
  for (const node of world.alive()) {
    for (const peer of node.overlay.passive) {
      assert(!world.nodes.get(peer)!.dialOnly || node.connected(peer));
    }
  }
});

Deno.test("the last ones come back when everybody they knew was gone for long", () => {
  const world = joined(12, 20, 8);
  world.queue.run(20_000);
  world.cut = () => true;
  world.applyCut();
  world.queue.run(1_000_000);
  for (const node of world.alive()) {
    assertEquals(node.overlay.active, []);
    assertEquals(node.events.at(-1), "isolated");
  }
  for (const key in world.sent) world.sent[key] = 0;
  world.queue.run(600_000);
  const attempts = (world.sent["join"] ?? 0) + (world.sent["neighbor"] ?? 0);
  assert(attempts > 12 && attempts < 12 * 30 * 10, `${attempts} attempts in ten minutes`);
  world.cut = () => false;
  world.queue.run(120_000);
  assertWhole(world);
  assert(world.alive().every((node) => node.events.includes("rejoined")));
});

Deno.test("members that the directory learns of fill a view without any contact", () => {
  const known: string[] = [];
  const world = new World({
    seed: 2,
    members: (self, most) => known.filter((peer) => peer !== self).slice(0, most),
  });
  for (let n = 0; n < 10; n++) world.add(n).overlay.join([]);
  world.queue.run(60_000);
  assertEquals(largestPart(world.alive()), 1);
  known.push(...[...world.nodes.keys()]);
  for (const node of world.alive()) node.overlay.candidatesChanged();
  world.queue.run(20_000);
  assertWhole(world);
  assert(share(world, 4) === 1);
});

Deno.test("everybody can leave, and nothing is left behind", () => {
  const world = joined(40, 10);
  world.queue.run(30_000);
  for (const node of world.alive()) {
    node.overlay.leave();
    world.queue.run(100);
    assertEquals(node.timers.size, 0);
    assertEquals(node.held.size, 0);
    world.crash(node);
    for (const other of world.alive()) assert(!other.overlay.isActive(node.self));
  }
});
