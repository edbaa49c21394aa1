import { assert, assertEquals } from "@std/assert";
import type { OverlayMessage } from "../../../src/wire/overlay_messages.ts";
import { full, Lone, type Of } from "./lone.ts";
import { peerId, recordFor } from "./fake_port.ts";

Deno.test("HyParView takes a joiner in, answers, and spreads it among the others", () => {
  const lone = new Lone();
  lone.neighbor(1);
  lone.neighbor(2);
  lone.port.sentTo.length = 0;
  lone.receive(3, { type: "join", record: recordFor(peerId(3)) });
  assertEquals(lone.active(), [1, 2, 3]);
  const [reply, ...walks] = lone.port.sentTo;
  assertEquals(reply![0], peerId(3));
  assert(reply![1].type === "neighbor-reply" && reply![1].accepted);
  assertEquals(
    walks.map(([to, message]) => [to, message.type, (message as Of<"forward-join">).ttl]),
    [[peerId(1), "forward-join", 6], [peerId(2), "forward-join", 6]],
  );
});

Deno.test("HyParView counts a neighbour only when it has answered", () => {
  const lone = new Lone();
  lone.view.join([peerId(9)]);
  assertEquals(lone.active(), []);
  assertEquals(lone.take("join").map(([to]) => to), [9]);
  lone.reply(9, true);
  assertEquals(lone.active(), [9]);
  assertEquals(lone.port.events, ["up"]);
  assertEquals([...lone.port.held], [peerId(9)]);
});

Deno.test("HyParView evicts a random member when a high-priority neighbour asks", () => {
  const evicted = new Set<number>();
  for (let seed = 1; seed <= 40; seed++) {
    const lone = full({}, seed);
    lone.neighbor(6);
    assertEquals(lone.active().length, 5);
    assert(lone.active().includes(6));
    const [[victim, message]] = lone.take("disconnect") as [[number, Of<"disconnect">]];
    assert(message.alive);
    assertEquals(message.candidates[0]!.id, peerId(6));
    assert(message.candidates.length <= 8);
    assert(!message.candidates.some(({ id }) => id === peerId(victim)));
    assertEquals(lone.passive(), [victim]);
    evicted.add(victim);
  }
  assertEquals(evicted.size, 5);
});

Deno.test("HyParView refuses a low-priority neighbour when it is full and names others", () => {
  const lone = full();
  lone.neighbor(6, false);
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  const [[to, reply]] = lone.take("neighbor-reply") as [[number, Of<"neighbor-reply">]];
  assertEquals([to, reply.accepted, reply.candidates.length], [6, false, 5]);
});

Deno.test("HyParView never empties its view for a newcomer and bounds its evictions", () => {
  const lone = full();
  for (let n = 100; n < 200; n++) {
    lone.receive(n, { type: "join", record: recordFor(peerId(n)) });
    assertEquals(lone.active().length, 5);
  }
  assertEquals(lone.view.metrics().evictions, 10);
  const refused = lone.port.sentTo.filter(([, m]) => m.type === "neighbor-reply" && !m.accepted);
  assertEquals(refused.length, 90);
  const spread = lone.port.sentTo.filter(([, m]) => m.type === "forward-join");
  assertEquals(spread.length, 10 * 4 + 90 * 5, "who is refused is spread all the same");
  assert(!lone.port.events.includes("isolated"));
});

Deno.test("HyParView asks the joiner at the end of a walk and makes room when it accepts", () => {
  const lone = full();
  lone.receive(1, { type: "forward-join", record: recordFor(peerId(7)), ttl: 0 });
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  assertEquals(lone.take("neighbor").map(([to, { high }]) => [to, high]), [[7, true]]);
  lone.reply(7, true);
  assert(lone.active().includes(7));
  assertEquals(lone.active().length, 5);
  assertEquals(lone.take("disconnect").length, 1);
});

Deno.test("HyParView passes a walk on, clamps its length, and leaves the joiner in reserve at PRWL", () => {
  const lone = full();
  lone.receive(1, { type: "forward-join", record: recordFor(peerId(7)), ttl: 255 });
  const [[to, message]] = lone.take("forward-join") as [[number, Of<"forward-join">]];
  assert(to !== 1);
  assertEquals(message.ttl, 5);
  assertEquals(lone.passive(), []);
  lone.receive(1, { type: "forward-join", record: recordFor(peerId(7)), ttl: 3 });
  assertEquals(lone.passive(), [7]);
});

Deno.test("a walk ends at a node with one neighbour", () => {
  const lone = new Lone();
  lone.neighbor(1);
  lone.receive(1, { type: "forward-join", record: recordFor(peerId(7)), ttl: 6 });
  assertEquals(lone.take("neighbor").map(([to]) => to), [7]);
});

Deno.test("a refused, silent or unreachable candidate leads to the next one at once", () => {
  const lone = full();
  lone.reserve(1, 11, 12, 13, 14);
  lone.port.sentTo.length = 0;
  lone.view.peerDown(peerId(5), "lost");
  const asked: number[] = [];
  const next = () => {
    const requests = lone.take("neighbor");
    assertEquals(requests.length, 1);
    assertEquals(requests[0]![1].high, false);
    asked.push(requests[0]![0]);
    return requests[0]![0];
  };
  const refusing = next();
  lone.reply(refusing, false);
  const unreachable = next();
  lone.view.unreachable(peerId(unreachable));
  const silent = next();
  lone.port.fakeConnected.add(peerId(silent));
  // Two answer times to find that it is connected, one to wait for its answer.
  lone.world.queue.run(3_001);
  const last = next();
  lone.reply(last, true);
  assertEquals(asked.toSorted((a, b) => a - b), [11, 12, 13, 14]);
  assertEquals(lone.active(), [1, 2, 3, 4, last]);
  assertEquals(lone.passive(), [refusing], "a refused candidate stays in reserve");
});

Deno.test("whose whole reserve is gone asks its former members, each once", () => {
  const lone = full({ passiveSize: 3 });
  const known = [11, 12, 13, 14, 15, 16, 17, 18, 19];
  lone.reserve(1, ...known);
  const reserve = lone.passive();
  lone.port.sentTo.length = 0;
  lone.port.fakeConnected.clear();
  for (const n of [1, 2, 3, 4, 5]) lone.view.peerDown(peerId(n), "lost");
  const asked: number[] = [];
  for (let i = 0; i < 50; i++) {
    const dead = lone.take("neighbor").map(([to]) => to);
    if (dead.length === 0) lone.world.queue.run(2_000);
    asked.push(...dead.filter((to) => to > 5));
    for (const n of dead) lone.view.unreachable(peerId(n));
  }
  assertEquals(asked.slice(0, 3).sort((a, b) => a - b), reserve, "the reserve first");
  assertEquals(asked.toSorted((a, b) => a - b), known);
  assertEquals(lone.view.metrics().former, 0);
});

Deno.test("who still has most of its neighbours leaves former members alone", () => {
  const lone = full({ passiveSize: 6 });
  lone.reserve(1, 11, 12, 13, 14, 15, 16, 17, 18, 19);
  const reserve = lone.passive();
  lone.port.sentTo.length = 0;
  lone.view.peerDown(peerId(5), "left");
  for (let i = 0; i < 600; i++) {
    for (let asked = lone.take("neighbor"); asked.length > 0; asked = lone.take("neighbor")) {
      for (const [to] of asked) {
        assert(reserve.includes(to), `asked ${to}`);
        lone.reply(to, false);
      }
    }
    lone.world.queue.run(100);
  }
  assertEquals(lone.view.metrics().former, 3);
});

Deno.test("requests that others made do not stop the refill", () => {
  const lone = full();
  lone.reserve(1, 11, 12);
  for (const n of [3, 4, 5]) lone.view.peerDown(peerId(n), "lost");
  // All five links were made as the one that was asked. Both in reserve are asked now, and one that was lost.
  const asked = lone.take("neighbor").map(([to]) => to);
  assertEquals(asked.slice(0, 2).sort(), [11, 12]);
  assert([3, 4, 5].includes(asked[2]!), `${asked}`);
});

Deno.test("neighbours on other topics are asked first, but for two slots", () => {
  const lone = new Lone();
  for (const n of [1, 2]) lone.neighbor(n);
  lone.reserve(1, 11, 12, 13, 14, 15);
  lone.port.sharedPeers.push(...[21, 22, 23, 24].map(peerId));
  lone.port.sentTo.length = 0;
  lone.view.join([]);
  const asked = lone.take("neighbor").map(([to]) => to);
  assertEquals(asked.map((n) => n > 20), [true, false, false], `${asked}`);
});

Deno.test("members that somebody invents in the directory are asked at a bounded rate", () => {
  const lone = new Lone();
  lone.neighbor(1);
  lone.view.join([]);
  let invented = 100;
  const members = (_: string, most: number) =>
    Array.from({ length: most }, () => peerId(invented++));
  Object.assign(lone.world, { members });
  const asked: number[] = [];
  for (let tenth = 0; tenth < 600; tenth++) {
    lone.view.candidatesChanged();
    for (let some = lone.take("neighbor"); some.length > 0; some = lone.take("neighbor")) {
      asked.push(...some.map(([to]) => to));
      for (const [to] of some) lone.view.unreachable(peerId(to));
    }
    lone.world.queue.run(100);
  }
  // Two per half second, and the rounds at their own pace, up to eight seconds apart.
  assert(asked.length > 100 && asked.length < 60 * 4 + 15 * 30, `${asked.length}`);
});

Deno.test("a request does not wait in vain for a dial that has not begun", () => {
  const lone = full();
  lone.reserve(1, 11, 12);
  lone.port.sentTo.length = 0;
  lone.view.peerDown(peerId(5), "left");
  const [[first]] = lone.take("neighbor") as [[number, OverlayMessage]];
  lone.port.queuedDials.add(peerId(first));
  lone.world.queue.run(5_000);
  assertEquals(lone.take("neighbor"), []);
  lone.port.queuedDials.clear();
  lone.world.queue.run(2_001);
  assertEquals(lone.take("neighbor").length, 1, "now it is silent, and the next one is asked");
});

Deno.test("links and requests together never exceed the active view", () => {
  const lone = full();
  lone.reserve(1, 11, 12, 13, 14, 15, 16);
  for (const n of [4, 5]) lone.view.peerDown(peerId(n), "lost");
  assertEquals(lone.take("neighbor").length, 2);
  lone.view.candidatesChanged();
  lone.world.queue.run(900);
  assertEquals(lone.take("neighbor").length, 0);
});

Deno.test("an empty view asks with high priority", () => {
  const lone = new Lone();
  lone.neighbor(1);
  lone.disconnect(1, true, [11]);
  assertEquals(lone.take("neighbor").map(([to, { high }]) => [to, high])[0], [11, true]);
});

Deno.test("a late acceptance counts where a slot is free", () => {
  const lone = new Lone();
  lone.view.join([peerId(9)]);
  lone.port.fakeConnected.add(peerId(9));
  lone.world.queue.run(4_000);
  assertEquals(lone.view.metrics().silent, 1);
  lone.reply(9, true);
  assertEquals(lone.active(), [9]);
});

Deno.test("a late acceptance is undone where no slot is free", () => {
  const lone = new Lone();
  lone.view.join([peerId(9)]);
  lone.port.fakeConnected.add(peerId(9));
  lone.world.queue.run(4_000);
  for (const n of [1, 2, 3, 4, 5]) lone.neighbor(n);
  lone.port.sentTo.length = 0;
  lone.reply(9, true);
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  assertEquals(lone.take("disconnect").map(([to]) => to), [9]);
});

Deno.test("an acceptance that nobody asked for is undone", () => {
  const lone = new Lone();
  lone.reply(9, true, [10]);
  assertEquals([lone.active(), lone.passive()], [[], []]);
  assertEquals(lone.take("disconnect").map(([to, { alive }]) => [to, alive]), [[9, true]]);
});

Deno.test("an acceptance that a DISCONNECT has overtaken does not count", () => {
  const lone = new Lone({ activeSize: 1 });
  lone.view.join([peerId(9)]);
  lone.neighbor(9);
  assertEquals(lone.active(), [9]);
  lone.neighbor(8);
  assertEquals(lone.active(), [8], "9 was evicted, and its answer to our JOIN is still on its way");
  lone.disconnect(8, false);
  lone.port.sentTo.length = 0;
  lone.reply(9, true);
  assertEquals(lone.active(), []);
});

Deno.test("an acceptance that a correction has overtaken does not count", () => {
  const lone = new Lone();
  lone.view.join([peerId(9)]);
  lone.port.fakeConnected.add(peerId(9));
  lone.world.queue.run(4_000);
  lone.receive(9, { type: "check" });
  assertEquals(lone.take("disconnect").map(([to]) => to), [9]);
  lone.reply(9, true);
  assertEquals(lone.active(), []);
});

Deno.test("a candidate that says goodbye, or whose connection ends, leads to the next one at once", () => {
  const lone = full();
  lone.reserve(1, 11, 12, 13);
  lone.port.sentTo.length = 0;
  lone.view.peerDown(peerId(5), "left");
  const [[first]] = lone.take("neighbor") as [[number, OverlayMessage]];
  lone.disconnect(first, false);
  const [[second]] = lone.take("neighbor") as [[number, OverlayMessage]];
  lone.view.peerDown(peerId(second), "lost");
  const [[third]] = lone.take("neighbor") as [[number, OverlayMessage]];
  assertEquals([first, second, third].sort(), [11, 12, 13]);
});

Deno.test("a peer that cannot be dialled but has dialled us stays a neighbour", () => {
  const lone = full();
  lone.view.unreachable(peerId(5));
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
  lone.port.fakeConnected.delete(peerId(5));
  lone.view.unreachable(peerId(5));
  assertEquals(lone.active(), [1, 2, 3, 4]);
});

Deno.test("a duplicate request is accepted again and changes nothing", () => {
  const lone = new Lone();
  lone.neighbor(1);
  lone.neighbor(1, false);
  lone.receive(1, { type: "join", record: recordFor(peerId(1)) });
  assertEquals(lone.active(), [1]);
  assertEquals(lone.take("neighbor-reply").map(([, { accepted }]) => accepted), [true, true, true]);
  assertEquals(lone.port.events, ["up"]);
});

Deno.test("an evicted peer takes the candidates and does not come straight back", () => {
  const lone = full();
  lone.disconnect(5, true, [21, 22]);
  assertEquals(lone.take("neighbor").map(([to]) => to), [21], "the first candidate comes first");
  lone.reply(21, false);
  assertEquals(lone.take("neighbor").map(([to]) => to), [22]);
  lone.reply(22, false);
  assertEquals(lone.passive(), [5, 21, 22]);
  lone.world.queue.run(5_000);
  assertEquals(lone.take("neighbor").filter(([to]) => to === 5), []);
  lone.world.queue.run(20_000);
  assert(lone.take("neighbor").some(([to]) => to === 5), "the cool-down ends");
});

Deno.test("an evicted peer cannot evict others here for a while", () => {
  const lone = full();
  lone.neighbor(6);
  const [[victim]] = lone.take("disconnect") as [[number, OverlayMessage]];
  lone.neighbor(victim);
  assertEquals(lone.take("neighbor-reply").map(([, { accepted }]) => accepted), [false]);
  lone.world.queue.run(10_000);
  lone.neighbor(victim);
  assert(lone.active().includes(victim));
});

Deno.test("a leaving neighbour does not go to the passive view, an evicting one does", () => {
  const lone = full();
  lone.disconnect(4, false);
  lone.disconnect(5, true);
  assertEquals(lone.passive(), [5]);
  assertEquals(lone.port.events.slice(-2), ["down left", "down evicted"]);
});
