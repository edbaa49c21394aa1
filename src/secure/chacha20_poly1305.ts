/**
 * ChaCha20-Poly1305 after RFC 8439: the fallback where the runtime has none.
 *
 * @module
 */

const BLOCK = 64;
const TAG = 16;

function rotate(x: number, bits: number): number {
  return x << bits | x >>> 32 - bits;
}

function quarterRound(s: Uint32Array, a: number, b: number, c: number, d: number): void {
  s[a]! += s[b]!;
  s[d] = rotate(s[d]! ^ s[a]!, 16);
  s[c]! += s[d]!;
  s[b] = rotate(s[b]! ^ s[c]!, 12);
  s[a]! += s[b]!;
  s[d] = rotate(s[d]! ^ s[a]!, 8);
  s[c]! += s[d]!;
  s[b] = rotate(s[b]! ^ s[c]!, 7);
}

/** Section 2.3: writes the key stream of the block that `state` stands at to `out`, little-endian. */
function block(state: Uint32Array, work: Uint32Array, out: DataView): void {
  work.set(state);
  for (let round = 0; round < 10; round++) {
    quarterRound(work, 0, 4, 8, 12);
    quarterRound(work, 1, 5, 9, 13);
    quarterRound(work, 2, 6, 10, 14);
    quarterRound(work, 3, 7, 11, 15);
    quarterRound(work, 0, 5, 10, 15);
    quarterRound(work, 1, 6, 11, 12);
    quarterRound(work, 2, 7, 8, 13);
    quarterRound(work, 3, 4, 9, 14);
  }
  for (let i = 0; i < 16; i++) out.setUint32(4 * i, work[i]! + state[i]!, true);
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
  if (key.length !== 32) throw new RangeError("a key has 32 bytes");
  if (nonce.length !== 12) throw new RangeError("a nonce has 12 bytes");
  const state = new Uint32Array(16), work = new Uint32Array(16);
  state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  const keyView = view(key), nonceView = view(nonce);
  for (let i = 0; i < 8; i++) state[4 + i] = keyView.getUint32(4 * i, true);
  for (let i = 0; i < 3; i++) state[13 + i] = nonceView.getUint32(4 * i, true);
  const stream = new Uint8Array(BLOCK);
  for (let start = 0; start < input.length; start += BLOCK) {
    state[12] = counter++;
    block(state, work, view(stream));
    const end = Math.min(BLOCK, input.length - start);
    for (let i = 0; i < end; i++) out[at + start + i] = input[start + i]! ^ stream[i]!;
  }
  state.fill(0);
  work.fill(0);
  stream.fill(0);
}

// Poly1305 numbers are six limbs of 22 bits in doubles: a limb of a product is at most 6 * 20 * 2^45 < 2^53.
const LIMBS = 6;
const LIMB = 2 ** 22;

function limbs(words: DataView, at: number, high: number): number[] {
  const w0 = words.getUint32(at, true), w1 = words.getUint32(at + 4, true);
  const w2 = words.getUint32(at + 8, true), w3 = words.getUint32(at + 12, true);
  const mask = LIMB - 1;
  return [
    w0 & mask,
    (w0 >>> 22 | w1 << 10) & mask,
    (w1 >>> 12 | w2 << 20) & mask,
    w2 >>> 2 & mask,
    (w2 >>> 24 | w3 << 8) & mask,
    w3 >>> 14 | high << 18,
  ];
}

/** Section 2.5, over several inputs; each is padded with zeros to 16 bytes but the last. */
export function poly1305(key: Uint8Array, ...inputs: Uint8Array[]): Uint8Array {
  const clamped = key.slice(0, 16);
  for (const i of [3, 7, 11, 15]) clamped[i]! &= 15;
  for (const i of [4, 8, 12]) clamped[i]! &= 252;
  const r = limbs(view(clamped), 0, 0);
  const h = new Float64Array(LIMBS), product = new Float64Array(LIMBS);
  const padded = new Uint8Array(16);
  inputs.forEach((input, index) => {
    const words = view(input);
    const whole = input.length - input.length % 16;
    for (let at = 0; at < whole; at += 16) absorb(h, r, limbs(words, at, 1), product);
    if (whole === input.length) return;
    padded.fill(0).set(input.subarray(whole));
    const last = index === inputs.length - 1;
    if (last) padded[input.length - whole] = 1;
    absorb(h, r, limbs(view(padded), 0, last ? 0 : 1), product);
  });
  clamped.fill(0);
  r.fill(0);
  return finish(h, key);
}

/** h = (h + block) * r mod 2^130 - 5, loosely reduced: 2^132 = 20 there. */
function absorb(h: Float64Array, r: number[], block: number[], product: Float64Array): void {
  for (let i = 0; i < LIMBS; i++) h[i]! += block[i]!;
  for (let k = 0; k < LIMBS; k++) {
    let low = 0, high = 0;
    for (let i = 0; i <= k; i++) low += h[i]! * r[k - i]!;
    for (let i = k + 1; i < LIMBS; i++) high += h[i]! * r[k + LIMBS - i]!;
    product[k] = low + 20 * high;
  }
  let carry = 0;
  for (let k = 0; k < LIMBS; k++) {
    const value = product[k]! + carry;
    carry = Math.floor(value / LIMB);
    h[k] = value - carry * LIMB;
  }
  const first = h[0]! + 20 * carry;
  carry = Math.floor(first / LIMB);
  h[0] = first - carry * LIMB;
  h[1]! += carry;
}

/** The tag: h mod p plus the second half of the key, mod 2^128. */
function finish(h: Float64Array, key: Uint8Array): Uint8Array {
  let sum = 0n;
  for (let i = LIMBS - 1; i >= 0; i--) sum = (sum << 22n) + BigInt(h[i]!);
  h.fill(0);
  const words = view(key);
  sum = sum % (2n ** 130n - 5n) + words.getBigUint64(16, true) +
    (words.getBigUint64(24, true) << 64n);
  const tag = new Uint8Array(TAG);
  view(tag).setBigUint64(0, BigInt.asUintN(64, sum), true);
  view(tag).setBigUint64(8, BigInt.asUintN(64, sum >> 64n), true);
  return tag;
}

/** Section 2.8: the tag over `ad` and `ciphertext` under the one-time key of block 0. */
function authenticate(
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  const oneTime = new Uint8Array(32);
  chacha20(key, nonce, 0, oneTime, oneTime);
  const lengths = new Uint8Array(16);
  view(lengths).setUint32(0, ad.length, true);
  view(lengths).setUint32(8, ciphertext.length, true);
  const tag = poly1305(oneTime, ad, ciphertext, lengths);
  oneTime.fill(0);
  return tag;
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
  const end = at + plaintext.length;
  if (end + TAG > out.length) throw new RangeError("no room for the ciphertext");
  chacha20(key, nonce, 1, plaintext, out, at);
  out.set(authenticate(key, nonce, ad, out.subarray(at, end)), end);
}

/** The plaintext; undefined where the tag is wrong or missing. */
export function openChaChaPoly(
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const length = sealed.length - TAG;
  if (length < 0) return undefined;
  const ciphertext = sealed.subarray(0, length);
  const tag = authenticate(key, nonce, ad, ciphertext);
  let difference = 0;
  for (let i = 0; i < TAG; i++) difference |= tag[i]! ^ sealed[length + i]!;
  if (difference !== 0) return undefined;
  const plaintext = new Uint8Array(length);
  chacha20(key, nonce, 1, ciphertext, plaintext);
  return plaintext;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
