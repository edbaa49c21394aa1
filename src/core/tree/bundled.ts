/**
 * The messages of a bundle on their way from the tree to the topic.
 *
 * @module
 */

import { BundleParts, eachBundled } from "../../wire/bundle.ts";
import { toHex } from "../../wire/bytes.ts";
import { type Hash, ID_BYTES } from "../../wire/gossip.ts";
import { HASH_BYTES } from "../../wire/batch.ts";
import type { PeerId } from "../host.ts";
import type { HeldMessage } from "./message.ts";
import type { TreeMessage, Verdict } from "./port.ts";

/** A bundle, as the place of its messages. */
export class Bundle {
  readonly message: HeldMessage;
  /** Its messages, in the order of their counters. */
  readonly members: readonly BundledMessage[];
  readonly #hash: Hash;
  readonly #key: Uint8Array;
  #copy: Uint8Array | undefined;
  #parts: BundleParts | undefined;

  /** Of a body that was read and counted. */
  constructor(message: HeldMessage, hash: Hash, key: Uint8Array) {
    this.message = message;
    this.#hash = hash;
    this.#key = key;
    const { body, payloadAt } = message, members: BundledMessage[] = [];
    eachBundled(body, payloadAt, body.length - HASH_BYTES, (start, end) => {
      members.push(new BundledMessage(this, members.length, start, end));
    });
    this.members = members;
  }

  /** Its messages by themselves. Most bundles are never taken apart, and most ids never read: so nothing is hashed before. */
  get parts(): BundleParts {
    return this.#parts ??= new BundleParts(this.#hash, this.#key, this.message.body);
  }

  /** What lies at `body[start, end)`, in a copy of all payloads: one piece of memory for readers is far cheaper than many. */
  copy(start: number, end: number): Uint8Array {
    const { body, payloadAt } = this.message;
    const copy = this.#copy ??= new Uint8Array(body.subarray(payloadAt));
    return copy.subarray(start - payloadAt, end - payloadAt);
  }
}

/** A message of a bundle. */
export class BundledMessage implements TreeMessage {
  readonly payloadAt: number;
  readonly payloadEnd: number;
  /** What was said of it. */
  verdict: Verdict | undefined = undefined;
  /** It came by itself before. */
  known = false;
  /** The same message by itself, once the bundle was taken apart. */
  part: HeldMessage | undefined = undefined;
  readonly #bundle: Bundle;
  readonly #index: number;
  #id: string | undefined;

  /** The payload lies at `body[payloadAt, payloadEnd)` of the bundle. */
  constructor(bundle: Bundle, index: number, payloadAt: number, payloadEnd: number) {
    this.#bundle = bundle;
    this.#index = index;
    this.payloadAt = payloadAt;
    this.payloadEnd = payloadEnd;
  }

  get id(): string {
    return this.#id ??= toHex(this.#bundle.parts.digest(this.#index), 0, ID_BYTES);
  }
  get body(): Uint8Array {
    return this.#bundle.message.body;
  }
  get from(): PeerId | undefined {
    return this.#bundle.message.from;
  }
  get seq(): number {
    return this.#bundle.message.seq + this.#index;
  }
  get via(): PeerId {
    return this.#bundle.message.via;
  }
  get hops(): number {
    return this.#bundle.message.hops;
  }

  copy(): Uint8Array {
    return this.#bundle.copy(this.payloadAt, this.payloadEnd);
  }
}
