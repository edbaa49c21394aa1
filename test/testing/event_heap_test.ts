import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { EventHeap } from "../../src/testing/event_heap.ts";

Deno.test("the heap gives back events by time, and those of one time in the order in which they came", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 300 }), (times) => {
    const heap = new EventHeap<{ time: number; index: number }>();
    times.forEach((time, index) => heap.push(time, { time, index }));
    const expected = times.map((time, index) => ({ time, index }))
      .sort((a, b) => a.time - b.time || a.index - b.index);
    assertEquals(times.map(() => heap.pop()!), expected);
    assertEquals(heap.pop(), undefined);
  }));
});

Deno.test("the heap agrees with a sorted list under any mix of push, cancel and pop", () => {
  const step = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 9 }));
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const heap = new EventHeap<string>();
    let model: { id: number; time: number; name: string }[] = [];
    let count = 0;
    for (const [what, number] of steps) {
      if (what <= 1) {
        const name = `event ${count++}`;
        model.push({ id: heap.push(number, name), time: number, name });
      } else if (what === 2) {
        const victim = model[number];
        if (victim === undefined) continue;
        assert(heap.cancel(victim.id));
        model = model.filter((entry) => entry !== victim);
      } else {
        // A stable sort: equal times stay in the order of their pushes.
        const first = model.toSorted((a, b) => a.time - b.time)[0];
        assertEquals(heap.peekTime(), first?.time ?? Infinity);
        assertEquals(heap.pop(), first?.name);
        model = model.filter((entry) => entry !== first);
      }
      assertEquals(heap.size, model.length);
    }
  }));
});

Deno.test("an id cancels its own event only, once", () => {
  const heap = new EventHeap<string>();
  const first = heap.push(1, "first");
  assertEquals(heap.pop(), "first");
  assertEquals(heap.cancel(first), false);
  const second = heap.push(2, "second");
  assertNotEquals(first, second);
  assertEquals(heap.cancel(first), false);
  assertEquals(heap.cancel(second), true);
  assertEquals(heap.cancel(second), false);
  assertEquals(heap.size, 0);
  assertEquals(heap.peekTime(), Infinity);
});

Deno.test("cancelling most of a large heap keeps the rest in order", () => {
  const heap = new EventHeap<number>();
  const ids: number[] = [];
  for (let i = 0; i < 50_000; i++) ids.push(heap.push((i * 7_919) % 1_000, i));
  ids.forEach((id, i) => {
    if (i % 10 !== 0) assert(heap.cancel(id));
  });
  assertEquals(heap.size, 5_000);
  let last = -1, lastTime = -1;
  for (let i = 0; i < 5_000; i++) {
    const item = heap.pop()!;
    assertEquals(item % 10, 0);
    assert(heap.poppedTime > lastTime || (heap.poppedTime === lastTime && item > last));
    last = item;
    lastTime = heap.poppedTime;
  }
  assertEquals(heap.pop(), undefined);
});
