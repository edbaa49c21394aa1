/**
 * The JOINs and NEIGHBORs that this node sent and that are not answered yet.
 *
 * Every request is answered once and messages between two peers keep their order; on that rests that both ends agree
 * in the end (see hyparview.ts). So a request is remembered beyond its deadline, until its answer comes or the
 * connection ends.
 *
 * @module
 */

import type { PeerId, TimerId } from "../host.ts";
import type { OverlayPort } from "./port.ts";

/** How a request stands. */
export type RequestState =
  /** Its slot is kept free. */
  | "waiting"
  /** Its deadline passed: an acceptance still counts where a slot is free. */
  | "late"
  /** A DISCONNECT was sent after it: an acceptance is already undone at the other side. */
  | "void";

/** One request of this node's own. */
export interface Request {
  /** Whom it asks. */
  readonly peer: PeerId;
  /** What was sent. */
  readonly type: "join" | "neighbor";
  /** Where the view is full when it is accepted, a member makes room: the end of a FORWARDJOIN walk, or a probe. */
  readonly force: boolean;
  /** When it was sent. */
  readonly sentAt: number;
  /** See {@linkcode RequestState}. */
  state: RequestState;
  /** When to look at it again. */
  deadline: number;
  /** The connection is up: from here on the time to answer counts, not the time to dial. */
  linked: boolean;
}

/** After this many answer times an unanswered request is forgotten, so that its peer can be asked again. */
const FORGET_AFTER = 10;

/** All requests of one overlay; one timer for all deadlines. */
export class Requests {
  readonly #port: OverlayPort;
  readonly #answerMs: number;
  readonly #most: number;
  readonly #silent: (request: Request) => void;
  #open: Map<PeerId, Request> | undefined;
  #waiting = 0;
  #timer: TimerId | undefined;
  #due = Infinity;

  /**
   * @param most How many are remembered at once; beyond it the oldest that nobody waits for is forgotten.
   * @param silent Called when a deadline passes without an answer.
   */
  constructor(
    port: OverlayPort,
    answerMs: number,
    most: number,
    silent: (request: Request) => void,
  ) {
    this.#port = port;
    this.#answerMs = answerMs;
    this.#most = most;
    this.#silent = silent;
  }

  /** How many wait for an answer in time. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#open?.size ?? 0;
  }

  /** True where a waiting request is a JOIN. */
  get joining(): boolean {
    for (const request of this.#open?.values() ?? []) {
      if (request.state === "waiting" && request.type === "join") return true;
    }
    return false;
  }

  /** True where the peer may be asked: no request to it is open, and there is room for one more. */
  may(peer: PeerId): boolean {
    const open = this.#open?.get(peer);
    if (open === undefined) return this.#waiting < this.#most;
    return open.state !== "waiting" &&
      this.#port.now() - open.sentAt > FORGET_AFTER * this.#answerMs;
  }

  /** True where the peer's answer is waited for. */
  waits(peer: PeerId): boolean {
    return this.#open?.get(peer)?.state === "waiting";
  }

  /** Notes a request that is being sent. */
  add(peer: PeerId, type: Request["type"], force: boolean): void {
    this.#open ??= new Map();
    this.take(peer);
    if (this.#open.size >= this.#most) this.#forgetOne();
    const now = this.#port.now();
    const linked = this.#port.connected(peer);
    const deadline = now + (linked ? this.#answer(peer) : 2 * this.#answerMs);
    this.#open.set(peer, { peer, type, force, sentAt: now, state: "waiting", deadline, linked });
    this.#waiting++;
    this.#arm(deadline);
  }

  /** Removes the request to a peer: it is answered, or cannot be any more. */
  take(peer: PeerId): Request | undefined {
    const request = this.#open?.get(peer);
    if (request === undefined) return undefined;
    this.#open!.delete(peer);
    if (request.state === "waiting") this.#waiting--;
    return request;
  }

  /** Notes that a DISCONNECT is being sent to a peer. */
  void(peer: PeerId): void {
    const request = this.#open?.get(peer);
    if (request !== undefined) this.#settle(request, "void");
  }

  /** Forgets everything; gives the peers that may still answer. */
  stop(): PeerId[] {
    if (this.#timer !== undefined) this.#port.cancel(this.#timer);
    this.#timer = undefined;
    const peers = [...this.#open?.keys() ?? []];
    this.#open = undefined;
    this.#waiting = 0;
    return peers;
  }

  #answer(peer: PeerId): number {
    return Math.max(this.#answerMs, 4 * (this.#port.rtt(peer) ?? 0));
  }

  #settle(request: Request, state: RequestState): void {
    if (request.state === "waiting") this.#waiting--;
    request.state = state;
  }

  #forgetOne(): void {
    for (const request of this.#open!.values()) {
      if (request.state !== "waiting") {
        this.#open!.delete(request.peer);
        return;
      }
    }
  }

  #arm(deadline: number): void {
    if (this.#timer !== undefined) {
      if (deadline >= this.#due) return;
      this.#port.cancel(this.#timer);
    }
    this.#due = deadline;
    this.#timer = this.#port.after(deadline - this.#port.now(), () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#port.now();
    const late = now - this.#due;
    const expired: Request[] = [];
    let next = Infinity;
    for (const request of this.#open?.values() ?? []) {
      if (request.state !== "waiting") continue;
      // A node that was late itself must not accuse its peers: their answers may lie unread.
      if (late > this.#answerMs / 2) {
        request.deadline = Math.max(request.deadline, now + this.#answerMs / 2);
      }
      if (request.deadline <= now && !request.linked && this.#port.connected(request.peer)) {
        request.linked = true;
        request.deadline = now + this.#answer(request.peer);
      }
      // This node has not begun to dial: nobody is late.
      if (!request.linked && request.deadline <= now && this.#port.queued(request.peer)) {
        request.deadline = now + this.#answerMs;
      }
      if (request.deadline <= now) expired.push(request);
      else next = Math.min(next, request.deadline);
    }
    if (next < Infinity) this.#arm(next);
    for (const request of expired) {
      this.#settle(request, "late");
      this.#silent(request);
    }
  }
}
