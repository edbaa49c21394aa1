import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { simPeerId, simSha256, simSign, simVerify } from "../../src/testing/sim_crypto.ts";
import { Rng } from "../../src/testing/rng.ts";
import { toHex } from "../../src/wire/bytes.ts";

function digest(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  front?: Uint8Array,
): string {
  const out = new Uint8Array(34);
  simSha256(bytes, start, end, out, 1, front);
  assertEquals([out[0], out[33]], [0, 0]);
  return toHex(out, 1, 33);
}

Deno.test("the modelled hash depends on every bit and on the length, and on nothing else", () => {
  const rng = new Rng(1);
  const seen = new Set<string>();
  let count = 0;
  for (let length = 0; length < 70; length++) {
    const bytes = rng.fill(new Uint8Array(length));
    const plain = digest(bytes);
    seen.add(plain), count++;
    seen.add(digest(new Uint8Array(length))), count++;
    if (length === 0) count--;
    for (let bit = 0; bit < length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      seen.add(digest(flipped)), count++;
    }
    const shifted = new Uint8Array(length + 8);
    shifted.set(bytes, 5);
    assertEquals(digest(shifted, 5, 5 + length), plain);
    if (length >= 32) assertEquals(digest(bytes, 32, length, bytes.subarray(0, 32)), plain);
  }
  assertEquals(seen.size, count);
});

Deno.test("a 20-byte prefix of the modelled hash has no collision among 200,000 counters", () => {
  const seen = new Set<string>();
  const bytes = new Uint8Array(24), out = new Uint8Array(32);
  for (let i = 0; i < 200_000; i++) {
    new DataView(bytes.buffer).setUint32(20, i);
    simSha256(bytes, 0, 24, out, 0);
    seen.add(toHex(out, 0, 8));
  }
  assertEquals(seen.size, 200_000);
});

Deno.test("a modelled signature holds for its author and message only", () => {
  const a = simPeerId(1, 0), b = simPeerId(1, 1);
  assertNotEquals(a, b);
  assert(/^[0-9a-f]{64}$/.test(a));
  const message = new TextEncoder().encode("a message of some length, more than one round");
  const signature = simSign(a, message);
  assertEquals(signature.length, 64);
  assert(simVerify(a, message, signature));
  assert(!simVerify(b, message, signature));
  assert(!simVerify(a, message.subarray(1), signature));
  for (let i = 0; i < 64; i++) {
    const bad = signature.slice();
    bad[i]! ^= 1;
    assert(!simVerify(a, message, bad));
  }
  assert(!simVerify(a, message, new Uint8Array(0)));
});
