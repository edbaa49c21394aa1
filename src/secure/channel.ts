/**
 * The encrypted channel after the handshake: records, each a u16 big-endian length and a Noise transport message.
 *
 * @module
 */

import { GossipError } from "../errors.ts";
import { type CipherState, NoiseError } from "./cipher_state.ts";
import { TAG_BYTES } from "./primitives.ts";

/** Bytes of the length before every record. */
export const RECORD_HEADER_BYTES = 2;
/** Bytes by which a record (without its length) is longer than its plaintext. */
export const RECORD_OVERHEAD_BYTES: number = TAG_BYTES;
/** Most bytes of a record without its length: a Noise message. */
export const MAX_RECORD_BYTES = 65_535;
/** Most bytes of a record's plaintext. */
export const MAX_PLAINTEXT_BYTES: number = MAX_RECORD_BYTES - TAG_BYTES;
/** Records after which each direction changes its key. Part of the protocol: both ends must agree. */
export const REKEY_AFTER_RECORDS = 65_536;

const NOTHING = new Uint8Array(0);

/** What a {@linkcode Channel} is made of. */
export interface ChannelOptions {
  /** Encrypts what this side sends. */
  send: CipherState;
  /** Decrypts what the other side sends. */
  receive: CipherState;
  /** The handshake hash: unique to this session and the same at both ends. */
  handshakeHash: Uint8Array;
  /** Records after which a direction changes its key; default {@linkcode REKEY_AFTER_RECORDS}. For tests. */
  rekeyAfter?: number;
}

/** Both directions of one secured connection. The first record that cannot be opened ends it for good. */
export class Channel {
  /** The handshake hash: unique to this session and the same at both ends. */
  readonly handshakeHash: Uint8Array;
  readonly #send: CipherState;
  readonly #receive: CipherState;
  readonly #rekeyAfter: number;
  #untilSendRekey: number;
  #untilReceiveRekey: number;
  /** Of a channel that was closed, which most are one day, the error is made when somebody asks for it: its stack was a 60th of what a connection costs. */
  #ended: GossipError | "closed" | undefined;

  /** Takes over the two ciphers of a finished handshake. */
  constructor(options: ChannelOptions) {
    const rekeyAfter = options.rekeyAfter ?? REKEY_AFTER_RECORDS;
    if (!Number.isSafeInteger(rekeyAfter) || rekeyAfter < 1) {
      throw new RangeError("rekeyAfter: expected a positive integer");
    }
    this.handshakeHash = options.handshakeHash;
    this.#send = options.send;
    this.#receive = options.receive;
    this.#rekeyAfter = this.#untilSendRekey = this.#untilReceiveRekey = rekeyAfter;
  }

  /** Whether it was closed or ended by a bad record. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * A complete record, ready to be written: length, ciphertext, tag.
   *
   * @param plaintext What to send.
   * @param length How many of its bytes, from the front; all by default.
   */
  seal(plaintext: Uint8Array, length: number = plaintext.length): Uint8Array {
    const out = new Uint8Array(RECORD_HEADER_BYTES + checked(plaintext, length) + TAG_BYTES);
    this.sealInto(plaintext, length, out, 0);
    return out;
  }

  /**
   * The same, written to `out` at `at`, so that several records leave in one write from a buffer that is used again.
   * `out` must not overlap `plaintext`.
   *
   * @returns The offset behind the record.
   */
  sealInto(plaintext: Uint8Array, length: number, out: Uint8Array, at: number): number {
    if (this.#ended) throw this.#reason;
    const sealed = checked(plaintext, length) + TAG_BYTES;
    const end = at + RECORD_HEADER_BYTES + sealed;
    if (end > out.length) throw new RangeError("out: no room for the record");
    const text = length === plaintext.length ? plaintext : plaintext.subarray(0, length);
    try {
      this.#send.sealInto(NOTHING, text, out, at + RECORD_HEADER_BYTES);
    } catch (cause) {
      throw this.#end(new GossipError("closed", "no further record can be sealed", { cause }));
    }
    out[at] = sealed >> 8;
    out[at + 1] = sealed & 0xff;
    if (--this.#untilSendRekey === 0) {
      this.#send.rekey();
      this.#untilSendRekey = this.#rekeyAfter;
    }
    return end;
  }

  /**
   * Opens one record.
   *
   * @param record Ciphertext and tag, without the length. Not kept.
   * @returns The plaintext in memory of its own.
   */
  open(record: Uint8Array): Uint8Array {
    if (this.#ended) throw this.#reason;
    let plaintext: Uint8Array;
    try {
      if (record.length > MAX_RECORD_BYTES) throw new NoiseError("the record is too long");
      plaintext = this.#receive.decryptWithAd(NOTHING, record);
    } catch (cause) {
      throw this.#end(new GossipError("bad-record", "a record could not be opened", { cause }));
    }
    if (--this.#untilReceiveRekey === 0) {
      this.#receive.rekey();
      this.#untilReceiveRekey = this.#rekeyAfter;
    }
    return plaintext;
  }

  /** Wipes the keys. Further calls throw a `GossipError` "closed". Idempotent. */
  close(): void {
    if (!this.#ended) this.#end("closed");
  }

  get #reason(): GossipError {
    if (this.#ended !== "closed") return this.#ended!;
    return this.#ended = new GossipError("closed", "the channel is closed");
  }

  #end<E extends GossipError | "closed">(reason: E): E {
    this.#ended = reason;
    this.#send.destroy();
    this.#receive.destroy();
    return reason;
  }
}

function checked(plaintext: Uint8Array, length: number): number {
  if (!(length >= 0 && length <= plaintext.length && length <= MAX_PLAINTEXT_BYTES)) {
    throw new RangeError(`length: expected 0 to ${MAX_PLAINTEXT_BYTES} bytes of the plaintext`);
  }
  return length;
}
