/**
 * Virtual time: events happen in order of their time, and nothing waits for a real clock.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { GossipError } from "../errors.ts";
import { EventHeap, type EventId } from "./event_heap.ts";

/** Something that happens at a time. A class with a `fire` method costs one object; a closure would cost two. */
export interface SimEvent {
  /** Called once, at its time. What it throws ends the run that called it. */
  fire(): void;
}

/** Options of {@linkcode VirtualClock}. */
export interface VirtualClockOptions {
  /**
   * How far, in virtual ms, time may move on before asynchronous code that was touched gets its turn. 0: not at all, the code
   * runs before anything of a later time. More batches the turns, and makes user code late by as much. Default 0.
   */
  asyncSlackMs?: number;
}

/** A callback with a time: what {@linkcode VirtualClock.after} puts into the heap. */
class Callback implements SimEvent {
  readonly fire: () => void;
  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/** Events after which a long run lets real timers and signals in, whatever was touched. */
const BREATHE_EVENTS = 65_536;

/** Lets every promise that can go on go on until none can: a microtask queue is empty before the next macrotask. */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * A clock that is moved by {@linkcode run}.
 *
 * Asynchronous code between events: whoever settles a promise that simulated or user code waits for calls
 * {@linkcode touch}; then all promise callbacks run before time moves on. Where nothing is touched a run is one
 * synchronous loop. Code that waits for something real (a socket, WebCrypto, a timer of the runtime) is not waited for, and
 * one seed then no longer gives one run.
 */
export class VirtualClock {
  readonly #heap = new EventHeap<SimEvent>();
  readonly #slack: number;
  #now = 0;
  #events = 0;
  #touchedAt = Infinity;
  #running = false;

  /** Makes a clock that stands at 0. */
  constructor(options: VirtualClockOptions = {}) {
    this.#slack = options.asyncSlackMs ?? 0;
  }

  /** Milliseconds of virtual time since the clock was made. */
  now(): number {
    return this.#now;
  }

  /** Events that have happened. */
  get events(): number {
    return this.#events;
  }

  /** Events that wait. */
  get pending(): number {
    return this.#heap.size;
  }

  /** Names the event that happened last, or happens now. */
  get firing(): EventId {
    return this.#heap.poppedId;
  }

  /** True while {@linkcode run} or {@linkcode runUntil} moves the clock. */
  get running(): boolean {
    return this.#running;
  }

  /** Lets `event` happen at `time`, or now where that has passed. */
  schedule(time: number, event: SimEvent): EventId {
    return this.#heap.push(time > this.#now ? time : this.#now, event);
  }

  /** Calls `fire` once after `ms`. */
  after(ms: number, fire: () => void): EventId {
    return this.schedule(this.#now + ms, new Callback(fire));
  }

  /** Forgets an event; one that has happened or was cancelled is ignored. */
  cancel(id: EventId): void {
    this.#heap.cancel(id);
  }

  /** Says that promise callbacks may be waiting for their turn. Cheap, may be called any number of times. */
  touch(): void {
    if (this.#touchedAt === Infinity) this.#touchedAt = this.#now;
  }

  /** Resolves after `ms` of virtual time: a sleep for code that runs inside a simulation. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, () => {
        this.touch();
        resolve();
      });
    });
  }

  /** Moves the clock to `untilMs`; everything up to and including that time happens. */
  async run(untilMs: number): Promise<void> {
    await this.#run(untilMs, undefined, 0);
  }

  /**
   * Moves the clock until `condition` holds, at most to `deadlineMs`; true where it holds. It is looked at before the first
   * event and then whenever time moves on by at least `everyMs` (default 0: after all events of one time).
   */
  runUntil(
    condition: () => boolean,
    deadlineMs: number,
    options: { everyMs?: number } = {},
  ): Promise<boolean> {
    return this.#run(deadlineMs, condition, options.everyMs ?? 0);
  }

  async #run(
    untilMs: number,
    condition: (() => boolean) | undefined,
    everyMs: number,
  ): Promise<boolean> {
    if (Number.isNaN(untilMs)) throw new RangeError("time is not a number");
    if (this.#running) throw new GossipError("busy", "the virtual clock is already running");
    this.#running = true;
    try {
      // What the caller started before the run may have promises under way.
      await this.#drain();
      if (condition?.()) return true;
      let lookAt = condition === undefined ? Infinity : this.#now;
      while (true) {
        const next = this.#heap.peekTime();
        if (condition !== undefined && next > lookAt) {
          if (condition()) return true;
          lookAt = Math.max(next, this.#now + everyMs);
        }
        if (next > untilMs || next === Infinity) break;
        this.#turn(Math.min(untilMs, lookAt));
        if (this.#touchedAt !== Infinity || this.#events % BREATHE_EVENTS === 0) {
          await this.#drain();
        }
      }
      if (untilMs !== Infinity && untilMs > this.#now) this.#now = untilMs;
      return condition === undefined || condition();
    } finally {
      this.#running = false;
    }
  }

  /** Fires events up to `last`; returns early where promise callbacks or real timers have to get their turn. */
  #turn(last: number): void {
    const heap = this.#heap;
    while (true) {
      const time = heap.peekTime();
      if (time > last || time === Infinity) return;
      if (time > this.#touchedAt + this.#slack) return;
      const event = heap.pop()!;
      this.#now = time;
      this.#events++;
      event.fire();
      if (this.#events % BREATHE_EVENTS === 0) return;
    }
  }

  async #drain(): Promise<void> {
    this.#touchedAt = Infinity;
    await drainMicrotasks();
  }
}
