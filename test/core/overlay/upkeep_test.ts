import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { full, Lone, type Of } from "./lone.ts";
import { peerId, recordFor, World } from "./fake_port.ts";
import type { SignedRecord } from "../../../src/wire/record.ts";

/** Answers the last shuffle. */
function reply(lone: Lone, entries: SignedRecord[]): void {
  const [to, { walk }] = lone.take("shuffle").at(-1)!;
  lone.receive(to, { type: "shuffle-reply", walk, entries });
}

Deno.test("records enter the passive view only signed, dialable, and neither own nor active", () => {
  const lone = full();
  const forged = recordFor(peerId(31), 1, ["forged"]);
  const dialOnly = recordFor(peerId(32), 1, []);
  lone.view.join([]);
  lone.world.queue.run(10_001);
  const entries = [
    forged,
    dialOnly,
    recordFor(peerId(0)),
    recordFor(peerId(1)),
    recordFor(peerId(33)),
  ];
  reply(lone, entries);
  assertEquals(lone.passive(), [33]);
  assertEquals(lone.port.blamed, [], "who brings a reply may only have passed it on");
});

Deno.test("a shuffle reply is taken once, and only when a shuffle was sent", () => {
  const lone = full();
  lone.receive(1, { type: "shuffle-reply", walk: 7, entries: [recordFor(peerId(41))] });
  assertEquals(lone.passive(), []);
  lone.view.join([]);
  lone.world.queue.run(10_001);
  const [[to, { walk }]] = lone.take("shuffle") as [[number, Of<"shuffle">]];
  const other = to === 1 ? 2 : 1;
  const answer = (from: number, walk: number, n: number) =>
    lone.receive(from, { type: "shuffle-reply", walk, entries: [recordFor(peerId(n))] });
  answer(other, walk, 42);
  answer(to, walk ^ 1, 43);
  answer(to, walk, 44);
  answer(to, walk, 45);
  assertEquals(lone.passive(), [44]);
});

Deno.test("one message never puts more than the limit into the passive view", () => {
  const lone = full();
  lone.view.join([]);
  lone.world.queue.run(10_001);
  const entries = Array.from({ length: 200 }, (_, i) => recordFor(peerId(100 + i)));
  reply(lone, entries);
  assert(lone.passive().length <= 17, `${lone.passive().length}`);
});

Deno.test("a shuffle walks on, and its end answers along the walk", () => {
  const lone = full();
  const origin = recordFor(peerId(50));
  const entries = [recordFor(peerId(51))];
  lone.receive(1, { type: "shuffle", walk: 7, origin, ttl: 255, entries });
  const [[to, walk]] = lone.take("shuffle") as [[number, Of<"shuffle">]];
  assert(to !== 1);
  assertEquals([walk.ttl, walk.origin.id, walk.entries.length], [5, peerId(50), 1]);
  assertEquals(lone.passive(), []);
  lone.reserve(1, 60, 61);
  lone.port.sentTo.length = 0;
  lone.receive(1, { type: "shuffle", walk: 8, origin, ttl: 1, entries });
  const [[back, reply]] = lone.take("shuffle-reply") as [[number, Of<"shuffle-reply">]];
  assertEquals([back, reply.walk], [1, 8]);
  assert(reply.entries.some(({ id }) => id === peerId(60)));
  assertEquals(lone.passive(), [50, 51, 60, 61]);
});

Deno.test("a reply goes back along its walk, once, and only from where the walk went", () => {
  const lone = full();
  const origin = recordFor(peerId(50));
  const pass = (from: number, walk: number): number => {
    lone.receive(from, { type: "shuffle", walk, origin, ttl: 5, entries: [] });
    return lone.take("shuffle")[0]![0];
  };
  const answer = (from: number, walk: number): number[] => {
    lone.receive(from, { type: "shuffle-reply", walk, entries: [recordFor(peerId(60))] });
    return lone.take("shuffle-reply").map(([to]) => to);
  };
  const to = pass(1, 7);
  const other = [2, 3, 4, 5].find((n) => n !== to)!;
  assertEquals(answer(other, 7), []);
  assertEquals(answer(to, 8), []);
  assertEquals(answer(to, 7), [1]);
  assertEquals(answer(to, 7), []);
  assertEquals(lone.passive(), [], "who passes a reply on takes nothing from it");

  // The same walk comes by twice: unwound from its end.
  const first = pass(1, 9);
  let second = pass(2, 9);
  for (let i = 0; second !== first && i < 50; i++) second = pass(2, 9);
  assertEquals(answer(first, 9), [2]);

  // Who floods with walks displaces its own, and of all together no more than a bounded number is remembered.
  const flooders = [1, 3, 4, 5], honest = pass(2, 100);
  const own = pass(1, 100);
  const later = Array.from({ length: 200 }, (_, i) => pass(1, 200 + i));
  assertEquals(answer(own, 100), []);
  assertEquals(answer(honest, 100), [2]);
  assertEquals(later.map((to, i) => answer(to, 200 + i)).flat().length, 16);
  const all = Array.from({ length: 400 }, (_, i) => pass(flooders[i % 4]!, 1_000 + i));
  assertEquals(all.map((to, i) => answer(to, 1_000 + i)).flat().length, 64);
});

Deno.test("who forwards a shuffle is not blamed for its records, its origin is", () => {
  const lone = full();
  const entries = [recordFor(peerId(51), 1, ["forged"])];
  lone.receive(1, { type: "shuffle", walk: 7, origin: recordFor(peerId(50)), ttl: 1, entries });
  assertEquals(lone.port.blamed, []);
  lone.receive(1, { type: "shuffle", walk: 7, origin: recordFor(peerId(1)), ttl: 1, entries });
  assertEquals(lone.port.blamed.map(([peer]) => peer), [peerId(1)]);
});

Deno.test("a neighbour that never shows that it has us is dropped, one that does is kept", () => {
  const lone = full();
  lone.view.join([]);
  for (let i = 0; i < 8; i++) {
    for (const n of [1, 2, 3, 4]) lone.receive(n, { type: "check" });
    lone.world.queue.run(6_000);
  }
  assertEquals(lone.active(), [1, 2, 3, 4]);
  assert(
    lone.port.sentTo.some(([to, m]) => to === peerId(5) && m.type === "disconnect" && m.alive),
  );
  assertEquals(lone.view.metrics().halfLinks, 1);
});

Deno.test("a neighbour that checks more often than this node is answered every other time", () => {
  const lone = full();
  const answers = () => lone.take("check").map(([to]) => to);
  for (let i = 0; i < 4; i++) {
    lone.receive(1, { type: "check" });
    lone.world.queue.run(600);
  }
  assertEquals(answers(), [1, 1]);
  // One at the pace of this node is not: a CHECK goes to it anyway.
  lone.view.join([]);
  for (let i = 0; i < 4; i++) {
    lone.world.queue.run(6_000);
    lone.receive(2, { type: "check" });
  }
  const to2 = answers().filter((to) => to === 2).length;
  assert(to2 >= 3 && to2 <= 6, `${to2}`);
  lone.receive(3, { type: "check" });
  assertEquals(answers(), []);
});

Deno.test("a neighbour that checks thirty times as often is answered before it gives up", () => {
  for (const [checkMs, answerMs] of [[300, 1_000], [1_000, 3_000], [200, 3_000]] as const) {
    const lone = full({ checkMs: 30 * checkMs, answerMs });
    lone.view.join([]);
    let heardAt = 0, longest = 0;
    for (let at = 0; at < 100 * checkMs; at += checkMs) {
      lone.receive(1, { type: "check" });
      if (lone.take("check").some(([to]) => to === 1)) {
        longest = Math.max(longest, at - heardAt);
        heardAt = at;
      }
      lone.world.queue.run(checkMs);
    }
    assert(longest <= 3 * checkMs, `${longest} ms at ${checkMs}`);
  }
});

Deno.test("a peer that is gone for good does not keep shuffles at full pace", () => {
  const lone = full();
  lone.view.join([]);
  lone.view.peerDown(peerId(5), "lost");
  const before = lone.view.metrics().shuffles;
  for (let second = 0; second < 600; second++) {
    for (const [to] of lone.take("neighbor")) if (to === 5) lone.view.unreachable(peerId(5));
    if (second % 10 === 0) { for (const n of [1, 2, 3, 4]) lone.receive(n, { type: "check" }); }
    lone.world.queue.run(1_000);
  }
  const { unreachable, shuffles } = lone.view.metrics();
  assert(unreachable > 5, `${unreachable}`);
  assert(shuffles - before < 15, `${shuffles - before} shuffles in 60 periods`);
});

Deno.test("two neighbours do not answer each other's answers", () => {
  const world = new World({ seed: 3, overlay: { shuffleMs: 1e9, probeMs: 1e9, swapMs: 0 } });
  const [a, b] = [world.add(1), world.add(2)];
  a.overlay.join([b.self]);
  b.overlay.join([]);
  world.queue.run(100 * world.overlay.checkMs);
  // 100 periods, two ends; the times of a period vary by a fifth, so now and then two come within one.
  const checks = world.sent["check"]!;
  assert(checks >= 190 && checks <= 240, `${checks}`);
});

Deno.test("a check from a peer that is no neighbour is answered with DISCONNECT, at a bounded rate", () => {
  const lone = full();
  for (let i = 0; i < 1_000; i++) lone.receive(70, { type: "check" });
  const sent = lone.take("disconnect");
  assertEquals([sent[0]![0], sent[0]![1].alive], [70, true]);
  assertEquals(sent.length, 64);
});

Deno.test("HyParView tells of isolation and of its end, once each", () => {
  const lone = new Lone();
  lone.neighbor(1);
  lone.neighbor(2);
  lone.view.peerDown(peerId(1), "lost");
  lone.view.peerDown(peerId(2), "lost");
  lone.view.peerDown(peerId(2), "lost");
  lone.neighbor(3);
  lone.neighbor(4);
  assertEquals(lone.port.events, [
    "up",
    "up",
    "down lost",
    "down lost",
    "isolated",
    "up",
    "rejoined",
    "up",
  ]);
});

Deno.test("a node that starts alone is not isolated, and asks its contact for ever, ever less often", () => {
  const lone = new Lone();
  lone.view.join([peerId(9)]);
  let asked = 0;
  const perMinute: number[] = [];
  for (let minute = 0; minute < 20; minute++) {
    for (let i = 0; i < 600; i++) {
      lone.world.queue.run(100);
      const requests = lone.take("join").length;
      if (requests > 0) lone.view.unreachable(peerId(9));
      asked += requests;
    }
    perMinute.push(asked);
    asked = 0;
  }
  assertEquals(lone.port.events, []);
  assert(perMinute[0]! >= 4 && perMinute[0]! <= 10, `${perMinute}`);
  assert(perMinute.slice(3).every((count) => count <= 2), `${perMinute}`);
  assert(perMinute.slice(10).some((count) => count > 0));
});

Deno.test("the other connection of a simultaneous dial going down changes nothing", () => {
  const lone = full();
  lone.view.peerDown(peerId(1), "superseded");
  assertEquals(lone.active(), [1, 2, 3, 4, 5]);
});

Deno.test("a peer without addresses is not spread and enters no reserve unless it is connected", () => {
  const lone = full();
  const record = recordFor(peerId(7), 1, []);
  lone.receive(7, { type: "join", record });
  assertEquals(lone.port.sentTo.filter(([, m]) => m.type === "forward-join"), []);
  lone.receive(1, { type: "forward-join", record: recordFor(peerId(8), 1, []), ttl: 3 });
  assert(!lone.passive().includes(8));
  lone.disconnect(7, true);
  assert(lone.passive().includes(7), "still connected");
  lone.port.fakeConnected.delete(peerId(7));
  lone.view.peerDown(peerId(7), "idle");
  assert(!lone.passive().includes(7));
});

Deno.test("leaving says goodbye to every neighbour, stops every timer and ends everything", () => {
  const lone = full();
  lone.view.join([]);
  lone.disconnect(5, true, [21]);
  lone.port.fakeConnected.add(peerId(21));
  lone.port.sentTo.length = 0;
  lone.view.leave();
  lone.view.leave();
  const told = lone.take("disconnect");
  assertEquals(told.map(([to]) => to), [21, 1, 2, 3, 4]);
  assert(told.every(([, { alive, candidates }]) => !alive && candidates.length === 0));
  assertEquals([lone.active(), [...lone.port.held], [...lone.port.timers]], [[], [], []]);
  assert(!lone.port.events.includes("isolated"));
  lone.neighbor(1);
  lone.view.join([peerId(1)]);
  lone.view.unreachable(peerId(1));
  lone.view.candidatesChanged();
  assertEquals([lone.port.sentTo.length, lone.port.timers.size], [0, 0]);
});

Deno.test("an overlay that was joined several times leaves no timer behind", () => {
  const lone = full();
  const before = lone.world.queue.size;
  for (let i = 0; i < 3; i++) lone.view.join([]);
  lone.world.queue.run(7_000);
  assert(lone.world.queue.size > before);
  lone.view.leave();
  lone.world.queue.run(1_000);
  assertEquals(lone.world.queue.size, 0);
});

Deno.test("shuffles come up to 16 times further apart while nothing changes, and at full pace after a change", () => {
  const lone = full({ swapMs: 0 });
  lone.view.join([]);
  /** Shuffles in so many periods, with neighbours that stay alive. */
  const shuffles = (periods: number): number => {
    const before = lone.view.metrics().shuffles;
    for (let i = 0; i < periods; i++) {
      for (const n of lone.active()) lone.receive(n, { type: "check" });
      lone.world.queue.run(10_000);
    }
    return lone.view.metrics().shuffles - before;
  };
  assertGreaterOrEqual(shuffles(16), 4);
  const calm = shuffles(64);
  assert(calm >= 3 && calm <= 6, `${calm} of 64`);
  lone.disconnect(lone.active()[0]!, true);
  lone.neighbor(20);
  assertGreaterOrEqual(shuffles(4), 2);
});
