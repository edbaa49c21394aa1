import { assert, assertEquals, assertThrows } from "@std/assert";
import { PassiveView, sample } from "../../../src/core/overlay/views.ts";
import { Census, Contacts, Cooldown } from "../../../src/core/overlay/contacts.ts";
import { Budget, Periodic, Rounds } from "../../../src/core/overlay/pace.ts";
import { EventQueue, peerId, recordFor, seeded } from "./fake_port.ts";

function filled(count: number): PassiveView {
  const view = new PassiveView(count, seeded(1));
  for (let i = 0; i < count; i++) view.put(recordFor(peerId(i)));
  return view;
}

Deno.test("a sample holds different members, all of them where there are few", () => {
  const random = seeded(3);
  assertEquals(sample([1, 2, 3], 5, random).sort(), [1, 2, 3]);
  const first = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const taken = sample([1, 2, 3, 4, 5], 2, random);
    assertEquals(new Set(taken).size, 2);
    first.add(taken[0]!);
  }
  assertEquals(first.size, 5);
});

Deno.test("a full passive view gives up what the other side was just told, then a random member", () => {
  const view = filled(5);
  const sacrifice = [peerId(9), peerId(3), peerId(1)];
  view.put(recordFor(peerId(10)), sacrifice);
  assertEquals(view.get(peerId(3)), undefined);
  view.put(recordFor(peerId(11)), sacrifice);
  assertEquals(view.get(peerId(1)), undefined);
  view.put(recordFor(peerId(12)), sacrifice);
  assertEquals(view.ids.length, 5);
  for (const n of [12]) assert(view.get(peerId(n)) !== undefined);
});

Deno.test("a newer record takes the place of an older one, and not the other way round", () => {
  const view = filled(3);
  view.put(recordFor(peerId(1), 5));
  assertEquals(view.get(peerId(1))!.seq, 5);
  view.put(recordFor(peerId(1), 4));
  assertEquals(view.get(peerId(1))!.seq, 5);
  assertEquals(view.ids.length, 3);
  view.delete(peerId(1));
  view.delete(peerId(1));
  assertEquals(view.ids.sort(), [peerId(0), peerId(2)]);
});

Deno.test("a passive view remembers four times as many former members, none of them twice or a member", () => {
  const view = filled(2);
  for (let n = 2; n < 20; n++) view.put(recordFor(peerId(n)));
  assertEquals(view.former.length, 8);
  assertEquals(new Set([...view.former, ...view.ids]).size, 10);
  const [oldest, second] = view.former;
  assertEquals(view.recall(oldest!)!.id, oldest);
  assertEquals(view.get(oldest!), undefined);
  view.put(recordFor(peerId(20)));
  assertEquals(view.former[0], second);
  view.put(recordFor(second!));
  assert(!view.former.includes(second!));
  view.delete(view.former[0]!);
  assertEquals(view.former.length, 7);
});

Deno.test("a passive view of size nothing stays empty", () => {
  const view = new PassiveView(0, seeded(1));
  view.put(recordFor(peerId(1)));
  assertEquals([view.ids, view.former], [[], []]);
});

Deno.test("a cool-down ends, and the oldest entry goes when there are too many", () => {
  const queue = new EventQueue();
  const clock = { now: () => queue.now, random: () => 0, after: () => 0, cancel: () => {} };
  const cooldown = new Cooldown(clock, 3);
  for (let i = 0; i < 5; i++) cooldown.add(peerId(i), 100);
  assertEquals(cooldown.peers(), [peerId(2), peerId(3), peerId(4)]);
  cooldown.add(peerId(3), 10);
  queue.run(50);
  assert(cooldown.has(peerId(3)));
  queue.run(50);
  assertEquals(cooldown.peers(), []);
  assertEquals(cooldown.size, 3);
});

Deno.test("given contacts are kept for ever, lost neighbours only up to a bound", () => {
  const contacts = new Contacts();
  contacts.give([peerId(1), peerId(1)]);
  for (let i = 10; i < 30; i++) contacts.lose(peerId(i));
  contacts.lose(peerId(29));
  contacts.find(peerId(29));
  contacts.find(peerId(1));
  assertEquals(contacts.all(), [peerId(1), ...[22, 23, 24, 25, 26, 27, 28].map(peerId)]);
  assert(contacts.isGiven(peerId(1)));
});

Deno.test("the census tells small topics from large ones", () => {
  const random = seeded(4);
  for (const n of [40, 1_000]) {
    const census = new Census();
    for (let i = 0; i < 3_000; i++) census.note(random() < 35 / n, false);
    const guess = census.estimate(35);
    assert(guess > n / 2 && guess < n * 2, `${guess} for ${n}`);
  }
});

Deno.test("the census soon forgets what was unknown while the views filled, but says what is large", () => {
  const small = new Census();
  for (let i = 0; i < 64; i++) small.note(false, true);
  assert(small.estimate(10) > 300);
  for (let i = 0; i < 400; i++) small.note(true, true);
  assert(small.estimate(10) < 15, `${small.estimate(10)}`);
});

Deno.test("a budget allows a burst and then its rate", () => {
  const budget = new Budget(3, 300);
  assertEquals([0, 0, 0, 0].map((now) => budget.take(now)), [true, true, true, false]);
  assertEquals([100, 100, 10_000].map((now) => budget.take(now)), [true, false, true]);
});

Deno.test("a periodic timer fires with jitter and stops", () => {
  const { queue, clock } = virtual();
  const times: number[] = [];
  const periodic = new Periodic(clock, 100, () => times.push(queue.now));
  periodic.start();
  periodic.start();
  queue.run(2_000);
  assert(times.length >= 16 && times.length <= 26, `${times.length}`);
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  assert(gaps.every((gap) => gap >= 79.9 && gap <= 120.1));
  assert(new Set(gaps).size > 10);
  const before = times.length;
  periodic.stop();
  queue.run(1_000);
  assertEquals(times.length, before);
});

Deno.test("what joins a round is called together with the others, at the pace of a periodic timer, until it leaves", () => {
  const { queue, clock } = virtual();
  const rounds = new Rounds(clock), times: number[][] = [[], [], []];
  const leave = times.map((own) => rounds.join(100, () => void own.push(queue.now)));
  queue.run(2_000);
  assert(times[0]!.length >= 16 && times[0]!.length <= 26, `${times[0]!.length}`);
  assertEquals(times[1], times[0]);
  leave[1]!();
  leave[1]!();
  queue.run(1_000);
  assertEquals(times[2], times[0]);
  assert(times[1]!.length < times[0]!.length);
  leave[0]!();
  leave[2]!();
  assertEquals(queue.size, 0);
  queue.run(1_000);
  assertEquals(times[2], times[0]);
});

Deno.test("a round takes eight, of one pace, and who comes takes a place that another has left", () => {
  const { queue, clock } = virtual();
  const rounds = new Rounds(clock), calls = new Map<number, number[]>();
  const join = (who: number, ms: number) =>
    rounds.join(ms, () => calls.set(queue.now, [...calls.get(queue.now) ?? [], who]));
  const sets = () => new Set([...calls.values()].map((who) => String(who.sort())));
  const leaves = Array.from({ length: 10 }, (_, who) => join(who, 100));
  join(10, 200);
  queue.run(1_000);
  assertEquals(sets(), new Set(["0,1,2,3,4,5,6,7", "8,9", "10"]));
  leaves[0]!();
  calls.clear();
  join(0.5, 100);
  queue.run(1_000);
  assertEquals(sets(), new Set(["0.5,1,2,3,4,5,6,7", "8,9", "10"]));
});

Deno.test("no round begins where the one before did, and one that all have left is not joined again", () => {
  const { queue, clock } = virtual();
  const rounds = new Rounds(clock);
  const last: number[] = [], called = new Map<number, number>();
  const leaves = Array.from({ length: 8 }, (_, who) =>
    rounds.join(100, () => {
      last[called.get(queue.now) === undefined ? last.length : last.length - 1] = who;
      called.set(queue.now, who);
    }));
  queue.run(1_000);
  assertEquals(new Set(last.slice(0, 8)).size, 8);
  for (const leave of leaves) leave();
  let calls = 0;
  rounds.join(100, () => void calls++);
  queue.run(1_000);
  assert(calls >= 8, `${calls}`);
});

Deno.test("one that throws stops no other of its round, and is told like any timer", () => {
  const { queue, clock } = virtual();
  const rounds = new Rounds(clock);
  let calls = 0;
  rounds.join(100, () => {
    throw new Error("fault");
  });
  rounds.join(100, () => void calls++);
  assertThrows(() => queue.run(1_000), Error, "fault");
  assertEquals(calls, 1);
  assertThrows(() => queue.run(1_000), Error, "fault");
  assertEquals(calls, 2);
});

/** Virtual time, as a clock. */
function virtual() {
  const queue = new EventQueue();
  const clock = {
    now: () => queue.now,
    random: seeded(5),
    after: (ms: number, fire: () => void) => queue.after(ms, fire),
    cancel: (timer: number) => queue.cancel(timer),
  };
  return { queue, clock };
}
