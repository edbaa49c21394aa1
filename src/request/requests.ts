/**
 * Requests between two peers over the connection that gossip uses too.
 *
 * @module
 */

import { type OptionNames, signalOf } from "../checks.ts";
import type { DownReason, PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { WireError } from "../wire/bytes.ts";
import {
  decodeRequestFrame,
  encodeProtocol,
  REPLY_WINDOW,
  REPLY_WINDOW_MOST,
  type RequestFrame,
} from "../wire/request_messages.ts";
import { Answering, type Shared } from "./answering.ts";
import { Asking } from "./asking.ts";
import { Deadlines } from "./deadlines.ts";
import { Handlers, type RequestHandler, RESERVED_PROTOCOLS } from "./handlers.ts";
import { Holds } from "./holds.ts";
import { Outbox } from "./outbox.ts";
import type { RequestMetrics, RequestPort } from "./port.ts";
import type { Reply, RequestOptions } from "./reply.ts";

const TIMEOUT_MOST = 2 ** 31 - 1;

function inRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw new TypeError(`${name} is a number`);
  if (!(value >= least && value <= most)) {
    throw new RangeError(`${name} is ${least} to ${most}, not ${value}`);
  }
}

const REQUEST_OPTIONS: OptionNames<RequestOptions> = {
  signal: true,
  timeoutMs: true,
  maxBytes: true,
  windowBytes: true,
};

function checkOptions(options: RequestOptions): void {
  signalOf(options, REQUEST_OPTIONS);
  const { timeoutMs, maxBytes, windowBytes } = options;
  inRange("timeoutMs", timeoutMs, 1, TIMEOUT_MOST);
  inRange("maxBytes", maxBytes, 0, Number.MAX_SAFE_INTEGER);
  inRange("windowBytes", windowBytes, REPLY_WINDOW, REPLY_WINDOW_MOST);
}

/** The bytes of a body; a copy, since the caller may change its own while the request waits for a connection. */
function toBytes(body: string | Uint8Array | undefined): Uint8Array {
  if (body === undefined) return new Uint8Array(0);
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return new Uint8Array(body);
  throw new TypeError("a request's body is a string or a Uint8Array");
}

function checkPeer(peer: PeerId): void {
  if (typeof peer !== "string") throw new TypeError("a peer is named by its id");
  if (!/^[0-9a-f]{64}$/.test(peer)) {
    throw new RangeError("a peer's id is 64 lower-case hex digits");
  }
}

/** All requests of a node, both ways. */
export class Requests {
  readonly #port: RequestPort;
  readonly #limits: Limits;
  readonly #handlers = new Handlers();
  readonly #shared: Shared;
  readonly #asking: Asking;
  readonly #answering: Answering;
  readonly #encoded = new Map<string, Uint8Array>();
  #closed = false;

  /**
   * Makes the request layer of a node.
   *
   * @param port The node.
   * @param limits Its bounds.
   */
  constructor(port: RequestPort, limits: Limits) {
    this.#port = port;
    this.#limits = limits;
    this.#shared = {
      port,
      limits,
      outbox: new Outbox(port),
      deadlines: new Deadlines({
        now: () => port.now(),
        random: () => port.random(),
        after: (ms, fire) =>
          port.after(ms, () => {
            fire();
            port.touch?.();
          }),
        cancel: (timer) => port.cancel(timer),
      }),
      holds: new Holds(port),
    };
    this.#asking = new Asking(this.#shared);
    this.#answering = new Answering(this.#shared, this.#handlers);
  }

  /**
   * Answers requests of a protocol, until the result is disposed of. Names that begin with "plumtree/" are the
   * library's own and need `internal`; a name that has a handler already is refused with RangeError.
   */
  handle(
    protocol: string,
    handler: RequestHandler,
    options: { internal?: boolean } = {},
  ): Disposable {
    if (this.#closed) throw new GossipError("closed", "this node is closed");
    if (
      options.internal !== true && typeof protocol === "string" &&
      protocol.startsWith(RESERVED_PROTOCOLS)
    ) {
      throw new RangeError(`names that begin with "${RESERVED_PROTOCOLS}" are reserved`);
    }
    return this.#handlers.add(protocol, handler);
  }

  /**
   * Asks a peer. Resolves with a whole answer when all of it is here, with a streamed one at its first chunk; see
   * {@linkcode Reply}. Requests beyond `limits.requestsPerPeer` to one peer wait for their turn.
   *
   * Rejects with TypeError or RangeError on wrong arguments, with the signal's reason when it aborts, else with a
   * `GossipError`: "unknown-peer", "dial-failed", "unknown-protocol", "busy", "too-large", "timeout", "disconnected",
   * "remote-error", "own-id" or "closed".
   */
  request(
    peer: PeerId,
    protocol: string,
    body?: string | Uint8Array,
    options: RequestOptions = {},
  ): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      checkPeer(peer);
      if (typeof protocol !== "string") throw new TypeError("a protocol's name is a string");
      const name = this.#name(protocol);
      checkOptions(options);
      const bytes = toBytes(body);
      options.signal?.throwIfAborted();
      if (this.#closed) throw new GossipError("closed", "this node is closed");
      if (peer === this.#port.self) throw new GossipError("own-id", "a node cannot ask itself");
      if (bytes.length > this.#limits.requestBytes) {
        const most = this.#limits.requestBytes;
        throw new GossipError("too-large", `a request's body has at most ${most} bytes`);
      }
      const request = { protocol, name, body: bytes, options: { ...options }, resolve, reject };
      this.#asking.request(peer, request);
    });
  }

  /** One frame of the request layer came, in `bytes[start, end)`. Never throws. */
  receive(peer: PeerId, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    if (this.#closed) return;
    let frame: RequestFrame;
    try {
      frame = decodeRequestFrame(bytes, start, end);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return this.#port.misbehaved(peer, 100, `request frame: ${error.message}`);
    }
    this.#take(peer, frame);
    this.#port.touch?.();
  }

  /** A connection is up. */
  peerUp(peer: PeerId): void {
    if (!this.#closed) this.#asking.peerUp(peer);
  }

  /** A dial that {@linkcode RequestPort.connect} asked for, or another to that peer, found no way. */
  unreachable(peer: PeerId, cause?: unknown): void {
    const busy = this.#busy;
    this.#asking.unreachable(peer, cause);
    if (busy) this.#port.touch?.();
  }

  /** A connection ended. */
  peerDown(peer: PeerId, reason: DownReason): void {
    const busy = this.#busy;
    this.#asking.peerDown(peer, reason);
    this.#answering.peerDown(peer);
    this.#shared.outbox.drop(peer);
    if (busy) this.#port.touch?.();
  }

  /** A connection has room again: what found its lane full is sent at once instead of at the next try. Optional. */
  drained(peer: PeerId): void {
    this.#shared.outbox.flush(peer);
  }

  /** Counters and gauges. */
  metrics(): RequestMetrics {
    return Object.freeze({
      asked: this.#asking.asked,
      answered: this.#asking.answered,
      failed: this.#asking.failed,
      asking: this.#asking.asking,
      served: this.#answering.served,
      refused: this.#answering.refused,
      serving: this.#answering.serving,
    });
  }

  /** Rejects every request in progress with "closed", aborts every handler, forgets every timer. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#asking.close();
    this.#answering.close();
    this.#handlers.clear();
    this.#shared.outbox.close();
    this.#shared.deadlines.close();
  }

  /** True where somebody waits for what a peer or a handler says. */
  get #busy(): boolean {
    return this.#asking.asking > 0 || this.#answering.serving > 0;
  }

  #take(peer: PeerId, frame: RequestFrame): void {
    switch (frame.type) {
      case "request":
        return this.#answering.request(peer, frame.id, frame.protocol, frame.body);
      case "cancel":
        return this.#answering.cancel(peer, frame.id);
      case "credit":
        return this.#answering.credit(peer, frame.id, frame.credit);
      default:
        return this.#asking.receive(peer, frame);
    }
  }

  #name(protocol: string): Uint8Array {
    let name = this.#encoded.get(protocol);
    if (name === undefined) {
      name = encodeProtocol(protocol);
      // Programs use a handful of names; one that makes them up must not fill the memory.
      if (this.#encoded.size >= 256) this.#encoded.clear();
      this.#encoded.set(protocol, name);
    }
    return name;
  }
}
