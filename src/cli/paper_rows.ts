/**
 * The acceptance table: figures of the papers beside ours, each with its tolerance and a verdict.
 *
 * @module
 */

import type { PaperFigures } from "../testing/scenarios/paper/jobs.ts";
import { giantShare, type Ideal } from "../testing/scenarios/paper/oracle.ts";
import { type Mean, meanOf } from "../testing/scenarios/paper/setting.ts";
import type { FailureFigures } from "../testing/scenarios/paper/failures.ts";
import type { ManyAuthorsFigures } from "../testing/scenarios/paper/many_authors.ts";
import type { StableFigures } from "../testing/scenarios/paper/stable.ts";
import type { YoungFigures } from "../testing/scenarios/paper/young.ts";

/** One row. Figures are shares (not percent), hops, messages or cycles. */
export interface PaperRow {
  /** Where the paper has it. */
  readonly figure: string;
  readonly case: string;
  readonly paper: number;
  readonly ours: number;
  readonly tolerance: string;
  readonly ok: boolean;
  /** Messages (or random choices) that `ours` is a mean of. */
  readonly samples?: number;
  /** Half of the 95 % confidence interval of that mean. */
  readonly ci?: number;
}

/** Nodes for which the papers' absolute figures hold. */
const PAPER_NODES = 10_000;

class Rows {
  readonly rows: PaperRow[] = [];
  #figure = "";

  figure(name: string): this {
    this.#figure = name;
    return this;
  }

  within(what: string, paper: number, ours: number | Mean, least: number, most: number): this {
    const tolerance = least === most
      ? `${short(least)} exactly`
      : least === -Infinity
      ? `at most ${short(most)}`
      : most === Infinity
      ? `at least ${short(least)}`
      : `${short(least)} .. ${short(most)}`;
    const { mean, ...rest } = typeof ours === "number"
      ? { mean: ours }
      : { mean: ours.mean, samples: ours.count, ci: ours.ci };
    this.rows.push({
      figure: this.#figure,
      case: what,
      paper,
      ours: mean,
      tolerance,
      ok: mean >= least && mean <= most,
      ...rest,
    });
    return this;
  }

  atMost(what: string, paper: number, ours: number | Mean, most: number): this {
    return this.within(what, paper, ours, -Infinity, most);
  }

  atLeast(what: string, paper: number, ours: number | Mean, least: number): this {
    return this.within(what, paper, ours, least, Infinity);
  }
}

/** A number for people. */
export function short(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(Math.abs(value) >= 1_000 ? 6 : 4)));
}

/** The rows of everything that was measured. */
export function paperRows(found: readonly PaperFigures[], ideal: Ideal): PaperRow[] {
  const rows = new Rows();
  for (const one of found) {
    if (one.kind === "stable") stableRows(rows, one.figures, ideal);
  }
  for (const one of found) {
    if (one.kind === "many-authors") manyAuthorsRows(rows, one.figures, nodesOf(found));
  }
  for (const one of found) {
    if (one.kind === "young") youngRows(rows, one.figures, one.oneSender);
  }
  const failed = found.flatMap((one) => one.kind === "failures" ? one.figures : [])
    .sort((a, b) => a.failed - b.failed);
  failureRows(rows, failed, ideal);
  return rows.rows;
}

function stableRows(rows: Rows, found: StableFigures, ideal: Ideal): void {
  const { nodes, overlay, flood, oneSender, randomSenders, stream, failing, afterFailing } = found;
  const full = nodes >= PAPER_NODES;
  const degrees = overlay.degrees;
  // Flooding brings every node but the author one copy that counts and all others.
  const rmr = flood.expected / (nodes - 1) - 1;
  rows.figure("HyParView fig. 5")
    .atLeast("share of nodes with 5 links after 50 cycles", 0.998, (degrees[5] ?? 0) / nodes, 0.998)
    .atLeast("mean degree", 4.997, overlay.meanDegree, 4.995)
    .figure("HyParView table 1")
    .within(
      "average shortest path",
      6.38542,
      overlay.path,
      full ? 6.35 : ideal.path - 0.1,
      full ? 6.45 : ideal.path + 0.1,
    )
    .within(
      "clustering coefficient",
      9.2e-4,
      overlay.clustering,
      full ? 3e-4 : 0,
      full ? 1e-3 : 3 * ideal.clustering,
    )
    .atMost("hops to the last delivery of a flood", 9, flood.ldh, 9)
    .figure("Plumtree table 1")
    .within(
      "payloads of a flood, 2E - (n - 1)",
      39_984,
      flood.payloads,
      flood.expected - 2,
      flood.expected + 2,
    )
    .within("payloads, one sender", 9_999, oneSender.payloads, nodes - 1, nodes - 1)
    .atMost(
      "announcements (unbatched IHAVE), one sender",
      29_985,
      oneSender.ihaves,
      oneSender.unbatched * 1.001,
    )
    .atMost(
      "control messages at one broadcast a time, random senders",
      29_990,
      randomSenders.control,
      randomSenders.unbatched * 1.001,
    )
    .figure("Plumtree, stabilised first")
    .within("RMR of the first broadcast", 2.9988, flood.rmr, rmr - 0.02, rmr + 0.02)
    .atMost("RMR from the second on, one sender", 0, meanOf(oneSender.rmr), 1e-3)
    .atMost("LDH, one sender", 9.99, meanOf(oneSender.ldh), 11)
    .atMost("LDH, random senders, one shared tree", 59.4, meanOf(randomSenders.ldh), 59.4)
    .atMost("RMR, random senders, one shared tree", 0, meanOf(randomSenders.rmr), 0.02)
    .atLeast("reliability, random senders", 1, meanOf(randomSenders.reliability), 1)
    .atLeast("reliability of a stream of 400 messages/s", 1, stream.reliability, 1)
    .figure("Plumtree fig. 3: 0.5 % of the nodes crash per cycle")
    .atLeast("reliability", 1, meanOf(failing.reliability), 1)
    .atMost("LDH, random senders", 54.6, meanOf(failing.ldh), 54.6)
    .atMost("RMR, random senders", 0.067, meanOf(failing.rmr), 0.1)
    .atMost("LDH afterwards", 76.7, meanOf(afterFailing.ldh), 76.7)
    .atMost("RMR afterwards", 0, meanOf(afterFailing.rmr), 0.05);
}

function nodesOf(found: readonly PaperFigures[]): number {
  for (const one of found) if (one.kind === "stable") return one.figures.nodes;
  return 0;
}

function manyAuthorsRows(rows: Rows, found: ManyAuthorsFigures, nodes: number): void {
  const { series, stream } = found;
  rows.figure("Better than the papers: random senders, stabilised overlay, 10 trees")
    .atMost("LDH", 17.2, meanOf(series.ldh), 14)
    .atMost("RMR", 0, meanOf(series.rmr), 0.02)
    .atLeast("reliability", 1, meanOf(series.reliability), 1)
    .atMost(
      "control frames per broadcast at 400 messages/s",
      nodes >= PAPER_NODES ? 29_990 : 3 * nodes,
      { mean: stream.ihaveFrames + stream.grafts + stream.prunes, ci: NaN, count: stream.messages },
      nodes - 4,
    )
    .atLeast("reliability of that stream", 1, stream.reliability, 1);
}

function youngRows(rows: Rows, found: YoungFigures, oneSender: boolean): void {
  const { rmr, ldh, meanDegree, reliability } = found;
  const senders = oneSender ? "one sender" : "random senders";
  const flood = meanDegree[0]! * found.nodes / (found.nodes - 1) - 2;
  rows.figure(`Plumtree fig. 2: broadcasts right after the joins, ${senders}`)
    .atLeast("mean degree after the joins", 4.03, meanDegree[0]!, 4.03)
    .within(
      "RMR of broadcast 0, a flood of the overlay there is",
      2.03,
      rmr[0]!,
      flood - 0.05,
      flood + 0.05,
    )
    .atMost("RMR of broadcast 1", 0.88, rmr[1]!, 0.88)
    .atMost("RMR of broadcast 2", 0.04, rmr[2]!, 0.1)
    .atMost("RMR of broadcast 3", 0.016, rmr[3]!, 0.05)
    .atMost("RMR of broadcasts from 10 on", 0.001, meanOf(rmr.slice(10)), 0.02)
    .atMost(
      "LDH of broadcasts from 10 on",
      oneSender ? 9.99 : 59.4,
      meanOf(ldh.slice(10)),
      oneSender ? 11 : 59.4,
    )
    .atLeast("reliability", 1, meanOf(reliability), 1);
}

/** HyParView fig. 2: mean reliability of the messages after a failure, by percent of crashed nodes. */
export const AFTER: Readonly<Record<number, number>> = {
  10: 1,
  20: 1,
  30: 1,
  40: 1,
  50: 1,
  60: 0.9994,
  70: 0.9991,
  80: 0.9988,
  90: 0.9965,
  95: 0.9085,
};
/** HyParView fig. 4. */
export const HEALING: Readonly<Record<number, number>> = {
  ...{ 10: 1, 20: 1, 30: 1, 40: 1, 50: 1, 60: 1, 70: 2, 80: 2, 90: 4 },
};
/** Plumtree fig. 5: RMR of the broadcasts 0, 1, 2, 3 after a failure; and fig. 4: LDH of random senders later. */
const MASSIVE: Readonly<Record<number, { rmr: readonly number[]; ldh: number }>> = {
  40: { rmr: [0.2, 1.88, 0.05, 0.01], ldh: 36.5 },
  60: { rmr: [0, 2.3, 0.12, 0.02], ldh: 24.7 },
  80: { rmr: [0, 2, 0.37, 0.04], ldh: 35.8 },
};
/** Share of the nodes that a comparison with the theory of infinite graphs may be off. */
const POINTS = 0.015;

function failureRows(rows: Rows, failed: readonly FailureFigures[], ideal: Ideal): void {
  const percents = failed.map(({ failed }) => Math.round(100 * failed));
  rows.figure("HyParView fig. 3, Plumtree fig. 6a: first message, sender in the giant component");
  failed.forEach((found, i) => {
    const percent = percents[i]!;
    const share = giantShare(found.failed);
    // Above the threshold, and for few nodes, the finite graph decides.
    const goal = found.nodes >= PAPER_NODES && share > 0 ? share : ideal.giant.get(percent)!;
    rows.within(
      `${percent} % crash: P(sender in the giant component), mean of random choices`,
      share,
      found.percolation,
      Math.max(0, goal - POINTS),
      Math.min(1, goal + POINTS),
    );
    rows.within(
      `${percent} % crash: reliability of the first message, of this choice's component`,
      found.inGiant,
      found.first,
      found.inGiant - 0.001,
      found.inGiant + 0.001,
    );
  });
  rows.figure("HyParView fig. 2: messages after the first, no cycle");
  failed.forEach((found, i) => {
    const paper = AFTER[percents[i]!];
    if (paper === undefined) return;
    rows.atLeast(`${percents[i]} % crash: mean reliability`, paper, found.after, paper - 1e-3);
  });
  rows.figure("HyParView fig. 4: cycles until all get everything");
  failed.forEach((found, i) => {
    const paper = HEALING[percents[i]!];
    if (paper === undefined) return;
    rows.within(`${percents[i]} % crash`, paper, found.healing, 0, paper);
  });
  failed.forEach((found, i) => {
    const paper = MASSIVE[percents[i]!];
    if (paper === undefined) return;
    rows.figure(`Plumtree fig. 5, ${percents[i]} % crash`);
    const bounds = [0.3, 3, paper.rmr[2]! + 0.1, paper.rmr[3]! + 0.05];
    paper.rmr.forEach((theirs, message) => {
      rows.atMost(`RMR of broadcast ${message}`, theirs, found.rmr[message]!, bounds[message]!);
    });
    rows.figure(`Plumtree fig. 4, ${percents[i]} % crash`)
      .atMost("LDH, random senders", paper.ldh, meanOf(found.ldh.slice(4)), paper.ldh);
  });
}
