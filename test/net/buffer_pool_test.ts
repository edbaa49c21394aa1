import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BufferPool } from "../../src/net/buffer_pool.ts";

Deno.test("a pool gives the last buffer back first, keeps no more than it may, and none of another size", () => {
  const pool = new BufferPool(64, 2);
  const [a, b, c] = [pool.take(), pool.take(), pool.take()];
  assertEquals([a.length, b.length, c.length], [64, 64, 64]);
  assert(a !== b && b !== c);
  pool.give(new Uint8Array(63));
  for (const buffer of [a, b, c]) pool.give(buffer);
  assertStrictEquals(pool.take(), b);
  assertStrictEquals(pool.take(), a);
  assert(![a, b, c].includes(pool.take()), "the third was one too many");
});
