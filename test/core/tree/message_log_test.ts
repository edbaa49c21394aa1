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
  /** As it was given back for use. */
  view: Uint8Array;
  /** What it has to be. */
  content: Uint8Array;
  slab: number;
  at: number;
}

function keep(arena: BodyArena, bytes: Uint8Array, start: number, end: number): Kept {
  const content = bytes.slice(start, end), view = arena.keep(bytes, start, end);
  const { slab, at } = arena;
  assertEquals(view, content);
  const kept = { view, content, slab, at };
  intact(arena, kept);
  return kept;
}

function intact(arena: BodyArena, { content, slab, at }: Kept): void {
  assertEquals(arena.body(slab, at, content.length), content);
}

function release(arena: BodyArena, { content, slab }: Kept): void {
  arena.release(slab, content.length);
}

Deno.test("small bodies do not pin the buffer that they came in", () => {
  const arena = new BodyArena(32 << 20);
  const record = new Uint8Array(32 * 1024).map((_, i) => i);
  const kept: Kept[] = [];
  for (let i = 0; i < 100; i++) {
    const body = keep(arena, record, i * 100, i * 100 + 100);
    assertEquals(body.view.buffer.byteLength, 100);
    kept.push(body);
  }
  kept.forEach((body) => intact(arena, body));
  assertLess(arena.bytes, 2.5 * 100 * 100);
  const large = new Uint8Array(20_000);
  const whole = keep(arena, large, 0, 20_000);
  assert(whole.view === large, "one that fills its buffer stays");
  for (const body of [...kept, whole]) release(arena, body);
  assertEquals(arena.bytes, 0);
});

Deno.test("bodies that came in small buffers of their own lie together", () => {
  const arena = new BodyArena(32 << 20), buffers = new Set<number>();
  for (let n = 0; n < 100; n++) {
    buffers.add(keep(arena, new Uint8Array(400).fill(n), 0, 400).slab);
  }
  assertLessOrEqual(buffers.size, 8);
  assertLess(arena.bytes, 2 * 100 * 400 + 64 * 1024);
});

Deno.test("a body that fills most of its record is used where it is, and kept where no use of it can change it", () => {
  const arena = new BodyArena(32 << 20), record = new Uint8Array(33_000).fill(7);
  const body = keep(arena, record, 100, 32_100);
  assert(body.view.buffer === record.buffer);
  body.view.fill(8);
  intact(arena, body);
  arena.body(body.slab, body.at, 32_000).fill(9);
  intact(arena, body);
  assertLess(arena.bytes, 33_000);
  const large = new Uint8Array(40_000);
  keep(arena, large, 100, 39_000);
  large.fill(1);
  assertEquals(arena.body(arena.slab, arena.at, 38_900)[0], 1, "large ones are not copied");
});

Deno.test("slabs are filled again while much is retained, and what lives in others stays as it is", () => {
  const most = 8 << 20, size = 20_000, arena = new BodyArena(most), kept: Kept[] = [];
  const fill = (n: number) => new Uint8Array(size + 20).fill(n, 0, size);
  let n = 0;
  for (; arena.bytes < most; n++) kept.push(keep(arena, fill(n % 251), 0, size));
  const slabs = arena.bytes, made = kept.length;
  for (; n < 4 * made; n++) {
    while (arena.bytes >= slabs) release(arena, kept.shift()!);
    kept.push(keep(arena, fill(n % 251), 0, size));
    assertLessOrEqual(arena.bytes, slabs + 256 * 1024);
  }
  kept.forEach((body) => intact(arena, body));
  assertLess(arena.bytes, 1.2 * kept.length * size + 2 * 64 * 1024);
  for (const body of kept) release(arena, body);
  assertEquals(arena.bytes, 0);
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

/** Records by the sizes of their bodies. */
const RECORDS: Record<string, (n: number) => number[]> = {
  "one of 22,000": () => [22_000],
  "one of 200 or 32,700 by turns": (n) => [n % 2 ? 32_700 : 200],
  "32,000 and 27,000 together": () => [32_000, 27_000],
  "27,000 and 32,000 together": () => [27_000, 32_000],
  "17,000 and three small ones": () => [17_000, 5_000, 5_000, 4_000],
  "33,000 and ninety of 300": () => [33_000, ...Array.from({ length: 90 }, () => 300)],
  "two above 32 KiB": () => [32_769, 32_730],
  "thirty of 1 KiB": () => Array.from({ length: 30 }, () => 1_040),
};

for (const [name, sizes] of Object.entries(RECORDS)) {
  Deno.test(`nearly all bytes that may be retained are, in records of ${name}`, () => {
    for (const retainBytes of [1 << 20, 8 << 20]) {
      const most = { ...options, seenIds: 100_000, retainMessages: 100_000, retainBytes };
      const log = new MessageLog(most, rng(1)), bytes: number[] = [];
      let sent = 0;
      for (let n = 0; sent < 4 * retainBytes; n++) {
        const record = new Uint8Array(sizes(n).reduce((sum, size) => sum + size + 6, 0));
        let at = 0;
        for (const size of sizes(n)) {
          const entry = log.add(id(bytes.length), 0, Seen.DELIVERED, 0, 0, 1, 0);
          bytes[entry] = size;
          log.retain(entry, record, at + 6, at += 6 + size, 0);
          sent += size;
        }
        assertLessOrEqual(log.retainedBytes, retainBytes);
      }
      let live = 0;
      for (let i = 0; i < log.retainedBodies; i++) live += bytes[log.retainedAt(i)]!;
      assertLess(0.85 * retainBytes, live);
    }
  });
}

Deno.test("records with one small body each are pinned by few of its views", () => {
  const arena = new BodyArena(32 << 20);
  for (let n = 0; n < 100; n++) keep(arena, new Uint8Array(100_000), 0, 100_000);
  for (const place of [0, 30_000, 60_000]) {
    let pinned = 0;
    for (let n = 0; n < 1_000; n++) {
      const { view } = keep(arena, new Uint8Array(65_000), place, place + 100);
      if (view.buffer.byteLength > 100) pinned += view.buffer.byteLength;
    }
    assertLess(pinned, 20 * 65_000);
  }
});

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

Deno.test("whatever comes and goes, bodies stay as they are, views pin no more than twice their bytes, and the account is what is held", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ size: fc.nat(20_000), rest: fc.nat(30_000), drop: fc.boolean() })),
      (steps) => {
        const arena = new BodyArena(1 << 20), kept: Kept[] = [];
        let live = 0;
        for (const [n, { size, rest, drop }] of steps.entries()) {
          const record = new Uint8Array(size + rest).fill(n, 0, size);
          const body = keep(arena, record, 0, size);
          assert(
            body.view.buffer.byteLength <= 2 * size || arena.bytes <= 2 * (live + size),
          );
          kept.push(body);
          live += size;
          if (drop) {
            live -= kept[0]!.content.length;
            release(arena, kept.shift()!);
          }
          assertLessOrEqual(live, arena.bytes);
          for (const each of kept) intact(arena, each);
        }
        for (const body of kept) release(arena, body);
        assertEquals(arena.bytes, 0);
      },
    ),
  );
});

Deno.test("a record is counted once though a body of this node's own comes between its bodies", () => {
  const arena = new BodyArena(32 << 20), record = new Uint8Array(32 * 1024);
  const kept = [keep(arena, new Uint8Array(40_000), 0, 40_000), keep(arena, record, 0, 12_000)];
  kept.push(keep(arena, new Uint8Array(20_000), 0, 20_000));
  kept.push(keep(arena, record, 12_000, 32_000));
  assertEquals(arena.bytes, 40_000 + 32 * 1024 + 20_000);
  for (const body of kept) release(arena, body);
  assertEquals(arena.bytes, 0);
});
