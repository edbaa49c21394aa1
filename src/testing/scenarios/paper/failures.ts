/**
 * A large part of the nodes crashes at once: the first message, the messages after it without a cycle, and how many cycles it takes until
 * everybody alive gets everything.
 *
 * @module
 */

import type { Broadcast, Lab } from "../lab.ts";
import { survivors } from "./oracle.ts";
import {
  cycles,
  DETECT_MS,
  giant,
  HOP_MS,
  join,
  type Mean,
  meanOf,
  paperLab,
  REACT_MS,
  type Show,
} from "./setting.ts";

/** What {@linkcode failures} measured for one share of crashed nodes. */
export interface FailureFigures {
  /** Nodes before, and the share of them that crashed. */
  readonly nodes: number;
  readonly failed: number;
  /** Share of nodes with a full view before. */
  readonly full: number;
  /** Share of the survivors that the first message reached, its sender being in the giant component. */
  readonly first: number;
  /** Share of the survivors in the giant component of this run: the chance of a random sender to be in it. */
  readonly inGiant: number;
  /** The same over many random choices of the crashed on this overlay. */
  readonly percolation: Mean;
  /** The messages after it, without a cycle. */
  readonly after: Mean;
  readonly reliability: readonly number[];
  readonly rmr: readonly number[];
  readonly ldh: readonly number[];
  /** Cycles until ten messages reached every survivor; 0: no cycle was needed; -1: not within the bound. */
  readonly healing: number;
}

/** How much is done. */
export interface FailureSize {
  readonly nodes: number;
  readonly seed: number;
  /** One after the other on one network; it grows back to `nodes` in between. */
  readonly shares: readonly number[];
  readonly cycles: number;
  readonly messages: number;
}

const MOST_CYCLES = 10;
const PER_CYCLE = 10;
const SAMPLES = 100;

/** Runs the experiment for each share. */
export async function failures(size: FailureSize, show: Show): Promise<FailureFigures[]> {
  const lab = paperLab(size.seed);
  const figures: FailureFigures[] = [];
  for (const share of size.shares) {
    const line = (what: string) => show(`${Math.round(100 * share)} %: ${what}`);
    await join(lab, size.nodes, 5 * HOP_MS, line);
    await cycles(lab, size.cycles, line);
    figures.push(await fail(lab, share, size.messages, line));
  }
  await lab.close();
  return figures;
}

async function fail(
  lab: Lab,
  share: number,
  messages: number,
  show: Show,
): Promise<FailureFigures> {
  for (let i = 0; i < 6; i++) await lab.broadcast(lab.someone());
  const nodes = lab.living.length, killed = Math.round(share * nodes);
  const graph = lab.graph();
  const percolation = meanOf(Array.from({ length: SAMPLES }, () => {
    const alive = survivors(nodes, killed, lab.rng);
    return graph.components(alive)[0]!.length / (nodes - killed);
  }));
  lab.kill(lab.pick(killed));
  const { sender, share: inGiant } = giant(lab);
  const first = await lab.broadcast(sender, { mostMs: DETECT_MS / 2 - 1, quietMs: 3_000 });
  show("repair");
  await lab.run(REACT_MS);
  const reliability = [(first.delivered + 1) / (first.expected + 1)];
  const reached: boolean[] = [];
  const rmr = [first.rmr], ldh = [first.ldh];
  for (let i = 0; i < messages; i++) {
    const broadcast = await lab.broadcast(lab.someone());
    reached.push(reachedAll(broadcast));
    reliability.push(broadcast.delivered / broadcast.expected);
    rmr.push(broadcast.rmr);
    ldh.push(broadcast.ldh);
    show(`message ${i + 1} of ${messages}`);
  }
  return {
    nodes,
    failed: share,
    full: (graph.degrees()[5] ?? 0) / nodes,
    first: reliability[0]!,
    inGiant,
    percolation,
    after: meanOf(reliability.slice(1)),
    reliability,
    rmr,
    ldh,
    healing: await heal(lab, reached.slice(-PER_CYCLE), show),
  };
}

function reachedAll({ delivered, expected }: Broadcast): boolean {
  return delivered === expected;
}

/** Cycles until ten messages of random senders reach every survivor. */
async function heal(
  lab: Lab,
  last: readonly boolean[],
  show: Show,
): Promise<number> {
  if (last.every((all) => all)) return 0;
  for (let cycle = 1; cycle <= MOST_CYCLES; cycle++) {
    await cycles(lab, 1, () => {});
    show(`healing: cycle ${cycle}`);
    let all = true;
    for (let i = 0; i < PER_CYCLE && all; i++) {
      all = reachedAll(await lab.broadcast(lab.someone()));
    }
    if (all) return cycle;
  }
  return -1;
}
