/**
 * Who a node is: an ed25519 key pair, whose public key is the node's id.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { fromHex, toHex } from "../wire/bytes.ts";
import { KEY_BYTES, primitives, type Signer, wipe } from "./primitives.ts";

/**
 * An ed25519 identity (RFC 8032). The secret never leaves the object: neither `JSON.stringify` nor an inspector shows it.
 *
 * @example A bootnode with the same id everywhere
 * ```ts
 * import { Identity } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(Identity.fromSeed("1").id, Identity.fromSeed("1").id);
 * assertEquals(Identity.generate().id.length, 64);
 * ```
 */
export class Identity {
  /** The ed25519 public key as 64 lower-case hex digits. */
  readonly id: PeerId;
  readonly #signer: Signer;

  private constructor(signer: Signer) {
    this.#signer = signer;
    this.id = toHex(signer.publicKey);
  }

  /**
   * A fresh identity from the system's random numbers.
   *
   * @example
   * ```ts
   * import { Identity } from "@x/plumtree";
   * import { assertNotEquals } from "@std/assert";
   *
   * assertNotEquals(Identity.generate().id, Identity.generate().id);
   * ```
   */
  static generate(): Identity {
    const seed = primitives().randomBytes(KEY_BYTES);
    try {
      return new Identity(primitives().ed25519Signer(seed));
    } finally {
      wipe(seed);
    }
  }

  /**
   * The identity of a seed: the same seed gives the same id everywhere. Whoever knows the seed is that node.
   *
   * @param seed 32 bytes, the ed25519 secret key of RFC 8032; or a string of at least one character, whose SHA-256 is
   * taken for it.
   * @throws {TypeError} for anything else.
   * @throws {RangeError} for bytes that are not 32, and for an empty string.
   *
   * @example
   * ```ts
   * import { Identity } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * const identity = Identity.fromSeed(new Uint8Array(32));
   * assertEquals(identity.id, "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
   * ```
   */
  static fromSeed(seed: Uint8Array | string): Identity {
    if (typeof seed === "string") {
      if (seed.length === 0) throw new RangeError("seed: a string must not be empty");
      const hashed = primitives().sha256(new TextEncoder().encode(seed));
      try {
        return new Identity(primitives().ed25519Signer(hashed));
      } finally {
        wipe(hashed);
      }
    }
    if (!(seed instanceof Uint8Array)) {
      throw new TypeError("seed: expected 32 bytes or a string");
    }
    if (seed.length !== KEY_BYTES) {
      throw new RangeError(`seed: expected 32 bytes, got ${seed.length}`);
    }
    return new Identity(primitives().ed25519Signer(seed));
  }

  /**
   * Signs `message` with ed25519. Begin it with a context label of your own, so that what is signed for one purpose can
   * never be taken for another; the library's labels begin with "plumtree/1 ". TypeError for what is no bytes.
   *
   * @returns The signature, 64 bytes.
   *
   * @example
   * ```ts
   * import { Identity } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * const identity = Identity.fromSeed("alice");
   * const signature = identity.sign(new TextEncoder().encode("my-app/1 claim\0shard 7"));
   * assertEquals(signature.length, 64);
   * ```
   */
  sign(message: Uint8Array): Uint8Array {
    if (!(message instanceof Uint8Array)) throw new TypeError("message: expected bytes");
    return this.#signer.sign(message);
  }
}

/** The public key of an id; undefined where the text is no 64 lower-case hex digits. */
export function publicKeyOf(id: PeerId): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/.test(id) ? fromHex(id) : undefined;
}
