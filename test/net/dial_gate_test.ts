import { assertEquals, assertRejects } from "@std/assert";
import { DialGate, PLACE_MS } from "../../src/net/dial_gate.ts";
import { ManualClock } from "./helper.ts";

Deno.test("dial gate: a few at a time, one node after the other", async () => {
  const clock = new ManualClock(), gate = new DialGate(1), never = new AbortController().signal;
  const busy = {}, other = {}, order: string[] = [];
  const leave = await gate.enter(busy, clock, never);
  const next = async (node: object, name: string) => {
    const left = await gate.enter(node, clock, never);
    order.push(name);
    left();
  };
  const all = [
    next(busy, "a"),
    next(busy, "b"),
    next(busy, "c"),
    next(other, "x"),
    next(other, "y"),
  ];
  leave();
  leave();
  await Promise.all(all);
  assertEquals(order, ["a", "x", "b", "y", "c"]);
  assertEquals(gate.taken, 0);
  assertEquals(clock.size, 0, "no timer remains");
});

Deno.test("dial gate: those who are alone go first, and all the others now and then", async () => {
  const clock = new ManualClock(), gate = new DialGate(1), never = new AbortController().signal;
  const order: string[] = [], leave = await gate.enter({}, clock, never);
  const next = async (name: string, urgent: boolean) => {
    const left = await gate.enter({}, clock, never, () => urgent);
    order.push(name);
    left();
  };
  const all = ["a", "b", "c"].map((name) => next(name, false));
  all.push(...["U", "V", "W", "X", "Y"].map((name) => next(name, true)));
  leave();
  await Promise.all(all);
  assertEquals(order.join(""), "UVWaXYbc");
  assertEquals([gate.taken, clock.size], [0, 0]);
});

Deno.test("dial gate: who has urgent dials without end gets a calm one through in its turn", async () => {
  const clock = new ManualClock(), gate = new DialGate(1), never = new AbortController().signal;
  const [x, y] = [{}, {}], order: string[] = [];
  const leave = await gate.enter({}, clock, never);
  const next = async (node: object, name: string, urgent: () => boolean) => {
    const left = await gate.enter(node, clock, never, urgent);
    order.push(name);
    // Before this one's place is given back.
    if (name === "U" && order.length < 60) all.push(next(node, "U", () => true));
    left();
  };
  const all = [next(x, "U", () => true), next(x, "x", () => false)];
  for (let i = 0; i < 5; i++) all.push(next(y, "y", () => false));
  // A wish that throws costs nobody a place.
  all.push(next({}, "z", () => {
    throw new Error("no");
  }));
  leave();
  for (let i = 0; i < all.length; i++) await all[i];
  const calm = order.filter((name) => name !== "U");
  assertEquals(calm.slice(0, 3).sort(), ["x", "y", "z"]);
  assertEquals(calm.length, 7);
  assertEquals(order.slice(0, 12).filter((name) => name === "U").length, 9, order.join(""));
  assertEquals([gate.taken, clock.size], [0, 0]);
});

Deno.test("dial gate: a dial that waits for the network gives its place up, one that is given up leaves the row", async () => {
  const clock = new ManualClock(), gate = new DialGate(1), stop = new AbortController();
  const never = new AbortController().signal, node = {};
  const leave = await gate.enter(node, clock, never);
  const given = assertRejects(
    async () => await gate.enter(node, clock, stop.signal),
    Error,
    "enough",
  );
  const last = gate.enter(node, clock, never);
  stop.abort(new Error("enough"));
  await given;
  await clock.advance(PLACE_MS + 1);
  (await last)();
  leave();
  assertEquals(gate.taken, 0);
  assertEquals(clock.size, 0);
});
