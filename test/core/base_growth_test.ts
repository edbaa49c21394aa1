import { assertEquals } from "@std/assert";
import { BaseGrowth } from "../../src/core/base_growth.ts";
import type { Clock } from "../../src/core/host.ts";

/** Timers that fire when they are told to. */
class Hand implements Clock {
  readonly timers = new Map<number, () => void>();
  #next = 1;
  now = (): number => 0;
  random = (): number => 0;
  after(_ms: number, fire: () => void): number {
    this.timers.set(this.#next, fire);
    return this.#next++;
  }
  cancel(timer: number): void {
    this.timers.delete(timer);
  }
  fire(): void {
    const all = [...this.timers.values()];
    this.timers.clear();
    for (const each of all) each();
  }
}

Deno.test("a neighbour that comes on the directory's overlay again and again is told once per batch", () => {
  const clock = new Hand(), told: string[][] = [];
  const growth = new BaseGrowth(clock, (peers) => told.push(peers));
  for (let flips = 0; flips < 100; flips++) growth.add("a");
  growth.add("b");
  assertEquals([clock.timers.size, told.length], [1, 0]);
  clock.fire();
  assertEquals(told, [["a", "b"]]);
  growth.add("a");
  clock.fire();
  assertEquals(told[1], ["a"]);
});

Deno.test("without the directory's overlay nothing is told, and no timer is left", () => {
  const clock = new Hand(), told: string[][] = [];
  const growth = new BaseGrowth(clock, (peers) => told.push(peers));
  growth.add("a");
  growth.stop();
  assertEquals(clock.timers.size, 0);
  growth.add("c");
  clock.fire();
  assertEquals(told, [["c"]]);
});
