/**
 * Real time for nodes: any number of timers, and one `setTimeout` for all nodes of a process.
 *
 * @module
 */

import type { Clock, TimerId } from "../core/host.ts";
import { atEndOfTurn } from "./turn.ts";

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
 * Timers fire on grids that all nodes of a process share, up to a step late, which is at most an 8th of their length: checks, shuffles and
 * comparisons then share wake-ups and records. With 200 quiet nodes this saves a fifth of the CPU time. Those that measure are exact.
 */
const GRID_PART = 8, MOST_GRID_MS = 256;
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
  readonly #alarm: Alarm = { due: Infinity, ring: () => this.#fire() };
  #next: TimerId = 1;
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
  after(ms: number, fire: () => void, exact = false): TimerId {
    const id = this.#next++;
    if (this.#closed) return id;
    const entry: Entry = { id, due: onGrid(this.now() + Math.max(0, ms), exact ? 0 : ms), fire };
    this.#entries.set(id, entry);
    push(this.#heap, entry);
    // While timers are put off after a late tick, a new one does not bring the tick forward.
    if (entry.due < this.#alarm.due && !this.#stretched) setAlarm(this.#alarm, entry.due);
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

  /** See {@linkcode Clock.soon}. */
  soon(fire: () => void): void {
    atEndOfTurn(() => this.#guard(fire));
  }

  /** Forgets every timer and leaves none behind. */
  close(): void {
    this.#closed = true;
    this.#entries.clear();
    this.#heap.length = 0;
    this.#disarm();
  }

  #disarm(): void {
    clearAlarm(this.#alarm);
    this.#stretched = false;
  }

  #fire(): void {
    const now = this.now();
    this.#lagMs = Math.max(0, now - this.#alarm.due);
    if (this.#lagMs > this.lag()) {
      this.#worstLagMs = this.#lagMs;
      this.#worstAt = now;
    }
    if (this.#lagMs > this.#slackMs && !this.#stretched) {
      this.#stretched = true;
      setAlarm(this.#alarm, now + Math.min(this.#lagMs, MAX_STRETCH_MS));
      return;
    }
    this.#stretched = false;
    this.#alarm.due = -Infinity;
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
    this.#guard(fire);
  }

  /** One that throws stops no other. */
  #guard(fire: () => void): void {
    try {
      fire();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #rearm(): void {
    if (this.#entries.size === 0) return this.#disarm();
    while (this.#heap[0]!.fire === undefined) pop(this.#heap);
    setAlarm(this.#alarm, this.#heap[0]!.due);
  }

  #compact(): void {
    const live = [...this.#entries.values()];
    this.#heap.length = 0;
    for (const entry of live) push(this.#heap, entry);
  }
}

/** When a timer of `ms` fires that is due at `due`. */
export function onGrid(due: number, ms: number): number {
  const step = gridStep(ms);
  return step === 0 ? due : Math.ceil(due / step) * step;
}

/** How late a timer of `ms` may be for the sake of the grid; 0 where there is none. */
export function gridStep(ms: number): number {
  return ms < GRID_PART ? 0 : Math.min(MOST_GRID_MS, 2 ** Math.floor(Math.log2(ms / GRID_PART)));
}

/** When one node wants to be woken next, and how. */
interface Alarm {
  due: number;
  readonly ring: () => void;
}

/** All that are set, behind one `setTimeout`: with one for each of 16 nodes, messages now and then cost 5 % more CPU time. */
const alarms = new Set<Alarm>();
let handle: ReturnType<typeof setTimeout> | undefined;
let handleDue = Infinity;
/** Those that ring in this turn. */
const ringing: Alarm[] = [];

function setAlarm(alarm: Alarm, due: number): void {
  alarm.due = due;
  alarms.add(alarm);
  if (due < handleDue) wakeAt(due);
}

function clearAlarm(alarm: Alarm): void {
  alarm.due = Infinity;
  alarms.delete(alarm);
  if (alarms.size > 0 || handle === undefined) return;
  clearTimeout(handle);
  handle = undefined;
  handleDue = Infinity;
}

function wakeAt(due: number): void {
  if (handle !== undefined) clearTimeout(handle);
  handleDue = due;
  const wait = Math.ceil(due - performance.now());
  handle = setTimeout(wake, Math.min(Math.max(0, wait), MAX_WAIT_MS));
}

function wake(): void {
  handle = undefined;
  // What is set while they ring is looked at once, below.
  handleDue = -Infinity;
  const now = performance.now();
  try {
    for (const alarm of alarms) if (alarm.due <= now) ringing.push(alarm);
    for (const alarm of ringing) if (alarm.due <= now) alarm.ring();
  } finally {
    ringing.length = 0;
    handleDue = Infinity;
    let next = Infinity;
    for (const { due } of alarms) next = Math.min(next, due);
    if (next < Infinity) wakeAt(next);
  }
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
