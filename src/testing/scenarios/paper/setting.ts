/**
 * How the papers' simulator (PeerSim, in cycles) is mapped to virtual time.
 *
 * - A hop takes {@linkcode HOP_MS} on every link, so that a broadcast goes in rounds as theirs does.
 * - A cycle is one period of shuffles and symmetry checks, {@linkcode CYCLE_MS}: so long that what happens between two cycles (a broadcast
 *   takes less than a second, everything after a failure {@linkcode REACT_MS}) sees next to no shuffle.
 * - A crash is noticed by silence between {@linkcode DETECT_MS} / 2 and {@linkcode DETECT_MS} after it: the first message after a
 *   failure meets an overlay that nobody has repaired yet. A dial to a crashed node fails at once, as one to a process that is gone does.
 * - Known addresses are probed every three cycles, as the library's defaults have it: islands find the others that way.
 * - Links are not swapped by cost (X-BOT off).
 * - The periodic comparison of logs (SYNC), which the papers do not have, is put beyond the end.
 *
 * @module
 */

import type { OverlayOptions, TreeOptions } from "../../../options.ts";
import { Lab, type LabNode } from "../lab.ts";
import type { Graph } from "../graph.ts";

export const HOP_MS = 10;
export const CYCLE_MS = 2_000_000;
export const DETECT_MS = 20_000;
/** From a failure to the end of the steps that it caused. */
export const REACT_MS = 40_000;
const NEVER_MS = 2 ** 31 - 1;

/** A share with its size, for confidence intervals. */
export interface Mean {
  readonly mean: number;
  /** Half of the 95 % confidence interval. */
  readonly ci: number;
  readonly count: number;
}

/** The mean of samples. */
export function meanOf(samples: readonly number[]): Mean {
  const count = samples.length;
  const mean = samples.reduce((sum, value) => sum + value, 0) / count;
  const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) /
    Math.max(1, count - 1);
  return { mean, ci: 1.96 * Math.sqrt(variance / count), count };
}

/** A laboratory in the papers' setting. */
export function paperLab(
  seed: number,
  overlay: Partial<OverlayOptions> = {},
  tree: Partial<TreeOptions> = {},
): Lab {
  return new Lab({
    seed,
    latencyMs: HOP_MS,
    detectMs: DETECT_MS,
    dialTimeoutMs: 5 * HOP_MS,
    overlay: {
      shuffleMs: CYCLE_MS,
      checkMs: CYCLE_MS,
      probeMs: 3 * CYCLE_MS,
      swapMs: 0,
      ...overlay,
    },
    tree: { syncMs: NEVER_MS, retainMessages: 64, ...tree },
  });
}

/** Lets nodes join one by one through the first one, until there are `nodes` living. */
export async function join(lab: Lab, nodes: number, everyMs: number, show: Show): Promise<void> {
  const contact = lab.nodes.find(({ alive }) => alive);
  const missing = nodes - lab.living.length;
  for (let i = 0; i < missing; i++) {
    lab.start(contact ?? lab.nodes[0]);
    await lab.run(everyMs);
    if (i % 200 === 199) show(`joined ${i + 1} of ${missing}`);
  }
  await lab.run(100 * HOP_MS);
}

/** Lets cycles pass. */
export async function cycles(
  lab: Lab,
  count: number,
  show: Show,
  cycleMs = CYCLE_MS,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    await lab.run(cycleMs);
    show(`cycle ${i + 1} of ${count}`);
  }
}

/** Takes a line of progress. */
export type Show = (line: string) => void;

/** Mean degree over the nodes. */
export function meanDegree(graph: Graph): number {
  return 2 * graph.edges / graph.size;
}

/** A living node of the largest component among the living, and the share of the living in it. */
export function giant(lab: Lab): { sender: LabNode; share: number } {
  const living = lab.living;
  const [largest = []] = lab.graph().components();
  const sender = living[largest[lab.rng.int(largest.length)]!]!;
  return { sender, share: largest.length / living.length };
}
