/**
 * Checks of what a user passes.
 *
 * @module
 */

/** The names of options, each true: the compiler sees to it that none is missing. */
export type OptionNames<T> = { readonly [K in keyof Required<T>]: true };

/** Of calls that take nothing but a signal. */
export const SIGNAL: OptionNames<{ signal?: AbortSignal }> = { signal: true };

/** TypeError unless `value` is an object that can hold options. */
export function checkObject(value: unknown, what: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${what} must be an object`);
  }
}

/** The same, and for an option that is not among `names`: a misspelt one would be taken for its default. */
export function checkOptions<T>(
  value: T,
  names: OptionNames<NoInfer<T>>,
  what = "options",
): void {
  checkObject(value, what);
  for (const name of Object.keys(value as object)) {
    if (Object.hasOwn(names, name) || value[name as keyof T] === undefined) continue;
    throw new TypeError(`${what}.${name} is not an option`);
  }
}

/** The signal in options; TypeError where it or they are none. */
export function signalOf<T extends { signal?: AbortSignal }>(
  options: T,
  names: OptionNames<NoInfer<T>>,
): AbortSignal | undefined {
  checkOptions(options, names);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("signal must be an AbortSignal");
  }
  return signal;
}
