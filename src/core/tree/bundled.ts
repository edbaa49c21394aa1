/**
 * The messages of a bundle on their way from the tree to the topic.
 *
 * @module
 */

import { BundleParts, eachBundled } from "../../wire/bundle.ts";
import { toHex } from "../../wire/bytes.ts";
import { type Hash, ID_BYTES } from "../../wire/gossip.ts";
import type { PeerId } from "../host.ts";
import type { HeldMessage } from "./message.ts";
import type { TreeMessage, Verdict } from "./port.ts";

const NOTHING = new Uint8Array(0);

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
    const { body, payloadAt, payloadEnd } = message, members: BundledMessage[] = [];
    eachBundled(body, payloadAt, payloadEnd, (start, end) => {
      members.push(new BundledMessage(this, members.length, start, end));
    });
    this.members = members;
  }

  /** It was taken apart: its messages stand for themselves, and must not pin it, nor the record that it came in. */
  release(): void {
    const apart = this.members.every(({ part }) => part !== undefined);
    // Whoever was asked about one that has become no part may still hold it.
    this.message.body = apart ? NOTHING : this.message.body.slice();
    this.#parts = this.#copy = undefined;
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
  /** What was said of it. */
  verdict: Verdict | undefined = undefined;
  /** It came by itself before. */
  known = false;
  /** The same message by itself, once the bundle was taken apart. */
  part: HeldMessage | undefined = undefined;
  readonly #bundle: Bundle;
  readonly #index: number;
  readonly #start: number;
  readonly #end: number;
  #id: string | undefined;

  /** The payload lies at `body[payloadAt, payloadEnd)` of the bundle. */
  constructor(bundle: Bundle, index: number, payloadAt: number, payloadEnd: number) {
    this.#bundle = bundle;
    this.#index = index;
    this.#start = payloadAt;
    this.#end = payloadEnd;
  }

  get id(): string {
    return this.#id ??= this.part?.id ??
      toHex(this.#bundle.parts.digest(this.#index), 0, ID_BYTES);
  }
  get body(): Uint8Array {
    return this.part?.body ?? this.#bundle.message.body;
  }
  get payloadAt(): number {
    return this.part?.payloadAt ?? this.#start;
  }
  get payloadEnd(): number {
    return this.part?.payloadEnd ?? this.#end;
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
    return this.part?.copy() ?? this.#bundle.copy(this.#start, this.#end);
  }
}
