/**
 * What an overlay does beside that of the directory, whose links it shares where it can.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { peerId } from "./fake_port.ts";
import { ActiveView } from "../../../src/core/overlay/views.ts";
import { Sharing } from "../../../src/core/overlay/sharing.ts";
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

Deno.test("the directory's neighbours are asked before all others", () => {
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
  const sharing = new Sharing({ port, options: other.world.overlay, active });
  for (const n of [1, 2, 3]) active.add(peerId(n), undefined, n === 3);
  assertEquals(sharing.lone(), []);
  base(other, [1]);
  assertEquals(sharing.lone(), [peerId(2)]);
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

Deno.test("with each check a full view asks for one more link of the directory's, until one is left that it found itself", () => {
  const lone = full();
  base(lone, [1, 2, 8, 9]);
  lone.view.join([]);
  for (let left = 2; left > 0; left--) {
    const [[to, high] = [0, true], ...more] = nextAsked(lone);
    assertEquals([high, more], [false, []]);
    lone.reply(to, true);
    assertEquals(lone.active().length, 5);
  }
  const active = lone.active();
  assert([1, 2, 8, 9].every((n) => active.includes(n)), `${active}`);
  base(lone, [1, 2, 8, 9, 10]);
  assertEquals(nextAsked(lone), []);
  lone.neighbor(10, false);
  assertEquals(lone.active(), active);
});

Deno.test("while messages travel no link is changed for one of the directory's", () => {
  const lone = full(), { port, world } = lone;
  base(lone, [1, 2, 8, 9]);
  lone.view.join([]);
  for (let quarter = 0; quarter < 40; quarter++) {
    port.messages++;
    world.queue.run(world.overlay.checkMs / 4);
    for (const n of lone.active()) lone.receive(n, { type: "check" });
    assertEquals(lone.take("neighbor"), []);
  }
  assertEquals(nextAsked(lone).length, 1);
});

Deno.test("the fewer of all nodes are on the topic, the fewer links it shares", () => {
  for (const [present, most] of [[0.01, 1], [0.3, 2], [0.5, 3], [1, 4]] as const) {
    const lone = full();
    lone.port.present = present;
    base(lone, [21, 22, 23, 24, 25, 26]);
    lone.view.join([]);
    for (let n = 21; n <= 26; n++) lone.neighbor(n, false);
    assertEquals(lone.active().filter((n) => n > 20).length, most);
    const filling = stocked();
    filling.port.present = present;
    base(filling, [21, 22, 23, 24, 25, 26]);
    filling.view.join([]);
    const asked = filling.take("neighbor").map(([to]) => to);
    assertEquals(asked.length, 3);
    assertEquals(asked.filter((n) => n > 20).length, Math.min(3, most));
  }
});

Deno.test("a shared link counts as such after the directory's overlay has moved on", () => {
  const lone = full();
  lone.port.present = 0.4;
  base(lone, [21, 22]);
  for (const n of [21, 22]) lone.neighbor(n, false);
  base(lone, [23, 24]);
  for (const n of [23, 24]) lone.neighbor(n, false);
  const shared = lone.active().filter((n) => n > 20);
  assertEquals(shared.length, 2, `${lone.active()}`);
  // They give their places to those that are shared now, not the links that the view found itself.
  assertEquals(shared.sort(), [23, 24]);
});

Deno.test("who leaves a shared link at once gets no other for a while", () => {
  const lone = full(), { checkMs } = lone.world.overlay;
  base(lone, [1, 9]);
  lone.neighbor(9, false);
  assert(lone.active().includes(9));
  lone.receive(9, { type: "disconnect", alive: true, candidates: [] });
  lone.neighbor(6, true);
  for (let again = 0; again < 3; again++) {
    lone.neighbor(9, false);
    assert(!lone.active().includes(9));
  }
  lone.world.queue.run(17 * checkMs);
  lone.neighbor(9, false);
  assert(lone.active().includes(9));
});

Deno.test("a view of one or two shares no link", () => {
  const one = full({ activeSize: 2 });
  base(one, [8, 9]);
  one.neighbor(8, false);
  assert(!one.active().includes(8), `${one.active()}`);
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
  const gone = (lone: Lone) => [1, 2, 3, 4].find((n) => !lone.active().includes(n));
  let lone = full();
  for (let seed = 1; gone(lone) === undefined; seed++) {
    lone = full({}, seed);
    base(lone, [1, 2, 3, 4]);
    lone.neighbor(8, true);
  }
  lone.world.queue.run(lone.world.overlay.checkMs);
  // Of the two that are not shared, the one that has been there is given for it.
  lone.neighbor(gone(lone)!, false);
  assertEquals(lone.active().sort(), [1, 2, 3, 4, 8]);
});
