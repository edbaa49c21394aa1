/**
 * Real time for one node: any number of timers behind one `setTimeout`.
 *
 * @module
 */

import type { Clock, TimerId } from "../core/host.ts";

/** Options of {@linkcode Timers}. */
export interface TimersOptions {
  /** Told what a callback threw; the other timers go on. */
  onFault?: (error: unknown) => void;
  /** Lateness in ms up to which a tick counts as punctual. Default 50. */
  slackMs?: number;
}

/** The longest time for which timers are put off after the thread was late, in ms. */
const MAX_STRETCH_MS = 1_000;
/**
 * Timers of this length fire on a grid that all nodes of a process share, up to a grid's step late: pings, checks, shuffles and comparisons
 * then share wake-ups and records. With 200 quiet nodes this saves a fifth of the CPU time.
 */
const LONG_MS = 2_048, GRID_MS = 256;
/** `setTimeout` takes 31 bits. */
const MAX_WAIT_MS = 2_000_000_000;

/** Time after which the memory of a late tick counts half. */
const LAG_HALF_LIFE_MS = 250;

interface Entry {
  readonly id: TimerId;
  readonly due: number;
  fire: (() => void) | undefined;
}

/**
 * A {@linkcode Clock} on the runtime's timers.
 *
 * A single thread that was late must not accuse its peers: when a tick comes late, every timer waits once more, for as long as the
 * tick was late (up to a second), so that what arrived meanwhile is read before any timeout is judged.
 */
export class Timers implements Clock {
  readonly #heap: Entry[] = [];
  readonly #entries = new Map<TimerId, Entry>();
  readonly #onFault: (error: unknown) => void;
  readonly #slackMs: number;
  readonly #tick = (): void => this.#fire();
  #next: TimerId = 1;
  #handle: ReturnType<typeof setTimeout> | undefined;
  #armedFor = Infinity;
  #stretched = false;
  #lagMs = 0;
  #worstLagMs = 0;
  #worstAt = 0;
  #closed = false;

  constructor(options: TimersOptions = {}) {
    this.#onFault = options.onFault ?? (() => {});
    this.#slackMs = options.slackMs ?? 50;
  }

  /** How late the last tick came, in ms. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** The worst lateness of a tick, in ms, fading with time. */
  lag(): number {
    return this.#worstLagMs * 2 ** ((this.#worstAt - this.now()) / LAG_HALF_LIFE_MS);
  }

  /** Timers that wait. */
  get size(): number {
    return this.#entries.size;
  }

  /** See {@linkcode Clock.now}. */
  now(): number {
    return performance.now();
  }

  /** See {@linkcode Clock.random}. */
  random(): number {
    return Math.random();
  }

  /** See {@linkcode Clock.after}; after {@linkcode Timers.close} nothing fires. */
  after(ms: number, fire: () => void): TimerId {
    const id = this.#next++;
    if (this.#closed) return id;
    const entry: Entry = { id, due: onGrid(this.now() + Math.max(0, ms), ms), fire };
    this.#entries.set(id, entry);
    push(this.#heap, entry);
    // While timers are put off after a late tick, a new one does not bring the tick forward.
    if (entry.due < this.#armedFor && !this.#stretched) this.#arm(entry.due);
    return id;
  }

  /** See {@linkcode Clock.cancel}. */
  cancel(timer: TimerId): void {
    const entry = this.#entries.get(timer);
    if (entry === undefined) return;
    entry.fire = undefined;
    this.#entries.delete(timer);
    // Cancelled entries stay in the heap until their time; where they are the most, it is built anew without them.
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#entries.size) this.#compact();
    if (this.#entries.size === 0) this.#disarm();
  }

  /** Forgets every timer and leaves none behind. */
  close(): void {
    this.#closed = true;
    this.#entries.clear();
    this.#heap.length = 0;
    this.#disarm();
  }

  #arm(due: number): void {
    if (this.#handle !== undefined) clearTimeout(this.#handle);
    this.#armedFor = due;
    const wait = Math.ceil(due - this.now());
    this.#handle = setTimeout(this.#tick, Math.min(Math.max(0, wait), MAX_WAIT_MS));
  }

  #disarm(): void {
    if (this.#handle !== undefined) clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#armedFor = Infinity;
    this.#stretched = false;
  }

  #fire(): void {
    this.#handle = undefined;
    const now = this.now();
    this.#lagMs = Math.max(0, now - this.#armedFor);
    if (this.#lagMs > this.lag()) {
      this.#worstLagMs = this.#lagMs;
      this.#worstAt = now;
    }
    if (this.#lagMs > this.#slackMs && !this.#stretched) {
      this.#stretched = true;
      this.#arm(now + Math.min(this.#lagMs, MAX_STRETCH_MS));
      return;
    }
    this.#stretched = false;
    this.#armedFor = -Infinity;
    // Timers that callbacks add for "now" wait for the next tick, so that this loop ends.
    const last = this.#next;
    while (this.#heap.length > 0) {
      const top = this.#heap[0]!;
      if (top.fire !== undefined && (top.due > now || top.id >= last)) break;
      pop(this.#heap);
      this.#run(top);
    }
    this.#rearm();
  }

  #run(entry: Entry): void {
    const fire = entry.fire;
    if (fire === undefined) return;
    entry.fire = undefined;
    this.#entries.delete(entry.id);
    try {
      fire();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #rearm(): void {
    if (this.#entries.size === 0) return this.#disarm();
    while (this.#heap[0]!.fire === undefined) pop(this.#heap);
    this.#arm(this.#heap[0]!.due);
  }

  #compact(): void {
    const live = [...this.#entries.values()];
    this.#heap.length = 0;
    for (const entry of live) push(this.#heap, entry);
  }
}

/** When a timer of `ms` fires that is due at `due`. */
function onGrid(due: number, ms: number): number {
  return ms < LONG_MS ? due : Math.ceil(due / GRID_MS) * GRID_MS;
}

function before(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.id < b.id);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(entry, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
