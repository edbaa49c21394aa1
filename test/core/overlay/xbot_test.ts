import { assert, assertEquals } from "@std/assert";
import { protectedLinks } from "../../../src/core/overlay/xbot_flight.ts";
import { ActiveView } from "../../../src/core/overlay/views.ts";
import type { OverlayOptions } from "../../../src/options.ts";
import { MAX_COST_US } from "../../../src/wire/overlay_messages.ts";
import { type FakePort, peerId, recordFor } from "./fake_port.ts";
import { full, type Lone } from "./lone.ts";

/** No other business of the overlay's while swaps are looked at. */
const ONLY_SWAPS: Partial<OverlayOptions> = { shuffleMs: 1e9, checkMs: 1e9, probeMs: 1e9 };
const PERIOD = 5_000;

/** The neighbour of 1 to 5 that node 0 protects. */
function protectedOf(port: FakePort): number {
  const view = new ActiveView({ ...port, ...silent } as unknown as FakePort);
  for (const peer of port.overlay.active) view.add(peer, undefined);
  return parseInt(protectedLinks(view, port.self, 1)[0]!, 16);
}
const silent = { now: () => 0, hold: () => {}, neighborUp: () => {} };

/** A node with the neighbours 1 to 5 at 100, 200 … 500 ms, to which every other peer is at 10 ms. */
function costly(overlay: Partial<OverlayOptions> = {}): Lone & { kept: number; worst: number } {
  const lone = full({ ...ONLY_SWAPS, ...overlay });
  lone.world.cost = (_, peer) => peer <= 5 ? 100 * peer : 10;
  const kept = protectedOf(lone.port);
  return Object.assign(lone, { kept, worst: kept === 5 ? 4 : 5 });
}

/** An initiator that has asked candidate 11 in the place of its worst neighbour; gives the swap's number. */
function initiator(overlay: Partial<OverlayOptions> = {}) {
  const lone = costly(overlay);
  lone.reserve(1, 11);
  lone.view.join([]);
  lone.port.fakeConnected.add(peerId(11));
  let asked = lone.take("optimization");
  for (let ms = 0; asked.length === 0 && ms < 300_000; ms += 100) {
    lone.world.queue.run(100);
    asked = lone.take("optimization");
  }
  return { lone, asked, swap: asked[0]![1].swap };
}

/** A candidate that has asked its neighbour to make room for initiator 8, whose old neighbour is 9. */
function candidate() {
  const lone = costly();
  optimize(lone, 8, 9);
  const replaces = lone.take("replace");
  return { lone, replaces, d: replaces[0]?.[0] ?? -1 };
}

function optimize(lone: Lone, i: number, o: number, oldUs = 300_000): void {
  const old = recordFor(peerId(o));
  lone.receive(i, { type: "optimization", swap: 7, old, oldUs, newUs: 10_000 });
}

function replace(lone: Lone, c: number, o: number, oldUs = 600_000): void {
  const old = recordFor(peerId(o)), initiator = peerId(8);
  lone.receive(c, { type: "replace", swap: 7, initiator, old, oldUs, newUs: 10_000 });
}

/** d, whose neighbour 5 or 4 wants to let go of it, and which has found o (9) cheap and has asked it. */
function disconnected() {
  const lone = costly();
  lone.port.fakeConnected.add(peerId(9));
  replace(lone, lone.worst, 9);
  lone.world.queue.run(2_000);
  return { lone, switches: lone.take("switch") };
}

Deno.test("X-BOT asks a near candidate to take the place of the most expensive neighbour", () => {
  const { lone, asked, swap } = initiator();
  assertEquals(asked.map(([to]) => to), [11]);
  const { old, oldUs, newUs } = asked[0]![1];
  assertEquals([old.id, oldUs, newUs], [peerId(lone.worst), 100_000 * lone.worst, 10_000]);
  lone.answer(11, "yes", swap);
  const sent = lone.port.sentTo.splice(0).map(([to, { type }]) => [parseInt(to, 16), type]);
  assertEquals(sent, [[lone.worst, "disconnect-wait"], [11, "swapped"]]);
  assertEquals(lone.active(), [1, 2, 3, 4, 5, 11].filter((n) => n !== lone.worst));
  assertEquals(lone.passive(), [lone.worst]);
  assertEquals(lone.port.swaps, [[peerId(lone.worst), peerId(11), 100 * lone.worst - 10]]);
  const { swapsTried, swapsDone, swapsFailed } = lone.view.metrics();
  assertEquals([swapsTried, swapsDone, swapsFailed], [1, 1, 0]);
});

Deno.test("X-BOT measures candidates that it knows nothing of, a few at a time", () => {
  const lone = costly({ swapScan: 2 });
  lone.reserve(1, 11, 12, 13, 14);
  lone.view.join([]);
  lone.world.queue.run(PERIOD);
  assertEquals(lone.port.dialed.length, 0, "while the view may still be filling");
  for (let i = 0; i < 3 && lone.port.dialed.length === 0; i++) lone.world.queue.run(PERIOD);
  assertEquals(lone.port.dialed.length, 2);
  assertEquals(lone.take("optimization"), []);
});

Deno.test("X-BOT makes no swap that gains too little", () => {
  for (const options of [{ swapGainMs: 1_000 }, { swapGainPercent: 99 }, { swapMs: 0 }]) {
    const lone = costly(options);
    lone.reserve(1, 11);
    lone.view.join([]);
    lone.port.fakeConnected.add(peerId(11));
    lone.world.queue.run(4 * PERIOD);
    assertEquals(lone.take("optimization"), [], Deno.inspect(options));
  }
});

Deno.test("a swap is undone at the initiator, and its candidate told, when no answer comes", () => {
  const { lone, swap } = initiator({ swapMs: 60_000, swapWaitMs: 1_000 });
  lone.world.queue.run(1_000);
  assertEquals(lone.take("swap-reply"), [[11, { type: "swap-reply", swap, answer: "no" }]]);
  lone.answer(11, "yes", swap);
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  assertEquals(lone.view.metrics().swapsFailed, 1);
});

Deno.test("an initiator whose old neighbour is gone lets go of the swap", () => {
  const { lone, swap } = initiator();
  lone.disconnect(lone.worst);
  lone.answer(11, "yes", swap);
  assert(!lone.active().includes(11));
  assertEquals(lone.take("swap-reply").map(([to]) => to), [11]);
});

Deno.test("a candidate that refused is left alone for a while, and a link that its other end protects is too", () => {
  const { lone, swap } = initiator();
  lone.answer(11, "no", swap);
  lone.world.queue.run(2 * PERIOD);
  assertEquals(lone.take("optimization"), []);
  const other = initiator();
  other.lone.answer(11, "old-kept", other.swap);
  other.lone.world.queue.run(2 * PERIOD);
  const again = other.lone.take("optimization").map(([, { old }]) => parseInt(old.id, 16));
  assert(again.length > 0 && !again.includes(other.lone.worst));
});

Deno.test("c asks its most expensive neighbour that it does not protect, and takes i in when told", () => {
  const { lone, replaces, d } = candidate();
  assertEquals(d, lone.worst);
  const { initiator, old, oldUs, newUs } = replaces[0]![1];
  assertEquals([initiator, old.id], [peerId(8), peerId(9)]);
  assertEquals([oldUs, newUs], [300_000 + 100_000 * d, 10_000]);
  lone.answer(d, "yes");
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [[8, "yes"]]);
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  lone.swap(8, "swapped");
  assertEquals(lone.take("disconnect-wait").map(([to]) => to), [d]);
  assertEquals(lone.active(), [1, 2, 3, 4, 5, 8].filter((n) => n !== d));
});

Deno.test("c counts what it measures itself where the initiator claims to be nearer", () => {
  const lone = costly();
  lone.world.cost = (_, peer) => peer <= 5 ? 100 * peer : 123;
  optimize(lone, 8, 9);
  assertEquals(lone.take("replace")[0]![1].newUs, 123_000);
});

Deno.test("c believes no initiator that it has not measured, however near it claims to be", () => {
  const lone = costly();
  // It answers no ping.
  const cost = lone.world.cost!;
  lone.world.cost = (self, peer) => peer === 8 ? undefined as unknown as number : cost(self, peer);
  optimize(lone, 8, 9);
  const sent = lone.port.sentTo.splice(0).map(([to, message]) => [parseInt(to, 16), message]);
  assertEquals(sent, [[8, { type: "swap-reply", swap: 7, answer: "busy" }]]);
  lone.world.cost = cost;
  optimize(lone, 8, 9);
  assertEquals(lone.take("replace").map(([to]) => to), [lone.worst]);
});

Deno.test("no claim makes c send what its neighbour must take for malformed", () => {
  const lone = costly({ swapGainPercent: 0 });
  optimize(lone, 8, 9, MAX_COST_US);
  assertEquals(lone.take("replace").map(([, { oldUs }]) => oldUs), [MAX_COST_US]);
});

Deno.test("a neighbour that could not be dialled and then came by itself has no infinite cost", () => {
  const lone = costly();
  const cost = lone.world.cost!;
  lone.world.cost = (self, peer) => peer === 6 ? undefined as unknown as number : cost(self, peer);
  lone.view.unreachable(peerId(6));
  lone.disconnect(lone.kept === 1 ? 2 : 1, false);
  lone.neighbor(6);
  lone.port.sentTo.length = 0;
  optimize(lone, 8, 9);
  const asked = lone.take("replace").map(([d, { oldUs }]) => [d, oldUs]);
  assertEquals(asked, [[lone.worst, 300_000 + 100_000 * lone.worst]]);
});

Deno.test("c does not take the initiator in before its neighbour has agreed", () => {
  const { lone } = candidate();
  lone.swap(8, "swapped");
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  assertEquals(lone.take("disconnect").map(([to]) => to), [8]);
});

Deno.test("c asks another neighbour where the first refuses, and gives in after two", () => {
  const { lone, d } = candidate();
  lone.answer(d, "kept");
  const second = lone.take("replace");
  assertEquals(second.length, 1);
  assert(second[0]![0] !== d && second[0]![0] !== lone.kept);
  lone.answer(second[0]![0], "no");
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [[8, "no"]]);
});

Deno.test("c keeps the slot for the initiator where its neighbour is quicker, and not for ever", () => {
  for (const comes of [true, false]) {
    const { lone, d } = candidate();
    lone.answer(d, "yes");
    lone.swap(d, "disconnect-wait");
    assertEquals(lone.active().length, 4);
    lone.neighbor(20, false);
    assertEquals(lone.active().length, 4, "the slot is reserved");
    if (comes) lone.swap(8, "swapped");
    else {
      lone.world.queue.run(20_000);
      lone.neighbor(20, false);
    }
    assertEquals(lone.active().at(-1), comes ? 8 : 20);
    assertEquals(lone.active().length, 5);
  }
});

Deno.test("c forgets a swap of which it hears nothing more, and changes nothing", () => {
  const { lone, d } = candidate();
  lone.answer(d, "yes");
  lone.world.queue.run(20_000);
  lone.port.sentTo.length = 0;
  lone.swap(8, "swapped");
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  assertEquals(lone.take("disconnect").map(([to]) => to), [8], "the initiator is told");
});

Deno.test("d measures o, asks it, and takes it in the place of c", () => {
  const { lone, switches } = disconnected();
  assertEquals(switches.map(([to, { initiator }]) => [to, initiator]), [[9, peerId(8)]]);
  lone.answer(9, "yes");
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [
    [lone.worst, "yes"],
  ]);
  lone.swap(lone.worst, "disconnect-wait");
  assertEquals(lone.active().length, 4);
  lone.swap(9, "swapped");
  assertEquals(lone.active(), [1, 2, 3, 4, 5, 9].filter((n) => n !== lone.worst));
});

Deno.test("d refuses where all together gain nothing, and where it protects its link", () => {
  const lone = costly();
  lone.port.fakeConnected.add(peerId(9));
  replace(lone, lone.worst, 9, 20_000);
  lone.world.queue.run(2_000);
  replace(lone, lone.kept, 9);
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [
    [lone.worst, "no"],
    [lone.kept, "kept"],
  ]);
  assertEquals(lone.take("switch"), []);
});

Deno.test("d tells the others when the connection to one of them breaks", () => {
  const { lone } = disconnected();
  lone.answer(9, "yes");
  lone.port.sentTo.length = 0;
  lone.view.peerDown(peerId(9), "lost");
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [
    [lone.worst, "no"],
  ]);
});

Deno.test("o takes d when the initiator lets go, and only then", () => {
  const lone = costly();
  const i = lone.worst;
  lone.receive(9, { type: "switch", swap: 7, initiator: peerId(i) });
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [[9, "yes"]]);
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  lone.swap(i, "disconnect-wait");
  assertEquals(lone.take("swapped").map(([to]) => to), [9]);
  assertEquals(lone.active(), [1, 2, 3, 4, 5, 9].filter((n) => n !== i));
  assert(lone.port.events.includes("down swapped"));
});

Deno.test("o protects a link, and refuses what is not its neighbour's", () => {
  const lone = costly();
  lone.receive(9, { type: "switch", swap: 7, initiator: peerId(lone.kept) });
  lone.receive(9, { type: "switch", swap: 7, initiator: peerId(30) });
  lone.receive(1, { type: "switch", swap: 7, initiator: peerId(2) });
  const answers = lone.take("swap-reply").map(([, { answer }]) => answer);
  assertEquals(answers, ["old-kept", "no", "no"]);
});

Deno.test("a neighbour that lets go without any swap is gone, and its slot filled", () => {
  const lone = costly();
  lone.reserve(1, 30);
  lone.port.sentTo.length = 0;
  lone.swap(2, "disconnect-wait", 99);
  assertEquals(lone.active(), [1, 3, 4, 5]);
  assertEquals(lone.take("neighbor").map(([to]) => to), [30]);
});

Deno.test("a node takes part in one swap at a time and in few per period", () => {
  const { lone } = candidate();
  optimize(lone, 20, 9);
  assertEquals(lone.take("swap-reply").map(([to, { answer }]) => [to, answer]), [[20, "busy"]]);
  const flooded = costly();
  for (let n = 0; n < 2_000; n++) {
    flooded.port.fakeConnected.delete(peerId(100 + n));
    replace(flooded, flooded.worst, 100 + n);
    flooded.answer(flooded.worst, "no");
    flooded.world.queue.run(1);
  }
  assert(flooded.port.dialed.length >= 5 && flooded.port.dialed.length <= 9);
});

Deno.test("a link that came by a swap is not protected, and one that is left of the others always is", () => {
  const lone = costly();
  const view = new ActiveView({ ...silent, self: lone.port.self } as unknown as FakePort);
  for (const n of [1, 2, 3]) view.add(peerId(n), undefined, true);
  assertEquals(protectedLinks(view, lone.port.self, 1), []);
  view.add(peerId(4), undefined);
  assertEquals(protectedLinks(view, lone.port.self, 1), [peerId(4)]);
  view.add(peerId(5), undefined);
  view.add(peerId(6), undefined);
  assertEquals(protectedLinks(view, lone.port.self, 1).length, 1);
  assertEquals(protectedLinks(view, lone.port.self, 2).length, 2);
});
