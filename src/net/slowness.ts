/**
 * Whether the other side reads what is sent to it.
 *
 * @module
 */

import type { Outbox } from "./outbox.ts";
import type { LinkTiming } from "./timing.ts";

/** Tells a reader that stays behind from a link that merely carries less than what is sent over it. */
export class Slowness {
  readonly #outbox: Outbox;
  readonly #timing: LinkTiming;
  readonly #laneBytes: number;
  #fullSince: number | undefined;
  #fullFrom = 0;

  /** Watches an outbox with `laneBytes` per lane. */
  constructor(outbox: Outbox, timing: LinkTiming, laneBytes: number) {
    this.#outbox = outbox;
    this.#timing = timing;
    this.#laneBytes = laneBytes;
  }

  /** True while a lane that was full is more than half full still, as far as was looked. */
  get suspected(): boolean {
    return this.#fullSince !== undefined;
  }

  /** A frame did not fit into its lane. */
  refused(now: number): void {
    if (this.#fullSince !== undefined) return;
    this.#fullSince = now;
    this.#fullFrom = this.#outbox.bytesOut;
  }

  /** Says whether the other side reads too slowly; `late` is for how long this process did nothing. */
  judge(now: number, late: number): boolean {
    const outbox = this.#outbox, { slowMs, deadMs } = this.#timing;
    if (outbox.writingSince !== undefined) {
      outbox.writingSince += late;
      if (now - outbox.writingSince >= Math.max(slowMs, deadMs)) return true;
    }
    if (this.#fullSince === undefined) return false;
    if (!outbox.lanes.crowded) {
      this.#fullSince = undefined;
      return false;
    }
    this.#fullSince += late;
    if (outbox.bytesOut - this.#fullFrom >= this.#laneBytes / 2) {
      // It drains: more comes than the link carries, which is not the reader's fault alone.
      this.#fullSince = now;
      this.#fullFrom = outbox.bytesOut;
    }
    return now - this.#fullSince >= slowMs;
  }
}
