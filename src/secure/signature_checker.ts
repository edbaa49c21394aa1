/**
 * Checks signatures of many authors: importing a key costs a quarter of a check, so the keys of recent authors are kept.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { publicKeyOf } from "./identity.ts";
import { type Primitives, primitives, type Verifier } from "./primitives.ts";

/** Authors whose imported keys are kept by default; about 1 KB each. */
export const RECENT_AUTHORS = 1_024;

/** Checks ed25519 signatures by the author's id; keeps the keys of the most recently seen honest authors. */
export class SignatureChecker {
  readonly #capacity: number;
  #primitives: Primitives | undefined;
  // Least recently used first. Only keys under which a signature held get in: forged authors push nobody out.
  readonly #recent = new Map<PeerId, Verifier>();

  /**
   * Makes a checker.
   *
   * @param options `capacity`: keys kept at most; more save imports on topics with many authors.
   */
  constructor(options: { capacity?: number; primitives?: Primitives } = {}) {
    this.#capacity = options.capacity ?? RECENT_AUTHORS;
    this.#primitives = options.primitives;
  }

  /** How many keys are kept. */
  get size(): number {
    return this.#recent.size;
  }

  /** Whether `signature` is `author`'s over `message`. Never throws: what is malformed is false. */
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
    const kept = this.#recent.get(author);
    const verifier = kept ?? this.#import(author);
    if (verifier === undefined || !verifier(message, signature)) return false;
    if (kept !== undefined) this.#recent.delete(author);
    else if (this.#recent.size >= this.#capacity) this.#forgetOldest();
    this.#recent.set(author, verifier);
    return true;
  }

  #import(author: PeerId): Verifier | undefined {
    const publicKey = publicKeyOf(author);
    this.#primitives ??= primitives();
    return publicKey && this.#primitives.ed25519Verifier(publicKey);
  }

  #forgetOldest(): void {
    for (const author of this.#recent.keys()) {
      this.#recent.delete(author);
      return;
    }
  }
}
