/**
 * Pauses after failed dials, per peer.
 *
 * @module
 */

import type { Clock, PeerId } from "../core/host.ts";

interface Pause {
  failures: number;
  until: number;
}

/** Remembers who failed lately, and for how long to leave it alone: exponential, with jitter. */
export class Backoff {
  readonly #clock: Clock;
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #most: number;
  readonly #pauses = new Map<PeerId, Pause>();

  /** Makes one for pauses of `firstMs` to `maxMs` that remembers `most` peers. */
  constructor(clock: Clock, firstMs: number, maxMs: number, most: number) {
    this.#clock = clock;
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#most = most;
  }

  /** Milliseconds until `peer` should be dialled again; 0 where it may be now. */
  remaining(peer: PeerId): number {
    const pause = this.#pauses.get(peer);
    return pause === undefined ? 0 : Math.max(0, pause.until - this.#clock.now());
  }

  /** A dial to `peer` failed. */
  failed(peer: PeerId): void {
    const failures = Math.min(32, (this.#pauses.get(peer)?.failures ?? 0) + 1);
    const full = Math.min(this.#maxMs, this.#firstMs * 2 ** (failures - 1));
    const ms = full * (1 - this.#clock.random() / 2);
    // Deleted first, so that the map stays in the order of the last failure and the oldest goes when it is full.
    this.#pauses.delete(peer);
    this.#pauses.set(peer, { failures, until: this.#clock.now() + ms });
    if (this.#pauses.size > this.#most) {
      this.#pauses.delete(this.#pauses.keys().next().value!);
    }
  }

  /** A link to `peer` lived for a while. */
  clear(peer: PeerId): void {
    this.#pauses.delete(peer);
  }

  /** Peers that are remembered. */
  get size(): number {
    return this.#pauses.size;
  }
}
