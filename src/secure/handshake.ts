/**
 * The handshake of a connection, without the connection: `Noise_XX_25519_ChaChaPoly_SHA256` with ed25519 identities.
 *
 * ```text
 * prologue   "plumtree/1" 0x00 network (UTF-8)
 * message 1  -> e                     32 bytes
 * message 2  <- e, ee, s, es, proof  192 bytes
 * message 3  -> s, se, proof         160 bytes
 * proof      ed25519 public key (32) | signature (64) over
 *            "plumtree/1 handshake" 0x00 | role (0 initiator, 1 responder) | handshake hash before the proof (32)
 *            | own X25519 static key (32)
 * ```
 *
 * Every message has one exact length, so a stranger costs at most 192 bytes before it is authenticated. On the wire each
 * message has a u16 big-endian length before it, as records do. The initiator proves who it is only after the responder
 * has.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import { toHex } from "../wire/bytes.ts";
import { Channel } from "./channel.ts";
import { type Identity, publicKeyOf } from "./identity.ts";
import { HandshakeState, PATTERNS, type Role } from "./noise.ts";
import {
  HASH_BYTES,
  KEY_BYTES,
  type KeyPair,
  type Primitives,
  primitives,
  SIGNATURE_BYTES,
  TAG_BYTES,
} from "./primitives.ts";

/** Bytes of the payload of messages 2 and 3: public key and signature. */
export const PROOF_BYTES: number = KEY_BYTES + SIGNATURE_BYTES;
/** Exact bytes of the three messages, without the length before them. */
export const HANDSHAKE_MESSAGE_BYTES: readonly [number, number, number] = [
  KEY_BYTES,
  KEY_BYTES + KEY_BYTES + TAG_BYTES + PROOF_BYTES + TAG_BYTES,
  KEY_BYTES + TAG_BYTES + PROOF_BYTES + TAG_BYTES,
];
/** Most bytes of a handshake message. */
export const MAX_HANDSHAKE_BYTES: number = Math.max(...HANDSHAKE_MESSAGE_BYTES);

const encoder = new TextEncoder();
const PROLOGUE_LABEL = "plumtree/1\0";
const PROOF_LABEL = encoder.encode("plumtree/1 handshake\0");
const NOTHING = new Uint8Array(0);

/** The prologue of a network: "plumtree/1", a zero byte, the name in UTF-8. */
export function handshakePrologue(network: string): Uint8Array {
  return encoder.encode(PROLOGUE_LABEL + network);
}

/** What the signature of a proof is over. */
export function proofMessage(role: Role, hash: Uint8Array, staticKey: Uint8Array): Uint8Array {
  const message = new Uint8Array(PROOF_LABEL.length + 1 + HASH_BYTES + KEY_BYTES);
  message.set(PROOF_LABEL);
  message[PROOF_LABEL.length] = role === "initiator" ? 0 : 1;
  message.set(hash, PROOF_LABEL.length + 1);
  message.set(staticKey, PROOF_LABEL.length + 1 + HASH_BYTES);
  return message;
}

/** A message as it travels: u16 big-endian length, then the message. */
export function frameHandshakeMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(2 + message.length);
  framed[0] = message.length >> 8;
  framed[1] = message.length & 0xff;
  framed.set(message, 2);
  return framed;
}

/** What a {@linkcode Handshake} needs to know. */
export interface HandshakeOptions {
  /** "initiator" for who dialled. */
  role: Role;
  /** Who this node is. */
  identity: Identity;
  /** The network's name; nodes of different networks fail to shake hands. */
  network: string;
  /** The id that must answer, where the dialled address names one. */
  expected?: PeerId;
  /** The primitives to use; default: what the runtime has. */
  primitives?: Primitives;
  /** See `ChannelOptions.rekeyAfter`. */
  rekeyAfter?: number;
}

/** What came of a received message. */
export interface HandshakeStep {
  /** The message to send now. */
  send?: Uint8Array;
  /** The authenticated peer; set together with `channel`, when this side has finished. */
  peer?: PeerId;
  /** The channel for everything after the handshake. */
  channel?: Channel;
}

// One X25519 key per identity and process, as old as the process: nothing outside a handshake depends on it.
const staticKeys = new WeakMap<Identity, KeyPair>();

/**
 * One side of one handshake. Does no I/O: the connection moves the messages and keeps the deadline.
 *
 * Every error is a {@linkcode GossipError} ("handshake-failed", "wrong-peer", "own-id") and final: each further call
 * throws.
 */
export class Handshake {
  readonly #role: Role;
  readonly #identity: Identity;
  readonly #expected: PeerId | undefined;
  readonly #rekeyAfter: number | undefined;
  readonly #primitives: Primitives;
  readonly #static: KeyPair;
  readonly #noise: HandshakeState;
  #messages = 0;
  #dead = false;

  /** Prepares a side; throws TypeError or RangeError on wrong options. */
  constructor(options: HandshakeOptions) {
    if (options.expected !== undefined && publicKeyOf(options.expected) === undefined) {
      throw new RangeError("expected: an id has 64 lower-case hex digits");
    }
    this.#role = options.role;
    this.#identity = options.identity;
    this.#expected = options.expected;
    this.#rekeyAfter = options.rekeyAfter;
    this.#primitives = options.primitives ?? primitives();
    this.#static = staticKeyOf(options.identity, this.#primitives);
    this.#noise = new HandshakeState({
      primitives: this.#primitives,
      pattern: PATTERNS.XX,
      role: options.role,
      prologue: handshakePrologue(options.network),
      static: this.#static,
    });
  }

  /** Exact bytes of the message that must come next; 0 where none is due. A reader refuses any other length at once. */
  get expects(): number {
    const mine = (this.#messages % 2 === 0) === (this.#role === "initiator");
    return this.#dead || mine ? 0 : HANDSHAKE_MESSAGE_BYTES[this.#messages] ?? 0;
  }

  /** The first message, for the initiator to send; undefined for the responder. Call it once, first. */
  start(): Uint8Array | undefined {
    if (this.#role === "responder" && this.#messages === 0) return undefined;
    return this.#guard(() => this.#write(NOTHING));
  }

  /** Takes the other side's next message. */
  receive(message: Uint8Array): HandshakeStep {
    return this.#guard(() => {
      if (message.length !== this.expects) throw failed("a message of the wrong length");
      if (this.#messages === 0) {
        this.#noise.readMessage(message);
        this.#messages++;
        return { send: this.#write((hash) => this.#proof(hash)) };
      }
      let peer: PeerId = "";
      this.#noise.readMessage(message, (payload, hash) => peer = this.#check(payload, hash));
      this.#messages++;
      if (this.#role === "responder") return { peer, channel: this.#finish() };
      const send = this.#write((hash) => this.#proof(hash));
      return { send, peer, channel: this.#finish() };
    });
  }

  /** Gives up: wipes the secrets; further calls throw. Idempotent. */
  abort(): void {
    this.#dead = true;
    this.#noise.destroy();
  }

  #write(payload: Uint8Array | ((hash: Uint8Array) => Uint8Array)): Uint8Array {
    const message = this.#noise.writeMessage(payload);
    this.#messages++;
    return message;
  }

  #proof(hash: Uint8Array): Uint8Array {
    const proof = new Uint8Array(PROOF_BYTES);
    proof.set(publicKeyOf(this.#identity.id)!);
    const message = proofMessage(this.#role, hash, this.#static.publicKey);
    proof.set(this.#identity.sign(message), KEY_BYTES);
    return proof;
  }

  /** The peer that a proof proves. */
  #check(proof: Uint8Array, hash: Uint8Array): PeerId {
    const publicKey = proof.subarray(0, KEY_BYTES);
    const theirs: Role = this.#role === "initiator" ? "responder" : "initiator";
    const message = proofMessage(theirs, hash, this.#noise.remoteStatic!);
    const verify = this.#primitives.ed25519Verifier(publicKey);
    if (!verify?.(message, proof.subarray(KEY_BYTES))) throw failed("the identity is not proved");
    const peer = toHex(publicKey);
    if (peer === this.#identity.id) {
      throw new GossipError("own-id", "the other side is this node itself");
    }
    if (this.#expected !== undefined && peer !== this.#expected) {
      throw new GossipError("wrong-peer", `expected ${this.#expected}, met ${peer}`);
    }
    return peer;
  }

  #finish(): Channel {
    const handshakeHash = this.#noise.handshakeHash;
    const ciphers = this.#noise.split();
    this.#dead = true;
    return new Channel({ ...ciphers, handshakeHash, rekeyAfter: this.#rekeyAfter });
  }

  #guard<T>(run: () => T): T {
    if (this.#dead) throw failed("the handshake has ended");
    try {
      return run();
    } catch (cause) {
      this.abort();
      if (cause instanceof GossipError) throw cause;
      throw failed(
        "a message was refused: the other side is of another network or protocol, or somebody changed it",
        cause,
      );
    }
  }
}

function staticKeyOf(identity: Identity, primitives: Primitives): KeyPair {
  let pair = staticKeys.get(identity);
  if (pair === undefined) staticKeys.set(identity, pair = primitives.x25519Generate());
  return pair;
}

function failed(message: string, cause?: unknown): GossipError {
  return new GossipError("handshake-failed", message, cause === undefined ? undefined : { cause });
}
