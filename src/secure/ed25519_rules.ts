/**
 * What both implementations of ed25519 refuse before they look at the curve, so that they give the same answer to every
 * input.
 *
 * Verification is strict and cofactorless: `[S]B - [k]A` must encode to exactly the bytes of R, which leaves no room for
 * non-canonical R. `node:crypto` does that, and refuses S >= L and non-canonical public keys itself; it accepts public
 * keys of small order, under which one signature holds for many messages. noble offers cofactored verification only,
 * hence the portable twin computes the equation itself.
 *
 * @module
 */

/** L, the order of the base point, little-endian. */
const ORDER = hex("edd3f55c1a631258d69cf7a2def9de14" + "00000000000000000000000000000010");

/** p = 2^255 - 19, little-endian. */
const FIELD = hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");

/** y of the eight points of small order, little-endian; the sign bit may be set or not. */
const SMALL_ORDER: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(hex);

/** False for what can be no public key: a wrong length, y >= p, a point of small order. */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  const y = publicKey.slice();
  y[31]! &= 0x7f;
  if (!isBelow(y, 0, FIELD)) return false;
  return !SMALL_ORDER.some((point) => point.every((byte, i) => byte === y[i]));
}

/** False for what can be no signature: a wrong length, S >= L. */
export function isAcceptableSignature(signature: Uint8Array): boolean {
  return signature.length === 64 && isBelow(signature, 32, ORDER);
}

/** Whether the little-endian number `bytes[start, start + 32)` is below `bound`. */
function isBelow(bytes: Uint8Array, start: number, bound: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = bytes[start + i]! - bound[i]!;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g)!, (pair) => parseInt(pair, 16));
}
