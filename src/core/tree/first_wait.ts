/**
 * T1 of Plumtree: how long an announced payload is waited for before the first GRAFT.
 *
 * @module
 */

import type { TreeContext } from "./context.ts";
import { DelayEstimate } from "./delay_estimate.ts";
import type { Link } from "./links.ts";

/**
 * T1 grows by so many times the lag of this thread: where it is late, the payload may lie unread in a socket, and others on
 * the way, about as many as a tree is deep, are likely to be late too.
 */
const LAGS = 6;
/** T1 is at most this part of the time for which payloads are retained at the present rate. */
const TURNOVERS = 4;
/** Mean over so many payloads of the time between two of them, each counted as a quarter of the least T1 at most. */
const GAPS = 16;
/** T1 grows by a gap for each missing id, since they come one after another, up to so many times. */
const QUEUED = 4;

/** Learns from what comes by itself how long that takes. */
export class FirstWait {
  readonly #context: TreeContext;
  readonly #estimate = new DelayEstimate();
  /** When that was first announced which has come by itself, the latest of them, and when it came. */
  #front = -Infinity;
  #frontAt = -Infinity;
  #gap = 0;
  #newsAt = -Infinity;
  #selfAt = -Infinity;

  /** Works on the log of a context. */
  constructor(context: TreeContext) {
    this.#context = context;
  }

  /** A payload came that was new; `asked` where it was asked for. */
  news(asked: boolean, now: number): void {
    if (!asked) this.#selfAt = now;
    const gap = Math.min(now - this.#newsAt, this.#context.options.graftMinMs / 4);
    this.#newsAt = now;
    this.#gap += (gap - this.#gap) / GAPS;
  }

  /** What was announced at `announcedAt` came by itself: so long can it take. */
  came(announcedAt: number, now: number): void {
    this.#estimate.sample(Math.min(this.#context.options.graftMaxMs, now - announcedAt));
    this.#front = Math.max(this.#front, announcedAt);
    this.#frontAt = now;
  }

  /** An announcement came behind its payload. */
  calm(): void {
    this.#estimate.calm();
  }

  /** True where for a T1 nothing has come by itself. */
  silent(wait: number, now: number): boolean {
    return now - this.#selfAt >= wait;
  }

  /** T1 for an id that `link` announced, while so many are missing. */
  wait(link: Link, missing: number): number {
    const { options, port } = this.#context;
    const { graftMinMs, graftMaxMs } = options;
    const calm = this.#estimate.wait(graftMinMs, graftMaxMs, port.rtt(link.peer));
    const wait = calm + Math.min(QUEUED * calm, this.#gap * missing);
    return Math.max(
      graftMinMs,
      Math.min(this.#most(port.now()), wait + LAGS * (port.lag?.() ?? 0)),
    );
  }

  /**
   * When T1 of what was announced at `announcedAt` is over. Payloads keep their order on the way: while those come that were announced before
   * it, it stands behind them in the queue of some busy link; once one has come that was announced a T1 after it, it was passed over.
   */
  due(announcedAt: number, wait: number, now: number): number {
    const due = announcedAt + wait;
    if (due > now + 1 || due < this.#front || now - this.#frontAt >= wait) return due;
    return Math.min(announcedAt + this.#most(now), this.#frontAt + wait);
  }

  /** Never so long that the others may have dropped the payload by then: they retain what this node retains. */
  #most(now: number): number {
    const { log, options } = this.#context;
    return Math.min(options.graftMaxMs, log.turnover(now) / TURNOVERS);
  }
}
