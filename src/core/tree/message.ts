/**
 * A message on its way from the tree to the topic.
 *
 * @module
 */

import { HASH_BYTES } from "../../wire/batch.ts";
import { toHex } from "../../wire/bytes.ts";
import { ID_BYTES } from "../../wire/gossip.ts";
import type { PeerId } from "../host.ts";
import type { Bundle } from "./bundled.ts";
import type { TreeMessage } from "./port.ts";

/** What {@linkcode HeldMessage} is made of. */
export interface MessageParts {
  readonly entry: number;
  readonly body: Uint8Array;
  /** Messages in it: more than one in a bundle. */
  readonly count: number;
  readonly payloadAt: number;
  readonly from: PeerId | undefined;
  readonly seq: number;
  readonly via: PeerId;
  readonly hops: number;
  /** Others had it long before: see `Repair.tell`. */
  readonly old: boolean;
}

/** A {@linkcode TreeMessage}, or a bundle of several, that knows its log entry; its id becomes text when somebody reads it. */
export class HeldMessage implements TreeMessage {
  /** The log entry. */
  readonly entry: number;
  /** Once it is accepted what `BodyArena.keep` gave back, which pins no more than twice as much or what is held there. */
  body: Uint8Array;
  /** True while its verdict is awaited. */
  pending = false;
  readonly count: number;
  /** Of a bundle: its messages. */
  bundle: Bundle | undefined = undefined;
  /** What it was judged as, and is delivered as, where it came in a bundle that was taken apart. */
  face: TreeMessage | undefined = undefined;
  readonly payloadAt: number;
  readonly from: PeerId | undefined;
  readonly seq: number;
  readonly via: PeerId;
  readonly hops: number;
  readonly old: boolean;
  // Five numbers: cheaper than an array of their own for each message.
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;
  readonly #d: number;
  readonly #e: number;
  #id: string | undefined;

  /** Copies the id out of `digest`. */
  constructor(parts: MessageParts, digest: Uint8Array) {
    this.entry = parts.entry;
    this.body = parts.body;
    this.count = parts.count;
    this.payloadAt = parts.payloadAt;
    this.from = parts.from;
    this.seq = parts.seq;
    this.via = parts.via;
    this.hops = parts.hops;
    this.old = parts.old;
    this.#a = word(digest, 0);
    this.#b = word(digest, 4);
    this.#c = word(digest, 8);
    this.#d = word(digest, 12);
    this.#e = word(digest, 16);
  }

  /** Where the payload, or a bundle's last message, ends. */
  get payloadEnd(): number {
    return this.count > 1 ? this.body.length - HASH_BYTES : this.body.length;
  }

  // The constructor copies in half the time of `slice`, which fills the new memory with zeros first.
  copy(): Uint8Array {
    return new Uint8Array(this.body.subarray(this.payloadAt));
  }

  get id(): string {
    return this.#id ??= this.#hex();
  }

  #hex(): string {
    WORDS.setInt32(0, this.#a);
    WORDS.setInt32(4, this.#b);
    WORDS.setInt32(8, this.#c);
    WORDS.setInt32(12, this.#d);
    WORDS.setInt32(16, this.#e);
    return toHex(ID);
  }
}

/** An id in bytes, on its way to text. */
const ID = new Uint8Array(ID_BYTES), WORDS = new DataView(ID.buffer);

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}
