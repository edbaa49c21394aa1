import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { shardOf } from "../src/shard_hash.ts";
import { fromHex } from "../src/wire/bytes.ts";
import vectors from "./vectors/shard_hash.json" with { type: "json" };

/** The documented formula by other means. */
function formula(key: Uint8Array, count: number): number {
  const hex = createHash("sha256").update(key).digest("hex").slice(0, 16);
  return Number(BigInt(`0x${hex}`) % BigInt(count));
}

Deno.test("shardOf gives what the vectors say, which are what the formula says", () => {
  assert(vectors.vectors.length >= 20);
  for (const { text, hex, count, shard } of vectors.vectors) {
    const key = fromHex(hex);
    assertEquals(formula(key, count), shard);
    assertEquals(shardOf(key, count), shard);
    if (text !== undefined) assertEquals(shardOf(text, count), shard, text);
  }
});

Deno.test("shardOf agrees with the formula on many keys and counts", () => {
  for (let i = 0; i < 2_000; i++) {
    const key = new TextEncoder().encode(`key ${i}`);
    const count = 1 + i * 7919 % 65_536;
    assertEquals(shardOf(key, count), formula(key, count));
  }
});

Deno.test("shardOf spreads keys evenly", () => {
  const counts = new Array(64).fill(0);
  for (let i = 0; i < 64_000; i++) counts[shardOf(`account ${i}`, 64)]++;
  // 1,000 each, standard deviation 31: six of them.
  assert(counts.every((count) => Math.abs(count - 1_000) < 190), String(counts));
});

Deno.test("shardOf refuses wrong arguments", () => {
  assertThrows(() => shardOf(7 as unknown as string, 4), TypeError);
  for (const count of [0, -1, 1.5, 65_537, NaN, Infinity, "4" as unknown as number]) {
    assertThrows(() => shardOf("key", count), RangeError);
  }
  assertEquals(shardOf("anything", 1), 0);
});
