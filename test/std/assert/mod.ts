/**
 * Stand-in for `jsr:@std/assert`: the std names, signatures and meaning, over `node:assert` and `node:util`, for builds that
 * cannot reach JSR. Only what this project's tests, examples and doc snippets use.
 *
 * @module
 */

import { AssertionError, say, show } from "./error.ts";
import { equal } from "./equal.ts";

export { AssertionError, fail, unreachable } from "./error.ts";
export { equal } from "./equal.ts";
export * from "./throws.ts";

/** Any constructor, abstract ones included. */
// deno-lint-ignore no-explicit-any -- a constructor's parameters are contravariant: `unknown[]` would refuse most classes
export type AnyConstructor = abstract new (...args: any[]) => unknown;

/** What {@linkcode assertArrayIncludes} looks into. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** What is falsy. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Asserts that `expr` is falsy. */
export function assertFalse(expr: unknown, msg?: string): asserts expr is Falsy {
  if (expr) throw new AssertionError(say("Expected a falsy value", msg));
}

/** Asserts that two values are equal by value and type: for objects deeply, with the same constructor. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  differ(`Values are not equal`, actual, expected, msg);
}

/** Asserts that two values are not equal in the sense of {@linkcode assertEquals}. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(say(`Expected a value other than ${show(expected)}`, msg));
}

/** Asserts that two values are the same in the sense of `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  differ("Values are not strictly equal", actual, expected, msg);
}

/** Asserts that two values are not the same in the sense of `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!Object.is(actual, expected)) return;
  throw new AssertionError(say(`Expected a value not strictly equal to ${show(expected)}`, msg));
}

/** Asserts that two numbers are at most `tolerance` apart; by default 1e-7 of `expected`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const most = tolerance ?? (isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Math.abs(expected - actual) <= most) return;
  throw new AssertionError(say(`Expected ${actual} to be within ${most} of ${expected}`, msg));
}

/** Asserts that a value is neither null nor undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    throw new AssertionError(say(`Expected ${actual} to be neither null nor undefined`, msg));
  }
}

/** Asserts `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  throw new AssertionError(say(`Expected ${show(actual)} > ${show(expected)}`, msg));
}

/** Asserts `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual >= expected) return;
  throw new AssertionError(say(`Expected ${show(actual)} >= ${show(expected)}`, msg));
}

/** Asserts `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  throw new AssertionError(say(`Expected ${show(actual)} < ${show(expected)}`, msg));
}

/** Asserts `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual <= expected) return;
  throw new AssertionError(say(`Expected ${show(actual)} <= ${show(expected)}`, msg));
}

/** Asserts that a string matches a pattern. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (matches(actual, expected)) return;
  throw new AssertionError(say(`Expected ${show(actual)} to match ${expected}`, msg));
}

/** Asserts that a string does not match a pattern. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!matches(actual, expected)) return;
  throw new AssertionError(say(`Expected ${show(actual)} not to match ${expected}`, msg));
}

/** Asserts that a string contains another. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(say(`Expected ${show(actual)} to contain ${show(expected)}`, msg));
}

/** Asserts that every element of `expected` has an equal one in `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const held = Array.from(actual);
  const missing = Array.from(expected).filter((value) =>
    !held.some((other) => equal(other, value))
  );
  if (missing.length === 0) return;
  throw new AssertionError(say(`Expected ${show(actual)} to include ${show(missing)}`, msg));
}

/** Asserts that a value was made by a class. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  throw new AssertionError(
    say(`Expected an instance of ${expectedType.name}, not ${show(actual)}`, msg),
  );
}

/** Asserts that a value was not made by a class. */
export function assertNotInstanceOf<A, T>(
  actual: A,
  // deno-lint-ignore no-explicit-any -- as in AnyConstructor
  unexpectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is Exclude<A, T> {
  if (!(actual instanceof unexpectedType)) return;
  throw new AssertionError(say(`Expected no instance of ${unexpectedType.name}`, msg));
}

/** Asserts that everything in `expected` is in `actual` too, deeply; `actual` may have more. */
export function assertObjectMatch(
  actual: Record<PropertyKey, unknown>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  if (covers(actual, expected)) return;
  differ("The object does not match", actual, expected, msg);
}

function covers(actual: unknown, expected: unknown): boolean {
  if (!isPlain(expected)) {
    if (!Array.isArray(expected)) return equal(actual, expected);
    return Array.isArray(actual) && actual.length === expected.length &&
      expected.every((value, i) => covers(actual[i], value));
  }
  if (typeof actual !== "object" || actual === null) return false;
  return Reflect.ownKeys(expected).every((key) =>
    key in actual && covers(Reflect.get(actual, key), expected[key])
  );
}

function isPlain(value: unknown): value is Record<PropertyKey, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function matches(text: string, pattern: RegExp): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}

function differ(what: string, actual: unknown, expected: unknown, msg?: string): never {
  throw new AssertionError(
    `${say(what, msg)}\n  actual:   ${show(actual)}\n  expected: ${show(expected)}`,
    { actual, expected },
  );
}
