/**
 * Frames that the transport had no room for wait here, in order, and are tried again.
 *
 * @module
 */

import type { PeerId, TimerId } from "../core/host.ts";
import { Lane } from "../wire/frames.ts";
import type { RequestPort } from "./port.ts";

/** Milliseconds between two tries of what found its lane full. */
export const RETRY_MS = 10;

interface Waiting {
  readonly head: Uint8Array;
  readonly body: Uint8Array | undefined;
  readonly owner: object | undefined;
  readonly settled: ((sent: boolean) => void) | undefined;
}

/** What {@linkcode Outbox.post} may be told of a frame. */
export interface PostOptions {
  /** Bytes that follow the head. */
  body?: Uint8Array;
  /** Whom the frame belongs to, for {@linkcode Outbox.withdraw}. */
  owner?: object;
  /** Called once for a frame that had to wait: true when the transport took it, false when it was dropped. */
  settled?: (sent: boolean) => void;
}

/**
 * Holds what the transport refused. It has no bound of its own: each request has at most a few frames here, because an
 * answer goes on only when its last piece has left, and requests are bounded.
 */
export class Outbox {
  readonly #port: RequestPort;
  readonly #peers = new Map<PeerId, Waiting[][]>();
  #timer: TimerId | undefined;

  constructor(port: RequestPort) {
    this.#port = port;
  }

  /** Frames that wait for a peer. */
  waiting(peer: PeerId): number {
    const lanes = this.#peers.get(peer);
    return lanes === undefined ? 0 : lanes.reduce((sum, lane) => sum + lane.length, 0);
  }

  /** Sends a frame, now (true) or when the lane has room. Frames of one peer and lane stay in order. */
  post(peer: PeerId, lane: Lane, head: Uint8Array, options: PostOptions = {}): boolean {
    const { body, owner, settled } = options;
    let lanes = this.#peers.get(peer);
    const behind = lanes !== undefined && lanes[lane]!.length > 0;
    if (!behind && this.#port.send(peer, lane, head, body)) return true;
    if (lanes === undefined) this.#peers.set(peer, lanes = [[], [], []]);
    lanes[lane]!.push({ head, body, owner, settled });
    this.#arm();
    return false;
  }

  /** Takes back what still waits of an owner; true where there was something. */
  withdraw(peer: PeerId, owner: object): boolean {
    let found = false;
    for (const lane of this.#peers.get(peer) ?? []) {
      const at = lane.findIndex((frame) => frame.owner === owner);
      if (at < 0) continue;
      lane.splice(at, 1);
      found = true;
    }
    return found;
  }

  /** Tries again what waits for a peer. */
  flush(peer: PeerId): void {
    const lanes = this.#peers.get(peer);
    if (lanes === undefined) return;
    for (const lane of [Lane.CONTROL, Lane.NORMAL, Lane.BULK]) {
      const frames = lanes[lane]!;
      while (frames.length > 0) {
        const frame = frames[0]!;
        if (!this.#port.send(peer, lane, frame.head, frame.body)) break;
        frames.shift();
        frame.settled?.(true);
      }
    }
    // Counted afresh: what was settled may have posted more.
    if (this.waiting(peer) === 0) this.#peers.delete(peer);
  }

  /** Forgets what waits for a peer that is gone. */
  drop(peer: PeerId): void {
    const lanes = this.#peers.get(peer);
    this.#peers.delete(peer);
    for (const lane of lanes ?? []) {
      for (const frame of lane) frame.settled?.(false);
    }
  }

  /** Forgets everything. */
  close(): void {
    for (const peer of [...this.#peers.keys()]) this.drop(peer);
    if (this.#timer !== undefined) this.#port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer ??= this.#port.after(RETRY_MS, () => {
      this.#timer = undefined;
      for (const peer of [...this.#peers.keys()]) this.flush(peer);
      if (this.#peers.size > 0) this.#arm();
    });
  }
}
