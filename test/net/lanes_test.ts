import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CHUNK_BYTES, FRAME_OVERHEAD, Lanes, PATIENCE } from "../../src/net/lanes.ts";
import { Reassembly } from "../../src/net/reassembly.ts";
import { Reader, WireError } from "../../src/wire/bytes.ts";
import { Frame, Lane } from "../../src/wire/frames.ts";
import { frame } from "./helper.ts";

const RECORD = 32 * 1024;

/** The frames of one record, chunks put together. */
function take(lanes: Lanes, into: Reassembly, limit = RECORD): Uint8Array[] {
  const out = new Uint8Array(limit), record = out.slice(0, lanes.fill(out, 0, limit));
  const reader = new Reader(record), frames: Uint8Array[] = [];
  let spent = true;
  while (reader.left > 0) {
    const length = reader.varint(), at = reader.at, bytes = reader.view(length);
    if (bytes[0] !== Frame.CHUNK) {
      spent = false;
      frames.push(bytes);
    } else {
      const whole = into.add(record, at + 1, reader.at);
      if (whole !== undefined) frames.push(whole);
    }
  }
  into.finished(record, spent);
  return frames;
}

Deno.test("control goes before normal, normal before bulk, and each lane keeps its order", () => {
  const lanes = new Lanes(1 << 20), into = new Reassembly(1 << 20);
  lanes.push(Lane.BULK, frame(10, 5), undefined);
  lanes.push(Lane.NORMAL, frame(10, 3), undefined);
  lanes.push(Lane.NORMAL, frame(10, 4), undefined);
  lanes.push(Lane.CONTROL, frame(10, 1), undefined);
  lanes.push(Lane.CONTROL, frame(10, 2), undefined);
  assertEquals(take(lanes, into), [1, 2, 3, 4, 5].map((seed) => frame(10, seed)));
  assert(lanes.empty);
  assertEquals(lanes.bytes, 0);
  assertEquals(lanes.framesOut, 5);
});

Deno.test("a lane refuses what passes its bound, and only that lane", () => {
  const lanes = new Lanes(1_000);
  assert(lanes.push(Lane.NORMAL, frame(4), frame(600)));
  assert(!lanes.push(Lane.NORMAL, frame(400), undefined));
  assert(lanes.push(Lane.BULK, frame(400), undefined));
  assertEquals(lanes.bytes, 604 + 400 + 2 * FRAME_OVERHEAD);
  assert(lanes.crowded);
  let tiny = 0;
  while (lanes.push(Lane.CONTROL, frame(1), undefined)) tiny++;
  assertLessOrEqual(tiny, 1_000 / FRAME_OVERHEAD);
});

Deno.test("a message larger than a chunk is cut, and a control frame passes between the pieces", () => {
  const lanes = new Lanes(8 << 20), into = new Reassembly(8 << 20);
  const big = frame(1 << 20, 9);
  lanes.push(Lane.BULK, big.subarray(0, 7), big.subarray(7));
  assertEquals(take(lanes, into), []);
  lanes.push(Lane.CONTROL, frame(20, 1), undefined);
  assertEquals(take(lanes, into), [frame(20, 1)], "in the very next record");
  let records = 2, whole: Uint8Array[] = [];
  while (whole.length === 0) {
    whole = take(lanes, into);
    records++;
  }
  assertEquals(whole, [big]);
  assertLessOrEqual(records, (1 << 20) / RECORD + 2);
  assertEquals(into.held, 0);
});

Deno.test("chunks may pass the limit of whole frames, but not far behind control frames", () => {
  const fill = (...kinds: Lane[]): number => {
    const lanes = new Lanes(8 << 20);
    for (const lane of kinds) {
      lanes.push(lane, frame(lane === Lane.BULK ? 1 << 20 : 9_000), undefined);
    }
    return lanes.fill(new Uint8Array(60_000), 0, 30_000, 60_000, 8_000);
  };
  const { CONTROL, NORMAL, BULK } = Lane;
  assertEquals(fill(BULK), 60_000);
  assertEquals(fill(NORMAL, BULK), 60_000);
  assertEquals(fill(CONTROL, BULK), 9_002);
  assertEquals(fill(CONTROL, NORMAL, BULK), 18_004);
  assertEquals(fill(NORMAL, NORMAL, NORMAL, NORMAL), 27_006);
});

Deno.test("no lane starves: one that waited through enough records begins the next", () => {
  const lanes = new Lanes(64 << 20), into = new Reassembly(1 << 20);
  lanes.push(Lane.BULK, frame(100, 1), undefined);
  let records = 0, seen = false;
  while (!seen && records < 100) {
    while (lanes.push(Lane.CONTROL, frame(8_000, 2), undefined) && lanes.bytes < 1 << 20);
    lanes.push(Lane.NORMAL, frame(8_000, 3), undefined);
    seen = take(lanes, into).some((bytes) => bytes.length === 100);
    records++;
  }
  assertEquals(records, PATIENCE + 1);
});

Deno.test("whatever is queued comes out byte for byte, in order per lane", () => {
  const message = fc.record({
    lane: fc.constantFrom(Lane.CONTROL, Lane.NORMAL, Lane.BULK),
    head: fc.integer({ min: 1, max: 40 }),
    body: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 15_000, max: 90_000 })),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), fc.integer(), (messages, seed) => {
      const lanes = new Lanes(64 << 20), into = new Reassembly(1 << 20);
      const sent: Uint8Array[][] = [[], [], []], got: Uint8Array[][] = [[], [], []];
      messages.forEach(({ lane, head, body }, i) => {
        const whole = frame(head + body, seed + i);
        whole[1 % whole.length] = whole.length > 1 ? lane : whole[0]!;
        sent[lane]!.push(whole);
        lanes.push(lane, whole.subarray(0, head), body === 0 ? undefined : whole.subarray(head));
      });
      while (!lanes.empty) {
        for (const bytes of take(lanes, into)) {
          const lane = bytes.length > 1
            ? bytes[1]!
            : sent.findIndex((l) => l.some((m) => m.length === 1));
          got[lane]!.push(bytes);
        }
      }
      const several = (list: Uint8Array[][]): Uint8Array[][] =>
        list.map((lane) => lane.filter((bytes) => bytes.length > 1));
      assertEquals(several(got), several(sent));
      assertEquals(got.flat().length, sent.flat().length);
      assertEquals(lanes.bytes, 0);
    }),
    { numRuns: 40 },
  );
});

Deno.test("a reassembly refuses unknown lanes, empty chunks and more than its bound", () => {
  const chunk = (lane: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(1 + length);
    bytes[0] = lane;
    return bytes;
  };
  const into = new Reassembly(100_000);
  assertThrows(() => into.add(chunk(3, 10), 0, 11), WireError, "unknown lane");
  assertThrows(() => into.add(chunk(0x7f, 10), 0, 11), WireError, "unknown lane");
  assertThrows(() => into.add(chunk(0, 0), 0, 1), WireError, "empty chunk");
  for (let i = 0; i < 10; i++) into.add(chunk(0, 10_000), 0, 10_001);
  assertThrows(() => into.add(chunk(0, 1), 0, 2), WireError, "too large");
});

Deno.test("chunks of any sizes become the message that was cut, and one byte each costs no more than large ones", () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 15_000, max: 18_000 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), size)), (chunks) => {
      const into = new Reassembly(1 << 20, 0);
      const sent: number[][] = [[], [], []];
      chunks.push([0, 1], [1, 1], [2, 1]);
      chunks.forEach(([lane, length], i) => {
        const last = i >= chunks.length - 3;
        const record = Uint8Array.from({ length: 1 + length }, (_, at) => i + at);
        record[0] = last ? lane | 0x80 : lane;
        for (const byte of record.subarray(1)) sent[lane]!.push(byte);
        const whole = into.add(record, 0, record.length);
        into.finished(record, true);
        assertEquals(whole, last ? Uint8Array.from(sent[lane]!) : undefined);
      });
      assertEquals(into.held, 0);
    }),
    { numRuns: 50 },
  );
  const into = new Reassembly(4 << 20), chunk = Uint8Array.of(0, 65);
  const heap = () => {
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const before = heap();
  for (let i = 0; i < 1 << 20; i++) into.add(chunk, 0, 2);
  assertLessOrEqual(into.held, 2 << 20);
  // An array for each took 227 MB.
  assertLessOrEqual(heap() - before, 64e6);
});

Deno.test("the largest frame that is not cut fits behind the connection's own, and two large ones share a record", () => {
  const own = 16, largest = frame(CHUNK_BYTES, 1), out = new Uint8Array(RECORD + own);
  const lanes = new Lanes(1 << 20), into = new Reassembly(1 << 20);
  lanes.push(Lane.NORMAL, largest, undefined);
  assertEquals(lanes.fill(out, own, RECORD), own + 3 + largest.length);
  assert(lanes.empty);
  for (const size of [20_000, 30_000, 20_000]) lanes.push(Lane.NORMAL, frame(size, 2), undefined);
  const wide = new Uint8Array(60 * 1024);
  assertEquals(lanes.fill(wide, 0, RECORD, wide.length), 20_003 + 30_003);
  assertEquals(take(lanes, into), [frame(20_000, 2)]);
});

Deno.test("control in every record holds no large frame up, nor lets a slower lane overtake it", () => {
  const lanes = new Lanes(1 << 20), into = new Reassembly(1 << 20), out = new Uint8Array(60 * 1024);
  const slow = [frame(32_060, 1), frame(32_060, 2), frame(20, 3)];
  lanes.push(Lane.NORMAL, slow[0]!, undefined);
  lanes.push(Lane.NORMAL, slow[1]!, undefined);
  lanes.push(Lane.BULK, slow[2]!, undefined);
  const came: Uint8Array[] = [];
  let records = 0;
  for (; came.length < 3; records++) {
    assert(records < 16);
    lanes.push(Lane.CONTROL, frame(1_000, 9), undefined);
    const end = lanes.fill(out, 0, RECORD, out.length, 8_192), reader = new Reader(out, 0, end);
    // Control is read when all of its record has come.
    assertLessOrEqual(end, 8_192);
    while (reader.left > 0) {
      const bytes = reader.view(reader.varint());
      const whole = bytes[0] === Frame.CHUNK ? into.add(bytes, 1, bytes.length) : bytes;
      if (whole !== undefined && whole.length !== 1_000) came.push(whole.slice());
    }
  }
  assertEquals(came, slow);
  assertLessOrEqual(records, 10);
});

Deno.test("in a stream a record's memory goes back when its chunks are used, unless somebody else holds a part of it", () => {
  const into = new Reassembly(1 << 20, 100), large = 20_000;
  /** A record of chunks, each on its way on a lane: in front of every one its lane byte. */
  const add = (spent: boolean, ...chunks: [lane: number, length: number][]) => {
    const record = new Uint8Array(chunks.reduce((sum, [, length]) => sum + 1 + length, 0));
    const whole: Uint8Array[] = [];
    let at = 0;
    for (const [lane, length] of chunks) {
      record[at] = lane;
      record.fill(record.length % 251, at + 1, at + 1 + length);
      const message = into.add(record, at, at + 1 + length);
      if (message !== undefined) whole.push(message);
      at += 1 + length;
    }
    into.finished(record, spent);
    return { record, whole };
  };
  const last = 0x80;
  const first = add(true, [0, large], [1, large]);
  assertEquals(first.record.length, 2 * large + 2, "two messages need it");
  const second = add(true, [last, large], [2, 3_000]);
  assertEquals(first.record.length, 2 * large + 2, "one still does");
  assertEquals(second.record.length, 0, "what is copied at once needs no record");
  const third = add(false, [1 | last, large]);
  assertEquals([first.record.length, third.record.length], [0, large + 1]);
  add(true, [2 | last, 5]);
  assertEquals(
    second.whole[0],
    new Uint8Array(2 * large).fill((2 * large + 2) % 251, 0, large).fill(
      (large + 3_002) % 251,
      large,
    ),
  );
  assertEquals(third.whole[0]!.length, 2 * large);
  const small = add(true, [last, 1_000]);
  assertEquals(small.record.length, 1_001, "not worth the call");
});

Deno.test("records are left to the collector before a connection has carried much in chunks", () => {
  const into = new Reassembly(1 << 20, 50_000);
  const lengths = Array.from({ length: 4 }, () => {
    const record = new Uint8Array(1 + 20_000);
    record[0] = 0x80;
    into.add(record, 0, record.length);
    into.finished(record, true);
    return record.length;
  });
  assertEquals(lengths, [20_001, 20_001, 0, 0]);
});

Deno.test("the memory of a reassembly follows what arrived", () => {
  const into = new Reassembly(64 << 20);
  const chunk = new Uint8Array(CHUNK_BYTES + 1);
  for (let arrived = CHUNK_BYTES; arrived < 4 << 20; arrived += CHUNK_BYTES) {
    into.add(chunk, 0, chunk.length);
    assertLessOrEqual(into.held, 2 * arrived);
  }
});
