/**
 * `deno task bench:compare`: contenders under one workload each, in alternating rounds, every run in a process of its own; medians and
 * ratios. Options: `--rounds 3 --only ours,limit,gossipsub --load 1k,signed --quick --json --svg FILE --markdown FILE`.
 *
 * @module
 */

import { Progress, readArgs, runCommand, table } from "../src/cli/args.ts";
import { type Contender, contenders, runOnce } from "./compare/contenders.ts";
import { LOADS } from "./compare/loads.ts";
import { type Outcome, Runs } from "./compare/runs.ts";
import { verdicts } from "./compare/verdicts.ts";

/** Runs the command; true where all contenders delivered everything and every wanted ratio is met. */
export async function benchCompare(args: readonly string[]): Promise<boolean> {
  const options = readArgs(args, { rounds: 3 }, ["json", "quick"], { only: "", load: "" });
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
  progress.clear();
  for (const { name, title } of loads) {
    console.log(`\n${title}\n${table(runs.rows(name, taking.map((each) => each.name)))}`);
  }
  const judged = verdicts(runs);
  console.log(`\n${table([["wanted", "bound", "measured", "holds"], ...judged.map(row)])}`);
  if (json) console.log(JSON.stringify({ rounds, ...runs.report(), verdicts: judged }));
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
