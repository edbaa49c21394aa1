import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { OverlayOptions } from "../../../src/options.ts";
import { type FakePort, halfLinks, largestPart, peerId, World } from "./fake_port.ts";

/** So long that no check or drop helps: both ends must agree by their messages alone. */
const NO_CHECKS: Partial<OverlayOptions> = { checkMs: 1e12, probeMs: 1e12 };

/** Runs on until no links change any more for a while. */
function settle(world: World, ms = 60_000): void {
  world.queue.run(ms);
}

/** What must hold of every node at any time. */
function assertBounds(world: World): void {
  for (const node of world.alive()) {
    const { active, passive } = node.overlay;
    const metrics = node.overlay.metrics();
    assert(active.length <= world.overlay.activeSize);
    assert(passive.length <= world.overlay.passiveSize);
    assert(metrics.openRequests <= 4 * world.overlay.activeSize);
    assert(metrics.cooling <= Math.max(world.overlay.passiveSize, 10) + 10);
    assertEquals(
      new Set([...active, ...passive, node.self]).size,
      active.length + passive.length + 1,
    );
    assertEquals([...node.up].sort(), active.toSorted());
    assertEquals([...node.held].sort(), active.toSorted());
  }
}

Deno.test("two overlays that ask each other at once end as neighbours", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const world = new World({ seed, overlay: NO_CHECKS, delay: (random) => 1 + 200 * random() });
    for (const n of [0, 1]) world.add(n).overlay.join([peerId(1 - n)]);
    world.queue.run(10_000);
    assertEquals([world.view(0).active, world.view(1).active], [[peerId(1)], [peerId(0)]]);
    assertEquals(world.nodes.get(peerId(0))!.events, ["up"]);
  }
});

Deno.test("two overlays agree whatever is said between them, as slow as it may be", () => {
  const step = fc.record({
    who: fc.integer({ min: 0, max: 1 }),
    what: fc.constantFrom("ask", "ask low", "drop", "break", "wait", "wait", "wait"),
    ms: fc.integer({ min: 0, max: 3_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.nat(), (steps, seed) => {
      const world = new World({ seed, overlay: NO_CHECKS, delay: (random) => 2_000 * random() });
      const nodes = [world.add(0), world.add(1)];
      for (const { who, what, ms } of steps) {
        const node = nodes[who]!;
        const other = peerId(1 - who);
        // `join` asks where the view is empty; abandoning without a word is what a node forced to evict would say.
        if (what === "ask") node.overlay.join([other]);
        else if (what === "ask low") node.overlay.candidatesChanged();
        else if (what === "drop" && node.overlay.isActive(other)) {
          node.overlay.abandon(other, "evicted", false);
          node.send(other, { type: "disconnect", alive: true, candidates: [] });
        } else if (what === "break") world.breakLink(node.self, other);
        world.queue.run(ms);
      }
      settle(world);
      assertBounds(world);
      assertEquals(halfLinks(nodes), []);
    }),
    { numRuns: 2_000 },
  );
});

/** A round trip for each pair, as if drawn at random. */
function anyCost(a: number, b: number): number {
  return 1 + (Math.imul(Math.min(a, b) * 1_000 + Math.max(a, b), 0x9e3779b1) >>> 0) % 400;
}
/** Swaps as fast as they go, which time out now and then. */
const SWAPS: Partial<OverlayOptions> = { swapMs: 150, swapWaitMs: 1_500 };

for (const swaps of [{}, SWAPS]) {
  const how = swaps === SWAPS ? ", swapping links" : "";
  Deno.test(`many overlays in a hurry, with views too small, agree in the end${how}`, () => {
    let done = 0;
    for (let seed = 1; seed <= (swaps === SWAPS ? 20 : 100); seed++) {
      const world = new World({
        seed,
        cost: anyCost,
        overlay: { ...NO_CHECKS, swapMs: 0, ...swaps, activeSize: 3, passiveSize: 8 },
        // Some answers come after their deadline.
        delay: (random) => random() < 0.1 ? 1_500 * random() : 30 * random(),
      });
      for (let n = 0; n < 25; n++) {
        world.add(n).overlay.join([peerId(n === 0 ? 1 : n - 1), peerId(0)]);
      }
      for (let i = 0; i < 10; i++) {
        world.queue.run(400);
        assertBounds(world);
        const node = world.alive()[Math.floor(world.random() * 25)]!;
        const peer = node.overlay.active[0];
        if (peer !== undefined) world.breakLink(node.self, peer);
      }
      settle(world);
      // A swap may be under way at any moment.
      for (let i = 0; i < 400 && halfLinks(world.alive()).length > 0; i++) world.queue.run(50);
      assertBounds(world);
      assertEquals(halfLinks(world.alive()), [], `seed ${seed}`);
      assertEquals(largestPart(world.alive()), 25, `seed ${seed}`);
      for (const node of world.alive()) done += node.swaps.length;
    }
    assert(swaps === SWAPS ? done > 150 : done === 0, `${done} swaps`);
  });
}

/** Drops, silently, what one node thinks of a link, as a restart or a lost message would. */
function forget(world: World, node: FakePort): void {
  const peer = node.overlay.active[Math.floor(world.random() * node.overlay.active.length)];
  if (peer !== undefined) node.overlay.abandon(peer, "evicted", false);
}

Deno.test("the symmetry check repairs links that only one end has", () => {
  const world = new World({ seed: 9 });
  for (let n = 0; n < 30; n++) world.add(n).overlay.join(n === 0 ? [] : [peerId(0)]);
  world.queue.run(30_000);
  for (const node of world.alive()) forget(world, node);
  assert(halfLinks(world.alive()).length > 10);
  world.queue.run(15_000);
  assertEquals(halfLinks(world.alive()), []);
  assert(world.alive().some((node) => node.overlay.metrics().corrections > 0));
});

for (const swaps of [{}, SWAPS]) {
  const how = swaps === SWAPS ? " that swaps links" : "";
  Deno.test(`joins, leaves, crashes and delays of any kind end in one symmetric overlay${how}`, () => {
    const step = fc.record({
      what: fc.constantFrom("join", "join", "join", "leave", "crash", "break"),
      pick: fc.nat(),
      ms: fc.integer({ min: 0, max: 2_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), fc.nat(), (steps, seed) => {
        const world = new World({
          seed,
          cost: anyCost,
          overlay: { activeSize: 4, passiveSize: 12, ...swaps },
          delay: (random) => random() < 0.05 ? 2_000 * random() : 40 * random(),
        });
        // The contact of everybody: it stays.
        world.add(0).overlay.join([]);
        let next = 1;
        for (const { what, pick, ms } of steps) {
          const others = world.alive().slice(1);
          const node = others[pick % Math.max(1, others.length)];
          if (what === "join") world.add(next++).overlay.join([peerId(0)]);
          else if (node === undefined) continue;
          else if (what === "crash") world.crash(node);
          else if (what === "leave") {
            node.overlay.leave();
            assertEquals(node.timers.size, 0);
            world.queue.run(2_500);
            world.crash(node);
          } else if (node.overlay.active.length > 0) {
            world.breakLink(node.self, node.overlay.active[0]!);
          }
          world.queue.run(ms);
          assertBounds(world);
        }
        world.queue.run(swaps === SWAPS ? 60_000 : 120_000);
        // Probes go on for ever and may have a link half made at any moment.
        for (let i = 0; i < 20 && halfLinks(world.alive()).length > 0; i++) world.queue.run(500);
        assertBounds(world);
        assertEquals(halfLinks(world.alive()), []);
        assertEquals(largestPart(world.alive()), world.alive().length);
      }),
      { numRuns: 300 },
    );
  });
}
