/**
 * The error that every assertion throws, and what goes into its message.
 *
 * @module
 */

import { AssertionError as NodeAssertionError } from "node:assert";
import { inspect } from "node:util";

/** A failed assertion. */
export class AssertionError extends NodeAssertionError {
  /** Makes one; `actual` and `expected` are for tools that show the difference. */
  constructor(
    message: string,
    options: ErrorOptions & { actual?: unknown; expected?: unknown } = {},
  ) {
    super({ message, actual: options.actual, expected: options.expected });
    this.name = "AssertionError";
    if (options.cause !== undefined) this.cause = options.cause;
  }
}

/** Fails. */
export function fail(msg?: string): never {
  throw new AssertionError(say("Failed assertion", msg));
}

/** Fails where the code should not have come to. */
export function unreachable(msg?: string): never {
  throw new AssertionError(say("Unreachable", msg));
}

/** The text of a failure with the caller's own words behind it. */
export function say(what: string, msg?: string): string {
  return msg ? `${what}: ${msg}` : what;
}

/** A value for people. */
export function show(value: unknown): string {
  return inspect(value, { depth: 8, maxArrayLength: 200, maxStringLength: 4_000, sorted: true });
}
