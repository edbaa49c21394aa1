/**
 * The answer to a request, whole or streamed.
 *
 * @module
 */

import { GossipError } from "../errors.ts";
import { replyCost } from "../wire/request_messages.ts";

/**
 * Options of `Gossip.request`. A value of another type or out of range is a TypeError or RangeError.
 *
 * @example
 * ```ts
 * import { Gossip, GossipError, type RequestOptions } from "@x/plumtree";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
 * using _ = a.handle("big", () => new Uint8Array(2_000));
 * await b.connect(a.address);
 * const options: RequestOptions = { timeoutMs: 5_000, maxBytes: 1_000 };
 * const asked = b.request(a.id, "big", undefined, options);
 * assertEquals((await assertRejects(() => asked, GossipError)).code, "too-large");
 * ```
 */
export interface RequestOptions {
  /** Default none. Aborting it rejects with its reason and cancels the handler at the other side; for a streamed answer until its end. */
  signal?: AbortSignal;
  /**
   * Milliseconds, 1 to 2^31 - 1, from the call to the whole answer, dialling included. For a streamed answer: to its first chunk,
   * and then again whenever a reader waits for the next one; an answer that nobody begins to read for as long is cancelled.
   * Default 30_000.
   */
  timeoutMs?: number;
  /**
   * Bytes of the largest answer that is taken; beyond it the request fails with "too-large". Default: `limits.replyBytes` for
   * an answer that is collected (which it cannot exceed), no bound for one that is iterated.
   */
  maxBytes?: number;
  /**
   * Bytes of a streamed answer that may wait here or be on their way before the other side pauses, 262,400 (the default) to 16 MiB.
   * Raising it speeds up streams over long links (at most one window per round trip) at the cost of memory.
   */
  windowBytes?: number;
}

/**
 * The answer to a request.
 *
 * A handler that returned a string or bytes gives a whole answer: `request()` resolves when all of it is here, and
 * {@linkcode data}, {@linkcode text} and {@linkcode json} have it. A handler that returned an async iterable gives a
 * streamed one: `request()` resolves with its first chunk; iterate over the reply, once, or collect it with
 * {@linkcode bytes}, after which `data`, `text` and `json` work too (before, they throw TypeError). Leaving the loop early
 * cancels the handler. Both kinds can be iterated, so a caller need not know which one comes.
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using client = await Gossip.listen({ hostname: "127.0.0.1" });
 * server.handle("echo", (request) => request.data);
 * server.handle("count", async function* () {
 *   for (let i = 0; i < 3; i++) yield new Uint8Array([i]);
 * });
 * await client.connect(server.address);
 *
 * const whole = await client.request(server.id, "echo", "hello", { timeoutMs: 5_000 });
 * assertEquals(whole.text(), "hello");
 *
 * const streamed = await client.request(server.id, "count");
 * assertEquals(streamed.streamed, true);
 * assertEquals(await streamed.bytes(), new Uint8Array([0, 1, 2]));
 * ```
 */
export interface Reply extends AsyncIterable<Uint8Array> {
  /** False where the handler returned `undefined` or `null`; `data` is then empty, `text()` is "" and `json()` undefined. */
  readonly found: boolean;
  /** True where the answer comes in chunks. */
  readonly streamed: boolean;
  /** The whole answer. Throws TypeError on a streamed one that is not collected. */
  readonly data: Uint8Array;
  /** The whole answer as UTF-8; malformed parts become U+FFFD. Throws as `data` does. */
  text(): string;
  /** The whole answer parsed as JSON; throws SyntaxError where it is none, and as `data` does. */
  json(): unknown;
  /** Collects a streamed answer; of a whole one, its `data`. Rejects with a `GossipError`: "too-large" beyond the bound, or what ended the answer early. */
  bytes(): Promise<Uint8Array>;
  /** Gives up a streamed answer and cancels its handler; idempotent, nothing on a whole one. */
  cancel(): void;
}

const decoder = new TextDecoder();

/** An answer that is all here. */
export class WholeReply implements Reply {
  readonly found: boolean;
  readonly streamed = false;
  readonly data: Uint8Array;

  constructor(found: boolean, data: Uint8Array) {
    this.found = found;
    this.data = data;
  }

  text(): string {
    return decoder.decode(this.data);
  }

  json(): unknown {
    return this.found ? JSON.parse(this.text()) : undefined;
  }

  bytes(): Promise<Uint8Array> {
    return Promise.resolve(this.data);
  }

  cancel(): void {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.data.length > 0) yield this.data;
  }
}

/** Where a streamed answer comes from. */
export interface ReplySource {
  /** A reader took chunks that cost so much: there is room again. */
  taken(cost: number): void;
  /** A reader waits for a chunk, or no longer waits. */
  waiting(waits: boolean): void;
  /** The reader has had enough. */
  cancel(): void;
}

/** An answer that comes in chunks; holds at most a window of it. */
export class StreamedReply implements Reply {
  readonly found = true;
  readonly streamed = true;
  readonly #source: ReplySource;
  readonly #collectMost: number;
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #error: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;
  #reading = false;
  #collecting: Promise<Uint8Array> | undefined;
  #data: Uint8Array | undefined;

  constructor(source: ReplySource, collectMost: number) {
    this.#source = source;
    this.#collectMost = collectMost;
  }

  /** A chunk came; it is this object's own from now on. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  /** The last chunk was the last one. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Nothing more will come. A reader still gets what is here, unless `drop` says that nobody wants it. */
  fail(reason: unknown, drop: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = { reason };
    if (drop) this.#chunks.length = 0;
    this.#wake?.();
  }

  get data(): Uint8Array {
    if (this.#data === undefined) {
      throw new TypeError(
        "the answer is streamed: iterate over the reply, or `await reply.bytes()` first",
      );
    }
    return this.#data;
  }

  text(): string {
    return decoder.decode(this.data);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  bytes(): Promise<Uint8Array> {
    return this.#collecting ??= this.#collect();
  }

  cancel(): void {
    if (!this.#ended) this.#source.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#data !== undefined) {
      if (this.#data.length > 0) yield this.#data;
      return;
    }
    if (this.#reading) throw new TypeError("a streamed reply can be iterated once");
    this.#reading = true;
    this.#source.waiting(false);
    try {
      while (true) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          if (!this.#ended) this.#source.taken(replyCost(chunk.length));
          yield chunk;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error.reason;
          return;
        } else {
          await this.#more();
        }
      }
    } finally {
      this.#chunks.length = 0;
      this.cancel();
    }
  }

  async #more(): Promise<void> {
    this.#source.waiting(true);
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.#wake = undefined;
    if (!this.#ended) this.#source.waiting(false);
  }

  /** Into one growing buffer: a list of tiny chunks would cost many times their bytes. */
  async #collect(): Promise<Uint8Array> {
    let buffer = new Uint8Array(65_536), length = 0;
    for await (const chunk of this) {
      if (length + chunk.length > this.#collectMost) {
        throw new GossipError("too-large", `the answer exceeds ${this.#collectMost} bytes`);
      }
      if (length + chunk.length > buffer.length) {
        const larger = new Uint8Array(Math.max(2 * buffer.length, length + chunk.length));
        larger.set(buffer.subarray(0, length));
        buffer = larger;
      }
      buffer.set(chunk, length);
      length += chunk.length;
    }
    return this.#data = buffer.slice(0, length);
  }
}
