import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { hash } from "node:crypto";
import { Batch, MOST_HEIGHT, rootOf, signedRoot, wayBytes } from "../../src/wire/batch.ts";
import { sha256 } from "./sha256.ts";

function digests(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(32).fill(i + 1));
}

function rootFrom(digest: Uint8Array, way: Uint8Array): Uint8Array {
  const root = new Uint8Array(32);
  rootOf(sha256, digest, way, 0, root);
  return root;
}

function wayOf(batch: Batch, place: number): Uint8Array {
  const way = new Uint8Array(wayBytes(batch.height));
  batch.writeWay(place, way, 0);
  return way;
}

Deno.test("from every message of a batch of any size its way leads to the root", () => {
  for (let count = 2; count <= 2 ** MOST_HEIGHT; count++) {
    const leaves = digests(count), batch = new Batch(sha256, leaves);
    assertEquals(batch.height, Math.ceil(Math.log2(count)));
    leaves.forEach((digest, place) =>
      assertEquals(rootFrom(digest, wayOf(batch, place)), batch.root)
    );
  }
});

Deno.test("a way with any other bit, or of another message, leads elsewhere", () => {
  const leaves = digests(11), batch = new Batch(sha256, leaves);
  fc.assert(
    fc.property(fc.nat(10), fc.nat(8 * wayBytes(4) - 9), (place, bit) => {
      const way = wayOf(batch, place);
      way[1 + (bit >> 3)]! ^= 1 << (bit & 7);
      // Of the place only the four bits that choose sides count; `readGossip` refuses the others.
      if (way[1]! < 16) assertNotEquals(rootFrom(leaves[place]!, way), batch.root);
      const other = leaves[(place + 1) % leaves.length]!;
      assertNotEquals(rootFrom(other, wayOf(batch, place)), batch.root);
    }),
  );
});

Deno.test("a batch has two to 32 messages, and its signature is no message's", () => {
  assertThrows(() => new Batch(sha256, []), RangeError);
  assertThrows(() => new Batch(sha256, digests(1)), RangeError);
  assertThrows(() => new Batch(sha256, digests(33)), RangeError);
  const { root } = new Batch(sha256, digests(2));
  assertEquals(new TextDecoder().decode(signedRoot(root).subarray(0, 17)), "plumtree/1 batch\0");
  assertEquals(signedRoot(root).subarray(17), root);
});

Deno.test("a knot is the hash of its label and its branches", () => {
  const [a, b] = digests(2) as [Uint8Array, Uint8Array];
  const plain = [...new TextEncoder().encode("plumtree/1 knot\0"), ...a, ...b];
  const tied = new Uint8Array(hash("sha256", new Uint8Array(plain), "buffer") as Uint8Array);
  assertEquals(new Batch(sha256, [a, b]).root, tied);
});
