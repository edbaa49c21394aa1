/**
 * Deep equality as `@std/assert` has it.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";

/**
 * Whether two values are equal by value and type. Bytes are compared by content, whatever buffer they are a view of; a `Buffer`
 * does not equal a `Uint8Array`, since the constructor must match.
 */
export function equal(a: unknown, b: unknown): boolean {
  return same(a, b, new Map());
}

type Pairs = Map<object, Set<object>>;

function same(a: unknown, b: unknown, compared: Pairs): boolean {
  if (Object.is(a, b)) return true;
  // std takes 0 and -0 for equal
  if (typeof a === "number" && typeof b === "number") return a === b;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a.constructor !== b.constructor && !bothBare(a, b)) return false;
  if (ArrayBuffer.isView(a) || a instanceof ArrayBuffer) return sameBytes(a, b);
  if (a instanceof WeakMap || a instanceof WeakSet || a instanceof WeakRef) return false;
  // a pair that is being compared further up is taken for equal: a difference shows elsewhere
  const partners = compared.get(a);
  if (partners?.has(b)) return true;
  if (partners) partners.add(b);
  else compared.set(a, new Set([b]));
  if (a instanceof Date || a instanceof RegExp) return isDeepStrictEqual(a, b);
  if (a instanceof Number || a instanceof String || a instanceof Boolean) {
    return Object.is(a.valueOf(), b.valueOf());
  }
  if (a instanceof URL) return a.href === (b as URL).href;
  if (a instanceof Error && a.message !== (b as Error).message) return false;
  if (a instanceof Set) return sameMembers([...a], [...(b as Set<unknown>)], compared);
  if (a instanceof Map) return sameMembers([...a], [...(b as Map<unknown, unknown>)], compared);
  return sameFields(a, b, compared);
}

function bothBare(a: object, b: object): boolean {
  const bare = (value: object) => !value.constructor || value.constructor === Object;
  return bare(a) && bare(b);
}

function sameBytes(a: ArrayBufferView | ArrayBuffer, b: object): boolean {
  if (a instanceof ArrayBuffer) {
    return b instanceof ArrayBuffer && sameBytes(new Uint8Array(a), new Uint8Array(b));
  }
  const other = b as ArrayBufferView;
  if (a.byteLength !== other.byteLength) return false;
  if (a instanceof Float32Array || a instanceof Float64Array) {
    return a.every((value, i) => same(value, (other as Float64Array)[i], new Map()));
  }
  const left = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const right = new Uint8Array(other.buffer, other.byteOffset, other.byteLength);
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

function sameMembers(a: unknown[], b: unknown[], compared: Pairs): boolean {
  if (a.length !== b.length) return false;
  const open = [...b];
  for (const value of a) {
    // a failed attempt leaves pairs behind that were only assumed equal, hence a copy for each
    const at = open.findIndex((other) => same(value, other, copy(compared)));
    if (at < 0) return false;
    open.splice(at, 1);
  }
  return true;
}

function copy(compared: Pairs): Pairs {
  return new Map(Array.from(compared, ([key, partners]) => [key, new Set(partners)]));
}

function sameFields(a: object, b: object, compared: Pairs): boolean {
  const keys = Reflect.ownKeys(a).filter(isField(a));
  const others = Reflect.ownKeys(b).filter(isField(b));
  if (keys.length !== others.length) return false;
  return keys.every((key) =>
    Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key), compared)
  );
}

/** Own enumerable keys; of an error also its cause, not its stack. */
function isField(of: object): (key: PropertyKey) => boolean {
  return (key) =>
    Object.prototype.propertyIsEnumerable.call(of, key) || (of instanceof Error && key === "cause");
}
