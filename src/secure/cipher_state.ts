/**
 * The CipherState of the Noise specification (revision 34, section 5.1) with ChaCha20-Poly1305: a key and a nonce that
 * counts up and is never used twice.
 *
 * @module
 */

import { KEY_BYTES, NONCE_BYTES, type Primitives, TAG_BYTES, wipe } from "./primitives.ts";

/** Thrown inside this folder where a Noise message or record is not what it should be. */
export class NoiseError extends Error {
  /** Always `"NoiseError"`. */
  override readonly name = "NoiseError";
}

const NOTHING = new Uint8Array(0);
const U32 = 0x1_0000_0000;

/** A key with its counter of nonces. */
export class CipherState {
  readonly #primitives: Primitives;
  #key: Uint8Array | undefined;
  #destroyed = false;
  // The 64-bit counter as two numbers, and its encoding: 32 zero bits, then the counter little-endian.
  #low = 0;
  #high = 0;
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  readonly #nonceView = new DataView(this.#nonce.buffer);

  /** Without a key, which is how every handshake begins, it passes everything through. */
  constructor(primitives: Primitives, key?: Uint8Array) {
    this.#primitives = primitives;
    this.initializeKey(key);
  }

  /** InitializeKey: takes a copy of `key` and starts at nonce 0. */
  initializeKey(key?: Uint8Array): void {
    wipe(this.#key);
    this.#key = key?.slice();
    this.setNonce(0n);
  }

  /** HasKey. */
  get hasKey(): boolean {
    return this.#key !== undefined;
  }

  /** The nonce of the next message. */
  get nonce(): bigint {
    return BigInt(this.#high) << 32n | BigInt(this.#low);
  }

  /** SetNonce. */
  setNonce(nonce: bigint): void {
    this.#low = Number(nonce & 0xffff_ffffn);
    this.#high = Number(nonce >> 32n);
  }

  /** EncryptWithAd. */
  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    if (!this.#key && !this.#destroyed) return plaintext.slice();
    const out = new Uint8Array(plaintext.length + TAG_BYTES);
    this.sealInto(ad, plaintext, out, 0);
    return out;
  }

  /** The same for a state with a key, written to `out` at `at`. */
  sealInto(ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at: number): void {
    const key = this.#requireKey();
    const nonce = this.#takeNonce();
    // Counted before it is used: whatever goes wrong from here on, this nonce is spent.
    this.#advance();
    this.#primitives.seal(key, nonce, ad, plaintext, out, at);
  }

  /** DecryptWithAd. Throws {@linkcode NoiseError} on a wrong tag, and the nonce stays as it was. */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    if (!this.#key && !this.#destroyed) return ciphertext.slice();
    const key = this.#requireKey();
    const plaintext = this.#primitives.open(key, this.#takeNonce(), ad, ciphertext);
    if (plaintext === undefined) throw new NoiseError("authentication failed");
    this.#advance();
    return plaintext;
  }

  /** Rekey (sections 4.2 and 11.3): a new key from the old one under the reserved nonce 2^64 - 1; the counter goes on. */
  rekey(): void {
    const key = this.#requireKey();
    const out = new Uint8Array(KEY_BYTES + TAG_BYTES);
    const last = new Uint8Array(NONCE_BYTES).fill(0xff, 4);
    this.#primitives.seal(key, last, NOTHING, new Uint8Array(KEY_BYTES), out, 0);
    key.set(out.subarray(0, KEY_BYTES));
    wipe(out);
  }

  /** Wipes the key for good: whatever needs it throws from now on, nothing passes through in the clear. */
  destroy(): void {
    wipe(this.#key);
    this.#key = undefined;
    this.#destroyed = true;
  }

  #requireKey(): Uint8Array {
    if (this.#key === undefined) throw new NoiseError("there is no key");
    return this.#key;
  }

  #takeNonce(): Uint8Array {
    if (this.#high === U32 - 1 && this.#low === U32 - 1) {
      throw new NoiseError("the nonces are used up");
    }
    this.#nonceView.setUint32(4, this.#low, true);
    this.#nonceView.setUint32(8, this.#high, true);
    return this.#nonce;
  }

  #advance(): void {
    if (++this.#low === U32) {
      this.#low = 0;
      this.#high++;
    }
  }
}
