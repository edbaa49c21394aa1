import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertNotStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { fromHex, WireError } from "../../src/wire/bytes.ts";
import { encodeCbor } from "../../src/wire/cbor.ts";
import {
  decodeRecord,
  type PeerRecord,
  RECORD_LABEL,
  RECORD_LIMITS,
  signRecord,
  verifyRecord,
} from "../../src/wire/record.ts";

const ID = "ab".repeat(32);

/** Stands for an ed25519 key: deterministic, bound to the author and to every byte. */
function signatureOf(author: string, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha512").update(author).update(message).digest());
}
const sign = (message: Uint8Array) => signatureOf(ID, message);
const verify = (author: string, message: Uint8Array, signature: Uint8Array) =>
  signatureOf(author, message).every((byte, i) => byte === signature[i]);

function record(parts: Partial<PeerRecord> = {}): PeerRecord {
  return {
    id: ID,
    addresses: ["127.0.0.1:7946", "node.example:7946"],
    seq: 1_790_000_000_000,
    ttlSeconds: 60,
    topics: ["blocks", "größe"],
    shards: new Map([["tx", { count: 12, bits: new Uint8Array([0x81, 0x08]) }]]),
    ...parts,
  };
}

/** A record of any fields at all under a good signature, as a hostile peer would send it. */
function forged(fields: unknown): Uint8Array {
  const unsigned = encodeCbor(fields);
  const message = new Uint8Array([...RECORD_LABEL, ...unsigned]);
  return new Uint8Array([...unsigned, ...sign(message)]);
}

const FIELDS = [1, fromHex(ID), 7, 60, ["h:1"], ["t"], [["s", 8, new Uint8Array(1)]]] as const;

function withField(at: number, value: unknown): unknown[] {
  return FIELDS.map((field, i) => i === at ? value : field);
}

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const records: fc.Arbitrary<PeerRecord> = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) =>
    bytes.reduce((hex, byte) => hex + byte.toString(16).padStart(2, "0"), "")
  ),
  addresses: fc.uniqueArray(text, { maxLength: RECORD_LIMITS.addresses }),
  seq: fc.maxSafeNat(),
  ttlSeconds: fc.nat({ max: 86_400 }),
  topics: fc.uniqueArray(text, { maxLength: 12 }),
  shards: fc.uniqueArray(fc.tuple(text, fc.integer({ min: 1, max: 64 }), fc.nat()), {
    maxLength: 5,
    selector: ([name]) => name,
  }).map((sets) =>
    new Map(sets.map(([name, count, shard]) => {
      const bits = new Uint8Array(Math.ceil(count / 8));
      bits[(shard % count) >> 3] = 1 << (shard % count % 8);
      return [name, { count, bits }];
    }))
  ),
});

Deno.test("a record reads back as what was signed", () => {
  fc.assert(fc.property(records, (parts) => {
    const signed = signRecord(parts, sign);
    assertEquals(signed, { ...parts, encoded: signed.encoded });
    assertEquals(decodeRecord(signed.encoded), signed);
  }));
});

Deno.test("a signed record keeps nothing that its maker may change later", () => {
  const bits = new Uint8Array([1]);
  const topics = ["a"];
  const signed = signRecord(record({ topics, shards: new Map([["s", { count: 8, bits }]]) }), sign);
  topics.push("b");
  bits[0] = 0xff;
  assertEquals(signed.topics, ["a"]);
  assertEquals(signed.shards.get("s")!.bits, new Uint8Array([1]));
});

Deno.test("a decoded record does not hold on to the frame that it came in", () => {
  const { encoded } = signRecord(record(), sign);
  const frame = new Uint8Array(encoded.length + 10);
  frame.set(encoded, 5);
  const decoded = decodeRecord(frame.subarray(5, 5 + encoded.length));
  frame.fill(0xee);
  assertNotStrictEquals(decoded.encoded.buffer, frame.buffer);
  assertEquals(decoded.encoded, encoded);
  assertEquals(decoded.shards.get("tx")!.bits, new Uint8Array([0x81, 0x08]));
});

Deno.test("the signature covers every byte of a record", () => {
  const { encoded } = signRecord(record(), sign);
  assert(verifyRecord(decodeRecord(encoded), verify));
  let read = 0;
  for (let at = 0; at < encoded.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bytes = encoded.slice();
      bytes[at]! ^= flip;
      try {
        const decoded = decodeRecord(bytes);
        read++;
        assertFalse(verifyRecord(decoded, verify), `byte ${at} ^ ${flip}`);
      } catch (error) {
        assertInstanceOf(error, WireError);
      }
    }
  }
  assert(read > 3 * 64, "the bytes of the signature, at least, decode whatever they are");
});

Deno.test("a record's signature is under a label of its own", () => {
  let message = new Uint8Array(0);
  const { encoded } = signRecord(record(), (bytes) => {
    message = bytes.slice();
    return sign(bytes);
  });
  assertEquals(new TextDecoder().decode(RECORD_LABEL), "plumtree/1 record\0");
  assertEquals(message, new Uint8Array([...RECORD_LABEL, ...encoded.subarray(0, -64)]));
});

Deno.test("a record under another peer's signature does not verify", () => {
  const other = "cd".repeat(32);
  const signed = signRecord(record({ id: other }), sign);
  assertFalse(verifyRecord(signed, verify));
});

Deno.test("every truncation of a record is a WireError", () => {
  const { encoded } = signRecord(record(), sign);
  for (let end = 0; end < encoded.length; end++) {
    assertThrows(() => decodeRecord(encoded.subarray(0, end)), WireError);
  }
  assertThrows(() => decodeRecord(new Uint8Array([...encoded, 0])), WireError);
});

Deno.test("random bytes as a record are a WireError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assertThrows(() => decodeRecord(bytes), WireError);
  }));
});

Deno.test("any CBOR under a good signature is a record or a WireError", () => {
  const value = fc.oneof(fc.anything({ withDate: false, maxDepth: 2 }), fc.uint8Array());
  fc.assert(fc.property(fc.nat({ max: 6 }), value, (at, junk) => {
    let bytes: Uint8Array;
    try {
      bytes = forged(withField(at, junk));
    } catch (error) {
      assertInstanceOf(error, TypeError);
      return;
    }
    try {
      const decoded = decodeRecord(bytes);
      assertEquals(Object.keys(decoded).length, 7);
    } catch (error) {
      assertInstanceOf(error, WireError);
    }
  }));
});

Deno.test("a record of the wrong shape is refused", () => {
  const long = (bytes: number) => "x".repeat(bytes);
  const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
  const set = (...parts: unknown[]) => withField(6, [parts]);
  for (
    const [fields, why] of [
      [{}, "bad record"],
      [FIELDS.slice(0, 6), "bad record"],
      [[...FIELDS, 0], "bad record"],
      [withField(0, 2), "unknown record version"],
      [withField(1, new Uint8Array(31)), "bad id"],
      [withField(1, ID), "bad id"],
      ...[-1, 1.5, NaN, Infinity, 2 ** 53, "7", null].map((n) => [withField(2, n), "bad number"]),
      [withField(3, 86_400 * 365 + 1), "bad number"],
      [withField(4, many(RECORD_LIMITS.addresses + 1)), "bad list"],
      [withField(4, [long(RECORD_LIMITS.addressLength + 1)]), "bad text"],
      [withField(4, [""]), "bad text"],
      [withField(4, [1]), "bad text"],
      [withField(4, ["h:1", "h:1"]), "duplicate"],
      [withField(5, many(RECORD_LIMITS.topics + 1)), "bad list"],
      [withField(5, { length: 1 }), "bad list"],
      [withField(5, ["é".repeat(128)]), "bad text"], // 128 units, 256 bytes
      [withField(5, ["t", "t"]), "duplicate"],
      [withField(6, many(RECORD_LIMITS.shardSets + 1)), "bad shard sets"],
      [withField(6, null), "bad shard sets"],
      [set("s", 8), "bad shard set"],
      [set("", 8, new Uint8Array(1)), "bad shard set name"],
      [set("s", RECORD_LIMITS.shardCount + 1, new Uint8Array(8193)), "bad shard count"],
      [set("s", 8, new Uint8Array(2)), "bad shard bits"],
      [set("s", 8, [1]), "bad shard bits"],
      [set("s", 4, new Uint8Array([0x10])), "bits past the last shard"],
      [withField(6, [FIELDS[6][0], FIELDS[6][0]]), "duplicate"],
    ] as [unknown, string][]
  ) {
    assertThrows(() => decodeRecord(forged(fields)), WireError, why);
  }
});

Deno.test("a record at its bounds is read: they are in bytes, not in UTF-16 units", () => {
  const topics = ["x".repeat(255), "é".repeat(127) + "x", "\u{1f333}".repeat(63)];
  const addresses = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(262));
  assertEquals(decodeRecord(forged(withField(5, topics))).topics, topics);
  assertEquals(decodeRecord(forged(withField(4, addresses))).addresses, addresses);
  assertThrows(() => decodeRecord(forged(withField(5, ["\u{1f333}".repeat(64)]))), WireError);
  assertThrows(() => decodeRecord(forged(withField(5, ["é".repeat(128)]))), WireError);
  assertThrows(() => decodeRecord(forged(withField(5, ["€".repeat(86)]))), WireError);
});

Deno.test("a record from another encoder, with 64-bit integers, is read", () => {
  // seq as 0x1b; this library writes it as a floating-point number
  const unsigned = fromHex(`87015820${ID}1b0000019000000000183c8163683a3181617480`);
  const bytes = new Uint8Array([...unsigned, ...new Uint8Array(64)]);
  const decoded = decodeRecord(bytes);
  assertEquals([decoded.seq, decoded.ttlSeconds, decoded.topics], [0x190_0000_0000, 60, ["t"]]);
});

Deno.test("a record over the byte bound is refused before it is decoded", () => {
  assertThrows(() => decodeRecord(new Uint8Array(RECORD_LIMITS.bytes + 1)), WireError, "length");
  assertThrows(() => decodeRecord(new Uint8Array(64)), WireError, "length");
});

Deno.test("a record that no peer would accept is not signed", () => {
  const topics = Array.from({ length: 200 }, (_, i) => `${i}-${"x".repeat(200)}`);
  for (const parts of [{ topics }, { seq: -1 }, { addresses: [""] }, { topics: ["a", "a"] }]) {
    assertThrows(() => signRecord(record(parts), sign), RangeError, "RECORD_LIMITS");
  }
});
