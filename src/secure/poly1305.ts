/**
 * Poly1305 after RFC 8439, section 2.5, in doubles and without garbage. One sum at a time: start, update, finish.
 *
 * @module
 */

// Numbers are six limbs of 22 bits in doubles: a limb of a product is at most 6 * 20 * 2^45 < 2^53.
const LIMB = 2 ** 22, PER_LIMB = 2 ** -22, MASK = LIMB - 1;

const r = new Float64Array(6);
const h = new Float64Array(6);
const last = new Uint8Array(16);

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

/** Begins a sum under the first half of a one-time key. */
export function poly1305Start(key: Uint8Array): void {
  const w0 = word(key, 0) & 0x0fffffff, w1 = word(key, 4) & 0x0ffffffc;
  const w2 = word(key, 8) & 0x0ffffffc, w3 = word(key, 12) & 0x0ffffffc;
  r[0] = w0 & MASK;
  r[1] = (w0 >>> 22 | w1 << 10) & MASK;
  r[2] = (w1 >>> 12 | w2 << 20) & MASK;
  r[3] = w2 >>> 2 & MASK;
  r[4] = (w2 >>> 24 | w3 << 8) & MASK;
  r[5] = w3 >>> 14;
  h.fill(0);
}

/**
 * Takes `bytes[from, from + size)` in. What is left of a block at the end is padded with zeros where `padded`, else it is the end of the
 * message and 1 is added behind it.
 */
export function poly1305Update(
  bytes: Uint8Array,
  from: number,
  size: number,
  padded: boolean,
): void {
  const whole = size - size % 16;
  absorb(bytes, from, from + whole, 1);
  if (whole === size) return;
  last.fill(0);
  for (let i = whole; i < size; i++) last[i - whole] = bytes[from + i]!;
  if (!padded) last[size - whole] = 1;
  absorb(last, 0, 16, padded ? 1 : 0);
}

/** h = (h + block) * r mod 2^130 - 5, loosely reduced (2^132 = 20 there), for every block. */
function absorb(bytes: Uint8Array, from: number, end: number, high: number): void {
  const r0 = r[0]!, r1 = r[1]!, r2 = r[2]!, r3 = r[3]!, r4 = r[4]!, r5 = r[5]!;
  const s1 = 20 * r1, s2 = 20 * r2, s3 = 20 * r3, s4 = 20 * r4, s5 = 20 * r5;
  let h0 = h[0]!, h1 = h[1]!, h2 = h[2]!, h3 = h[3]!, h4 = h[4]!, h5 = h[5]!;
  for (let at = from; at < end; at += 16) {
    const w0 = word(bytes, at), w1 = word(bytes, at + 4);
    const w2 = word(bytes, at + 8), w3 = word(bytes, at + 12);
    const a0 = h0 + (w0 & MASK), a1 = h1 + ((w0 >>> 22 | w1 << 10) & MASK);
    const a2 = h2 + ((w1 >>> 12 | w2 << 20) & MASK), a3 = h3 + (w2 >>> 2 & MASK);
    const a4 = h4 + ((w2 >>> 24 | w3 << 8) & MASK), a5 = h5 + (w3 >>> 14 | high << 18);
    const p0 = a0 * r0 + a1 * s5 + a2 * s4 + a3 * s3 + a4 * s2 + a5 * s1;
    let carry = Math.floor(p0 * PER_LIMB);
    h0 = p0 - carry * LIMB;
    const p1 = a0 * r1 + a1 * r0 + a2 * s5 + a3 * s4 + a4 * s3 + a5 * s2 + carry;
    carry = Math.floor(p1 * PER_LIMB);
    h1 = p1 - carry * LIMB;
    const p2 = a0 * r2 + a1 * r1 + a2 * r0 + a3 * s5 + a4 * s4 + a5 * s3 + carry;
    carry = Math.floor(p2 * PER_LIMB);
    h2 = p2 - carry * LIMB;
    const p3 = a0 * r3 + a1 * r2 + a2 * r1 + a3 * r0 + a4 * s5 + a5 * s4 + carry;
    carry = Math.floor(p3 * PER_LIMB);
    h3 = p3 - carry * LIMB;
    const p4 = a0 * r4 + a1 * r3 + a2 * r2 + a3 * r1 + a4 * r0 + a5 * s5 + carry;
    carry = Math.floor(p4 * PER_LIMB);
    h4 = p4 - carry * LIMB;
    const p5 = a0 * r5 + a1 * r4 + a2 * r3 + a3 * r2 + a4 * r1 + a5 * r0 + carry;
    carry = Math.floor(p5 * PER_LIMB);
    h5 = p5 - carry * LIMB;
    const p6 = h0 + 20 * carry;
    carry = Math.floor(p6 * PER_LIMB);
    h0 = p6 - carry * LIMB;
    h1 += carry;
  }
  h[0] = h0, h[1] = h1, h[2] = h2, h[3] = h3, h[4] = h4, h[5] = h5;
}

/** Ends the sum: writes h mod p plus the second half of the key, mod 2^128, to `out` at `at`, and wipes it. */
export function poly1305Finish(key: Uint8Array, out: Uint8Array, at: number): void {
  reduce();
  let carry = 0;
  // h as four words of 32 bits, with the key added.
  const h0 = h[0]!, h1 = h[1]!, h2 = h[2]!, h3 = h[3]!, h4 = h[4]!, h5 = h[5]!;
  carry = put(out, at, (h0 | h1 << 22) >>> 0, word(key, 16) >>> 0, carry);
  carry = put(out, at + 4, (h1 >>> 10 | h2 << 12) >>> 0, word(key, 20) >>> 0, carry);
  carry = put(out, at + 8, (h2 >>> 20 | h3 << 2 | h4 << 24) >>> 0, word(key, 24) >>> 0, carry);
  put(out, at + 12, (h4 >>> 8 | h5 << 14) >>> 0, word(key, 28) >>> 0, carry);
  h.fill(0);
  r.fill(0);
  last.fill(0);
}

/** Makes h the one number of 130 bits that it stands for, below p. */
function reduce(): void {
  // What is above 2^130 comes back times 5; twice, since that may carry once more. Then h is below 2^130.
  for (let turn = 0; turn < 3; turn++) {
    let carry = 0;
    for (let i = 0; i < 5; i++) {
      const value = h[i]! + carry;
      carry = Math.floor(value * PER_LIMB);
      h[i] = value - carry * LIMB;
    }
    const top = h[5]! + carry;
    carry = Math.floor(top * 2 ** -20);
    h[5] = top - carry * 2 ** 20;
    h[0]! += 5 * carry;
  }
  // h + 5 has a bit 130 exactly where h is p or more: then h - p is what is below that bit. Chosen without a branch.
  let carry = 5;
  for (let i = 0; i < 5; i++) carry = Math.floor((h[i]! + carry) * PER_LIMB);
  const over = Math.floor((h[5]! + carry) * 2 ** -20);
  carry = 5 * over;
  for (let i = 0; i < 5; i++) {
    const value = h[i]! + carry;
    carry = Math.floor(value * PER_LIMB);
    h[i] = value - carry * LIMB;
  }
  h[5] = h[5]! + carry - over * 2 ** 20;
}

/** Writes the sum of two words and a carry; the new carry. */
function put(out: Uint8Array, at: number, a: number, b: number, carry: number): number {
  const sum = a + b + carry;
  out[at] = sum;
  out[at + 1] = sum >>> 8;
  out[at + 2] = sum >>> 16;
  out[at + 3] = sum >>> 24;
  return sum >= 0x1_0000_0000 ? 1 : 0;
}

/** The tag of a message under a one-time key. */
export function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  poly1305Start(key);
  poly1305Update(message, 0, message.length, false);
  const tag = new Uint8Array(16);
  poly1305Finish(key, tag, 0);
  return tag;
}
