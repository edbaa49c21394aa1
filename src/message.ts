/**
 * What comes out of a topic, and how values become bytes.
 *
 * @module
 */

import type { PeerId } from "./core/host.ts";
import type { TreeMessage } from "./core/tree/port.ts";
import { decodeCbor, encodeCbor } from "./wire/cbor.ts";

/**
 * One received message. All iterators of a topic give the same object, so what one reader writes into its bytes the others see.
 * Its fields are made when they are read: name those that you want, since spread, `JSON.stringify` and `structuredClone` see none of them.
 *
 * @example
 * ```ts
 * import { Gossip, type Message } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const line = (m: Message): string => `${m.topic} #${m.seq}, ${m.hops} hops: ${m.text()}`;
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using news = node.join("news", { echo: true });
 * await news.publish("hello");
 * for await (const m of news) {
 *   assertEquals(line(m), "news #1, 0 hops: hello");
 *   assertEquals(m.from, node.id);
 *   break;
 * }
 * ```
 */
export interface Message<T = Uint8Array> {
  /** 40 lower-case hex digits: the first 20 bytes of SHA-256 over topic, author, counter and payload. */
  readonly id: string;
  /** The topic's name. */
  readonly topic: string;
  /** The author, verified; undefined on a topic with `sign: false`. */
  readonly from: PeerId | undefined;
  /** The neighbour that it came through; this node's own id for an echo. */
  readonly via: PeerId;
  /** Links from the author: 1 for a direct neighbour, 0 for an echo. */
  readonly hops: number;
  /** The author's own counter on the topic: 1 for its first message since its node started, then one up each time. It orders nothing between authors, and one author's messages may come in another order. */
  readonly seq: number;
  /**
   * The payload, apart from what is relayed: writing to it changes nothing but this object. Messages that travelled together share one
   * `data.buffer`, each with a range of its own: copy the bytes before the buffer is transferred, or where few of them are kept for long.
   */
  readonly data: Uint8Array;
  /** Bytes of the payload. */
  readonly size: number;
  /** The payload, decoded by the topic's codec; `data` without one. */
  readonly value: T;
  /** The payload as UTF-8; malformed parts become U+FFFD. */
  text(): string;
  /** The payload as JSON; throws SyntaxError where it is none. */
  json(): unknown;
}

/**
 * How values become bytes and come back, for `codec` in `TopicOptions`. `cbor()` and `json()` make ready ones.
 *
 * @example
 * ```ts
 * import type { Codec } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const upper: Codec<string> = {
 *   encode: (value) => new TextEncoder().encode(value),
 *   decode: (bytes) => new TextDecoder().decode(bytes).toUpperCase(),
 * };
 * assertEquals(upper.decode(upper.encode("hi")), "HI");
 * ```
 */
export interface Codec<T> {
  /** Bytes of a value; what it throws comes out of `publish`. */
  encode(value: T): Uint8Array;
  /** The value of bytes from a peer; throwing rejects the message. */
  decode(bytes: Uint8Array): T;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A codec for values as CBOR (RFC 8949), without tags.
 *
 * It carries `null`, `undefined`, booleans, numbers (-0 comes back as 0), strings of well-formed Unicode, `Uint8Array`, and arrays
 * and plain objects of these, nested up to 64 deep. A bigint from -2^32 to 2^53 - 1 and an `ArrayBuffer` come back as a number and
 * as bytes, an instance of a class as a plain object of its own fields, a key "__proto__" as "__proto_". It carries no other
 * bigint, no `Date`, `Map`, `Set`, `RegExp` or `Error`, no typed array but `Uint8Array`, no function, symbol or lone surrogate:
 * `encode` throws TypeError, and bytes with a tag are refused like malformed ones, so that a peer cannot make such objects here.
 * Byte strings in a decoded value are views of the message's `data`.
 *
 * A peer may send any value of these; what the type says is not checked: check it in `validate`.
 *
 * @example
 * ```ts
 * import { cbor } from "@x/plumtree";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const codec = cbor<{ height: number; hash: Uint8Array }>();
 * const block = { height: 7, hash: new Uint8Array([1, 2, 3]) };
 * assertEquals(codec.decode(codec.encode(block)), block);
 * assertThrows(() => cbor<Date>().encode(new Date(0)), TypeError);
 * ```
 */
export function cbor<T>(): Codec<T> {
  return { encode: encodeCbor, decode: (bytes) => decodeCbor(bytes) as T };
}

/**
 * A codec for values as JSON (RFC 8259), by `JSON.stringify` and `JSON.parse`: a `Date` comes back as a string, `NaN` as null.
 * `encode` throws TypeError for what has no JSON form; bytes that are not UTF-8 or not JSON are refused.
 *
 * A peer may send any JSON; what the type says is not checked: check it in `validate`.
 *
 * @example
 * ```ts
 * import { json } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = json<{ height: number }>();
 * assertEquals(codec.decode(codec.encode({ height: 7 })), { height: 7 });
 * ```
 */
export function json<T>(): Codec<T> {
  return {
    encode: (value) => {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError("the value has no JSON form");
      return encoder.encode(text);
    },
    decode: (bytes) => JSON.parse(strictDecoder.decode(bytes)) as T,
  };
}

/** What is published: what the codec makes of a value or, without one, strings in UTF-8 and bytes as they are; TypeError for anything else. */
export function toPayload<T>(value: unknown, codec: Codec<T> | undefined): Uint8Array {
  if (codec === undefined && typeof value === "string") return encoder.encode(value);
  const bytes: unknown = codec === undefined ? value : codec.encode(value as T);
  if (bytes instanceof Uint8Array) return bytes;
  if (codec === undefined) {
    throw new TypeError(`value must be a string or Uint8Array, not ${typeof value}`);
  }
  throw new TypeError(`codec.encode must return a Uint8Array, not ${typeof bytes}`);
}

/** A message as the reader sees it, over the tree's bytes. */
export class ReceivedMessage<T> implements Message<T> {
  readonly topic: string;
  readonly #message: TreeMessage;
  readonly #codec: Codec<T> | undefined;
  #data: Uint8Array | undefined;
  #value: { decoded: T } | undefined;

  constructor(topic: string, message: TreeMessage, codec: Codec<T> | undefined) {
    this.topic = topic;
    this.#message = message;
    this.#codec = codec;
  }

  get id(): string {
    return this.#message.id;
  }
  get from(): PeerId | undefined {
    return this.#message.from;
  }
  get via(): PeerId {
    return this.#message.via;
  }
  get hops(): number {
    return this.#message.hops;
  }
  get seq(): number {
    return this.#message.seq;
  }
  get size(): number {
    return this.#message.payloadEnd - this.#message.payloadAt;
  }

  // Copied when it is first asked for: the tree's own bytes may still be relayed or served, and readers may write.
  get data(): Uint8Array {
    return this.#data ??= this.#message.copy();
  }

  get value(): T {
    this.#value ??= {
      decoded: this.#codec ? this.#codec.decode(this.data) : this.data as unknown as T,
    };
    return this.#value.decoded;
  }

  /** What `console.log` shows. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    const { topic, id, from, via, hops, seq, size } = this;
    return `Message ${inspect({ topic, id, from, via, hops, seq, size }, options)}`;
  }

  text(): string {
    return decoder.decode(this.#view());
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  #view(): Uint8Array {
    if (this.#data) return this.#data;
    const { body, payloadAt, payloadEnd } = this.#message;
    return body.subarray(payloadAt, payloadEnd);
  }
}
