/**
 * What answers requests: the types of a handler and the table of them.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { encodeProtocol } from "../wire/request_messages.ts";

/**
 * A request as its handler sees it.
 *
 * @example
 * ```ts
 * import { Gossip, type IncomingRequest } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
 * using _ = a.handle("who", ({ from, protocol, data, signal }: IncomingRequest) => {
 *   return `${protocol} from ${from}, ${data.length} bytes, ${signal.aborted}`;
 * });
 * await b.connect(a.address);
 * const reply = await b.request(a.id, "who", "abc");
 * assertEquals(reply.text(), `who from ${b.id}, 3 bytes, false`);
 * ```
 */
export interface IncomingRequest {
  /** The peer that asks, authenticated by its connection. */
  readonly from: PeerId;
  /** The protocol that it named. */
  readonly protocol: string;
  /** The body; the handler's own copy. */
  readonly data: Uint8Array;
  /** Aborts when the requester gave up or is gone, or this node closes: then nobody waits for the answer. */
  readonly signal: AbortSignal;
  /** The body as UTF-8; malformed parts become U+FFFD. */
  text(): string;
  /** The body parsed as JSON; throws SyntaxError where it is none (the peer is then told "handler failed"). */
  json(): unknown;
}

/**
 * What a handler may answer. A string is sent as UTF-8; bytes as they are (leave them unchanged until they are sent); an async
 * iterable is streamed: the next chunk is asked for only when the requester has room for it. A chunk of up to 65,536 bytes
 * arrives as one chunk, a larger one as several. `undefined` and `null` mean "not found".
 *
 * @example
 * ```ts
 * import { Gossip, type RequestAnswer } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
 * const answers: Record<string, RequestAnswer> = { text: "hi", bytes: new Uint8Array([1]) };
 * using _ = a.handle("get", (request) => answers[request.text()]);
 * await b.connect(a.address);
 * assertEquals((await b.request(a.id, "get", "bytes")).data, new Uint8Array([1]));
 * assertEquals((await b.request(a.id, "get", "other")).found, false);
 * ```
 */
export type RequestAnswer = string | Uint8Array | AsyncIterable<Uint8Array> | undefined | null;

/**
 * Answers the requests of one protocol. What it throws is told to the peer as "handler failed" and nothing more.
 *
 * @example A handler that answers whole, and one that streams
 * ```ts
 * import { Gossip, type RequestHandler } from "@x/plumtree";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const blocks = new Map([["42", "the forty-second block"]]);
 * const get: RequestHandler = (request) => blocks.get(request.text());
 * const all: RequestHandler = async function* () {
 *   for (const block of blocks.values()) yield new TextEncoder().encode(block);
 * };
 *
 * await using server = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using client = await Gossip.listen({ hostname: "127.0.0.1" });
 * server.handle("block/get", get);
 * server.handle("block/all", all);
 * await client.connect(server.address);
 *
 * const reply = await client.request(server.id, "block/get", "42");
 * assertEquals(reply.text(), "the forty-second block");
 * assert(!(await client.request(server.id, "block/get", "43")).found);
 *
 * const chunks: Uint8Array[] = [];
 * for await (const chunk of await client.request(server.id, "block/all")) chunks.push(chunk);
 * assertEquals(chunks.length, 1);
 * ```
 */
export type RequestHandler = (
  request: IncomingRequest,
) => RequestAnswer | Promise<RequestAnswer>;

/** Names that begin so belong to the library. */
export const RESERVED_PROTOCOLS = "plumtree/";

const decoder = new TextDecoder();

/** A request that is being answered: what the handler sees of it. */
export class HandledRequest implements IncomingRequest {
  readonly from: PeerId;
  readonly protocol: string;
  readonly data: Uint8Array;
  // Most handlers never look at the signal, so it is made when one does.
  #controller: AbortController | undefined;
  #reason: unknown;
  #aborted = false;

  constructor(from: PeerId, protocol: string, data: Uint8Array) {
    this.from = from;
    this.protocol = protocol;
    this.data = data;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  text(): string {
    return decoder.decode(this.data);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  /** Tells the handler that nobody waits any more. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** The handlers of a node by protocol. */
export class Handlers {
  readonly #table = new Map<string, { readonly handler: RequestHandler }>();

  /** The handler of a protocol. */
  get(protocol: string): RequestHandler | undefined {
    return this.#table.get(protocol)?.handler;
  }

  /** Adds one; disposing of the result takes it away again. */
  add(protocol: string, handler: RequestHandler): Disposable {
    if (typeof protocol !== "string") throw new TypeError("a protocol's name is a string");
    if (typeof handler !== "function") throw new TypeError("a handler is a function");
    encodeProtocol(protocol);
    if (this.#table.has(protocol)) {
      throw new RangeError(`"${protocol}" has a handler already; dispose of that one first`);
    }
    const entry = { handler };
    this.#table.set(protocol, entry);
    return {
      [Symbol.dispose]: () => {
        if (this.#table.get(protocol) === entry) this.#table.delete(protocol);
      },
    };
  }

  /** Takes all away. */
  clear(): void {
    this.#table.clear();
  }
}
