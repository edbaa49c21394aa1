/**
 * The comparison as a chart and as Markdown.
 *
 * @module
 */

import { drawChart } from "../../src/cli/svg.ts";
import { machine, markdownTable } from "../machine.ts";
import { extraRows, type Extras } from "./extras.ts";
import { LOADS } from "./loads.ts";
import type { Outcome, Runs } from "./runs.ts";

const VERSIONS = "js-libp2p 3.3.11, @libp2p/gossipsub 17.1.1; iroh 1.4.1, iroh-gossip 0.101.0";

/** Deliveries a second of every contender in every burst, on a logarithmic scale. */
export function comparisonChart(runs: Runs, names: readonly string[]): string {
  const bursts = LOADS.filter(({ rate }) => rate === undefined);
  return drawChart({
    kind: "bar",
    title: "Deliveries a second, 16 nodes in one process (logarithmic)",
    x: "workload",
    y: "deliveries a second",
    log: true,
    note: `${machine()}; deno task bench:compare`,
    series: names.map((name) => ({
      name,
      points: bursts.flatMap((load) => {
        const medians = runs.median(load.name, name);
        return medians === undefined ? [] : [[load.name, medians.deliveriesPerSec] as const];
      }),
    })),
  });
}

/** All tables, with what they were measured on and by which command. */
export function comparisonMarkdown(
  runs: Runs,
  names: readonly string[],
  extras: Record<string, Extras>,
  outcomes: readonly Outcome[],
  args: readonly string[],
): string {
  const fields = [
    ...["deliveriesPerSec", "p50Ms", "p99Ms", "cpuUsPerDelivery"] as const,
    ...["duplicatesPerDelivery", "wireBytesPerDelivery"] as const,
  ];
  const head = ["deliveries/s", "p50 ms", "p99 ms", "CPU µs/delivery", "duplicates", "wire bytes"];
  const parts = [
    `Measured with \`deno task bench:compare ${args.join(" ")}\` on ${machine()}; ${VERSIONS}.`,
  ];
  for (const { name: load, title } of LOADS) {
    const rows = names.flatMap((name) => {
      const medians = runs.median(load, name);
      if (medians === undefined) return [];
      return [[name, ...fields.map((field) => Number(medians[field].toPrecision(4)))]];
    });
    if (rows.length > 0) parts.push(`**${title}**`, markdownTable([["", ...head], ...rows]));
  }
  if (Object.keys(extras).length > 0) parts.push(markdownTable(extraRows(extras)));
  const judged = outcomes.map(({ wanted, bound, measured, ok }) => [
    ...[wanted, bound, measured, ok ? "yes" : "no"],
  ]);
  parts.push(markdownTable([["wanted", "bound", "measured", "holds"], ...judged]));
  return parts.join("\n\n") + "\n";
}
