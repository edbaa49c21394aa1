/**
 * How many dials of one process are worked on at once.
 *
 * One thread does the handshakes of all nodes in a process, and both ends of those among them. Where many of them start at once, all
 * their dials together would each be so late that everybody times out, is refused as one stranger too many, and tries again. So they go a
 * few at a time, one node after the other: who has many dials waiting does not keep those from the network who have their first one. And those who
 * are alone go before those who have somebody. A dial that waits for the network and not for this thread gives its place up soon.
 *
 * @module
 */

import type { Clock } from "../core/host.ts";

/** Dials that are worked on at once; below `limits.halfOpenPerAddress`, so that no process exceeds that by itself. */
export const DIALS_AT_ONCE = 24;
/** Milliseconds after which a dial's place is free at the latest. */
export const PLACE_MS = 1_000;
/** One in so many places goes to a dial that is not urgent, if one waits. */
const OTHERS = 4;

/** What a gate looks at, each time that a place is free. */
interface Urgency {
  /** It goes before those that are not, all but one in {@linkcode OTHERS} times. */
  readonly urgent: boolean;
}
const CALM: Urgency = { urgent: false };

/** A dial that waits. */
interface Waiting extends Urgency {
  enter(): void;
}

/** Places for dials. */
export class DialGate {
  readonly #most: number;
  /** Who waits, by node, in the order of their turns; no list is empty. */
  readonly #waiting = new Map<object, Set<Waiting>>();
  #taken = 0;
  #passed = 0;

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
   * @param dial Whether it is urgent.
   */
  enter(
    node: object,
    clock: Clock,
    signal: AbortSignal,
    dial: Urgency = CALM,
  ): (() => void) | Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken >= this.#most) {
      return this.#wait(node, signal, dial).then(() => this.#place(clock));
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

  #wait(node: object, signal: AbortSignal, dial: Urgency): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#remove(node, entry);
        reject(signal.reason);
      };
      const entry: Waiting = {
        enter() {
          signal.removeEventListener("abort", abort);
          resolve();
        },
        get urgent() {
          return dial.urgent;
        },
      };
      const waiting = this.#waiting.get(node);
      if (waiting === undefined) this.#waiting.set(node, new Set([entry]));
      else waiting.add(entry);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #remove(node: object, entry: Waiting): void {
    const waiting = this.#waiting.get(node);
    waiting?.delete(entry);
    if (waiting?.size === 0) this.#waiting.delete(node);
  }

  /** Hands a place to the node whose turn it is; its next dial waits until all others have had theirs. */
  #pass(): void {
    const urgent = this.#passed++ % OTHERS < OTHERS - 1;
    const next = urgent ? this.#urgent() ?? this.#first() : this.#first();
    if (next === undefined) {
      this.#taken--;
      return;
    }
    const [node, entry] = next, rest = this.#waiting.get(node)!;
    rest.delete(entry);
    this.#waiting.delete(node);
    if (rest.size > 0) this.#waiting.set(node, rest);
    entry.enter();
  }

  #first(): [node: object, entry: Waiting] | undefined {
    for (const [node, [entry]] of this.#waiting) return [node, entry!];
    return undefined;
  }

  #urgent(): [node: object, entry: Waiting] | undefined {
    for (const [node, waiting] of this.#waiting) {
      for (const entry of waiting) if (entry.urgent) return [node, entry];
    }
    return undefined;
  }
}
