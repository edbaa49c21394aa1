import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotInstanceOf,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { strict } from "node:assert";

// What judges the assertions here is node:assert: they must not vouch for themselves.
const passes = (check: () => unknown) => strict.doesNotThrow(check);
const fails = (check: () => unknown, text = /./) =>
  strict.throws(check, (error) => error instanceof AssertionError && text.test(error.message));

class Point {
  constructor(readonly x: number) {}
}

Deno.test("equal compares by value and type", () => {
  const cause = new Error("why");
  const alike: [unknown, unknown][] = [
    [1, 1],
    [NaN, NaN],
    [0, -0],
    ["a", "a"],
    [[1, [2]], [1, [2]]],
    [{ a: 1, b: { c: 2 } }, { b: { c: 2 }, a: 1 }],
    [Object.create(null), {}],
    [new Point(1), new Point(1)],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new URL("http://a/"), new URL("http://a")],
    [new Map([["a", [1]], ["b", [2]]]), new Map([["b", [2]], ["a", [1]]])],
    [new Set([[1], [2]]), new Set([[2], [1]])],
    [new Error("x", { cause }), new Error("x", { cause })],
    [new Uint8Array([1, 2]), new Uint8Array([0, 1, 2, 3]).subarray(1, 3)],
    [new Float64Array([NaN]), new Float64Array([NaN])],
    [new Uint8Array([1]).buffer, new Uint8Array([1]).buffer],
    [Buffer.from([1]), Buffer.from([1])],
  ];
  for (const [a, b] of alike) {
    strict.ok(equal(a, b), Deno.inspect([a, b]));
    passes(() => assertEquals(a, b));
    fails(() => assertNotEquals(a, b));
  }
  const unlike: [unknown, unknown][] = [
    [1, 2],
    [1, "1"],
    [1, 1n],
    [null, undefined],
    [null, {}],
    [[1, 2], [2, 1]],
    [[1], [1, undefined]],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [{ a: 1 }, { a: 2 }],
    [new Point(1), { x: 1 }],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [new URL("http://a/"), new URL("http://b/")],
    [new Map([["a", 1]]), new Map([["a", 2]])],
    [new Set([[1], [1]]), new Set([[1], [2]])],
    [new Error("x"), new Error("y")],
    [new Error("x"), new TypeError("x")],
    [new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    [new Uint8Array([1]), new Uint8Array([1, 0])],
    [new Uint8Array([1]), Buffer.from([1])],
    [new Uint8Array([1]), new Int8Array([1])],
    [new Uint8Array([1]), [1]],
    [() => 1, () => 1],
    [new WeakMap(), new WeakMap()],
  ];
  for (const [a, b] of unlike) {
    strict.ok(!equal(a, b), Deno.inspect([a, b]));
    fails(() => assertEquals(a, b), /not equal/);
    passes(() => assertNotEquals(a, b));
  }
});

Deno.test("equal ends on values that contain themselves", () => {
  const loop = (end: number) => {
    const value: Record<string, unknown> = { end };
    value.self = value;
    return value;
  };
  strict.ok(equal(loop(1), loop(1)));
  strict.ok(!equal(loop(1), loop(2)));
});

Deno.test("assertEquals shows both values and the caller's words", () => {
  fails(() => assertEquals({ a: 1 }, { a: 2 }, "the sum"), /the sum[^]*\{ a: 1 \}[^]*\{ a: 2 \}/);
});

Deno.test("the assertions on plain values hold what they say", () => {
  passes(() => assert(1));
  fails(() => assert("", "words"), /words/);
  passes(() => assertFalse(0));
  fails(() => assertFalse([]));
  passes(() => assertStrictEquals(NaN, NaN));
  fails(() => assertStrictEquals<unknown>([], []));
  fails(() => assertStrictEquals(0, -0));
  passes(() => assertNotStrictEquals([], []));
  fails(() => assertNotStrictEquals(1, 1));
  passes(() => assertAlmostEquals(0.1 + 0.2, 0.3));
  passes(() => assertAlmostEquals(10, 12, 2));
  fails(() => assertAlmostEquals(10, 12.1, 2));
  fails(() => assertAlmostEquals(NaN, 1, 2));
  passes(() => assertExists(0));
  fails(() => assertExists(null));
  fails(() => assertExists(undefined));
});

Deno.test("the assertions on order are exact at the bound", () => {
  passes(() => assertGreater(2, 1));
  fails(() => assertGreater(1, 1));
  passes(() => assertGreaterOrEqual(1, 1));
  fails(() => assertGreaterOrEqual(0, 1));
  passes(() => assertLess(1, 2));
  fails(() => assertLess(1, 1));
  passes(() => assertLessOrEqual(1, 1));
  fails(() => assertLessOrEqual(2, 1));
  for (const check of [assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual]) {
    fails(() => check(NaN, 1));
  }
});

Deno.test("the assertions on text and lists hold what they say", () => {
  const sticky = /b/g;
  for (let i = 0; i < 3; i++) passes(() => assertMatch("abc", sticky));
  fails(() => assertMatch("abc", /^b/));
  passes(() => assertNotMatch("abc", /^b/));
  fails(() => assertNotMatch("abc", /b/));
  passes(() => assertStringIncludes("abc", "bc"));
  fails(() => assertStringIncludes("abc", "cb"));
  passes(() => assertArrayIncludes([[1], [2]], [[2]]));
  passes(() => assertArrayIncludes(new Uint8Array([1, 2]), new Uint8Array([2])));
  fails(() => assertArrayIncludes([1, 2], [3]), /3/);
});

Deno.test("the assertions on classes and shapes hold what they say", () => {
  passes(() => assertInstanceOf(new Point(1), Point));
  fails(() => assertInstanceOf({ x: 1 }, Point), /Point/);
  passes(() => assertNotInstanceOf({}, Point));
  fails(() => assertNotInstanceOf(new Point(1), Point));
  passes(() => assertObjectMatch({ a: { b: 1, c: [1, 2] }, d: 2 }, { a: { c: [1, 2] } }));
  fails(() => assertObjectMatch({ a: { b: 1 } }, { a: { b: 2 } }));
  fails(() => assertObjectMatch({ a: 1 }, { b: undefined }));
  fails(() => assertObjectMatch({ a: [1, 2] }, { a: [1] }));
});

Deno.test("assertThrows wants a throw, of the class and with the text", () => {
  const boom = () => {
    throw new TypeError("boom");
  };
  strict.equal(assertThrows(boom, TypeError, "oo").message, "boom");
  strict.ok(assertThrows(boom, Error) instanceof TypeError);
  strict.ok(assertThrows(boom) instanceof TypeError);
  fails(() => assertThrows(() => 1), /to throw/);
  fails(() => assertThrows(() => 1, "words"), /words/);
  fails(() => assertThrows(boom, RangeError), /TypeError: boom/);
  fails(() => assertThrows(boom, TypeError, "bang"), /bang/);
  fails(() => assertThrows(() => assertThrows(() => 1), TypeError));
  strict.equal(
    assertThrows(() => {
      throw undefined;
    }),
    undefined,
  );
});

Deno.test("assertRejects wants a rejection, of the class and with the text", async () => {
  const boom = () => Promise.reject(new TypeError("boom"));
  strict.equal((await assertRejects(boom, TypeError, "oo")).message, "boom");
  strict.ok(await assertRejects(boom) instanceof TypeError);
  for (
    const check of [
      () => assertRejects(() => Promise.resolve()),
      () => assertRejects(boom, RangeError),
      () => assertRejects(boom, TypeError, "bang"),
      () =>
        assertRejects(() => {
          throw new TypeError("boom");
        }, TypeError),
    ]
  ) {
    await strict.rejects(check, AssertionError);
  }
});

Deno.test("assertIsError, fail and unreachable", () => {
  passes(() => assertIsError(new TypeError("boom"), Error, /^bo/));
  fails(() => assertIsError("boom"));
  fails(() => assertIsError(new Error("boom"), TypeError));
  fails(() => assertIsError(new Error("boom"), Error, /^oo/));
  fails(() => fail("words"), /words/);
  fails(() => unreachable());
});
