import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertNotStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { fromHex, WireError } from "../../src/wire/bytes.ts";
import { decodeCbor, encodeCbor, MAX_CBOR_DEPTH } from "../../src/wire/cbor.ts";

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    false,
    2 ** 32,
    2 ** 53 - 1,
    -(2 ** 31),
    -(2 ** 40),
  ),
  fc.integer(),
  fc.double({ noNaN: true }).map((value) => value + 0),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 40 }),
);

/** Everything that this CBOR carries. */
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "grapheme", maxLength: 6 }), tie("value"), { maxKeys: 5 }),
  ),
})).value.filter((value) => !JSON.stringify([value])?.includes('"__proto__"'));

/** Whether a decoded value consists of nothing but what the module promises. */
function isPlain(value: unknown): boolean {
  if (value === null || ["undefined", "boolean", "number", "string"].includes(typeof value)) {
    return true;
  }
  if (value instanceof Uint8Array) return value.constructor === Uint8Array;
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isPlain);
}

function wireErrorOrPlain(bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decodeCbor(bytes);
  } catch (error) {
    assertInstanceOf(error, WireError);
    return;
  }
  assert(isPlain(value));
}

Deno.test("CBOR gives back every plain value", () => {
  fc.assert(fc.property(plain, (value) => {
    assertEquals(decodeCbor(encodeCbor(value)), value);
  }));
});

Deno.test("what encodeCbor returns is the caller's own", () => {
  const first = encodeCbor([1, 2, 3]);
  const kept = first.slice();
  assertNotStrictEquals(encodeCbor([4, 5, 6]).buffer, first.buffer);
  assertEquals(first, kept);
});

Deno.test("every truncation of CBOR, and every byte behind it, is a WireError", () => {
  fc.assert(
    fc.property(plain, (value) => {
      const bytes = encodeCbor(value);
      for (let end = 0; end < bytes.length; end++) {
        assertThrows(() => decodeCbor(bytes.subarray(0, end)), WireError);
      }
      assertThrows(() => decodeCbor(new Uint8Array([...bytes, 0])), WireError, "trailing bytes");
    }),
    { numRuns: 50 },
  );
});

Deno.test("mutated CBOR is a plain value or a WireError, nothing else", () => {
  fc.assert(
    fc.property(plain, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
      const bytes = encodeCbor(value);
      bytes[at % bytes.length]! ^= flip;
      wireErrorOrPlain(bytes);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("random bytes as CBOR are a plain value or a WireError, nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), wireErrorOrPlain), { numRuns: 2_000 });
});

Deno.test("RFC 8949 examples of the subset decode to their values", () => {
  for (
    const [hex, value] of [
      ["00", 0],
      ["17", 23],
      ["1818", 24],
      ["1903e8", 1000],
      ["1a000f4240", 1_000_000],
      ["1b000000e8d4a51000", 1_000_000_000_000],
      ["1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
      ["20", -1],
      ["3903e7", -1000],
      ["f93c00", 1],
      ["fa47c35000", 100_000],
      ["fb3ff199999999999a", 1.1],
      ["f4", false],
      ["f6", null],
      ["f7", undefined],
      ["4401020304", new Uint8Array([1, 2, 3, 4])],
      ["6449455446", "IETF"],
      ["62c3bc", "ü"],
      ["64f0908591", "\u{10151}"],
      ["8301820203820405", [1, [2, 3], [4, 5]]],
      ["a26161016162820203", { a: 1, b: [2, 3] }],
    ] as const
  ) {
    assertEquals(decodeCbor(fromHex(hex)), value, hex);
  }
});

Deno.test("CBOR outside the subset is refused", () => {
  for (
    const [hex, why] of [
      ["c11a514b67b0", "CBOR tag"], // a date
      ["c249010000000000000000", "CBOR tag"], // a big number
      ["d9010280", "CBOR tag"], // a set
      ["d81b8263646566", "CBOR tag"], // an object by class name
      ["d8338080", "CBOR tag"], // a table of packed values
      ["9f01ff", "CBOR length without end"],
      ["5f4101ff", "CBOR length without end"],
      ["7f6161ff", "CBOR length without end"],
      ["bfff", "CBOR length without end"],
      ["1c", "CBOR length without end"],
      ["ff", "CBOR simple value"],
      ["e0", "CBOR simple value"],
      ["f814", "CBOR simple value"],
      ["f8ff", "CBOR simple value"],
      ["1b0020000000000000", "CBOR integer too large"],
      ["1bffffffffffffffff", "CBOR integer too large"],
      ["3b0000000000000000", "CBOR integer too small"],
      ["a10101", "CBOR key is not text"],
      ["a1410101", "CBOR key is not text"],
      ["a1800101", "CBOR key is not text"],
      ["61ff", "CBOR text is not UTF-8"],
      ["63eda080", "CBOR text is not UTF-8"], // a lone surrogate
      ["62c080", "CBOR text is not UTF-8"], // an overlong zero
    ] as const
  ) {
    assertThrows(() => decodeCbor(fromHex(hex)), WireError, why, hex);
  }
});

Deno.test("lengths that the bytes do not hold are refused without room being made for them", () => {
  const heads = [
    "9a01ffffff",
    "9affffffff",
    "9b001fffffffffffff",
    "ba01ffffff",
    "5affffffff",
    "7affffffff",
  ];
  for (const head of heads) {
    const bomb = fromHex(head.repeat(MAX_CBOR_DEPTH));
    const before = Deno.memoryUsage().heapTotal;
    for (let i = 0; i < 100; i++) assertThrows(() => decodeCbor(bomb), WireError);
    assertLess(Deno.memoryUsage().heapTotal - before, 64 * 1024 * 1024);
  }
});

Deno.test("CBOR nests as deep as the bound and no deeper", () => {
  const nested = (depth: number) => new Uint8Array([...Array(depth).fill(0x81), 0x01]);
  let value = decodeCbor(nested(MAX_CBOR_DEPTH));
  for (let i = 0; i < MAX_CBOR_DEPTH; i++) value = (value as unknown[])[0];
  assertEquals(value, 1);
  assertThrows(() => decodeCbor(nested(MAX_CBOR_DEPTH + 1)), WireError, "CBOR too deep");
  assertThrows(() => decodeCbor(nested(1_000_000)), WireError, "CBOR too deep");
});

Deno.test("a key __proto__ pollutes nothing", () => {
  const key = new TextEncoder().encode("__proto__");
  const bytes = new Uint8Array([0xa1, 0x60 + key.length, ...key, 0xa1, 0x61, 0x78, 0x01]);
  const value = decodeCbor(bytes) as Record<string, unknown>;
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
  assertEquals(value.x, undefined);
  assertEquals(({} as Record<string, unknown>).x, undefined);
});

Deno.test("encodeCbor refuses what decodeCbor would not give back", () => {
  const circular: unknown[] = [];
  circular.push(circular);
  for (
    const value of [
      () => 1,
      Symbol("s"),
      new Date(0),
      /x/,
      new Map([[1, 2]]),
      new Set([1]),
      new Float32Array(1),
      2n ** 53n,
      2n ** 70n,
      -(2n ** 40n),
      "\ud800",
      { "\udfff": 1 },
      circular,
    ]
  ) {
    assertThrows(() => encodeCbor(value), TypeError);
  }
});

Deno.test("decoding leaves the bytes and the view as they were", () => {
  const bytes = encodeCbor({ a: [1, "ü", new Uint8Array([7])] });
  const kept = bytes.slice();
  decodeCbor(bytes);
  assertEquals(bytes, kept);
  assertEquals(Object.keys(bytes).length, bytes.length);
});
