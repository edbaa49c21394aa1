/**
 * The plots of the papers' figures: ours, and theirs dashed.
 *
 * @module
 */

import type { FailureFigures } from "../testing/scenarios/paper/failures.ts";
import type { PaperFigures } from "../testing/scenarios/paper/jobs.ts";
import { giantShare } from "../testing/scenarios/paper/oracle.ts";
import { AFTER, HEALING } from "./paper_rows.ts";
import type { Chart } from "../testing/scenarios/chart.ts";
import { drawChart } from "./svg.ts";

/** HyParView fig. 5: nodes by degree. */
const IN_DEGREE: readonly (readonly [number, number])[] = [
  ...[[2, 2.5], [3, 6.8], [4, 11.1], [5, 9_979.65]] as const,
];
/** Plumtree fig. 2b: RMR of the broadcasts after the joins. */
const RMR_YOUNG = [2.03, 0.88, 0.042, 0.016, 0.009, 0.005];
/** Plumtree fig. 2c: LDH of random senders, mean of the stable part. */
const LDH_RANDOM = 59.4;

const numbered = (values: readonly number[]) => values.map((y, x) => [x, y] as const);
const percents = (byPercent: Readonly<Record<number, number>>) =>
  Object.entries(byPercent).map(([x, y]) => [Number(x), y] as const);

/** The charts by the names of their files. */
export function paperCharts(found: readonly PaperFigures[], nodes: number): Map<string, Chart> {
  const note = `deno task sim:paper --nodes ${nodes} --svg docs/figures`;
  const charts = new Map<string, Chart>();
  for (const one of found) {
    if (one.kind === "stable") {
      const { degrees } = one.figures.overlay;
      charts.set("in-degree", {
        title: "Nodes by degree after 50 cycles",
        x: "neighbours",
        y: "nodes",
        kind: "bar",
        log: true,
        series: [
          { name: "ours", points: [1, 2, 3, 4, 5].map((x) => [x, degrees[x] ?? 0]) },
          { name: "HyParView fig. 5", points: [[1, 0], ...IN_DEGREE] },
        ],
        note,
      });
    }
    if (one.kind === "young" && !one.oneSender) {
      const { rmr, ldh } = one.figures;
      charts.set("rmr", {
        title: "Redundancy of broadcasts right after the joins, one per cycle",
        x: "broadcast",
        y: "relative message redundancy",
        series: [
          { name: "ours", points: numbered(rmr) },
          { name: "Plumtree fig. 2b", points: numbered(RMR_YOUNG), dashed: true },
        ],
        note,
      });
      const theirs = ldh.map((_, x) => [x, LDH_RANDOM] as const);
      charts.set("ldh", {
        title: "Hops of the last delivery, random senders from the joins on",
        x: "broadcast",
        y: "hops",
        series: [
          { name: "ours", points: numbered(ldh) },
          { name: "Plumtree fig. 2c, mean once stable", points: theirs, dashed: true },
        ],
        note,
      });
    }
  }
  const failed = found.flatMap((one) => one.kind === "failures" ? one.figures : [])
    .sort((a, b) => a.failed - b.failed);
  if (failed.length > 0) failureCharts(charts, failed, note);
  return charts;
}

function failureCharts(
  charts: Map<string, Chart>,
  failed: readonly FailureFigures[],
  note: string,
): void {
  const by = (value: (found: FailureFigures) => number) =>
    failed.map((found) => [Math.round(100 * found.failed), value(found)] as const);
  const theory = Array.from(
    { length: 86 },
    (_, i) => [10 + i, giantShare((10 + i) / 100)] as const,
  );
  charts.set("reliability", {
    title: "Reliability after a share of the nodes crashed at once",
    x: "crashed nodes, %",
    y: "share of the survivors reached",
    range: [0, 1.05],
    series: [
      { name: "first message", points: by(({ first }) => first) },
      { name: "the messages after it", points: by(({ after }) => after.mean) },
      { name: "percolation", points: theory, dashed: true },
      { name: "HyParView fig. 2", points: percents(AFTER), dashed: true },
    ],
    note,
  });
  charts.set("healing", {
    title: "Cycles until everybody alive gets everything",
    x: "crashed nodes, %",
    y: "cycles",
    kind: "bar",
    series: [
      { name: "ours (0: none needed)", points: by(({ healing }) => healing) },
      { name: "HyParView fig. 4", points: percents(HEALING) },
    ],
    note,
  });
  const massive = failed.filter(({ failed }) => [0.4, 0.6, 0.8].includes(failed));
  if (massive.length === 0) return;
  charts.set("rmr-failure", {
    title: "Redundancy of the broadcasts after a share of the nodes crashed",
    x: "broadcast after the crash",
    y: "relative message redundancy",
    series: massive.map(({ failed, rmr }) => ({
      name: `${Math.round(100 * failed)} % crashed`,
      points: numbered(rmr.slice(0, 11)),
    })),
    note,
  });
}

/** Writes the plots into a folder. */
export async function drawPaper(
  folder: string,
  found: readonly PaperFigures[],
  nodes: number,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, chart] of paperCharts(found, nodes)) {
    await Deno.writeTextFile(`${folder}/${name}.svg`, drawChart(chart));
  }
}
