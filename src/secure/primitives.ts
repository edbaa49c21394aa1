/**
 * The cryptographic primitives that the secure channel, identities and message ids stand on, behind one interface.
 *
 * Two implementations give the same answers: `node:crypto` (fast, native) and a portable one of noble and plain
 * TypeScript. Which one serves is settled per group at the first use: a group of `node:crypto` that is missing or
 * gives a wrong answer is replaced by its portable twin.
 *
 * @module
 */

import type { Hash } from "../wire/gossip.ts";
import { nodeAead, nodeAgreement, nodeHash, nodeSignature } from "./primitives_node.ts";
import {
  portableAead,
  portableAgreement,
  portableHash,
  portableSignature,
} from "./primitives_noble.ts";

/** Bytes of a SHA-256 digest. */
export const HASH_BYTES = 32;
/** Bytes of every secret and public key: X25519, ed25519 (seed) and ChaCha20-Poly1305. */
export const KEY_BYTES = 32;
/** Bytes of an ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** Bytes of a Poly1305 tag. */
export const TAG_BYTES = 16;
/** Bytes of a ChaCha20-Poly1305 nonce. */
export const NONCE_BYTES = 12;

/** SHA-256 and HKDF over it. */
export interface HashPrimitives {
  /** SHA-256 of `bytes`. */
  sha256(bytes: Uint8Array): Uint8Array;
  /** SHA-256 of `front ‖ bytes[start, end)`, written to `out` at `at`; the cheapest form. */
  readonly sha256Into: Hash;
  /** HKDF-SHA-256 (RFC 5869) without `info`: `length` bytes, at most 8,160. Either input may be empty. */
  hkdfSha256(salt: Uint8Array, secret: Uint8Array, length: number): Uint8Array;
}

/** X25519 (RFC 7748). */
export interface AgreementPrimitives {
  /** The public key of a secret key. */
  x25519PublicKey(secretKey: Uint8Array): Uint8Array;
  /** The shared secret; throws where it is all zeros, that is where `publicKey` is of small order. */
  x25519(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array;
  /** The pair of a secret key, imported once for all its agreements. */
  x25519Pair(secretKey: Uint8Array): KeyPair;
}

/** ChaCha20-Poly1305 (RFC 8439). */
export interface AeadPrimitives {
  /** Writes ciphertext and tag (`plaintext.length + 16` bytes) to `out` at `at`. `ad` may be empty. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    plaintext: Uint8Array,
    out: Uint8Array,
    at: number,
  ): void;
  /** The plaintext of ciphertext and tag in memory of its own; undefined where the tag is wrong or missing. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
}

/** An ed25519 key that signs. */
export interface Signer {
  /** The public key. */
  readonly publicKey: Uint8Array;
  /** Signs; 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** An imported ed25519 public key: true where the signature is right. Never throws. */
export type Verifier = (message: Uint8Array, signature: Uint8Array) => boolean;

/** ed25519 (RFC 8032) under the strict rules of `ed25519_rules.ts`. */
export interface SignaturePrimitives {
  /** Imports a seed; it is copied. */
  ed25519Signer(seed: Uint8Array): Signer;
  /** Imports a public key, which costs about a quarter of a check; undefined where the key is refused. Never throws. */
  ed25519Verifier(publicKey: Uint8Array): Verifier | undefined;
}

/** An X25519 key pair. */
export interface KeyPair {
  /** 32 secret bytes; the holder wipes them. */
  readonly secretKey: Uint8Array;
  /** 32 public bytes. */
  readonly publicKey: Uint8Array;
  /** `x25519` with this secret key, where that is cheaper than from its bytes. */
  readonly agree?: (publicKey: Uint8Array) => Uint8Array;
}

/** All primitives. */
export interface Primitives
  extends HashPrimitives, AgreementPrimitives, AeadPrimitives, SignaturePrimitives {
  /** Random bytes fit for keys. */
  randomBytes(length: number): Uint8Array;
  /** A fresh X25519 key pair. */
  x25519Generate(): KeyPair;
}

/** Overwrites secrets with zeros: they are gone from memory as far as this process wrote them. */
export function wipe(...secrets: (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/** Makes one set out of four groups. */
export function composePrimitives(
  hash: HashPrimitives,
  agreement: AgreementPrimitives,
  aead: AeadPrimitives,
  signature: SignaturePrimitives,
): Primitives {
  const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  return {
    ...hash,
    ...agreement,
    ...aead,
    ...signature,
    randomBytes,
    x25519Generate: () => agreement.x25519Pair(randomBytes(KEY_BYTES)),
  };
}

/** The set that uses `node:crypto` alone. */
export function nodePrimitives(): Primitives {
  return composePrimitives(nodeHash, nodeAgreement, nodeAead, nodeSignature);
}

/** The set that needs nothing of the runtime but random numbers. */
export function portablePrimitives(): Primitives {
  return composePrimitives(portableHash, portableAgreement, portableAead, portableSignature);
}

/**
 * Up to so many bytes of plaintext our own code is as fast or faster: hot, µs to seal and open are 1.1 and 1.7 against 3.5 and 3.1 at 64 bytes, 3.7 and
 * 4.6 against 5.6 and 4.7 at 512, 5.3 and 7.2 against 7.0 and 4.8 at 1,100. Every call of the runtime's makes two streams, a 6th of all garbage of a process that
 * sends a kilobyte now and then, whose slowest deliveries are those that a collection falls into.
 */
const SHORT_BYTES = 1_536;

/** Short plaintexts by plain numbers, all others by `long`. */
export function shortByOwn(long: AeadPrimitives): AeadPrimitives {
  return {
    seal(key, nonce, ad, plaintext, out, at) {
      const { seal } = plaintext.length <= SHORT_BYTES ? portableAead : long;
      seal(key, nonce, ad, plaintext, out, at);
    },
    open(key, nonce, ad, sealed) {
      const { open } = sealed.length <= SHORT_BYTES + TAG_BYTES ? portableAead : long;
      return open(key, nonce, ad, sealed);
    },
  };
}

let chosen: Primitives | undefined;

/** The primitives of this runtime, chosen at the first call. */
export function primitives(): Primitives {
  return chosen ??= composePrimitives(
    choose(nodeHash, portableHash, probeHash),
    choose(nodeAgreement, portableAgreement, probeAgreement),
    shortByOwn(choose(nodeAead, portableAead, probeAead)),
    choose(nodeSignature, portableSignature, probeSignature),
  );
}

/** `preferred` where it passes its probe, else `fallback`. */
export function choose<T>(preferred: T, fallback: T, probe: (group: T) => boolean): T {
  try {
    if (probe(preferred)) return preferred;
  } catch {
    // The runtime lacks the primitive.
  }
  return fallback;
}

// The probes compare the last bytes of known answers: enough to tell a missing or broken primitive from a working one.
const ZEROS = new Uint8Array(KEY_BYTES);
const NOTHING = new Uint8Array(0);

/** SHA-256 and HKDF of nothing. */
export function probeHash(group: HashPrimitives): boolean {
  const out = new Uint8Array(HASH_BYTES);
  group.sha256Into(NOTHING, 0, 0, out, 0);
  const alone = out[31];
  group.sha256Into(NOTHING, 0, 0, out, 0, NOTHING);
  return alone === 0x55 && out[31] === 0x55 && group.sha256(NOTHING)[31] === 0x55 &&
    group.hkdfSha256(NOTHING, NOTHING, HASH_BYTES)[31] === 0x18;
}

/** The public key of a secret of zeros, and both sides of an agreement. */
export function probeAgreement(group: AgreementPrimitives): boolean {
  const one = new Uint8Array(KEY_BYTES).fill(1);
  const mine = group.x25519(ZEROS, group.x25519PublicKey(one));
  const theirs = group.x25519(one, group.x25519PublicKey(ZEROS));
  return group.x25519PublicKey(ZEROS)[31] === 0x74 && mine.every((byte, i) => byte === theirs[i]);
}

/** A sealed byte comes back, and a changed one doesn't. */
export function probeAead(group: AeadPrimitives): boolean {
  const nonce = new Uint8Array(NONCE_BYTES);
  const sealed = new Uint8Array(1 + TAG_BYTES);
  group.seal(ZEROS, nonce, NOTHING, new Uint8Array(1), sealed, 0);
  const opened = group.open(ZEROS, nonce, NOTHING, sealed);
  sealed[16]! ^= 1;
  return sealed[0] === 0x9f && opened?.[0] === 0 &&
    group.open(ZEROS, nonce, NOTHING, sealed) === undefined;
}

/** The public key of a seed of zeros; a signature that holds for its message only. */
export function probeSignature(group: SignaturePrimitives): boolean {
  const signer = group.ed25519Signer(ZEROS);
  const verify = group.ed25519Verifier(signer.publicKey);
  const signature = signer.sign(ZEROS);
  return signer.publicKey[0] === 0x3b && verify !== undefined && verify(ZEROS, signature) &&
    !verify(NOTHING, signature);
}
