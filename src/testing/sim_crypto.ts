/**
 * Stand-ins for SHA-256 and ed25519 that cost next to nothing: the simulator models who signed what, it does not compute it.
 *
 * Nothing here is secure: whoever knows an id can sign for it. Accidental collisions are as rare as with 128 random bits.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import type { Crypto } from "../node_host.ts";
import { mix32, Rng } from "./rng.ts";

// The four lanes of the hash under way; one thread, never used across a call.
const lanes = new Int32Array(4);

function begin(seed: number): void {
  lanes[0] = 0x243f6a88 ^ seed;
  lanes[1] = 0x85a308d3 + seed;
  lanes[2] = 0x13198a2e ^ seed;
  lanes[3] = 0x03707344 - seed;
}

/** Absorbs `bytes[start, end)`, 16 bytes a round: the rounds of murmur3's 128-bit form. */
function absorb(bytes: Uint8Array, start: number, end: number): void {
  let a = lanes[0]!, b = lanes[1]!, c = lanes[2]!, d = lanes[3]!;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    let k = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    k = Math.imul(k, 0x239b961b);
    a ^= Math.imul((k << 15) | (k >>> 17), 0xab0e9789 | 0);
    a = (Math.imul(((a << 19) | (a >>> 13)) + b | 0, 5) + 0x561ccd1b) | 0;
    k = bytes[at + 4]! | bytes[at + 5]! << 8 | bytes[at + 6]! << 16 | bytes[at + 7]! << 24;
    k = Math.imul(k, 0xab0e9789 | 0);
    b ^= Math.imul((k << 16) | (k >>> 16), 0x38b34ae5);
    b = (Math.imul(((b << 17) | (b >>> 15)) + c | 0, 5) + 0x0bcaa747) | 0;
    k = bytes[at + 8]! | bytes[at + 9]! << 8 | bytes[at + 10]! << 16 | bytes[at + 11]! << 24;
    k = Math.imul(k, 0x38b34ae5);
    c ^= Math.imul((k << 17) | (k >>> 15), 0xa1e38b93 | 0);
    c = (Math.imul(((c << 15) | (c >>> 17)) + d | 0, 5) + 0x96cd1c35) | 0;
    k = bytes[at + 12]! | bytes[at + 13]! << 8 | bytes[at + 14]! << 16 | bytes[at + 15]! << 24;
    k = Math.imul(k, 0xa1e38b93 | 0);
    d ^= Math.imul((k << 18) | (k >>> 14), 0x239b961b);
    d = (Math.imul(((d << 13) | (d >>> 19)) + a | 0, 5) + 0x32ac3b17) | 0;
  }
  for (; at < end; at++) {
    const e = Math.imul(a ^ bytes[at]!, 0x9e3779b1 | 0);
    a = b;
    b = c;
    c = d;
    d = ((e << 13) | (e >>> 19)) + b | 0;
  }
  lanes[0] = a;
  lanes[1] = b;
  lanes[2] = c;
  lanes[3] = d;
}

function absorbText(text: string): void {
  let a = lanes[0]!, b = lanes[1]!;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(((b << 5) | (b >>> 27)) ^ unit, 0x9e3779b1 | 0);
  }
  lanes[0] = a;
  lanes[1] = b;
}

/** Writes `words` 32-bit words of digest at `at`. */
function squeeze(length: number, out: Uint8Array, at: number, words: number): void {
  let a = lanes[0]! ^ length,
    b = lanes[1]! ^ length,
    c = lanes[2]! ^ length,
    d = lanes[3]! ^ length;
  a = a + b + c + d | 0;
  b = mix32(b + a);
  c = mix32(c + a);
  d = mix32(d + a);
  a = mix32(a);
  b = b + a | 0, c = c + b | 0, d = d + c | 0, a = a + d | 0;
  for (let i = 0; i < words; i++) {
    // The first four words carry all of the state; the others only have to look different.
    const word = i < 4
      ? (i === 0 ? a : i === 1 ? b : i === 2 ? c : d)
      : mix32((i % 4 === 0 ? b : i % 4 === 1 ? c : i % 4 === 2 ? d : a) + Math.imul(i, 0x9e3779b1));
    out[at++] = word;
    out[at++] = word >>> 8;
    out[at++] = word >>> 16;
    out[at++] = word >>> 24;
  }
}

/**
 * Takes the place of `Host.sha256`: 32 bytes that depend on every byte of `bytes[start, end)`, at `out[at]`.
 *
 * @param bytes What to hash.
 * @param start Its first byte.
 * @param end The byte behind it.
 * @param out Where the digest goes.
 * @param at Its first byte there.
 * @param front What is hashed before it, a multiple of 16 bytes.
 */
export function simSha256(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  front?: Uint8Array,
): void {
  begin(0);
  // Whole rounds of 16 bytes, so that it makes no difference whether both lie together.
  if (front !== undefined) absorb(front, 0, front.length);
  absorb(bytes, start, end);
  squeeze((front?.length ?? 0) + end - start, out, at, 8);
}

/** Takes the place of `Host.sign`: 64 bytes that {@linkcode simVerify} accepts for this author and message only. */
export function simSign(author: PeerId, message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  begin(0x51676e21);
  absorbText(author);
  absorb(message, 0, message.length);
  squeeze(message.length, signature, 0, 16);
  return signature;
}

const expected = new Uint8Array(64);

/** Takes the place of `Host.verify`. Never throws. */
export function simVerify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  begin(0x51676e21);
  absorbText(author);
  absorb(message, 0, message.length);
  squeeze(message.length, expected, 0, 16);
  for (let i = 0; i < 64; i++) if (expected[i] !== signature[i]) return false;
  return true;
}

/** An id for the `index`-th simulated node of a seed: 64 hex digits that look like a public key. */
export function simPeerId(seed: number | string, index: number): PeerId {
  const rng = new Rng(seed).fork(index);
  let id = "";
  for (let i = 0; i < 8; i++) id += rng.uint32().toString(16).padStart(8, "0");
  return id;
}

/** What simulated nodes hash and check with. They share decoded records, and each one is checked once. */
export const simCrypto: Crypto = {
  sha256: simSha256,
  verify: simVerify,
  proven: new WeakSet(),
};
