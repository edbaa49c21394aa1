import { assert, assertEquals } from "@std/assert";
import type { OverlayOptions } from "../../../src/options.ts";
import { type FakePort, halfLinks, largestPart, peerId, World } from "./fake_port.ts";

/** No symmetry checks and no probes: links change by swaps alone once all views are full. */
const ONLY_SWAPS: Partial<OverlayOptions> = { checkMs: 1e12, probeMs: 1e12, shuffleMs: 2_000 };

/** Two clusters, even and odd numbers: 5 ms inside, 150 ms between. */
function clusters(a: number, b: number): number {
  return a % 2 === b % 2 ? 5 : 150;
}

/** A full overlay of `count` nodes. */
function steady(count: number, seed: number, overlay: Partial<OverlayOptions> = {}): World {
  const world = new World({ seed, overlay: { ...ONLY_SWAPS, ...overlay } });
  for (let n = 0; n < count; n++) {
    world.add(n).overlay.join(n === 0 ? [] : [peerId(0)]);
    world.queue.run(10);
  }
  world.queue.run(60_000);
  return world;
}

function totalCost(world: World): number {
  let sum = 0;
  for (const node of world.alive()) {
    for (const peer of node.overlay.active) {
      sum += world.cost!(parseInt(node.self, 16), parseInt(peer, 16));
    }
  }
  return sum;
}

function degrees(nodes: readonly FakePort[]): number[] {
  return nodes.map((node) => node.overlay.active.length);
}

function swapsOf(world: World): number {
  return world.alive().reduce((sum, node) => sum + node.swaps.length, 0);
}

Deno.test("swaps make links cheaper, keep every degree, and never raise the sum of the costs", () => {
  for (const seed of [1, 2]) {
    const world = steady(100, seed);
    const before = degrees(world.alive());
    world.cost = (a, b) =>
      1 + (Math.imul(Math.min(a, b) * 101 + Math.max(a, b), 0x9e3779b1) >>> 24);
    const random = totalCost(world);
    let last = random, looks = 0;
    for (let i = 0; i < 1_500; i++) {
      world.queue.run(100);
      assertEquals(largestPart(world.alive()), 100);
      if (halfLinks(world.alive()).length > 0) continue;
      const now = totalCost(world);
      // Between two moments without a swap half done.
      if (degrees(world.alive()).every((degree, n) => degree === before[n])) {
        assert(now <= last, `${last} rose to ${now}`);
        last = now;
        looks++;
      }
    }
    assert(looks > 300);
    assert(swapsOf(world) > 100, `${swapsOf(world)} swaps`);
    assert(last < 0.6 * random, `from ${random} to ${last}`);
    assertEquals(degrees(world.alive()), before);
  }
});

Deno.test("two clusters that are far apart stay connected while all links that may come inside do", () => {
  for (const seed of [1, 2]) {
    const world = steady(120, seed);
    const before = degrees(world.alive());
    world.cost = clusters;
    const random = totalCost(world);
    for (let i = 0; i < 600; i++) {
      world.queue.run(250);
      assertEquals(largestPart(world.alive()), 120);
    }
    assert(totalCost(world) < 0.4 * random, `${totalCost(world)} of ${random}`);
    const across = world.alive().filter((node) =>
      node.overlay.active.some((peer) => parseInt(peer, 16) % 2 !== parseInt(node.self, 16) % 2)
    );
    // Protected links keep a good part of the nodes in touch with the other side.
    assert(across.length > 30, `${across.length} nodes with a link across`);
    for (let i = 0; i < 40 && halfLinks(world.alive()).length > 0; i++) world.queue.run(50);
    assertEquals(halfLinks(world.alive()), []);
    assertEquals(degrees(world.alive()), before);
  }
});

Deno.test("nodes that have found near neighbours measure nobody any more", () => {
  const world = steady(100, 4);
  world.cost = () => 1;
  for (const key in world.sent) world.sent[key] = 0;
  world.queue.run(120_000);
  assertEquals(world.sent["optimization"] ?? 0, 0);
  assertEquals(world.alive().reduce((sum, node) => sum + node.overlay.metrics().costs, 0), 0);
});

Deno.test("an overlay that swaps heals when half of its nodes are killed in the middle of it", () => {
  for (const seed of [1, 2]) {
    const world = steady(100, seed, { checkMs: 10_000, probeMs: 30_000 });
    world.cost = clusters;
    world.queue.run(20_000);
    assert(swapsOf(world) > 20);
    for (const node of world.alive()) if (world.random() < 0.5) world.crash(node);
    world.queue.run(30_000);
    const nodes = world.alive();
    for (let i = 0; i < 100 && halfLinks(nodes).length > 0; i++) world.queue.run(50);
    assertEquals(halfLinks(nodes), []);
    assertEquals(largestPart(nodes), nodes.length);
    const full = nodes.filter((node) => node.overlay.active.length === 5).length;
    assert(full > 0.9 * nodes.length, `${full} of ${nodes.length} have full views`);
  }
});
