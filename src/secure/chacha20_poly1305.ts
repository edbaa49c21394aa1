/**
 * ChaCha20-Poly1305 after RFC 8439, in plain numbers and without garbage: for short records, for which every call of the runtime's makes
 * two streams, and for all of them where the runtime has none.
 *
 * @module
 */

import { poly1305Finish, poly1305Start, poly1305Update } from "./poly1305.ts";

const BLOCK = 64;
const TAG = 16;
/** "expand 32-byte k". */
const C0 = 0x61707865, C1 = 0x3320646e, C2 = 0x79622d32, C3 = 0x6b206574;

// Nothing here awaits, so that one of each does for all calls; every call leaves them wiped.
const words = new Int32Array(12);
const stream = new Uint8Array(BLOCK);
const oneTimeKey = new Uint8Array(32);
const lengths = new Uint8Array(16);
const computed = new Uint8Array(TAG);

function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

/** Takes key and nonce in; the word at 8 is the counter. */
function setUp(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== 32) throw new RangeError("a key has 32 bytes");
  if (nonce.length !== 12) throw new RangeError("a nonce has 12 bytes");
  for (let i = 0; i < 8; i++) words[i] = readWord(key, 4 * i);
  for (let i = 0; i < 3; i++) words[9 + i] = readWord(nonce, 4 * i);
}

/** Section 2.3: the key stream of one block, the first `size` bytes of it xor `input`, to `out`. */
function block(
  counter: number,
  input: Uint8Array,
  from: number,
  size: number,
  out: Uint8Array,
  at: number,
): void {
  const k0 = words[0]!, k1 = words[1]!, k2 = words[2]!, k3 = words[3]!;
  const k4 = words[4]!, k5 = words[5]!, k6 = words[6]!, k7 = words[7]!;
  const n0 = words[9]!, n1 = words[10]!, n2 = words[11]!;
  let x0 = C0, x1 = C1, x2 = C2, x3 = C3, x4 = k0, x5 = k1, x6 = k2, x7 = k3;
  let x8 = k4, x9 = k5, x10 = k6, x11 = k7, x12 = counter | 0, x13 = n0, x14 = n1, x15 = n2;
  for (let round = 0; round < 10; round++) {
    // Four quarter rounds down the columns, four along the diagonals.
    x0 = (x0 + x4) | 0, x12 ^= x0, x12 = x12 << 16 | x12 >>> 16;
    x8 = (x8 + x12) | 0, x4 ^= x8, x4 = x4 << 12 | x4 >>> 20;
    x0 = (x0 + x4) | 0, x12 ^= x0, x12 = x12 << 8 | x12 >>> 24;
    x8 = (x8 + x12) | 0, x4 ^= x8, x4 = x4 << 7 | x4 >>> 25;
    x1 = (x1 + x5) | 0, x13 ^= x1, x13 = x13 << 16 | x13 >>> 16;
    x9 = (x9 + x13) | 0, x5 ^= x9, x5 = x5 << 12 | x5 >>> 20;
    x1 = (x1 + x5) | 0, x13 ^= x1, x13 = x13 << 8 | x13 >>> 24;
    x9 = (x9 + x13) | 0, x5 ^= x9, x5 = x5 << 7 | x5 >>> 25;
    x2 = (x2 + x6) | 0, x14 ^= x2, x14 = x14 << 16 | x14 >>> 16;
    x10 = (x10 + x14) | 0, x6 ^= x10, x6 = x6 << 12 | x6 >>> 20;
    x2 = (x2 + x6) | 0, x14 ^= x2, x14 = x14 << 8 | x14 >>> 24;
    x10 = (x10 + x14) | 0, x6 ^= x10, x6 = x6 << 7 | x6 >>> 25;
    x3 = (x3 + x7) | 0, x15 ^= x3, x15 = x15 << 16 | x15 >>> 16;
    x11 = (x11 + x15) | 0, x7 ^= x11, x7 = x7 << 12 | x7 >>> 20;
    x3 = (x3 + x7) | 0, x15 ^= x3, x15 = x15 << 8 | x15 >>> 24;
    x11 = (x11 + x15) | 0, x7 ^= x11, x7 = x7 << 7 | x7 >>> 25;
    x0 = (x0 + x5) | 0, x15 ^= x0, x15 = x15 << 16 | x15 >>> 16;
    x10 = (x10 + x15) | 0, x5 ^= x10, x5 = x5 << 12 | x5 >>> 20;
    x0 = (x0 + x5) | 0, x15 ^= x0, x15 = x15 << 8 | x15 >>> 24;
    x10 = (x10 + x15) | 0, x5 ^= x10, x5 = x5 << 7 | x5 >>> 25;
    x1 = (x1 + x6) | 0, x12 ^= x1, x12 = x12 << 16 | x12 >>> 16;
    x11 = (x11 + x12) | 0, x6 ^= x11, x6 = x6 << 12 | x6 >>> 20;
    x1 = (x1 + x6) | 0, x12 ^= x1, x12 = x12 << 8 | x12 >>> 24;
    x11 = (x11 + x12) | 0, x6 ^= x11, x6 = x6 << 7 | x6 >>> 25;
    x2 = (x2 + x7) | 0, x13 ^= x2, x13 = x13 << 16 | x13 >>> 16;
    x8 = (x8 + x13) | 0, x7 ^= x8, x7 = x7 << 12 | x7 >>> 20;
    x2 = (x2 + x7) | 0, x13 ^= x2, x13 = x13 << 8 | x13 >>> 24;
    x8 = (x8 + x13) | 0, x7 ^= x8, x7 = x7 << 7 | x7 >>> 25;
    x3 = (x3 + x4) | 0, x14 ^= x3, x14 = x14 << 16 | x14 >>> 16;
    x9 = (x9 + x14) | 0, x4 ^= x9, x4 = x4 << 12 | x4 >>> 20;
    x3 = (x3 + x4) | 0, x14 ^= x3, x14 = x14 << 8 | x14 >>> 24;
    x9 = (x9 + x14) | 0, x4 ^= x9, x4 = x4 << 7 | x4 >>> 25;
  }
  writeWord(stream, 0, x0 + C0), writeWord(stream, 4, x1 + C1);
  writeWord(stream, 8, x2 + C2), writeWord(stream, 12, x3 + C3);
  writeWord(stream, 16, x4 + k0), writeWord(stream, 20, x5 + k1);
  writeWord(stream, 24, x6 + k2), writeWord(stream, 28, x7 + k3);
  writeWord(stream, 32, x8 + k4), writeWord(stream, 36, x9 + k5);
  writeWord(stream, 40, x10 + k6), writeWord(stream, 44, x11 + k7);
  writeWord(stream, 48, x12 + (counter | 0)), writeWord(stream, 52, x13 + n0);
  writeWord(stream, 56, x14 + n1), writeWord(stream, 60, x15 + n2);
  for (let i = 0; i < size; i++) out[at + i] = input[from + i]! ^ stream[i]!;
}

function crypt(
  counter: number,
  input: Uint8Array,
  size: number,
  out: Uint8Array,
  at: number,
): void {
  for (let from = 0; from < size; from += BLOCK) {
    block(counter++, input, from, Math.min(BLOCK, size - from), out, at + from);
  }
}

function wipe(): void {
  words.fill(0);
  stream.fill(0);
  oneTimeKey.fill(0);
  computed.fill(0);
}

/** Section 2.4: `input` xor the key stream from block `counter` on, written to `out` at `at`. */
export function chacha20(
  key: Uint8Array,
  nonce: Uint8Array,
  counter: number,
  input: Uint8Array,
  out: Uint8Array,
  at = 0,
): void {
  setUp(key, nonce);
  crypt(counter, input, input.length, out, at);
  wipe();
}

/** Section 2.8: writes the tag over `ad` and the ciphertext in `bytes[at, at + size)` to `computed`, under the one-time key of block 0. */
function authenticate(ad: Uint8Array, bytes: Uint8Array, at: number, size: number): void {
  oneTimeKey.fill(0);
  block(0, oneTimeKey, 0, 32, oneTimeKey, 0);
  poly1305Start(oneTimeKey);
  poly1305Update(ad, 0, ad.length, true);
  poly1305Update(bytes, at, size, true);
  writeWord(lengths, 0, ad.length);
  writeWord(lengths, 8, size);
  poly1305Update(lengths, 0, 16, true);
  poly1305Finish(oneTimeKey, computed, 0);
}

/** Writes ciphertext and tag to `out` at `at`. */
export function sealChaChaPoly(
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  plaintext: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  const size = plaintext.length, end = at + size;
  if (end + TAG > out.length) throw new RangeError("no room for the ciphertext");
  setUp(key, nonce);
  crypt(1, plaintext, size, out, at);
  authenticate(ad, out, at, size);
  out.set(computed, end);
  wipe();
}

/** The plaintext; undefined where the tag is wrong or missing. */
export function openChaChaPoly(
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const size = sealed.length - TAG;
  if (size < 0) return undefined;
  setUp(key, nonce);
  authenticate(ad, sealed, 0, size);
  let difference = 0;
  for (let i = 0; i < TAG; i++) difference |= computed[i]! ^ sealed[size + i]!;
  let plaintext: Uint8Array | undefined;
  if (difference === 0) {
    plaintext = new Uint8Array(size);
    crypt(1, sealed, size, plaintext, 0);
  }
  wipe();
  return plaintext;
}
