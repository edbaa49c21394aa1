/**
 * The core's host over a transport: hands links and timers through, and makes this node's own contact record.
 *
 * @module
 */

import type { Hash } from "./wire/gossip.ts";
import type { DownReason, Host, PeerId, TimerId } from "./core/host.ts";
import type { Transport } from "./transport.ts";
import { primitives } from "./secure/primitives.ts";
import { CheckedRecords } from "./secure/checked_records.ts";
import { SignatureChecker } from "./secure/signature_checker.ts";
import type { Lane } from "./wire/frames.ts";
import { isRecordMessage, type SignedRecord, signRecord } from "./wire/record.ts";

/** What signs as a node. */
export interface Signer {
  readonly id: PeerId;
  sign(message: Uint8Array): Uint8Array;
}

/** What hashes and checks; the real ones, or the simulator's cheap ones. */
export interface Crypto {
  readonly sha256: Hash;
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean;
  /** See {@linkcode Host.proven}. */
  readonly proven?: WeakSet<SignedRecord>;
}

let checker: SignatureChecker | undefined;
let records: CheckedRecords | undefined;

/** The real thing; nodes of one process share the imported keys of authors, and what they have checked of peers' records. */
export function realCrypto(): Crypto {
  const { sha256Into } = primitives();
  const shared = checker ??= new SignatureChecker(), checked = records ??= new CheckedRecords();
  return {
    sha256: sha256Into,
    verify: (author, message, signature) => {
      if (!isRecordMessage(message)) return shared.verify(author, message, signature);
      if (checked.has(author, message, signature)) return true;
      if (!shared.verify(author, message, signature)) return false;
      checked.add(author, message, signature);
      return true;
    },
  };
}

/** Seconds for which others may believe an address record. */
const RECORD_TTL_SECONDS = 24 * 3_600;

/** {@linkcode Host} over {@linkcode Transport}. */
export class NodeHost implements Host {
  readonly self: PeerId;
  readonly proven: WeakSet<SignedRecord> | undefined;
  readonly sha256: Hash;
  readonly soon: Host["soon"];
  readonly #transport: Transport;
  readonly #identity: Signer;
  readonly #crypto: Crypto;
  #record: SignedRecord | undefined;
  #seq = 0;

  constructor(transport: Transport, identity: Signer, crypto: Crypto) {
    this.self = identity.id;
    this.#transport = transport;
    this.#identity = identity;
    this.#crypto = crypto;
    this.proven = crypto.proven;
    this.sha256 = crypto.sha256;
    this.soon = transport.soon === undefined ? undefined : (fire) => transport.soon!(fire);
  }

  now(): number {
    return this.#transport.now();
  }
  random(): number {
    return this.#transport.random();
  }
  after(ms: number, fire: () => void): TimerId {
    return this.#transport.after(ms, fire);
  }
  cancel(timer: TimerId): void {
    this.#transport.cancel(timer);
  }
  lag(): number {
    return this.#transport.lag?.() ?? 0;
  }
  connect(peer: PeerId, addresses: readonly string[], urgent?: () => boolean): void {
    this.#transport.connect(peer, addresses, urgent);
  }
  queued(peer: PeerId): boolean {
    return this.#transport.queued?.(peer) ?? false;
  }
  hold(peer: PeerId): void {
    this.#transport.hold(peer);
  }
  release(peer: PeerId): void {
    this.#transport.release(peer);
  }
  disconnect(peer: PeerId, reason: DownReason): void {
    this.#transport.disconnect(peer, reason);
  }
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    return this.#transport.send(peer, lane, head, body);
  }
  rtt(peer: PeerId): number | undefined {
    return this.#transport.rtt(peer);
  }
  leastRtt(peer: PeerId): number | undefined {
    return this.#transport.leastRtt?.(peer) ?? this.rtt(peer);
  }
  sign(message: Uint8Array): Uint8Array {
    return this.#identity.sign(message);
  }
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
    return this.#crypto.verify(author, message, signature);
  }

  record(): SignedRecord {
    return this.#record ??= signRecord({
      id: this.self,
      addresses: [...this.#transport.addresses],
      seq: this.nextSeq(),
      ttlSeconds: RECORD_TTL_SECONDS,
      topics: [],
      shards: new Map(),
    }, (message) => this.#identity.sign(message));
  }

  /** The address changed: the next {@linkcode record} is a new one. */
  renewRecord(): void {
    this.#record = undefined;
  }

  /** A number above every one given before, also before a restart. */
  nextSeq(): number {
    return this.#seq = Math.max(this.#seq + 1, Math.floor(this.#transport.wallClock()));
  }
}
