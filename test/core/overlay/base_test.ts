/**
 * What an overlay does beside that of the directory, whose links it shares where it can.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { peerId } from "./fake_port.ts";
import { ActiveView } from "../../../src/core/overlay/views.ts";
import { Eviction, type EvictionParts } from "../../../src/core/overlay/eviction.ts";
import { full, Lone } from "./lone.ts";

/** Gives `lone` a directory's overlay with these neighbours, all on the topic. */
function base(lone: Lone, neighbors: number[], filling = false): { filling: boolean } {
  const base = { isActive: (peer: string) => neighbors.includes(parseInt(peer, 16)), filling };
  lone.port.base = () => base;
  lone.port.sharedPeers.push(...neighbors.map(peerId));
  return base;
}

/** One with the neighbours 1 and 2 and five peers in reserve. */
function stocked(): Lone {
  const lone = new Lone();
  for (const n of [1, 2]) lone.neighbor(n);
  lone.reserve(1, 11, 12, 13, 14, 15);
  lone.port.sentTo.length = 0;
  return lone;
}

/** What is asked of whom until the first check, and two after it, unless something is before. */
function nextAsked(lone: Lone): [number, boolean][] {
  for (let quarter = 0; quarter < 14; quarter++) {
    lone.world.queue.run(lone.world.overlay.checkMs / 4);
    for (const n of lone.active()) lone.receive(n, { type: "check" });
    const asked = lone.take("neighbor");
    if (asked.length > 0) return asked.map(([to, { high }]) => [to, high]);
  }
  return [];
}

Deno.test("the directory's neighbours may fill the whole view, and are asked before all others", () => {
  const lone = stocked();
  base(lone, [21, 22, 23]);
  lone.view.join([]);
  assertEquals(lone.take("neighbor").map(([to]) => to).sort(), [21, 22, 23]);
});

Deno.test("with a directory a contact is asked by NEIGHBOR(high), without one by JOIN", () => {
  const lone = new Lone(), other = new Lone();
  base(other, []);
  for (const each of [lone, other]) each.view.join([peerId(7)]);
  assertEquals(lone.take("join").map(([to]) => to), [7]);
  assertEquals(other.take("neighbor").map(([to, { high }]) => [to, high]), [[7, true]]);
});

Deno.test("strangers are not asked while the directory's overlay fills, but by whoever has no neighbour", () => {
  const lone = stocked();
  const around = base(lone, [], true);
  lone.view.join([]);
  assertEquals(lone.take("neighbor"), []);
  around.filling = false;
  lone.world.queue.run(4 * lone.world.overlay.refillMs);
  assert(lone.take("neighbor").length >= 3);
  const alone = stocked();
  base(alone, [], true);
  for (const n of [1, 2]) alone.view.peerDown(peerId(n), "lost");
  assertEquals(alone.take("neighbor").length, 2);
});

Deno.test("a full view gives a link of its own for one that the directory's overlay has, whatever the priority", () => {
  const lone = full();
  base(lone, [1, 2, 3, 9]);
  lone.neighbor(8, false);
  assertEquals(lone.take("neighbor-reply").map(([to, { accepted }]) => [to, accepted]), [[
    8,
    false,
  ]]);
  lone.neighbor(9, false);
  const active = lone.active();
  assert([1, 2, 3, 9].every((n) => active.includes(n)) && active.length === 5, `${active}`);
});

Deno.test("a full view whose links are all the directory's, or swapped, refuses", () => {
  const lone = full();
  base(lone, [1, 2, 3, 4, 5, 9]);
  lone.neighbor(9, false);
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  const other = new Lone(), { port } = other, active = new ActiveView(port);
  const parts = { port, options: other.world.overlay, active };
  const eviction = new Eviction(parts as unknown as EvictionParts);
  for (const n of [1, 2, 3]) active.add(peerId(n), undefined, n === 3);
  assertEquals(eviction.lone(), []);
  base(other, [1]);
  assertEquals(eviction.lone(), [peerId(2)]);
});

Deno.test("whoever insists gets the place of a link that no other topic shares", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const lone = full({}, seed);
    base(lone, [1, 2, 3]);
    lone.neighbor(8, true);
    const active = lone.active();
    assert([1, 2, 3, 8].every((n) => active.includes(n)), `${active}`);
  }
});

Deno.test("with each check a full view asks for one more link of the directory's, until it shares all", () => {
  const lone = full();
  base(lone, [1, 2, 3, 8, 9]);
  lone.view.join([]);
  for (let left = 2; left > 0; left--) {
    const [[to, high] = [0, true], ...more] = nextAsked(lone);
    assertEquals([high, more], [false, []]);
    lone.reply(to, true);
    assertEquals(lone.active().length, 5);
  }
  assertEquals(lone.active().sort(), [1, 2, 3, 8, 9]);
  assertEquals(nextAsked(lone), []);
});

Deno.test("who is refused asks less and less for the directory's links", () => {
  const lone = full();
  base(lone, [1, 2, 3, 9]);
  lone.view.join([]);
  const asked: number[] = [];
  for (let quarter = 0; quarter < 400; quarter++) {
    lone.world.queue.run(lone.world.overlay.checkMs / 4);
    for (const n of lone.active()) lone.receive(n, { type: "check" });
    if (lone.take("neighbor").length === 0) continue;
    lone.reply(9, false);
    asked.push(quarter / 4);
  }
  const gaps = asked.slice(1).map((at, i) => at - asked[i]!);
  assert(asked.length >= 8 && asked.length <= 12, `${asked}`);
  assert(gaps[0]! < 4 && gaps.slice(-3).every((gap) => gap > 12 && gap < 21), `${gaps}`);
});

Deno.test("a link that insisted on the place of a shared one is kept for a while", () => {
  const lone = full();
  base(lone, [1, 2, 3, 4, 5]);
  lone.view.join([]);
  lone.neighbor(8, true);
  const [gone] = [1, 2, 3, 4, 5].filter((n) => !lone.active().includes(n));
  lone.neighbor(gone!, false);
  assert(lone.active().includes(8) && !lone.active().includes(gone!));
  for (let quarter = 0; quarter < 70; quarter++) {
    lone.world.queue.run(lone.world.overlay.checkMs / 4);
    for (const n of lone.active()) lone.receive(n, { type: "check" });
  }
  lone.neighbor(gone!, false);
  assertEquals(lone.active().sort(), [1, 2, 3, 4, 5]);
});
