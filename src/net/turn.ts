/**
 * Turns of the event loop, which all connections of a process share: what was read is taken in, one read after the other; who waited for
 * the end is called; what waits is written; the next reads begin.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Calls that wait, in the order in which they came; its places are kept. */
class Calls {
  #waiting: ((() => void) | undefined)[] = [];
  #running: ((() => void) | undefined)[] = [];
  #count = 0;

  push(call: () => void): void {
    this.#waiting[this.#count++] = call;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Calls those that wait; what they add waits for the next time, and so do those behind one that throws. */
  run(): void {
    const count = this.#count;
    [this.#waiting, this.#running] = [this.#running, this.#waiting];
    this.#count = 0;
    let i = 0;
    try {
      while (i < count) this.#take(i++)();
    } finally {
      while (i < count) this.push(this.#take(i++));
    }
  }

  #take(i: number): () => void {
    const call = this.#running[i]!;
    this.#running[i] = undefined;
    return call;
  }
}

const ends = new Calls(), writes = new Calls(), reads = new Calls();
let ending = false;

/** Calls `end` at the end of this turn, before the writes: what it sends leaves in them. It must not throw. */
export function atEndOfTurn(end: () => void): void {
  ends.push(end);
  askForEnd();
}

/** Calls `write` at the end of this turn, when all that was readable has been taken in. */
export function writeAtEndOfTurn(write: () => void): void {
  writes.push(write);
  askForEnd();
}

/** Calls `read` at the end of this turn, behind the writes: beginning a read takes as long as a short message takes to be handled. */
export function readAtEndOfTurn(read: () => void): void {
  reads.push(read);
  askForEnd();
}

function askForEnd(): void {
  if (ending) return;
  ending = true;
  setImmediate(end);
}

function end(): void {
  ending = false;
  ends.run();
  try {
    writes.run();
  } finally {
    try {
      reads.run();
    } finally {
      if (!ends.empty || !writes.empty || !reads.empty) askForEnd();
    }
  }
}

/** Those behind the one whose turn it is. */
const takes: (() => void)[] = [];
let first = 0, taking = false;

/**
 * Calls `take` now, or behind what came before it in this turn and what that woke: a reader gets a message as soon as it is in, and not when
 * all that was read together is (16 nodes of one process: the median of their latencies was a 12th longer).
 */
export function takeInTurn(take: () => void): void {
  if (taking) return void takes.push(take);
  taking = true;
  takeNow(take);
}

function takeNow(take: () => void): void {
  try {
    take();
  } finally {
    queueMicrotask(takeNext);
  }
}

function takeNext(): void {
  if (first < takes.length) return takeNow(takes[first++]!);
  taking = false;
  first = takes.length = 0;
}
