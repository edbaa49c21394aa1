import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeOverlay,
  encodeOverlay,
  OVERLAY_TYPES,
  type OverlayMessage,
  SWAP_ANSWERS,
} from "../../src/wire/overlay_messages.ts";
import { type SignedRecord, signRecord } from "../../src/wire/record.ts";
import { encodeCbor } from "../../src/wire/cbor.ts";
import { toHex, WireError } from "../../src/wire/bytes.ts";

const record: fc.Arbitrary<SignedRecord> = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  seq: fc.maxSafeNat(),
  addresses: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 40 }), { maxLength: 3 }),
}).map(({ id, seq, addresses }) =>
  signRecord(
    { id: toHex(id), addresses, seq, ttlSeconds: 60, topics: [], shards: new Map() },
    () => new Uint8Array(64).fill(7),
  )
);
const records = fc.array(record, { maxLength: 4 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const peer = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);
const ttl = fc.integer({ min: 0, max: 255 });

const message: fc.Arbitrary<OverlayMessage> = fc.oneof(
  fc.record({ type: fc.constant("join" as const), record }),
  fc.record({ type: fc.constant("forward-join" as const), record, ttl }),
  fc.record({ type: fc.constant("neighbor" as const), record, high: fc.boolean() }),
  fc.record({
    type: fc.constant("neighbor-reply" as const),
    accepted: fc.boolean(),
    candidates: records,
  }),
  fc.record({ type: fc.constant("disconnect" as const), alive: fc.boolean(), candidates: records }),
  fc.record({
    type: fc.constant("shuffle" as const),
    walk: u32,
    origin: record,
    ttl,
    entries: records,
  }),
  fc.record({ type: fc.constant("shuffle-reply" as const), walk: u32, entries: records }),
  fc.constant({ type: "check" as const }),
  fc.record({
    type: fc.constant("optimization" as const),
    swap: u32,
    old: record,
    oldUs: u32,
    newUs: u32,
  }),
  fc.record({
    type: fc.constant("replace" as const),
    swap: u32,
    initiator: peer,
    old: record,
    oldUs: u32,
    newUs: u32,
  }),
  fc.record({ type: fc.constant("switch" as const), swap: u32, initiator: peer }),
  fc.record({
    type: fc.constant("swap-reply" as const),
    swap: u32,
    answer: fc.constantFrom(...SWAP_ANSWERS),
  }),
  fc.record({ type: fc.constantFrom("disconnect-wait" as const, "swapped" as const), swap: u32 }),
);

/** Decodes; true where it worked, false where a WireError came; anything else is thrown on. */
function decodes(bytes: Uint8Array): boolean {
  try {
    decodeOverlay(bytes, 16);
    return true;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}

const good = fc.sample(record, { numRuns: 1, seed: 4 })[0]!.encoded;

Deno.test("every overlay message comes back as it was", () => {
  fc.assert(fc.property(message, (sent) => {
    assertEquals(decodeOverlay(encodeOverlay(sent), 16), sent);
  }));
});

Deno.test("every type of overlay message has its own number", () => {
  assertEquals(new Set(OVERLAY_TYPES).size, 14);
  assertEquals([...encodeOverlay({ type: "check" })], [0x81, 7]);
});

Deno.test("random bytes are a WireError or a message, never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decodes(bytes);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a mutated overlay message is a WireError or a message, never anything else", () => {
  const mutation = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(message, mutation, (sent, changes) => {
      const bytes = encodeOverlay(sent);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      decodes(bytes);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("a cut overlay message is refused", () => {
  fc.assert(fc.property(message, fc.nat(), (sent, cut) => {
    const bytes = encodeOverlay(sent);
    assertEquals(decodes(bytes.subarray(0, cut % bytes.length)), false);
  }));
});

Deno.test("a field of the wrong shape is refused", () => {
  const bad: unknown[] = [
    null,
    7,
    {},
    [],
    ["join", good],
    [14],
    [-1],
    [0.5],
    [0],
    [0, "record"],
    [0, good, 1],
    [1, good, -1],
    [1, good, 256],
    [1, good, 1.5],
    [1, good, "6"],
    [2, good, 1],
    [3, true, good],
    [3, 1, []],
    [4, true, {}],
    [5, good, 6],
    [5, [], 6, []],
    [6, "entries"],
    [6, [[good]]],
    [7, 0],
    [8, 1, good, 2],
    [8, -1, good, 2, 3],
    [8, 1, good, 2 ** 32, 3],
    [8, 1, good, 2, 0.5],
    [9, 1, good.subarray(0, 31), good, 2, 3],
    [9, 1, "peer", good, 2, 3],
    [10, 1, good.subarray(0, 33)],
    [11, 1, 5],
    [11, 1, true],
    [12],
    [13, 2 ** 32],
  ];
  for (const value of bad) {
    assertThrows(() => decodeOverlay(encodeCbor(value), 16), WireError);
  }
});

Deno.test("one bad record in a list makes the message bad", () => {
  assert(decodes(encodeCbor([6, 1, [good, good]])));
  assertEquals(decodes(encodeCbor([6, 1, [good, good.subarray(1)]])), false);
});

Deno.test("a list is cut at the limit and what is beyond it is not decoded", () => {
  const list = [...Array.from({ length: 16 }, () => good), "not a record"];
  const decoded = decodeOverlay(encodeCbor([6, 1, list]), 16);
  assert(decoded.type === "shuffle-reply");
  assertEquals(decoded.entries.length, 16);
  assertThrows(() => decodeOverlay(encodeCbor([6, 1, list]), 17), WireError);
});
