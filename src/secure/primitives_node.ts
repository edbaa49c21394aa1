/**
 * The primitives of `node:crypto`. Nothing is called at import time: what a runtime lacks shows at the first use.
 *
 * @module
 */

import crypto from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Buffer } from "node:buffer";
import { sameBytes } from "../wire/bytes.ts";
import { isAcceptableKey, isAcceptableSignature } from "./ed25519_rules.ts";
import type {
  AeadPrimitives,
  AgreementPrimitives,
  HashPrimitives,
  SignaturePrimitives,
} from "./primitives.ts";
import { giveBack, hurryYoung } from "./v8_memory.ts";

/** A plain array over the memory of a Buffer, whose `slice` would not copy. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);
}

/**
 * SHA-256 and HKDF. The one-shot `hash` is the fastest form for hex only (0.6 µs against 0.95 for 64 bytes), so the
 * digest for ids goes through hex where the runtime reads hex natively.
 */
export const nodeHash: HashPrimitives = {
  sha256(bytes) {
    return plain(crypto.createHash("sha256").update(bytes).digest());
  },
  sha256Into(bytes, start, end, out, at, front) {
    const part = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    if (crypto.hash !== undefined && out.setFromHex !== undefined) {
      const hex = front === undefined
        ? crypto.hash("sha256", part, "hex")
        : crypto.createHash("sha256").update(front).update(part).digest("hex");
      (at === 0 && out.length === 32 ? out : out.subarray(at, at + 32)).setFromHex(hex);
    } else {
      const sha = crypto.createHash("sha256");
      if (front !== undefined) sha.update(front);
      out.set(sha.update(part).digest(), at);
    }
  },
  hkdfSha256(salt, secret, length) {
    return new Uint8Array(crypto.hkdfSync("sha256", secret, salt, NOTHING, length));
  },
};

const NOTHING = new Uint8Array(0);

// DER around raw keys (RFC 8410): everything but the 32 bytes at the end is constant.
const PKCS8_LENGTH = 48;
const SPKI_LENGTH = 44;
const X25519_OID = 0x6e;
const ED25519_OID = 0x70;

function privateKey(oid: number, secret: Uint8Array): KeyObject {
  if (secret.length !== 32) throw new RangeError("a secret key has 32 bytes");
  const der = new Uint8Array(PKCS8_LENGTH);
  der.set([0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, oid, 4, 0x22, 4, 32]);
  der.set(secret, PKCS8_LENGTH - 32);
  try {
    return crypto.createPrivateKey({ key: der as Buffer, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

function publicKey(oid: number, raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new RangeError("a public key has 32 bytes");
  const der = new Uint8Array(SPKI_LENGTH);
  der.set([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, oid, 0x03, 0x21, 0x00]);
  der.set(raw, SPKI_LENGTH - 32);
  return crypto.createPublicKey({ key: der as Buffer, format: "der", type: "spki" });
}

function rawPublicKey(secret: KeyObject): Uint8Array {
  const der = crypto.createPublicKey(secret).export({ format: "der", type: "spki" });
  return plain(der).slice(SPKI_LENGTH - 32);
}

/** X25519. */
export const nodeAgreement: AgreementPrimitives = {
  x25519PublicKey(secretKey) {
    return rawPublicKey(privateKey(X25519_OID, secretKey));
  },
  x25519(secretKey, theirPublicKey) {
    return agree(privateKey(X25519_OID, secretKey), theirPublicKey);
  },
  x25519Pair(secretKey) {
    const key = privateKey(X25519_OID, secretKey);
    return { secretKey, publicKey: rawPublicKey(key), agree: (theirs) => agree(key, theirs) };
  },
};

/** Enough for handshakes that take turns; one whose key has gone makes it again. */
const MOST_KNOWN = 8;
/** The public keys seen last: a handshake uses the other side's ephemeral one twice, and making a key object takes a 6th of an agreement. */
const known: { readonly raw: Uint8Array; readonly key: KeyObject }[] = [];

function theirKey(raw: Uint8Array): KeyObject {
  let found = known.find((each) => sameBytes(each.raw, raw));
  if (found === undefined) {
    found = { raw: raw.slice(), key: publicKey(X25519_OID, raw) };
    known.unshift(found);
    known.length = Math.min(known.length, MOST_KNOWN);
  }
  return found.key;
}

function agree(own: KeyObject, theirs: Uint8Array): Uint8Array {
  const shared = crypto.diffieHellman({ privateKey: own, publicKey: theirKey(theirs) });
  // OpenSSL's and this runtime's newer versions throw here themselves; older ones returned the zeros.
  if (shared.every((byte) => byte === 0)) throw new Error("X25519 gave all zeros");
  return plain(shared);
}

const AEAD = "chacha20-poly1305";
const OPTIONS = { authTagLength: 16 };
/** Records after which a link counts as one that carries a stream. */
const STREAM_RECORDS = 1_024;

/** ChaCha20-Poly1305. */
export const nodeAead: AeadPrimitives = {
  seal(key, nonce, ad, plaintext, out, at) {
    const cipher = crypto.createCipheriv(AEAD, key, nonce, OPTIONS);
    if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.length });
    if (plaintext.length > 0) {
      const sealed = cipher.update(plaintext);
      out.set(sealed, at);
      // The nonce counts a link's records, from its fifth byte on.
      const records = nonce[4]! | nonce[5]! << 8 | nonce[6]! << 16;
      giveBack(sealed, records >= STREAM_RECORDS);
    }
    cipher.final();
    out.set(cipher.getAuthTag(), at + plaintext.length);
  },
  open(key, nonce, ad, sealed) {
    const length = sealed.length - 16;
    if (length < 0) return undefined;
    const decipher = crypto.createDecipheriv(AEAD, key, nonce, OPTIONS);
    if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: length });
    decipher.setAuthTag(sealed.subarray(length));
    const plaintext = decipher.update(sealed.subarray(0, length));
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      return undefined;
    }
    hurryYoung(length);
    return plain(plaintext);
  },
};

/** ed25519. Key objects cannot be wiped; they live as long as the signer. */
export const nodeSignature: SignaturePrimitives = {
  ed25519Signer(seed) {
    const key = privateKey(ED25519_OID, seed);
    return {
      publicKey: rawPublicKey(key),
      sign: (message) => plain(crypto.sign(null, message, key)),
    };
  },
  ed25519Verifier(raw) {
    if (!isAcceptableKey(raw)) return undefined;
    let key: KeyObject;
    try {
      key = publicKey(ED25519_OID, raw);
    } catch {
      return undefined; // not on the curve
    }
    return (message, signature) => {
      if (!isAcceptableSignature(signature)) return false;
      try {
        return crypto.verify(null, message, key, signature);
      } catch {
        return false;
      }
    };
  },
};
