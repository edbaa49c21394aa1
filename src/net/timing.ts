/**
 * The times of links and dials, and their defaults per preset.
 *
 * @module
 */

import type { Preset } from "../options.ts";

/** Times of one transport, all in milliseconds. */
export interface LinkTiming {
  /** Between pings of a link that has been up for a while; right after it came up they are quicker. Shorter measures and notices sooner. */
  pingMs: number;
  /** Silence after which a link counts as lost: two pings without an answer by default. */
  deadMs: number;
  /** For how long a full send lane may stay above half before the reader counts as too slow. */
  slowMs: number;
  /** For how long a link that nobody holds and nobody uses stays up at the side that dialled; the other side waits four times as long. */
  idleMs: number;
  /** For how long a link that was dialled explicitly counts as held. */
  graceMs: number;
  /** For one attempt to open a stream; the handshake has its own limit. */
  connectMs: number;
  /** First pause after a failed dial; doubles, and is shortened at random by up to half. */
  backoffMs: number;
  /** The longest such pause. */
  maxBackoffMs: number;
  /** A link that lived this long clears the pauses. */
  stableMs: number;
  /** For writing what is queued and the goodbye when a link is closed. */
  closeMs: number;
  /** For an answer when a link is doubted. */
  probeMs: number;
}

const LAN: LinkTiming = {
  pingMs: 10_000,
  deadMs: 30_000,
  slowMs: 10_000,
  idleMs: 15_000,
  graceMs: 60_000,
  connectMs: 4_000,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  stableMs: 15_000,
  closeMs: 1_000,
  probeMs: 2_000,
};

/** The defaults of a preset. */
export function linkTiming(preset: Preset): LinkTiming {
  if (preset === "local") {
    return {
      ...LAN,
      pingMs: 3_000,
      deadMs: 9_000,
      connectMs: 2_000,
      backoffMs: 200,
      maxBackoffMs: 5_000,
    };
  }
  if (preset === "wan") {
    return {
      ...LAN,
      pingMs: 20_000,
      deadMs: 60_000,
      slowMs: 30_000,
      idleMs: 30_000,
      connectMs: 10_000,
      backoffMs: 1_000,
      maxBackoffMs: 60_000,
      closeMs: 3_000,
      probeMs: 5_000,
    };
  }
  return { ...LAN };
}
