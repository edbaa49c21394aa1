import type { Clock, TimerId } from "../../src/core/host.ts";

/** Lets every promise that is settled already be seen by whoever waits for it. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await undefined;
}

/** A clock that stands still until a test moves it; promises run between two timers. */
export class VirtualTime implements Clock {
  #now = 1_000;
  #next = 1;
  #seed: number;
  readonly #timers = new Map<TimerId, { readonly at: number; readonly fire: () => void }>();

  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** Timers that stand. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    this.#seed = Math.imul(this.#seed ^ this.#seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (this.#seed >>> 0) / 2 ** 32;
  }

  after(ms: number, fire: () => void): TimerId {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), fire });
    return id;
  }

  cancel(timer: TimerId): void {
    this.#timers.delete(timer);
  }

  /** Lets `ms` pass. */
  async run(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (true) {
      const next = this.#earliest();
      if (next === undefined || next[1].at > end) break;
      this.#now = Math.max(this.#now, next[1].at);
      this.#timers.delete(next[0]);
      next[1].fire();
      await settle();
    }
    this.#now = end;
  }

  /** Lets time pass until the promise is settled, at most `ms`; gives what it gave. */
  async until<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => settled = true);
    watched.catch(() => {});
    const end = this.#now + ms;
    await settle();
    while (!settled) {
      const next = this.#earliest();
      if (next === undefined || next[1].at > end) throw new Error(`not settled within ${ms} ms`);
      await this.run(next[1].at - this.#now);
    }
    return await watched;
  }

  #earliest(): [TimerId, { readonly at: number; readonly fire: () => void }] | undefined {
    let least: [TimerId, { readonly at: number; readonly fire: () => void }] | undefined;
    for (const timer of this.#timers) {
      if (least === undefined || timer[1].at < least[1].at) least = timer;
    }
    return least;
  }
}
