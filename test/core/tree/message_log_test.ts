import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { BodyArena } from "../../../src/core/tree/body_arena.ts";
import { IdTable } from "../../../src/core/tree/id_table.ts";
import { MessageLog, Seen } from "../../../src/core/tree/message_log.ts";
import { rng } from "./world.ts";

const options = { seenIds: 100, retainMessages: 10, retainBytes: 1 << 20, retainSeconds: 60 };

function id(n: number): Uint8Array {
  const bytes = new Uint8Array(20).fill(n >> 16);
  bytes[19] = n;
  bytes[18] = n >> 8;
  return bytes;
}

Deno.test("the id table agrees with a Map under any inserts and deletes", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ n: fc.nat(60), add: fc.boolean() }), { maxLength: 300 }),
      fc.nat(),
      (steps, seed) => {
        const table = new IdTable(rng(seed)), model = new Map<number, number>();
        table.reserve(64, () => false);
        const free = Array.from({ length: 64 }, (_, i) => i);
        for (const { n, add } of steps) {
          const handle = model.get(n);
          assertEquals(table.find(id(n), 0), handle ?? -1);
          if (add && handle === undefined) {
            const fresh = free.pop()!;
            model.set(n, fresh);
            table.put(fresh, id(n), 0);
          } else if (!add && handle !== undefined) {
            table.delete(handle);
            model.delete(n);
            free.push(handle);
          }
        }
        for (const [n, handle] of model) {
          assertEquals(table.find(id(n), 0), handle);
          const out = new Uint8Array(20);
          table.write(handle, out, 0);
          assertEquals(out, id(n));
        }
      },
    ),
  );
});

Deno.test("the message log forgets the oldest ids first", () => {
  const log = new MessageLog(options, rng(1));
  assertEquals(log.find(id(5), 0), -1);
  for (let n = 0; n < 1_000; n++) {
    const entry = log.add(id(n), 0, Seen.DELIVERED, n % 16, n % 7, 1, n);
    assertEquals(entry, n);
    assertEquals(log.find(id(n), 0), n);
  }
  assertEquals(log.seen, 100);
  assertEquals(log.find(id(899), 0), -1);
  for (let n = 900; n < 1_000; n++) {
    assertEquals(log.find(id(n), 0), n);
    assertEquals([log.via(n), log.at(n)], [n % 7, n]);
  }
});

Deno.test("the message log retains by count, bytes and age", () => {
  const log = new MessageLog({ ...options, retainBytes: 5_000 }, rng(1));
  const add = (n: number, size: number, now: number) => {
    const entry = log.add(id(n), 0, Seen.DELIVERED, 0, 0, 1, now);
    return log.retain(entry, new Uint8Array(size).fill(n), 0, size, now);
  };
  for (let n = 0; n < 12; n++) assertEquals(add(n, 100, n)[50], n);
  assertEquals(log.retainedMessages, 10);
  assertEquals([log.body(1), log.body(2)?.[0]], [undefined, 2]);
  for (let n = 12; n < 15; n++) add(n, 2_000, n);
  assert(log.retainedBytes <= 5_000);
  assertEquals(log.retainedMessages, 2);
  log.expire(61_000);
  assertEquals([log.retainedMessages, log.retainedBytes], [0, 0]);
});

/** A body that an arena keeps. */
interface Kept {
  view: Uint8Array;
  slab: number;
}

function keep(arena: BodyArena, bytes: Uint8Array, start: number, end: number): Kept {
  const view = arena.keep(bytes, start, end), { slab } = arena;
  assertEquals(arena.body(slab, view.byteOffset, view.length), view);
  return { view, slab };
}

function release(arena: BodyArena, { view, slab }: Kept): void {
  arena.release(slab, view.length);
}

Deno.test("small bodies do not pin the buffer that they came in", () => {
  const arena = new BodyArena(32 << 20);
  const record = new Uint8Array(32 * 1024).map((_, i) => i);
  const kept: Kept[] = [];
  for (let i = 0; i < 100; i++) {
    const body = keep(arena, record, i * 100, i * 100 + 100);
    assertEquals(body.view, record.subarray(i * 100, i * 100 + 100));
    assert(body.view.buffer !== record.buffer);
    kept.push(body);
  }
  assertEquals(
    arena.bytes,
    [...new Set(kept.map(({ view }) => view.buffer))]
      .reduce((sum, buffer) => sum + buffer.byteLength, 0),
  );
  assertLess(arena.bytes, 2.5 * 100 * 100);
  const large = new Uint8Array(20_000);
  const whole = keep(arena, large, 0, 20_000);
  assertEquals(whole.view, large, "one that fills its buffer stays");
  for (const body of [...kept, whole]) release(arena, body);
  assertEquals(arena.bytes, 0);
});

Deno.test("bodies that came in small buffers of their own lie together", () => {
  const arena = new BodyArena(32 << 20), buffers = new Set<ArrayBufferLike>();
  for (let n = 0; n < 100; n++) {
    const { view } = keep(arena, new Uint8Array(400).fill(n), 0, 400);
    assertEquals(view[399], n);
    buffers.add(view.buffer);
  }
  assertLessOrEqual(buffers.size, 8);
  assertLess(arena.bytes, 2 * 100 * 400 + 64 * 1024);
});

for (const [retainBytes, size] of [[4_096, 100], [16_384, 300], [131_072, 200]] as const) {
  Deno.test(`of bodies of ${size} bytes nearly ${retainBytes} bytes are retained, all the time`, () => {
    const log = new MessageLog(
      { ...options, seenIds: 10_000, retainMessages: 10_000, retainBytes },
      rng(1),
    );
    for (let n = 0; n < 3_000; n++) {
      const entry = log.add(id(n), 0, Seen.DELIVERED, 0, 0, 1, 0);
      log.retain(entry, new Uint8Array(size), 0, size, 0);
      assert(log.retains(entry));
      assertLessOrEqual(log.retainedBytes, retainBytes);
      if (n * size > 2 * retainBytes) assertLess(0.7 * retainBytes, log.retainedMessages * size);
    }
  });
}

Deno.test("an arena holds little beside what lives, however little that is", () => {
  for (const lives of [1, 10, 100]) {
    const arena = new BodyArena(32 << 20), kept: Kept[] = [];
    for (let n = 0; n < 2_000; n++) {
      kept.push(keep(arena, new Uint8Array(100), 0, 100));
      if (kept.length > lives) release(arena, kept.shift()!);
      assertLessOrEqual(arena.bytes, 3 * 100 * lives + 2_048);
    }
  }
});

Deno.test("a record whose bodies are retained for the most part is kept, and no more than twice what lives", () => {
  const arena = new BodyArena(32 << 20), kept: Kept[] = [];
  let copied = 0;
  for (let n = 0; n < 50; n++) {
    const record = new Uint8Array(32 * 1024).fill(n);
    for (let at = 0; at + 1_000 <= record.length; at += 1_000) {
      const body = keep(arena, record, at, at + 1_000);
      if (body.view.buffer !== record.buffer) copied++;
      kept.push(body);
    }
  }
  assertLess(copied, 64);
  assertLess(arena.bytes, 2 * kept.length * 1_000 + 64 * 1024);
  // From now on every record brings one body that is retained: all of them are copied.
  for (let n = 0; n < 2_000; n++) {
    release(arena, kept.shift()!);
    kept.push(keep(arena, new Uint8Array(32 * 1024).fill(n), 7, 1_007));
    assertLess(arena.bytes, 2 * kept.length * 1_000 + 2 * 64 * 1024);
  }
  kept.forEach((body) => release(arena, body));
  assertEquals(arena.bytes, 0);
});

Deno.test("the arena's account is the buffers that it holds, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ size: fc.nat(20_000), drop: fc.boolean() })), (steps) => {
      const arena = new BodyArena(32 << 20), kept: Kept[] = [];
      for (const { size, drop } of steps) {
        kept.push(keep(arena, new Uint8Array(32 * 1024), 10, 10 + size));
        if (drop) release(arena, kept.shift()!);
        const buffers = new Set(kept.map(({ view }) => view.buffer));
        let held = 0;
        for (const buffer of buffers) held += buffer.byteLength;
        assertEquals(arena.bytes, held);
      }
    }),
  );
});

Deno.test("a record is counted once though a body of this node's own comes between its bodies", () => {
  const arena = new BodyArena(32 << 20), record = new Uint8Array(32 * 1024);
  const kept = [keep(arena, record, 0, 20_000), keep(arena, new Uint8Array(20_000), 0, 20_000)];
  kept.push(keep(arena, record, 20_000, 32_000));
  assertEquals(arena.bytes, 32 * 1024 + 20_000);
  for (const body of kept) release(arena, body);
  assertEquals(arena.bytes, 0);
});
