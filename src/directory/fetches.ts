/**
 * Whose tables are fetched, one after the other.
 *
 * Neighbours come in a row, most of all while a network starts, and their tables are nearly the same: what the last one brought is not
 * asked for again of the next one while it is still on its way.
 *
 * @module
 */

import type { Clock, PeerId, TimerId } from "../core/host.ts";

/** Milliseconds between a table that brought something and the next one; what one lacks comes over the topic meanwhile. */
export const FETCH_PAUSE_MS = 2_000;

/** What the queue works with. */
export interface FetchesPort {
  readonly clock: Clock;
  /** Fetches the table of a peer; resolves with how many pages came, never rejects. */
  fetch(peer: PeerId): Promise<number>;
}

/** One fetch at a time, with a pause after each that was not in vain. */
export class Fetches {
  readonly #port: FetchesPort;
  readonly #wanted = new Set<PeerId>();
  #busy = false;
  #closed = false;
  #timer: TimerId | undefined;

  constructor(port: FetchesPort) {
    this.#port = port;
  }

  /** Peers whose turn has not come. */
  get size(): number {
    return this.#wanted.size;
  }

  /** The table of a new neighbour is wanted. */
  want(peer: PeerId): void {
    if (this.#closed) return;
    this.#wanted.add(peer);
    this.#next();
  }

  /** It is a neighbour no more. */
  forget(peer: PeerId): void {
    this.#wanted.delete(peer);
  }

  /** Begins no other. */
  close(): void {
    this.#closed = true;
    this.#wanted.clear();
    if (this.#timer !== undefined) this.#port.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  #next(): void {
    if (this.#busy) return;
    const [peer] = this.#wanted;
    if (peer === undefined) return;
    this.#wanted.delete(peer);
    this.#busy = true;
    this.#port.fetch(peer).then((pages) => {
      if (this.#closed) return;
      if (pages === 0) return this.#rested();
      this.#timer = this.#port.clock.after(FETCH_PAUSE_MS, () => this.#rested());
    });
  }

  #rested(): void {
    this.#timer = undefined;
    this.#busy = false;
    this.#next();
  }
}
