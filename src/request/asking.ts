/**
 * The side that asks: sends requests, collects answers or hands them on as streams, gives up in time.
 *
 * @module
 */

import type { DownReason, PeerId } from "../core/host.ts";
import { GossipError, type GossipErrorCode } from "../errors.ts";
import { Lane } from "../wire/frames.ts";
import {
  encodeRequest,
  encodeRequestCancel,
  encodeRequestCredit,
  REPLY_WINDOW,
  REPLY_WINDOW_MOST,
  replyCost,
  type ReplyErrorCode,
  type RequestFrame,
} from "../wire/request_messages.ts";
import type { Shared } from "./answering.ts";
import type { Timed } from "./deadlines.ts";
import { type Reply, type RequestOptions, StreamedReply, WholeReply } from "./reply.ts";

/** The window of an answer that is collected: its bytes are all held anyway, so a long link need not be slow. */
export const WHOLE_WINDOW: number = 4 * 1024 * 1024;

/** What frames of a cancelled request may cost beside its open credit: one REPLY_ERROR or an empty end. */
const LATE_COST = 512;

const REFUSALS: Record<ReplyErrorCode, string> = {
  "unknown-protocol": "the peer has no handler for",
  "busy": "the peer has too many requests in progress for",
  "too-large": "a bound of the peer was exceeded by",
  "remote-error": "the peer failed to answer",
};

/** What is known of one peer that is asked. */
interface Asked {
  readonly id: PeerId;
  /** Whether its connection is up. */
  up: boolean;
  /** Requests that were sent, or wait in the outbox, and are not answered completely. */
  readonly active: Map<number, Call>;
  /** Requests that wait for the connection or for one of `limits.requestsPerPeer`. */
  readonly queue: Set<Call>;
  /** What frames for requests that are over may still cost: they were on their way. */
  late: number;
}

/** One request of this node. */
class Call implements Timed {
  readonly asked: Asked;
  readonly protocol: string;
  readonly name: Uint8Array;
  readonly body: Uint8Array;
  readonly options: RequestOptions;
  readonly timeoutMs: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (reason: unknown) => void;
  readonly onAbort: () => void;
  readonly #expired: (call: Call) => void;
  id = -1;
  done = false;
  /** Credit that the other side may still spend. */
  window = REPLY_WINDOW;
  /** Credit that is free again and not yet told. */
  owed = 0;
  streamed: boolean | undefined;
  received = 0;
  readonly chunks: Uint8Array[] = [];
  stream: StreamedReply | undefined;

  constructor(asked: Asked, asking: Asking, request: CallRequest) {
    this.asked = asked;
    this.protocol = request.protocol;
    this.name = request.name;
    this.body = request.body;
    this.options = request.options;
    this.timeoutMs = request.options.timeoutMs ?? 30_000;
    this.resolve = request.resolve;
    this.reject = request.reject;
    this.onAbort = () => asking.giveUp(this, this.options.signal?.reason);
    this.#expired = () =>
      asking.giveUp(
        this,
        new GossipError("timeout", `"${this.protocol}": no answer within ${this.timeoutMs} ms`),
      );
  }

  expire(): void {
    this.#expired(this);
  }
}

/** What {@linkcode Asking.request} needs, checked. */
export interface CallRequest {
  readonly protocol: string;
  readonly name: Uint8Array;
  readonly body: Uint8Array;
  readonly options: RequestOptions;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (reason: unknown) => void;
}

/** The side that asks. */
export class Asking {
  readonly #shared: Shared;
  readonly #peers = new Map<PeerId, Asked>();
  // One row of ids for all connections: so an id grows on each of them, and over reconnections.
  #nextId = 0;
  #total = 0;
  asked = 0;
  answered = 0;
  failed = 0;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** Requests in progress. */
  get asking(): number {
    return this.#total;
  }

  /** Makes a request; throws a `GossipError` where it cannot even begin. */
  request(peer: PeerId, request: CallRequest): void {
    const { limits, port, deadlines } = this.#shared;
    if (this.#total >= limits.requests) {
      throw new GossipError("busy", `${limits.requests} requests are in progress here`);
    }
    const asked = this.#asked(peer);
    if (!asked.up && !port.connect(peer)) {
      if (asked.queue.size === 0) this.#peers.delete(peer);
      throw new GossipError("unknown-peer", `${peer} is not connected and no address is known`);
    }
    const call = new Call(asked, this, request);
    this.asked++;
    this.#total++;
    call.options.signal?.addEventListener("abort", call.onAbort, { once: true });
    deadlines.set(call, call.timeoutMs);
    asked.queue.add(call);
    if (asked.up) this.#pump(asked);
  }

  /** The connection is up. */
  peerUp(peer: PeerId): void {
    const asked = this.#peers.get(peer);
    if (asked === undefined) return;
    asked.up = true;
    this.#pump(asked);
  }

  /** No address of the peer answered. */
  unreachable(peer: PeerId, cause: unknown): void {
    const asked = this.#peers.get(peer);
    if (asked === undefined || asked.up) return;
    for (const call of [...asked.queue]) {
      this.#fail(call, new GossipError("dial-failed", `${peer} cannot be reached`, { cause }));
    }
    this.#forget(asked);
  }

  /** The connection is gone: what was asked over it fails, since nobody knows whether the peer acted on it. */
  peerDown(peer: PeerId, reason: DownReason): void {
    const asked = this.#peers.get(peer);
    if (asked === undefined || !asked.up) return;
    this.#peers.delete(peer);
    asked.up = false;
    const error = (): GossipError =>
      new GossipError("disconnected", `the connection to ${peer} ended: ${reason}`);
    for (const call of [...asked.active.values()]) this.#fail(call, error());
    for (const call of [...asked.queue]) this.#fail(call, error());
  }

  /** Ends everything. */
  close(): void {
    for (const asked of [...this.#peers.values()]) {
      asked.up = false;
      for (const call of [...asked.active.values(), ...asked.queue]) {
        this.#fail(call, new GossipError("closed", "this node is closed"), true);
      }
    }
    this.#peers.clear();
  }

  /** A REPLY, REPLY_END or REPLY_ERROR came. */
  receive(
    peer: PeerId,
    frame: RequestFrame & { readonly type: "reply" | "reply-end" | "reply-error" },
  ): void {
    const asked = this.#peers.get(peer);
    const call = asked?.active.get(frame.id);
    if (call === undefined) return this.#late(peer, asked, frame);
    if (frame.type === "reply-error") {
      const text = frame.text === "" ? "" : ` (${frame.text})`;
      const message = `${REFUSALS[frame.code]} "${call.protocol}"${text}`;
      this.#fail(call, new GossipError(frame.code as GossipErrorCode, message));
    } else {
      this.#part(call, frame);
    }
  }

  /** Gives a request up: nobody here wants the answer any more. */
  giveUp(call: Call, reason: unknown): void {
    if (call.done) return;
    this.#withdraw(call);
    this.#fail(call, reason, true);
  }

  #asked(peer: PeerId): Asked {
    let asked = this.#peers.get(peer);
    if (asked === undefined) {
      asked = { id: peer, up: false, active: new Map(), queue: new Set(), late: 0 };
      this.#peers.set(peer, asked);
    }
    asked.up ||= this.#shared.port.connected(peer);
    return asked;
  }

  #forget(asked: Asked): void {
    if (!asked.up && asked.queue.size === 0 && this.#peers.get(asked.id) === asked) {
      this.#peers.delete(asked.id);
    }
  }

  /** Sends what waits, as many at a time as a peer with the same limits serves. */
  #pump(asked: Asked): void {
    const { outbox, holds, limits } = this.#shared;
    for (const call of asked.queue) {
      if (asked.active.size >= limits.requestsPerPeer) break;
      asked.queue.delete(call);
      holds.hold(asked.id);
      call.id = this.#nextId++;
      asked.active.set(call.id, call);
      const head = encodeRequest(call.id, call.name);
      outbox.post(asked.id, Lane.NORMAL, head, { body: call.body, owner: call });
    }
  }

  /** Tells the other side that its answer is not wanted; nothing where the request has not left. */
  #withdraw(call: Call): void {
    const { asked } = call;
    if (call.id < 0 || !asked.up) return;
    if (this.#shared.outbox.withdraw(asked.id, call)) return;
    asked.late += call.window + LATE_COST;
    this.#shared.outbox.post(asked.id, Lane.NORMAL, encodeRequestCancel(call.id));
  }

  #part(call: Call, frame: RequestFrame & { readonly type: "reply" | "reply-end" }): void {
    const cost = replyCost(frame.data.length);
    if (cost > call.window) return this.#broke(call, "an answer larger than its window");
    if (call.streamed !== undefined && call.streamed !== frame.streamed) {
      return this.#broke(call, "an answer both whole and streamed");
    }
    if (frame.type === "reply-end" && !frame.found && call.received > 0) {
      return this.#broke(call, "an answer not found after its beginning");
    }
    const first = call.streamed === undefined;
    call.streamed = frame.streamed;
    call.window -= cost;
    call.received += frame.data.length;
    const most = this.#most(call);
    if (call.received > most) {
      return this.giveUp(call, new GossipError("too-large", `the answer exceeds ${most} bytes`));
    }
    // A copy: the frame's bytes share their buffer with others, and these are the user's to keep and change.
    const chunk = frame.data.slice();
    const last = frame.type === "reply-end";
    if (frame.streamed) this.#chunk(call, chunk, first, last);
    else if (last) this.#whole(call, chunk, frame.found);
    else {
      call.chunks.push(chunk);
      if (first) call.owed += WHOLE_WINDOW - REPLY_WINDOW;
      this.#credit(call, cost, WHOLE_WINDOW);
    }
  }

  #most(call: Call): number {
    const asked = call.options.maxBytes ?? Infinity;
    return call.streamed ? asked : Math.min(asked, this.#shared.limits.replyBytes);
  }

  #whole(call: Call, last: Uint8Array, found: boolean): void {
    let data = last;
    if (call.chunks.length > 0) {
      data = new Uint8Array(call.received);
      let at = 0;
      for (const chunk of [...call.chunks, last]) {
        data.set(chunk, at);
        at += chunk.length;
      }
    }
    this.answered++;
    this.#finish(call);
    call.resolve(new WholeReply(found, data));
  }

  #chunk(call: Call, chunk: Uint8Array, first: boolean, last: boolean): void {
    if (first) {
      const most = call.options.maxBytes ?? Infinity;
      const stream = new StreamedReply(
        this.#source(call),
        Math.min(most, this.#shared.limits.replyBytes),
      );
      call.stream = stream;
      this.#shared.deadlines.set(call, call.timeoutMs);
      const window = call.options.windowBytes ?? REPLY_WINDOW;
      if (window > REPLY_WINDOW) call.owed += window - REPLY_WINDOW;
    }
    if (chunk.length > 0) call.stream!.push(chunk);
    if (last) {
      this.answered++;
      this.#finish(call);
      call.stream!.end();
    }
    if (first) call.resolve(call.stream!);
  }

  #source(call: Call): ConstructorParameters<typeof StreamedReply>[0] {
    return {
      taken: (cost) => this.#credit(call, cost, call.options.windowBytes ?? REPLY_WINDOW),
      waiting: (waits) => {
        if (call.done) return;
        if (waits) this.#shared.deadlines.set(call, call.timeoutMs);
        else this.#shared.deadlines.clear(call);
      },
      cancel: () => this.giveUp(call, new GossipError("closed", "the answer was given up here")),
    };
  }

  /** Tells the other side of room, half a window at a time. */
  #credit(call: Call, cost: number, window: number): void {
    if (call.done) return;
    call.owed += cost;
    if (call.owed < window / 2) return;
    const credit = Math.min(call.owed, REPLY_WINDOW_MOST - call.window);
    call.owed -= credit;
    call.window += credit;
    this.#shared.outbox.post(call.asked.id, Lane.CONTROL, encodeRequestCredit(call.id, credit));
  }

  /** The peer broke the protocol in an answer. */
  #broke(call: Call, what: string): void {
    const peer = call.asked.id;
    this.giveUp(call, new GossipError("remote-error", `"${call.protocol}": ${what}`));
    this.#shared.port.misbehaved(peer, 50, what);
  }

  /** A frame for no request in progress: it was on its way when the request was cancelled, or it was made up. */
  #late(peer: PeerId, asked: Asked | undefined, frame: RequestFrame): void {
    const cost = frame.type === "reply" || frame.type === "reply-end"
      ? replyCost(frame.data.length) + 1
      : LATE_COST / 2;
    if (asked === undefined || frame.id >= this.#nextId || cost > asked.late) {
      this.#shared.port.misbehaved(peer, 25, "an answer to no request");
    } else {
      asked.late -= cost;
    }
  }

  #fail(call: Call, reason: unknown, drop = false): void {
    if (call.done) return;
    this.failed++;
    this.#finish(call);
    if (call.stream === undefined) call.reject(reason);
    else call.stream.fail(reason, drop);
  }

  #finish(call: Call): void {
    call.done = true;
    this.#total--;
    this.#shared.deadlines.clear(call);
    call.options.signal?.removeEventListener("abort", call.onAbort);
    const { asked } = call;
    asked.queue.delete(call);
    if (call.id >= 0) {
      asked.active.delete(call.id);
      this.#shared.holds.release(asked.id);
    }
    if (asked.up) this.#pump(asked);
    else this.#forget(asked);
  }
}
