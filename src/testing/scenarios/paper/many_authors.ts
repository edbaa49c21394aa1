/**
 * Random authors on a stabilised overlay with several trees, of which each author takes the one with the nearest centre: the experiment
 * that the papers do not have.
 *
 * @module
 */

import type { Broadcast, Stream } from "../lab.ts";
import { cycles, join, paperLab, type Show } from "./setting.ts";
import { type Series, seriesOf, STREAM_PER_SECOND } from "./stable.ts";

/** Trees of the topic. */
export const TREES = 10;
/** Broadcasts per tree before those that are measured: every tree has to be founded, and every node to learn where it stands. */
const WARM_PER_TREE = 5;

/** How much is done. */
export interface ManyAuthorsSize {
  readonly nodes: number;
  readonly seed: number;
  readonly cycles: number;
  readonly messages: number;
}

/** What {@linkcode manyAuthors} measured. */
export interface ManyAuthorsFigures {
  readonly series: Series;
  /** Random authors at {@linkcode STREAM_PER_SECOND}. */
  readonly stream: Stream;
}

/** Runs the experiment. */
export async function manyAuthors(size: ManyAuthorsSize, show: Show): Promise<ManyAuthorsFigures> {
  const lab = paperLab(size.seed, {}, { trees: TREES });
  await join(lab, size.nodes, 5 * 10, show);
  await cycles(lab, size.cycles, show);
  const warm = WARM_PER_TREE * TREES, all = warm + size.messages;
  const measured: Broadcast[] = [];
  for (let i = 0; i < all; i++) {
    const broadcast = await lab.broadcast(lab.someone());
    if (i >= warm) measured.push(broadcast);
    show(`many authors: broadcast ${i + 1} of ${all}`);
  }
  const stream = await lab.stream(4 * size.messages, 1_000 / STREAM_PER_SECOND);
  await lab.close();
  return { series: seriesOf(measured), stream };
}
