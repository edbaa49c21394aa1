/**
 * Broadcasts that begin right after the joins, one per cycle, while the overlay still fills: the papers' own experiment.
 *
 * @module
 */

import type { Broadcast } from "../lab.ts";
import { cycles, HOP_MS, join, meanDegree, paperLab, type Show } from "./setting.ts";
import { type Series, seriesOf } from "./stable.ts";

/** What {@linkcode young} measured. */
export interface YoungFigures extends Series {
  readonly nodes: number;
  /** Mean degree before each broadcast. */
  readonly meanDegree: readonly number[];
}

/** How much is done. */
export interface YoungSize {
  readonly nodes: number;
  readonly seed: number;
  readonly cycles: number;
  /** The same sender each time; otherwise random ones. */
  readonly oneSender: boolean;
}

/** A cycle that the joins of ten thousand nodes fit into many times. */
const LONG_CYCLE_MS = 100_000_000;

/**
 * T1 at the least. Ours is measured and would take some broadcasts to learn how deep the tree is, and ask meanwhile for payloads that are
 * on their way; the papers' is never too short.
 */
const LONGEST_PATH_MS = 100 * HOP_MS;

/** Runs the experiment. Free slots are looked at once per cycle too, since that is the papers' only periodic step. */
export async function young(
  size: YoungSize,
  show: Show,
): Promise<YoungFigures> {
  const lab = paperLab(
    size.seed,
    {
      shuffleMs: LONG_CYCLE_MS,
      checkMs: LONG_CYCLE_MS,
      probeMs: 3 * LONG_CYCLE_MS,
      refillMs: LONG_CYCLE_MS,
    },
    { graftMinMs: LONGEST_PATH_MS },
  );
  // Each join is over before the next one begins.
  await join(lab, size.nodes, 25 * HOP_MS, show);
  const degrees: number[] = [], broadcasts: Broadcast[] = [];
  for (let i = 0; i < size.cycles; i++) {
    degrees.push(meanDegree(lab.graph()));
    const sender = size.oneSender ? lab.nodes[0]! : lab.someone();
    // What a GRAFT has to bring comes after T1.
    broadcasts.push(await lab.broadcast(sender, { quietMs: 3 * LONGEST_PATH_MS }));
    await cycles(lab, 1, () => {}, LONG_CYCLE_MS);
    show(`cycle ${i + 1} of ${size.cycles}`);
  }
  await lab.close();
  return { nodes: size.nodes, meanDegree: degrees, ...seriesOf(broadcasts) };
}
