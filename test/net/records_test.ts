import { assert, assertEquals, assertThrows } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { RecordReader, STRANGER_BUFFER } from "../../src/net/records.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import type { Duplex } from "../../src/net/duplex.ts";
import { writeAll } from "./helper.ts";

async function pair(split?: (n: number) => number): Promise<[Duplex, Duplex]> {
  const streams = new MemoryNetwork({ split });
  const listener = streams.listen({ hostname: "127.0.0.1", port: 1 });
  const left = await streams.connect("127.0.0.1", 1, new AbortController().signal);
  const right = (await listener.accept())!;
  listener.close();
  return [left, right];
}

function record(length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(2 + length).fill(fill);
  bytes[0] = length >> 8;
  bytes[1] = length & 255;
  return bytes;
}

Deno.test("records come out whole however the stream is cut", async () => {
  let size = 1;
  const [left, right] = await pair((n) => Math.min(n, size = size * 7 % 4_999 + 1));
  const lengths = [0, 1, 300, 65_535, 17, 40_000, 2, 65_535];
  const writing = (async () => {
    for (const [i, length] of lengths.entries()) await writeAll(left, record(length, i));
    await left.closeWrite();
  })();
  const reader = new RecordReader(right, 65_535), got: number[] = [];
  do {
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      assert(next.every((byte) => byte === got.length));
      got.push(next.length);
    }
  } while (await reader.fill());
  assertEquals(got, lengths);
  assert(reader.between);
  await writing;
  left.close(), right.close();
});

Deno.test("a stranger's record that is too long is refused before it is buffered", async () => {
  const [left, right] = await pair();
  const reader = new RecordReader(right, 192);
  await writeAll(left, record(60_000, 1));
  await reader.fill();
  assertThrows(() => reader.next(), GossipError, "a record of 60000 bytes");
  assertEquals(reader.capacity, STRANGER_BUFFER);
  left.close(), right.close();
});

/** Sends one record and reads it. */
function passer(from: Duplex, reader: RecordReader): (length: number) => Promise<void> {
  return async (length) => {
    const writing = writeAll(from, record(length, 0));
    while (reader.next() === undefined) await reader.fill();
    await writing;
  };
}

Deno.test("the read buffer grows under load and shrinks when it is calm", async () => {
  const [left, right] = await pair();
  const reader = new RecordReader(right, 65_535);
  const pass = passer(left, reader);
  for (let i = 0; i < 20; i++) await pass(65_535);
  assert(reader.capacity >= 64 * 1024);
  for (let i = 0; i < 15; i++) await pass(20);
  assert(reader.capacity >= 64 * 1024);
  for (let i = 0; i < 150; i++) await pass(20);
  assertEquals(reader.capacity, STRANGER_BUFFER);
  left.close(), right.close();
});

Deno.test("the read buffer of a link that went quiet shrinks after two looks, with the next read", async () => {
  const [left, right] = await pair();
  const reader = new RecordReader(right, 65_535);
  const pass = passer(left, reader);
  await pass(30_000);
  reader.look();
  await pass(20);
  assert(reader.capacity >= 32 * STRANGER_BUFFER, "what was just read may come again");
  reader.look();
  await pass(20);
  assertEquals(reader.capacity, STRANGER_BUFFER);
  await pass(30_000);
  left.close(), right.close();
});

Deno.test("a stream of records of one size settles on one buffer", async () => {
  const [left, right] = await pair();
  const reader = new RecordReader(right, 65_535);
  const pass = passer(left, reader), sizes = new Set<number>();
  for (let i = 0; i < 100; i++) {
    await pass(1_100);
    if (i >= 20) sizes.add(reader.capacity);
  }
  assertEquals([...sizes], [2 * STRANGER_BUFFER]);
  left.close(), right.close();
});
