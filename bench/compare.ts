/**
 * `deno task bench:compare`: contenders under one workload each, in alternating rounds, every run in a process of its own; medians and
 * ratios. Options: `--rounds 3 --only ours,limit,gossipsub --load 1k,signed --quick --json --svg FILE --markdown FILE`.
 *
 * @module
 */

import { checkWritable, Progress, readArgs, runCommand, table } from "../src/cli/args.ts";
import { type Contender, contenders, runOnce } from "./compare/contenders.ts";
import { extraRows, type Extras, extraVerdicts, measureExtras } from "./compare/extras.ts";
import { LOADS } from "./compare/loads.ts";
import { comparisonChart, comparisonMarkdown } from "./compare/report.ts";
import { type Outcome, Runs } from "./compare/runs.ts";
import { fillSection } from "./machine.ts";
import { verdicts } from "./compare/verdicts.ts";

/** Runs the command; true where all contenders delivered everything and every wanted ratio is met. */
export async function benchCompare(args: readonly string[]): Promise<boolean> {
  const options = readArgs(args, { rounds: 3 }, ["json", "quick"], {
    ...{ only: "", load: "", svg: "", markdown: "" },
  });
  const { rounds, json, quick } = options;
  if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError("--rounds is at least 1");
  const loads = pick("load", LOADS, options.load);
  const chosen = pick("only", contenders(), options.only);
  const progress = new Progress();
  const taking: Contender[] = [];
  for (const contender of chosen) {
    progress.show(`preparing ${contender.name}`);
    const missing = await contender.prepare();
    progress.clear();
    if (missing === undefined) taking.push(contender);
    else console.log(`${contender.name} skipped: ${missing}`);
  }
  await checkWritable("svg", options.svg);
  await checkWritable("markdown", options.markdown);
  const runs = new Runs();
  for (let round = 1; round <= rounds; round++) {
    for (const load of loads) {
      for (const contender of taking) {
        if (!contender.loads(load)) continue;
        progress.show(`round ${round} of ${rounds}: ${load.name}, ${contender.name}`);
        runs.add(load.name, contender.name, await runOnce(contender, load, quick));
      }
    }
  }
  progress.show("connections and first messages");
  // Only where everything is measured: they belong to no workload.
  const sides = (["ours", "gossipsub"] as const).filter((side) =>
    options.load === "" && taking.some(({ name }) => name === side)
  );
  const extras: Record<string, Extras> = await measureExtras(rounds, sides);
  progress.clear();
  const names = taking.map(({ name }) => name);
  for (const { name, title } of loads) {
    console.log(`\n${title}\n${table(runs.rows(name, names))}`);
  }
  if (sides.length > 0) console.log(`\n${table(extraRows(extras))}`);
  const judged = [...verdicts(runs), ...extraVerdicts(extras)];
  console.log(`\n${table([["wanted", "bound", "measured", "holds"], ...judged.map(row)])}`);
  if (options.svg !== "") await Deno.writeTextFile(options.svg, comparisonChart(runs, names));
  if (options.markdown !== "") {
    const text = comparisonMarkdown(runs, names, extras, judged, args);
    await fillSection(options.markdown, "bench:compare", text);
  }
  if (json) console.log(JSON.stringify({ rounds, ...runs.report(), extras, verdicts: judged }));
  return runs.complete && judged.every(({ ok }) => ok);
}

function row({ wanted, bound, measured, ok }: Outcome): (string | number)[] {
  return [wanted, bound, measured, ok ? "yes" : "NO"];
}

/** Those of `all` that a list with commas names; all where it is empty. */
function pick<T extends { readonly name: string }>(
  option: string,
  all: readonly T[],
  list: string,
): T[] {
  if (list === "") return [...all];
  return list.split(",").map((name) => {
    const found = all.find((each) => each.name === name);
    if (found) return found;
    const names = all.map((each) => each.name).join(", ");
    throw new RangeError(`--${option}: "${name}" is none of ${names}`);
  });
}

if (import.meta.main) await runCommand(() => benchCompare(Deno.args));
