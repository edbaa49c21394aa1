/**
 * The portable primitives: noble for SHA-256, HKDF and ed25519, plain TypeScript for X25519 and ChaCha20-Poly1305.
 *
 * They are for runtimes that lack a primitive, and for tests to hold `node:crypto` against. BigInt arithmetic is not
 * constant in time.
 *
 * @module
 */

import * as ed from "@noble/ed25519";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { openChaChaPoly, sealChaChaPoly } from "./chacha20_poly1305.ts";
import { isAcceptableKey, isAcceptableSignature } from "./ed25519_rules.ts";
import { x25519, x25519PublicKey } from "./x25519.ts";
import type {
  AeadPrimitives,
  AgreementPrimitives,
  HashPrimitives,
  SignaturePrimitives,
} from "./primitives.ts";

/** SHA-256 and HKDF. */
export const portableHash: HashPrimitives = {
  sha256: (bytes) => sha256(bytes),
  sha256Into(bytes, start, end, out, at, front) {
    const sha = sha256.create();
    if (front !== undefined) sha.update(front);
    out.set(sha.update(bytes.subarray(start, end)).digest(), at);
  },
  hkdfSha256: (salt, secret, length) => hkdf(sha256, secret, salt, undefined, length),
};

/** X25519. */
export const portableAgreement: AgreementPrimitives = {
  x25519,
  x25519PublicKey,
  x25519Pair: (secretKey) => ({ secretKey, publicKey: x25519PublicKey(secretKey) }),
};

/** ChaCha20-Poly1305. */
export const portableAead: AeadPrimitives = { seal: sealChaChaPoly, open: openChaChaPoly };

/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** ed25519. */
export const portableSignature: SignaturePrimitives = {
  ed25519Signer(seed) {
    if (seed.length !== 32) throw new RangeError("a secret key has 32 bytes");
    ed.hashes.sha512 = sha512;
    const secret = seed.slice();
    return {
      publicKey: ed.getPublicKey(secret),
      sign: (message) => ed.sign(message, secret),
    };
  },
  ed25519Verifier(publicKey) {
    if (!isAcceptableKey(publicKey)) return undefined;
    const raw = publicKey.slice();
    let negative: ed.Point;
    try {
      negative = ed.Point.fromBytes(raw).negate();
    } catch {
      return undefined; // not on the curve
    }
    return (message, signature) => {
      if (!isAcceptableSignature(signature)) return false;
      const nonce = signature.subarray(0, 32);
      const hash = sha512.create().update(nonce).update(raw).update(message).digest();
      const s = ed.Point.BASE.multiply(littleEndian(signature.subarray(32)), false);
      const point = s.add(negative.multiply(littleEndian(hash) % L, false));
      return point.toBytes().every((byte, i) => byte === nonce[i]);
    };
  },
};

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[i]!);
  return value;
}
