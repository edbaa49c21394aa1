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
/** Dials that are looked at for one place: with thousands that wait, each place would cost as much as a dial. */
const LOOKS = 256;

/** A dial that waits. */
interface Waiting {
  enter(): void;
  readonly urgent: () => boolean;
}

/** Who waits, by node, in the order of their turns; no list is empty. */
type Row = Map<object, Set<Waiting>>;

/** Places for dials. */
export class DialGate {
  readonly #most: number;
  /** All that wait, twice: in the order of turns for urgent dials, and in that for the others. */
  readonly #urgent: Row = new Map();
  readonly #others: Row = new Map();
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
   * @param urgent Asked each time that a place is free: whether it goes before those that are not, in all but one of {@linkcode OTHERS} times.
   */
  enter(
    node: object,
    clock: Clock,
    signal: AbortSignal,
    urgent: () => boolean = () => false,
  ): (() => void) | Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken >= this.#most) {
      return this.#wait(node, signal, urgent).then(() => this.#place(clock));
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

  #wait(node: object, signal: AbortSignal, urgent: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#remove(node, entry);
        reject(signal.reason);
      };
      const enter = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const entry: Waiting = { enter, urgent };
      const waiting = this.#others.get(node) ?? new Set();
      if (waiting.size === 0) {
        for (const row of [this.#urgent, this.#others]) row.set(node, waiting);
      }
      waiting.add(entry);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #remove(node: object, entry: Waiting): void {
    const waiting = this.#others.get(node);
    waiting?.delete(entry);
    if (waiting?.size === 0) { for (const row of [this.#urgent, this.#others]) row.delete(node); }
  }

  /** Hands a place on: to the node whose turn it is with an urgent dial, or with another one, else to the first of all. Its next turn comes after all others'. */
  #pass(): void {
    const urgent = this.#passed++ % OTHERS < OTHERS - 1;
    const entry = urgent && this.#take(this.#urgent, true) || this.#take(this.#others, false) ||
      this.#take(this.#others, undefined);
    if (entry) entry.enter();
    else this.#taken--;
  }

  /** Takes out the first dial of a row that is urgent, or is not, or of all. */
  #take(row: Row, urgent: boolean | undefined): Waiting | undefined {
    const found = find(row, urgent);
    if (found === undefined) return undefined;
    const [node, entry] = found;
    turn(row, node);
    this.#remove(node, entry);
    return entry;
  }
}

/** The first dial in a row that is urgent, or is not, as far as it is looked for. Nodes without one have had their turn. */
function find(row: Row, urgent: boolean | undefined): [node: object, entry: Waiting] | undefined {
  let looks = 0, nodes = row.size;
  for (const [node, waiting] of row) {
    if (nodes-- === 0) break;
    for (const entry of waiting) {
      if (urgent === undefined || isUrgent(entry) === urgent) return [node, entry];
      if (++looks === LOOKS) return undefined;
    }
    turn(row, node);
  }
  return undefined;
}

/** Puts a node behind all others. */
function turn(row: Row, node: object): void {
  const waiting = row.get(node)!;
  row.delete(node);
  row.set(node, waiting);
}

/** What throws must not cost the process a place. */
function isUrgent({ urgent }: Waiting): boolean {
  try {
    return urgent();
  } catch {
    return false;
  }
}
