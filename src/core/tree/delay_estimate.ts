/**
 * T1 of Plumtree, from measurements: how long a payload still takes once it was announced.
 *
 * @module
 */

/** What one observation leaves of the highest delay: it is halved after some 350 of them. */
const FADE = 0.998;
/** Room above the highest delay. */
const MARGIN = 1.5;

/**
 * The highest recent delay between an announcement and the payload. With many senders the delay depends on who sends: a
 * mean, even with its deviation, is passed by every distant sender, and each time a GRAFT for a payload that was on its way
 * changes a good tree.
 */
export class DelayEstimate {
  #peak = 0;

  /** A payload came `ms` after its first announcement, without being asked for. */
  sample(ms: number): void {
    this.#peak = Math.max(ms, this.#peak * FADE);
  }

  /** An announcement came behind its payload: there was nothing to wait for, so what a bad time has left fades. */
  calm(): void {
    this.#peak *= FADE;
  }

  /** The wait before the first GRAFT: above the highest delay, at least 1.5 round trips, within the bounds. */
  wait(leastMs: number, mostMs: number, rttMs: number | undefined): number {
    const least = Math.max(leastMs, 1.5 * (rttMs ?? 0));
    return Math.min(mostMs, Math.max(least, MARGIN * this.#peak));
  }
}
