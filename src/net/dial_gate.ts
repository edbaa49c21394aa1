/**
 * How many dials of one process are worked on at once.
 *
 * One thread does the handshakes of all nodes in a process, and both ends of those among them. Where many of them start at once, all
 * their dials together would each be so late that everybody times out, is refused as one stranger too many, and tries again. So they go a
 * few at a time, one node after the other: who has many dials waiting does not keep those from the network who have their first one. A dial
 * that waits for the network and not for this thread gives its place up soon.
 *
 * @module
 */

import type { Clock } from "../core/host.ts";

/** Dials that are worked on at once; below `limits.halfOpenPerAddress`, so that no process exceeds that by itself. */
export const DIALS_AT_ONCE = 24;
/** Milliseconds after which a dial's place is free at the latest. */
export const PLACE_MS = 1_000;

/** Places for dials. */
export class DialGate {
  readonly #most: number;
  /** Who waits, by node, in the order of their turns; no list is empty. */
  readonly #waiting = new Map<object, Set<() => void>>();
  #taken = 0;

  /** Makes a gate with `most` places. */
  constructor(most: number = DIALS_AT_ONCE) {
    this.#most = most;
  }

  /** Dials that have a place. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Gives what gives the place back, at once where one is free; it may be called twice. Rejects with the signal's reason.
   *
   * @param node Whose dial it is.
   */
  enter(node: object, clock: Clock, signal: AbortSignal): (() => void) | Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken >= this.#most) {
      return this.#wait(node, signal).then(() => this.#place(clock));
    }
    this.#taken++;
    return this.#place(clock);
  }

  #place(clock: Clock): () => void {
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      clock.cancel(timer);
      this.#pass();
    };
    const timer = clock.after(PLACE_MS, leave);
    return leave;
  }

  #wait(node: object, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#remove(node, enter);
        reject(signal.reason);
      };
      const waiting = this.#waiting.get(node);
      if (waiting === undefined) this.#waiting.set(node, new Set([enter]));
      else waiting.add(enter);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #remove(node: object, enter: () => void): void {
    const waiting = this.#waiting.get(node);
    waiting?.delete(enter);
    if (waiting?.size === 0) this.#waiting.delete(node);
  }

  /** Hands a place to the node whose turn it is; its next dial waits until all others have had theirs. */
  #pass(): void {
    for (const [node, waiting] of this.#waiting) {
      const [enter] = waiting;
      this.#waiting.delete(node);
      waiting.delete(enter!);
      if (waiting.size > 0) this.#waiting.set(node, waiting);
      return enter!();
    }
    this.#taken--;
  }
}
