/**
 * The Noise protocol framework (revision 34): SymmetricState and HandshakeState for `Noise_*_25519_ChaChaPoly_SHA256`.
 *
 * The library speaks XX only. The state machine is driven by the patterns' tables, so that the published vectors of NN,
 * XK and IK hold it too. Pre-shared keys, other hashes and fallback patterns are left out.
 *
 * @module
 */

import { CipherState, NoiseError } from "./cipher_state.ts";
import {
  HASH_BYTES,
  KEY_BYTES,
  type KeyPair,
  type Primitives,
  TAG_BYTES,
  wipe,
} from "./primitives.ts";

export { CipherState, NoiseError } from "./cipher_state.ts";

/** The side that writes the first message, or the other one. */
export type Role = "initiator" | "responder";

/** A token of a message pattern. */
export type Token = "e" | "s" | "ee" | "es" | "se" | "ss";

/** A handshake pattern: what each message carries, and whether the responder's static key is known beforehand. */
export interface Pattern {
  /** The pattern's name in the protocol name. */
  readonly name: string;
  /** Whether the initiator knows the responder's static key (the pre-message `<- s`). */
  readonly responderKnown: boolean;
  /** The messages, the initiator's first. */
  readonly messages: readonly (readonly Token[])[];
}

/** The patterns that are spoken here. */
export const PATTERNS: Readonly<Record<"NN" | "XK" | "IK" | "XX", Pattern>> = {
  NN: { name: "NN", responderKnown: false, messages: [["e"], ["e", "ee"]] },
  XK: { name: "XK", responderKnown: true, messages: [["e", "es"], ["e", "ee"], ["s", "se"]] },
  IK: { name: "IK", responderKnown: true, messages: [["e", "es", "s", "ss"], ["e", "ee", "se"]] },
  XX: { name: "XX", responderKnown: false, messages: [["e"], ["e", "ee", "s", "es"], ["s", "se"]] },
};

const NOTHING = new Uint8Array(0);

/** SymmetricState (section 5.2): chaining key, handshake hash and cipher. */
export class SymmetricState {
  readonly #primitives: Primitives;
  readonly #cipher: CipherState;
  #chainingKey: Uint8Array;
  #hash: Uint8Array;

  /** InitializeSymmetric. */
  constructor(primitives: Primitives, protocolName: string) {
    this.#primitives = primitives;
    const name = new TextEncoder().encode(protocolName);
    this.#hash = new Uint8Array(HASH_BYTES);
    if (name.length <= HASH_BYTES) this.#hash.set(name);
    else this.#hash = primitives.sha256(name);
    this.#chainingKey = this.#hash.slice();
    this.#cipher = new CipherState(primitives);
  }

  /** GetHandshakeHash; a copy. */
  get handshakeHash(): Uint8Array {
    return this.#hash.slice();
  }

  /** Whether payloads are encrypted yet. */
  get hasKey(): boolean {
    return this.#cipher.hasKey;
  }

  /** MixHash. */
  mixHash(data: Uint8Array): void {
    const bytes = new Uint8Array(HASH_BYTES + data.length);
    bytes.set(this.#hash);
    bytes.set(data, HASH_BYTES);
    this.#hash = new Uint8Array(HASH_BYTES);
    this.#primitives.sha256Into(bytes, 0, bytes.length, this.#hash, 0);
  }

  /** MixKey; wipes `inputKeyMaterial`. */
  mixKey(inputKeyMaterial: Uint8Array): void {
    const [chainingKey, key] = this.#hkdf(inputKeyMaterial);
    wipe(this.#chainingKey, inputKeyMaterial);
    this.#chainingKey = chainingKey;
    this.#cipher.initializeKey(key);
    wipe(key);
  }

  /** EncryptAndHash. */
  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#cipher.encryptWithAd(this.#hash, plaintext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  /** DecryptAndHash. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#cipher.decryptWithAd(this.#hash, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** Split: the ciphers of the initiator's and of the responder's records. Wipes what made them. */
  split(): [CipherState, CipherState] {
    const [first, second] = this.#hkdf(NOTHING);
    const ciphers: [CipherState, CipherState] = [
      new CipherState(this.#primitives, first),
      new CipherState(this.#primitives, second),
    ];
    wipe(first, second);
    this.destroy();
    return ciphers;
  }

  /** Wipes the keys; the handshake hash stays. */
  destroy(): void {
    wipe(this.#chainingKey);
    this.#cipher.destroy();
  }

  /** HKDF (section 4.3) with two outputs. */
  #hkdf(inputKeyMaterial: Uint8Array): [Uint8Array, Uint8Array] {
    const both = this.#primitives.hkdfSha256(this.#chainingKey, inputKeyMaterial, 2 * HASH_BYTES);
    return [both.subarray(0, HASH_BYTES), both.subarray(HASH_BYTES)];
  }
}

/** What {@linkcode HandshakeState} starts from. */
export interface HandshakeStateOptions {
  /** The primitives to use. */
  primitives: Primitives;
  /** The pattern. */
  pattern: Pattern;
  /** Whose side this is. */
  role: Role;
  /** Bytes that both sides must agree on. */
  prologue: Uint8Array;
  /** The static key pair (s), where the pattern sends or knows one. Stays the caller's. */
  static?: KeyPair;
  /** The other side's static key (rs), where the pattern has it known. */
  remoteStatic?: Uint8Array;
  /** The ephemeral key pair (e), for tests with vectors; a fresh one by default. Its secret is wiped. */
  ephemeral?: KeyPair;
}

/**
 * HandshakeState (section 5.3). After an error it is dead: every further message throws {@linkcode NoiseError}.
 */
export class HandshakeState {
  readonly #primitives: Primitives;
  readonly #symmetric: SymmetricState;
  readonly #pattern: Pattern;
  readonly #initiator: boolean;
  readonly #static: KeyPair | undefined;
  #ephemeral: KeyPair | undefined;
  #remoteStatic: Uint8Array | undefined;
  #remoteEphemeral: Uint8Array | undefined;
  #next = 0;
  #dead = false;

  /** Initialize. */
  constructor(options: HandshakeStateOptions) {
    this.#primitives = options.primitives;
    this.#pattern = options.pattern;
    this.#initiator = options.role === "initiator";
    this.#static = options.static;
    this.#ephemeral = options.ephemeral;
    this.#remoteStatic = options.remoteStatic;
    const name = `Noise_${options.pattern.name}_25519_ChaChaPoly_SHA256`;
    this.#symmetric = new SymmetricState(options.primitives, name);
    this.#symmetric.mixHash(options.prologue);
    if (options.pattern.responderKnown) {
      const known = this.#initiator ? this.#remoteStatic : this.#static?.publicKey;
      if (known === undefined) throw new TypeError("the pattern needs the responder's static key");
      this.#symmetric.mixHash(known);
    }
  }

  /** The other side's static key, once it is known. */
  get remoteStatic(): Uint8Array | undefined {
    return this.#remoteStatic;
  }

  /** The handshake hash; in a payload callback it covers everything before the payload. */
  get handshakeHash(): Uint8Array {
    return this.#symmetric.handshakeHash;
  }

  /** Whether every message of the pattern was written or read. */
  get finished(): boolean {
    return this.#next === this.#pattern.messages.length;
  }

  /** WriteMessage. A payload that depends on the transcript is given as a function, called with the hash before it. */
  writeMessage(payload: Uint8Array | ((hash: Uint8Array) => Uint8Array)): Uint8Array {
    return this.#step(true, (tokens) => {
      const parts = tokens.map((token) => this.#writeToken(token));
      const plain = typeof payload === "function" ? payload(this.handshakeHash) : payload;
      parts.push(this.#symmetric.encryptAndHash(plain));
      return concat(parts);
    });
  }

  /** ReadMessage. `check`, if given, sees the payload and the hash before it, and throws to refuse. */
  readMessage(
    message: Uint8Array,
    check?: (payload: Uint8Array, hash: Uint8Array) => void,
  ): Uint8Array {
    return this.#step(false, (tokens) => {
      let at = 0;
      const take = (length: number): Uint8Array => {
        if (length > message.length - at) throw new NoiseError("the message is cut short");
        return message.subarray(at, at += length);
      };
      for (const token of tokens) this.#readToken(token, take);
      const before = this.handshakeHash;
      const payload = this.#symmetric.decryptAndHash(message.subarray(at));
      check?.(payload, before);
      return payload;
    });
  }

  /** The ciphers for this side's and the other side's records, once finished; only once. */
  split(): { send: CipherState; receive: CipherState } {
    if (this.#dead || !this.finished) throw new NoiseError("the handshake has not finished");
    const [initiator, responder] = this.#symmetric.split();
    this.destroy();
    return this.#initiator
      ? { send: initiator, receive: responder }
      : { send: responder, receive: initiator };
  }

  /** Ends the handshake and wipes its secrets. */
  destroy(): void {
    this.#dead = true;
    wipe(this.#ephemeral?.secretKey);
    this.#ephemeral = undefined;
    this.#symmetric.destroy();
  }

  #step<T>(writes: boolean, run: (tokens: readonly Token[]) => T): T {
    const tokens = this.#pattern.messages[this.#next];
    const turn = (this.#next % 2 === 0) === this.#initiator;
    if (this.#dead || tokens === undefined || turn !== writes) {
      throw new NoiseError("no such message is due");
    }
    try {
      const result = run(tokens);
      this.#next++;
      return result;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  #writeToken(token: Token): Uint8Array {
    if (token === "e") {
      this.#ephemeral ??= this.#primitives.x25519Generate();
      this.#symmetric.mixHash(this.#ephemeral.publicKey);
      return this.#ephemeral.publicKey;
    }
    if (token === "s") return this.#symmetric.encryptAndHash(this.#requireStatic().publicKey);
    this.#agree(token);
    return NOTHING;
  }

  #readToken(token: Token, take: (length: number) => Uint8Array): void {
    if (token === "e") {
      this.#remoteEphemeral = take(KEY_BYTES).slice();
      this.#symmetric.mixHash(this.#remoteEphemeral);
    } else if (token === "s") {
      const length = KEY_BYTES + (this.#symmetric.hasKey ? TAG_BYTES : 0);
      this.#remoteStatic = this.#symmetric.decryptAndHash(take(length));
    } else {
      this.#agree(token);
    }
  }

  /** A Diffie-Hellman token: its first letter is the initiator's key, its second the responder's. */
  #agree(token: "ee" | "es" | "se" | "ss"): void {
    const mine = token[this.#initiator ? 0 : 1], theirs = token[this.#initiator ? 1 : 0];
    const own = mine === "s" ? this.#requireStatic() : this.#ephemeral;
    const other = theirs === "s" ? this.#remoteStatic : this.#remoteEphemeral;
    if (own === undefined || other === undefined) throw new NoiseError("a key is missing");
    let shared: Uint8Array;
    try {
      shared = own.agree?.(other) ?? this.#primitives.x25519(own.secretKey, other);
    } catch (cause) {
      throw new NoiseError("the key agreement failed", { cause });
    }
    this.#symmetric.mixKey(shared);
  }

  #requireStatic(): KeyPair {
    if (this.#static === undefined) throw new TypeError("the pattern needs a static key");
    return this.#static;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
