import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { hash } from "node:crypto";
import { WireError } from "../../src/wire/bytes.ts";
import {
  buildGossip,
  gossipDigest,
  gossipHead,
  gossipShape,
  laneOf,
  type Priority,
  priorityLane,
  readGossip,
  readIncarnation,
  signedBytes,
  signedOrigin,
} from "../../src/wire/gossip.ts";
import { sha256 } from "./sha256.ts";

const key = new Uint8Array(32).fill(3);
const priority = fc.constantFrom<Priority>("high", "normal", "bulk");

Deno.test("a gossip body reads back as it was built", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.maxSafeNat(),
      fc.boolean(),
      priority,
      fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      (payload, seq, signed, priority, incarnation) => {
        const author = new Uint8Array(32).fill(5);
        const origin = signed ? signedOrigin(author, incarnation) : new Uint8Array(8).fill(6);
        const signature = new Uint8Array(64).fill(8);
        let over: Uint8Array | undefined;
        const sign = signed
          ? (message: Uint8Array) => {
            over = message;
            return signature;
          }
          : undefined;
        const digest = new Uint8Array(32);
        const body = buildGossip(
          { origin, seq, priority, payload, key, hash: sha256, sign },
          digest,
        );
        const shape = gossipShape();
        const framed = new Uint8Array(body.length + 9);
        framed.set(body, 4);
        readGossip(shape, framed, 4, 4 + body.length, 300);
        assertEquals([shape.signed, shape.seq, shape.lane], [signed, seq, priorityLane(priority)]);
        assertEquals(laneOf(body), shape.lane);
        assertEquals(framed.subarray(shape.payloadAt, 4 + body.length), payload);
        const again = new Uint8Array(32);
        gossipDigest(sha256, key, framed, shape.originAt, 4 + body.length, again);
        assertEquals(again, digest);
        const plain = new Uint8Array([...key, ...body.subarray(shape.originAt - 4)]);
        assertEquals(digest, new Uint8Array(hash("sha256", plain, "buffer") as Uint8Array));
        if (signed) {
          assertEquals(readIncarnation(framed, shape.originAt), incarnation);
          assertEquals(over, signedBytes(digest));
          assertEquals(body.subarray(1, 65), signature);
        }
      },
    ),
  );
});

Deno.test("the signature is no part of the id, everything else behind it is", () => {
  const origin = signedOrigin(new Uint8Array(32), 7);
  const parts = { origin, seq: 1, priority: "normal" as const, payload: new Uint8Array(4), key };
  const id = (body: Uint8Array) => {
    const digest = new Uint8Array(32);
    gossipDigest(sha256, key, body, 66, body.length, digest);
    return digest;
  };
  const body = buildGossip(
    { ...parts, hash: sha256, sign: () => new Uint8Array(64) },
    new Uint8Array(32),
  );
  for (let i = 1; i < body.length; i++) {
    const other = body.slice();
    other[i]! ^= 1;
    if (i < 66) assertEquals(id(other), id(body));
    else assertNotEquals(id(other), id(body));
  }
});

Deno.test("large bodies are hashed like small ones", () => {
  for (const size of [2_000, 3_000, 4_106, 4_107, 20_000, 300_000, 1_000_000, 100]) {
    const bytes = new Uint8Array(size).map((_, i) => i * 7);
    const digest = new Uint8Array(32), plain = new Uint8Array(32 + size - 10);
    plain.set(key);
    plain.set(bytes.subarray(10), 32);
    gossipDigest(sha256, key, bytes, 10, size, digest);
    assertEquals(digest, new Uint8Array(hash("sha256", plain, "buffer") as Uint8Array));
    // Without some bytes in the middle, too.
    gossipDigest(sha256, key, bytes, 10, size, digest, 30, 50);
    const rest = new Uint8Array([...plain.subarray(0, 52), ...plain.subarray(72)]);
    assertEquals(digest, new Uint8Array(hash("sha256", rest, "buffer") as Uint8Array));
  }
});

Deno.test("a gossip body of any bytes is read or refused with a WireError", () => {
  const shape = gossipShape();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), (bytes) => {
      try {
        readGossip(shape, bytes, 0, bytes.length, 20);
        assert(shape.payloadAt <= bytes.length && bytes.length - shape.payloadAt <= 20);
        assert(shape.seq <= Number.MAX_SAFE_INTEGER);
      } catch (error) {
        assert(error instanceof WireError);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("padded counters, unknown flags and oversize payloads are refused", () => {
  const shape = gossipShape();
  const read = (...bytes: number[]) => readGossip(shape, new Uint8Array(bytes), 0, bytes.length, 2);
  const origin = [1, 2, 3, 4, 5, 6, 7, 8];
  read(0, ...origin, 1, 9, 9);
  assertThrows(() => read(0, ...origin, 1, 9, 9, 9), WireError, "too large");
  assertThrows(() => read(0, ...origin, 0x81, 0), WireError, "padded");
  assertThrows(() => read(0, ...origin), WireError, "truncated");
  assertThrows(() => read(6, ...origin, 1), WireError, "flags");
  assertThrows(() => read(7, ...origin, 1), WireError, "flags");
  read(128, ...origin, 1);
  assertEquals(shape.marked, true);
  read(5 << 3, 7, ...origin, 1);
  assertEquals([shape.tree, shape.depth, shape.marked], [5, 7, false]);
  assertThrows(() => read(0, ...origin, ...new Array(9).fill(0xff)), WireError);
  const rest = new Array(38 + 2).fill(1), signature = new Array(64).fill(1);
  read(1, ...signature, 0, ...rest);
  read(1, ...signature, 2, 3, ...new Array(64).fill(1), ...rest);
  assertThrows(() => read(1, ...signature, 2, 4, ...new Array(64), ...rest), WireError, "place");
  assertThrows(() => read(1, ...signature, 6, 1, ...new Array(192), ...rest), WireError, "way");
  assertThrows(() => read(1, ...signature), WireError, "truncated");
  assertThrows(() => read(1, ...signature, 5, 1, ...rest), WireError, "truncated");
});

Deno.test("the head is kind, alias and hops", () => {
  assertEquals([...gossipHead(300, 4, 9)], [0x14, 0xac, 0x02, 4, 9]);
});
