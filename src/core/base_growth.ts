/**
 * New neighbours on the directory's overlay, told to the other topics in batches.
 *
 * @module
 */

import type { Clock, PeerId, TimerId } from "./host.ts";

/** Milliseconds for which they are collected: one that comes and goes without end costs no look at all topics each time. */
const TOGETHER_MS = 100;

/** Collects them. */
export class BaseGrowth {
  readonly #clock: Clock;
  readonly #tell: (peers: PeerId[]) => void;
  readonly #peers = new Set<PeerId>();
  #timer: TimerId | undefined;

  /** `tell` is called with the peers that came, whether or not they are still there. */
  constructor(clock: Clock, tell: (peers: PeerId[]) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** One came. */
  add(peer: PeerId): void {
    this.#peers.add(peer);
    this.#timer ??= this.#clock.after(TOGETHER_MS, () => {
      const peers = [...this.#peers];
      this.stop();
      this.#tell(peers);
    });
  }

  /** Forgets those that were not told. */
  stop(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#peers.clear();
  }
}
