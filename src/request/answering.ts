/**
 * The side that is asked: calls handlers and sends their answers as far as the requester has room.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { Lane } from "../wire/frames.ts";
import {
  encodeReply,
  encodeReplyEnd,
  encodeReplyError,
  REPLY_CHUNK_BYTES,
  REPLY_WINDOW,
  REPLY_WINDOW_MOST,
  replyCost,
  type ReplyErrorCode,
} from "../wire/request_messages.ts";
import type { Deadlines, Timed } from "./deadlines.ts";
import { HandledRequest, type Handlers, type RequestAnswer } from "./handlers.ts";
import type { Holds } from "./holds.ts";
import type { Outbox } from "./outbox.ts";
import type { RequestPort } from "./port.ts";

/**
 * Milliseconds for which the slot of a cancelled request is kept while its handler still runs. Were it free at once, a
 * peer could start and cancel without end and have any number of handlers at work; were it never free, one handler
 * that hangs would cost it for ever.
 */
export const LINGER_MS = 30_000;

/** Milliseconds for which an answer waits for a requester that makes no room. */
export const STALL_MS = 300_000;

/** What all parts of the request layer share. */
export interface Shared {
  readonly port: RequestPort;
  readonly limits: Limits;
  readonly outbox: Outbox;
  readonly deadlines: Deadlines;
  readonly holds: Holds;
}

/** What is known of one peer that asks. */
interface Asker {
  readonly id: PeerId;
  lastId: number;
  /** Requests that take a slot: those in progress, and cancelled ones with a running handler. */
  slots: number;
  readonly calls: Map<number, Call>;
}

/** One request being answered. */
class Call implements Timed {
  readonly asker: Asker;
  readonly id: number;
  readonly request: HandledRequest;
  readonly #expired: (call: Call) => void;
  credit = REPLY_WINDOW;
  lane: Lane = Lane.NORMAL;
  /** False from the last frame, the cancellation or the loss of the peer on. */
  live = true;
  /** True until the slot is given back. */
  slot = true;
  /** Ends a stream whose requester is gone. */
  stop: (() => void) | undefined;
  wake: (() => void) | undefined;

  constructor(asker: Asker, id: number, request: HandledRequest, expired: (call: Call) => void) {
    this.asker = asker;
    this.id = id;
    this.request = request;
    this.#expired = expired;
  }

  expire(): void {
    this.#expired(this);
  }
}

function isIterable(answer: object): answer is AsyncIterable<Uint8Array> {
  return typeof (answer as Partial<AsyncIterable<Uint8Array>>)[Symbol.asyncIterator] === "function";
}

function isThenable(answer: unknown): answer is PromiseLike<RequestAnswer> {
  return typeof answer === "object" && answer !== null &&
    typeof (answer as Partial<PromiseLike<unknown>>).then === "function";
}

function swallow(run: () => unknown): void {
  try {
    Promise.resolve(run()).catch(() => {});
  } catch {
    // Cleaning up after a handler: it has nobody left to tell.
  }
}

/** The side that is asked. */
export class Answering {
  readonly #shared: Shared;
  readonly #handlers: Handlers;
  readonly #askers = new Map<PeerId, Asker>();
  readonly #encoder = new TextEncoder();
  #slots = 0;
  #closed = false;
  served = 0;
  refused = 0;

  constructor(shared: Shared, handlers: Handlers) {
    this.#shared = shared;
    this.#handlers = handlers;
  }

  /** Requests that take a slot. */
  get serving(): number {
    return this.#slots;
  }

  /** A REQUEST came. */
  request(peer: PeerId, id: number, protocol: string, body: Uint8Array): void {
    if (this.#closed) return;
    const asker = this.#asker(peer);
    if (id <= asker.lastId) {
      return this.#shared.port.misbehaved(peer, 100, "a request's id does not grow");
    }
    asker.lastId = id;
    const handler = this.#handlers.get(protocol);
    const { limits } = this.#shared;
    if (handler === undefined) return this.#refuse(peer, id, "unknown-protocol", "no handler");
    if (body.length > limits.requestBytes) {
      return this.#refuse(peer, id, "too-large", `at most ${limits.requestBytes} bytes`);
    }
    if (asker.slots >= limits.requestsPerPeer || this.#slots >= limits.requests) {
      return this.#refuse(peer, id, "busy", "too many requests in progress");
    }
    const call = new Call(
      asker,
      id,
      new HandledRequest(peer, protocol, body.slice()),
      (call) => this.#expire(call),
    );
    asker.calls.set(id, call);
    asker.slots++;
    this.#slots++;
    this.served++;
    this.#shared.holds.hold(peer);
    this.#run(call, () => handler(call.request));
  }

  /** A REQUEST_CANCEL came. */
  cancel(peer: PeerId, id: number): void {
    const asker = this.#askers.get(peer);
    const call = asker?.calls.get(id);
    if (call !== undefined) {
      this.#end(call, new GossipError("disconnected", "the requester gave up"));
    } else if (id > (asker?.lastId ?? -1)) {
      this.#shared.port.misbehaved(peer, 25, "cancel of a request that was not made");
    }
  }

  /** A REQUEST_CREDIT came. */
  credit(peer: PeerId, id: number, credit: number): void {
    const asker = this.#askers.get(peer);
    const call = asker?.calls.get(id);
    if (call === undefined) {
      if (id > (asker?.lastId ?? -1)) {
        this.#shared.port.misbehaved(peer, 25, "credit for a request that was not made");
      }
      return;
    }
    if (call.credit + credit > REPLY_WINDOW_MOST) {
      this.#shared.port.misbehaved(peer, 25, "too much credit");
    }
    call.credit = Math.min(call.credit + credit, REPLY_WINDOW_MOST);
    call.wake?.();
  }

  /** The connection is gone. */
  peerDown(peer: PeerId): void {
    const asker = this.#askers.get(peer);
    if (asker === undefined) return;
    asker.lastId = -1;
    const gone = new GossipError("disconnected", "the requester is gone");
    for (const call of [...asker.calls.values()]) this.#end(call, gone);
    if (asker.slots === 0) this.#askers.delete(peer);
  }

  /** Ends everything. */
  close(): void {
    this.#closed = true;
    const closed = new GossipError("closed", "this node closes");
    for (const asker of [...this.#askers.values()]) {
      for (const call of [...asker.calls.values()]) this.#end(call, closed);
    }
    this.#askers.clear();
  }

  #asker(peer: PeerId): Asker {
    let asker = this.#askers.get(peer);
    if (asker === undefined) {
      this.#askers.set(peer, asker = { id: peer, lastId: -1, slots: 0, calls: new Map() });
    }
    return asker;
  }

  #refuse(peer: PeerId, id: number, code: ReplyErrorCode, text: string): void {
    this.refused++;
    const { port, outbox, limits } = this.#shared;
    // A peer that asks and does not read must not fill the outbox with refusals.
    if (outbox.waiting(peer) >= 2 * limits.requestsPerPeer) {
      return port.misbehaved(peer, 5, "asks without reading answers");
    }
    outbox.post(peer, Lane.NORMAL, encodeReplyError(id, code, text));
  }

  #run(call: Call, handle: () => RequestAnswer | Promise<RequestAnswer>): void {
    let answer: RequestAnswer | Promise<RequestAnswer>;
    try {
      answer = handle();
    } catch (cause) {
      return this.#failed(call, cause);
    }
    if (isThenable(answer)) {
      answer.then((given) => this.#answer(call, given), (cause) => this.#failed(call, cause));
    } else {
      this.#answer(call, answer);
    }
  }

  #answer(call: Call, answer: RequestAnswer): void {
    if (answer === undefined || answer === null) {
      this.#finish(call, encodeReplyEnd(call.id, false, false));
    } else if (typeof answer === "string") {
      this.#whole(call, this.#encoder.encode(answer));
    } else if (answer instanceof Uint8Array) {
      this.#whole(call, answer);
    } else if (typeof answer === "object" && isIterable(answer)) {
      this.#stream(call, answer);
    } else {
      this.#failed(call, new TypeError("a handler answers with a string, bytes or an iterable"));
    }
  }

  #whole(call: Call, data: Uint8Array): void {
    const most = this.#shared.limits.replyBytes;
    if (data.length > most) {
      const text = `the answer exceeds ${most} bytes`;
      this.#finish(call, encodeReplyError(call.id, "too-large", text));
    } else if (data.length <= REPLY_CHUNK_BYTES) {
      this.#finish(call, encodeReplyEnd(call.id, false, true), data);
    } else {
      this.#pieces(call, data);
    }
  }

  async #pieces(call: Call, data: Uint8Array): Promise<void> {
    call.lane = Lane.BULK;
    let at = 0;
    while (data.length - at > REPLY_CHUNK_BYTES) {
      if (!await this.#piece(call, false, data.subarray(at, at += REPLY_CHUNK_BYTES))) {
        return this.#free(call);
      }
    }
    const last = data.subarray(at);
    if (!await this.#room(call, replyCost(last.length))) return this.#free(call);
    this.#finish(call, encodeReplyEnd(call.id, false, true), last);
  }

  async #stream(call: Call, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    call.lane = Lane.BULK;
    try {
      const iterator = chunks[Symbol.asyncIterator]();
      call.stop = () => swallow(() => iterator.return?.());
      if (!call.live) call.stop();
      while (call.live) {
        const step = await iterator.next();
        if (step.done) {
          call.stop = undefined;
          break;
        }
        if (!(step.value instanceof Uint8Array)) throw new TypeError("a chunk is a Uint8Array");
        // The handler may reuse its buffer for the next chunk, the transport may still hold this one.
        if (!await this.#cut(call, new Uint8Array(step.value))) break;
      }
      this.#finish(call, encodeReplyEnd(call.id, true, true));
    } catch (cause) {
      this.#failed(call, cause);
    }
  }

  async #cut(call: Call, chunk: Uint8Array): Promise<boolean> {
    for (let at = 0; at < chunk.length; at += REPLY_CHUNK_BYTES) {
      const piece = chunk.subarray(at, at + REPLY_CHUNK_BYTES);
      if (!await this.#piece(call, true, piece)) return false;
    }
    return true;
  }

  /** Sends one piece when the requester and the lane have room; false where nobody wants it any more. */
  async #piece(call: Call, streamed: boolean, data: Uint8Array): Promise<boolean> {
    if (!await this.#room(call, replyCost(data.length))) return false;
    const { asker, lane } = call;
    const head = encodeReply(call.id, streamed);
    return await new Promise<boolean>((settled) => {
      if (this.#shared.outbox.post(asker.id, lane, head, { body: data, settled })) settled(true);
    });
  }

  async #room(call: Call, cost: number): Promise<boolean> {
    while (call.live && call.credit < cost) {
      this.#shared.deadlines.set(call, STALL_MS);
      await new Promise<void>((resolve) => call.wake = resolve);
      call.wake = undefined;
      if (call.live) this.#shared.deadlines.clear(call);
    }
    call.credit -= cost;
    return call.live;
  }

  #failed(call: Call, cause: unknown): void {
    if (call.live) {
      this.#shared.port.handlerFailed(call.asker.id, call.request.protocol, cause);
    }
    this.#finish(call, encodeReplyError(call.id, "remote-error", "handler failed"));
  }

  /** The handler is done: sends the last frame, if anybody waits for it, and gives the slot back when it has left. */
  #finish(call: Call, head: Uint8Array, body?: Uint8Array): void {
    if (!call.live) return this.#free(call);
    const done = (): void => {
      this.#end(call, undefined);
      this.#free(call);
    };
    if (this.#shared.outbox.post(call.asker.id, call.lane, head, { body, settled: done })) done();
  }

  /** Nobody waits for more of this answer. With a reason the handler is told so, and its slot outlives it for a time. */
  #end(call: Call, reason: GossipError | undefined): void {
    if (!call.live) return;
    call.live = false;
    call.asker.calls.delete(call.id);
    this.#shared.holds.release(call.asker.id);
    if (reason === undefined) return;
    if (call.slot && !this.#closed) this.#shared.deadlines.set(call, LINGER_MS);
    call.request.abort(reason);
    call.stop?.();
    call.wake?.();
  }

  #free(call: Call): void {
    if (!call.slot) return;
    call.slot = false;
    this.#shared.deadlines.clear(call);
    const { asker } = call;
    asker.slots--;
    this.#slots--;
    if (asker.slots === 0 && asker.lastId < 0 && this.#askers.get(asker.id) === asker) {
      this.#askers.delete(asker.id);
    }
  }

  #expire(call: Call): void {
    if (!call.live) return this.#free(call);
    const { asker, id, lane } = call;
    this.#shared.outbox.post(asker.id, lane, encodeReplyError(id, "remote-error", "not read"));
    this.#end(call, new GossipError("timeout", "the requester made no room for the answer"));
  }
}
