/**
 * X25519 after RFC 7748 section 5, with BigInt: the fallback where the runtime has none. Clear rather than fast, and not
 * constant in time.
 *
 * @module
 */

const P = 2n ** 255n - 19n;
const A24 = 121665n;

/** The public key of `secretKey`. */
export function x25519PublicKey(secretKey: Uint8Array): Uint8Array {
  const base = new Uint8Array(32);
  base[0] = 9;
  return x25519(secretKey, base);
}

/** The shared secret; throws where it is all zeros. */
export function x25519(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  if (secretKey.length !== 32) throw new RangeError("a secret key has 32 bytes");
  if (publicKey.length !== 32) throw new RangeError("a public key has 32 bytes");
  const scalar = secretKey.slice();
  scalar[0]! &= 248;
  scalar[31] = scalar[31]! & 127 | 64;
  const u = publicKey.slice();
  u[31]! &= 127;
  const shared = ladder(decode(scalar), decode(u) % P);
  scalar.fill(0);
  if (shared === 0n) throw new Error("X25519 gave all zeros");
  return encode(shared);
}

/** The Montgomery ladder, in the names of the RFC. */
function ladder(k: bigint, u: bigint): bigint {
  let x2 = 1n, z2 = 0n, x3 = u, z3 = 1n, swap = 0n;
  for (let t = 254n; t >= 0n; t--) {
    const bit = k >> t & 1n;
    if (swap !== bit) [x2, x3, z2, z3] = [x3, x2, z3, z2];
    swap = bit;
    const a = x2 + z2, b = x2 - z2;
    const aa = a * a % P, bb = b * b % P;
    const e = aa - bb;
    const da = (x3 - z3) * a % P, cb = (x3 + z3) * b % P;
    x3 = (da + cb) ** 2n % P;
    z3 = u * (da - cb) ** 2n % P;
    x2 = aa * bb % P;
    z2 = e * (aa + A24 * e) % P;
  }
  if (swap === 1n) [x2, z2] = [x3, z3];
  const result = x2 * power(z2, P - 2n) % P;
  return result < 0n ? result + P : result;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = result * base % P;
    base = base * base % P;
  }
  return result;
}

function decode(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = 31; i >= 0; i--) value = value << 8n | BigInt(bytes[i]!);
  return value;
}

function encode(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++, value >>= 8n) bytes[i] = Number(value & 255n);
  return bytes;
}
