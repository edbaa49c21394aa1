/**
 * Checks of what a user passes.
 *
 * @module
 */

/** TypeError unless `value` is an object that can hold options. */
export function checkOptions(value: unknown, what = "options"): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${what} must be an object`);
  }
}

/** The signal in options; TypeError where it or they are none. */
export function signalOf(options: { signal?: AbortSignal }): AbortSignal | undefined {
  checkOptions(options);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("signal must be an AbortSignal");
  }
  return signal;
}
