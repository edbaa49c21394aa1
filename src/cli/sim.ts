/**
 * Runs a scenario in the simulator: progress, a table, a plot, and JSON for machines.
 *
 * @module
 */

import { checkWritable, Progress, readArgs, runCommand, table } from "./args.ts";
import { drawChart } from "./svg.ts";
import { type Scenario, SCENARIOS } from "../testing/scenarios/mod.ts";

/** What fits into the memory of a large machine; each node takes about 60 KB. */
const MOST_NODES = 200_000;

/** The names and what they show. */
function listing(): string {
  return SCENARIOS.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join("\n");
}

/** The scenario of that name; RangeError with the list of all where there is none. */
export function scenarioOf(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  const what = name === "" ? "--scenario NAME is missing" : `no scenario is called ${name}`;
  throw new RangeError(`${what}; there are\n${listing()}`);
}

/** Runs the command; true where everything that the scenario claims held. */
export async function sim(args: readonly string[]): Promise<boolean> {
  if (args.includes("--help")) console.log(`scenarios:\n${listing()}`);
  // Every scenario has a number of nodes of its own.
  const options = readArgs(args, { nodes: NaN, seed: 1 }, ["json"], { scenario: "", svg: "" });
  const scenario = scenarioOf(options.scenario);
  const nodes = Number.isNaN(options.nodes) ? scenario.nodes : options.nodes, { seed } = options;
  if (!Number.isInteger(nodes) || nodes < 20 || nodes > MOST_NODES) {
    throw new RangeError(`--nodes must be a whole number from 20 to ${MOST_NODES}`);
  }
  await checkWritable("svg", options.svg);
  const started = performance.now(), progress = new Progress();
  const seconds = () => Math.round((performance.now() - started) / 1_000);
  const report = await scenario.run({
    nodes,
    seed,
    show: (line) => progress.show(`${seconds()} s: ${line}`),
  });
  progress.clear();
  const secs = seconds();
  console.log(table(report.table));
  for (const [claim, held] of Object.entries(report.claims)) {
    console.log(`${held ? "ok    " : "FAILED"}  ${claim}`);
  }
  const ok = Object.values(report.claims).every(Boolean);
  console.log(`${scenario.name}: ${nodes} nodes, seed ${seed}, ${secs} s: ${ok ? "ok" : "FAILED"}`);
  if (options.svg !== "") {
    const note = `deno task sim --scenario ${scenario.name} --nodes ${nodes} --seed ${seed}`;
    await Deno.writeTextFile(options.svg, drawChart({ ...report.chart, note }));
  }
  if (options.json) {
    const { figures, claims } = report;
    const run = { scenario: scenario.name, nodes, seed, secs };
    console.log(JSON.stringify({ ...run, ...figures, claims, ok }));
  }
  return ok;
}

if (import.meta.main) await runCommand(() => sim(Deno.args));
