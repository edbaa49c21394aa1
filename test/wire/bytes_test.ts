import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  fromHex,
  MAX_VARINT_BYTES,
  Reader,
  toHex,
  varintSize,
  WireError,
  writeVarint,
} from "../../src/wire/bytes.ts";

const EDGES = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER];

function varint(value: number): Uint8Array {
  const out = new Uint8Array(MAX_VARINT_BYTES);
  return out.subarray(0, writeVarint(out, 0, value));
}

Deno.test("a varint reads back as what was written, in as many bytes as foretold", () => {
  const check = (value: number) => {
    const bytes = varint(value);
    assertEquals(bytes.length, varintSize(value));
    assertLessOrEqual(bytes.length, MAX_VARINT_BYTES);
    const reader = new Reader(bytes);
    assertEquals(reader.varint(), value);
    reader.done();
  };
  EDGES.forEach(check);
  fc.assert(fc.property(fc.maxSafeNat(), check));
});

Deno.test("a varint has one form: padded, too long and too large ones are refused", () => {
  for (
    const [bytes, why] of [
      [[0x80, 0x00], "padded varint"],
      [[0xff, 0x80, 0x00], "padded varint"],
      [Array(8).fill(0xff), "varint too long"],
      [[...Array(7).fill(0x80), 0x10], "varint too long"], // 2^53
      [[...Array(8).fill(0x80), 0x01], "varint too long"],
      [Array(100_000).fill(0x80), "varint too long"],
      [[], "truncated"],
      [[0x80], "truncated"],
    ] as const
  ) {
    assertThrows(() => new Reader(new Uint8Array(bytes)).varint(), WireError, why);
  }
});

Deno.test("any bytes read as a varint either fail with WireError or are the form of their value", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 10 }), (bytes) => {
    const reader = new Reader(bytes);
    let value: number;
    try {
      value = reader.varint();
    } catch (error) {
      return error instanceof WireError;
    }
    assertEquals(varint(value), bytes.slice(0, reader.at));
    return true;
  }));
});

Deno.test("a Reader sees nothing outside its bounds", () => {
  const bytes = new Uint8Array([9, 1, 2, 3, 9]);
  const reader = new Reader(bytes, 1, 4);
  assertEquals(reader.left, 3);
  assertEquals(reader.u8(), 1);
  assertThrows(() => reader.view(3), WireError, "truncated");
  assertEquals(reader.view(2), new Uint8Array([2, 3]));
  assertThrows(() => reader.u8(), WireError, "truncated");
  assertEquals(reader.view(0), new Uint8Array(0));
  assertEquals(reader.rest(), new Uint8Array(0));
  reader.done();
});

Deno.test("a Reader refuses bounds outside its bytes", () => {
  const bytes = new Uint8Array(4);
  for (const [start, end] of [[0, 5], [-1, 4], [3, 2], [5, 5], [NaN, 4], [0, NaN]]) {
    assertThrows(() => new Reader(bytes, start, end), WireError, "out of bounds");
  }
});

Deno.test("a failed read does not move a Reader backwards or past its end", () => {
  for (const length of [-1, -5, NaN, 6, Infinity, Number.MAX_SAFE_INTEGER]) {
    const reader = new Reader(new Uint8Array(8), 0, 8);
    reader.view(3);
    assertThrows(() => reader.view(length), WireError, "truncated");
    assertEquals(reader.at, 3);
  }
});

Deno.test("a view and the rest share memory with what is read", () => {
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const reader = new Reader(bytes);
  const [first, rest] = [reader.view(2), reader.rest()];
  bytes[0] = 7;
  bytes[3] = 8;
  assertEquals([...first, ...rest], [7, 2, 3, 8]);
});

Deno.test("done throws while bytes are left", () => {
  const reader = new Reader(new Uint8Array(1));
  assertThrows(() => reader.done(), WireError, "trailing bytes");
  reader.u8();
  reader.done();
});

Deno.test("hex reads back as what was written, in either case", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    const text = toHex(bytes);
    assert(/^([0-9a-f]{2})*$/.test(text));
    assertEquals(fromHex(text), bytes);
    assertEquals(fromHex(text.toUpperCase()), bytes);
  }));
  assertEquals(toHex(new Uint8Array([0, 171, 255, 16]), 1, 3), "abff");
});

Deno.test("hex is the same where the runtime does not write it", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const native = toHex(bytes, 3, 200);
  Object.defineProperty(bytes, "toHex", { value: undefined });
  assertEquals(toHex(bytes, 3, 200), native);
});

Deno.test("what is not hex is refused", () => {
  for (const text of ["0", "0g", "0x", " 00", "00\n", "-1", "٠٠", "0 "]) {
    assertThrows(() => fromHex(text), WireError, "not hex");
  }
});
