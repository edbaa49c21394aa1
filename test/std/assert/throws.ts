/**
 * Assertions on errors.
 *
 * @module
 */

import { AssertionError, say, show } from "./error.ts";

/** A class of errors, abstract ones included. */
// deno-lint-ignore no-explicit-any -- a constructor's parameters are contravariant: `unknown[]` would refuse most classes
export type ErrorClass<E extends Error = Error> = abstract new (...args: any[]) => E;

/** Asserts that a value is an error, of a class and with a message where these are given. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(say(`Expected an Error, not ${show(error)}`, msg));
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    const got = `${error.constructor.name}: ${error.message}`;
    throw new AssertionError(say(`Expected a ${ErrorClass.name}, not ${got}`, msg), {
      cause: error,
    });
  }
  if (msgMatches === undefined) return;
  const fits = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : new RegExp(msgMatches.source, msgMatches.flags.replace(/[gy]/g, "")).test(error.message);
  if (!fits) {
    const wanted = `Expected a message with ${show(msgMatches)}, not ${show(error.message)}`;
    throw new AssertionError(say(wanted, msg), { cause: error });
  }
}

/** Asserts that a function throws, and returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Asserts that a function throws an error of a class and with a message, and returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  let thrown: { error: unknown } | undefined;
  try {
    fn();
  } catch (error) {
    thrown = { error };
  }
  return checkThrown(thrown, "Expected function to throw", classOrMsg, msgIncludes, msg);
}

/** Asserts that a promise rejects, and resolves with the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Asserts that a promise rejects with an error of a class and with a message, and resolves with it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  let promise: unknown;
  try {
    promise = fn();
  } catch (error) {
    throw new AssertionError("Function throws when expected to reject", { cause: error });
  }
  let thrown: { error: unknown } | undefined;
  try {
    await promise;
  } catch (error) {
    thrown = { error };
  }
  return checkThrown(thrown, "Expected function to reject", classOrMsg, msgIncludes, msg);
}

function checkThrown<E extends Error>(
  thrown: { error: unknown } | undefined,
  otherwise: string,
  classOrMsg: ErrorClass<E> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  const ErrorClass = typeof classOrMsg === "string" ? undefined : classOrMsg;
  const words = typeof classOrMsg === "string" ? classOrMsg : msg;
  if (!thrown) throw new AssertionError(say(otherwise, words));
  if (ErrorClass) assertIsError(thrown.error, ErrorClass, msgIncludes, words);
  return thrown.error;
}
