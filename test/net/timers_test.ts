import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Timers } from "../../src/net/timers.ts";
import { until } from "./helper.ts";

/** Keeps the thread busy. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("timers fire in order of time and number, never early", async () => {
  const timers = new Timers();
  const fired: string[] = [], begin = timers.now();
  let early = false;
  const at = (ms: number, name: string): void => {
    timers.after(ms, () => {
      fired.push(name);
      early ||= timers.now() - begin < ms;
    });
  };
  at(20, "c"), at(5, "a"), at(20, "d"), at(10, "b");
  timers.after(20, () => timers.after(0, () => fired.push("e")));
  await until(() => fired.length === 5);
  assertEquals(fired, ["a", "b", "c", "d", "e"]);
  assert(!early);
  timers.close();
});

Deno.test("long timers of all nodes fire together on one grid, never early", async () => {
  const nodes = [new Timers(), new Timers()], begin = performance.now();
  const fired: { at: number; early: number }[] = [];
  for (let ms = 2_100; ms < 2_200; ms += 10) {
    for (const timers of nodes) {
      const due = timers.now() + ms;
      timers.after(ms, () => fired.push({ at: timers.now(), early: due - timers.now() }));
    }
  }
  await until(() => fired.length === 20);
  assert(fired.every(({ early }) => early <= 0));
  // The dues are spread over 100 ms, which is at most two steps of the grid.
  const wakeUps = new Set(fired.map(({ at }) => Math.round(at / 64)));
  assert(wakeUps.size <= 4, `${fired.map(({ at }) => Math.round(at - begin))}`);
  for (const timers of nodes) timers.close();
});

Deno.test("cancelled timers do not fire and take no memory", async () => {
  const timers = new Timers();
  let fired = 0;
  const ids = Array.from({ length: 10_000 }, (_, i) => timers.after(5 + i % 10, () => fired++));
  for (const id of ids.slice(1)) timers.cancel(id);
  timers.cancel(ids[1]!);
  assertEquals(timers.size, 1);
  let last = false;
  timers.after(25, () => last = true);
  await until(() => last);
  assertEquals(fired, 1);
  timers.close();
});

Deno.test("what a callback throws is reported and stops nothing", async () => {
  const faults: unknown[] = [];
  const timers = new Timers({ onFault: (error) => faults.push(error) });
  let fired = false;
  timers.after(1, () => {
    throw new Error("mine");
  });
  timers.after(2, () => fired = true);
  await until(() => fired);
  assertEquals((faults[0] as Error).message, "mine");
  timers.close();
});

Deno.test("the end of a turn comes after its microtasks, and what is thrown there is reported", async () => {
  const faults: unknown[] = [], order: string[] = [];
  const timers = new Timers({ onFault: (error) => faults.push(error) });
  timers.soon(() => {
    order.push("end");
    throw new Error("mine");
  });
  timers.soon(() => order.push("and the next"));
  Promise.resolve().then(() => {}).then(() => order.push("microtask"));
  await until(() => order.length === 3);
  assertEquals(order, ["microtask", "end", "and the next"]);
  assertEquals((faults[0] as Error).message, "mine");
  timers.close();
});

Deno.test("a closed clock leaves no timer behind and takes none", () => {
  const timers = new Timers();
  timers.after(60_000, () => {});
  timers.close();
  timers.after(1, () => {});
  assertEquals(timers.size, 0);
});

Deno.test("after the thread was late, timers wait once more for as long", async () => {
  const timers = new Timers({ slackMs: 20 });
  const begin = timers.now();
  let firedAt = 0;
  timers.after(10, () => firedAt = timers.now() - begin);
  block(120);
  await until(() => firedAt > 0);
  // Late by 110 ms, so put off by about as much again.
  assertGreaterOrEqual(firedAt, 220);
  assertGreaterOrEqual(timers.lagMs, 0);
  timers.close();
});

Deno.test("what arrived while the thread was late is read before a timeout is judged", async () => {
  const timers = new Timers({ slackMs: 20 });
  const order: string[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const from = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const to = await listener.accept();
  const reading = to.read(new Uint8Array(1)).then(() => order.push("read"));
  timers.after(30, () => order.push("timeout"));
  await from.write(new Uint8Array(1));
  block(100);
  await reading;
  await until(() => order.length === 2);
  assertEquals(order, ["read", "timeout"]);
  for (const each of [listener, from, to]) each.close();
  timers.close();
});
