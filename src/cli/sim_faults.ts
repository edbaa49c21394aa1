/**
 * The search for faults: random small clusters under random faults, by seed, in as many workers as there are cores.
 *
 * @module
 */

import { BUGS } from "../testing/faults/bugs.ts";
import type { FaultReport } from "../testing/faults/search.ts";
import { type FaultTask, runFaultTask } from "../testing/faults/task.ts";
import { Progress, readArgs, runCommand, table } from "./args.ts";

/** What the search found, as its JSON has it. */
export interface FaultsSummary {
  seeds: number;
  from: number;
  /** Violations of all seeds together. */
  violations: number;
  /** Seeds that showed one. */
  failed: number[];
  nodes: number;
  published: number;
  delivered: number;
  /** `missed` events. */
  missed: number;
  requests: number;
  /** Swaps of links (X-BOT), and those of which the cost was looked at. */
  swaps: number;
  swapsFollowed: number;
  /** Looks at everything that must always hold. */
  checks: number;
  /** Injected faults by kind. */
  faults: Record<string, number>;
  /** Virtual seconds from the end of the faults to convergence, the mean and the longest. */
  calmSecondsMean: number;
  calmSecondsMost: number;
  secs: number;
}

/** Seeds within which every bug of the list has to be found. */
const BUG_SEEDS = 50;
/** Real time after which a seed counts as one that goes round and round; most take half a second. */
const STUCK_MS = 600_000;
/** Seeds whose violations are printed. */
const MOST_PRINTED = 5;

/** Runs tasks one after another: here, or in a worker of its own. */
class Runner {
  readonly #worker: Worker | undefined;

  constructor(own: boolean) {
    if (!own) return;
    const url = new URL("./sim_faults_worker.ts", import.meta.url);
    this.#worker = new Worker(url.href, { type: "module" });
  }

  async run(task: FaultTask): Promise<FaultReport> {
    const worker = this.#worker;
    if (worker === undefined) return await runFaultTask(task);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = new Promise<FaultReport>((resolve, reject) => {
      const stuck = () => reject(new Error(`seed ${task.seed} comes to no end`));
      timer = setTimeout(stuck, STUCK_MS);
      worker.onmessage = (event: MessageEvent<FaultReport>) => resolve(event.data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`seed ${task.seed}: ${event.message}`));
      };
      worker.postMessage(task);
    });
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#worker?.terminate();
  }
}

/** Lets `jobs` runners, in workers of their `own` or here, work until `next` has nothing more for them. */
async function share(
  jobs: number,
  own: boolean,
  next: (runner: Runner) => Promise<boolean>,
): Promise<void> {
  const runners = Array.from({ length: jobs }, () => new Runner(own));
  try {
    await Promise.all(runners.map(async (runner) => {
      while (await next(runner));
    }));
  } finally {
    for (const runner of runners) runner.close();
  }
}

function summary(from: number): FaultsSummary {
  return {
    ...{ seeds: 0, from, violations: 0, failed: [], nodes: 0, published: 0, delivered: 0 },
    ...{ missed: 0, requests: 0, swaps: 0, swapsFollowed: 0, checks: 0, faults: {} },
    ...{ calmSecondsMean: 0, calmSecondsMost: 0, secs: 0 },
  };
}

function add(total: FaultsSummary, report: FaultReport): void {
  total.seeds++;
  total.violations += report.violations.length;
  if (report.violations.length > 0) total.failed.push(report.seed);
  total.nodes += report.nodes;
  total.published += report.published;
  total.delivered += report.delivered;
  total.missed += report.missed;
  total.requests += report.requests;
  total.swaps += report.swaps;
  total.swapsFollowed += report.swapsFollowed;
  total.checks += report.checks;
  total.calmSecondsMean += report.calmSeconds;
  total.calmSecondsMost = Math.max(total.calmSecondsMost, report.calmSeconds);
  for (const [kind, count] of Object.entries(report.faults)) {
    total.faults[kind] = (total.faults[kind] ?? 0) + count;
  }
}

function print(report: FaultReport, trace: boolean): void {
  const replay = `deno task sim:faults --from ${report.seed} --seeds 1 --trace`;
  console.log(`seed ${report.seed}, ${report.nodes} nodes: FAILED; replay with: ${replay}`);
  for (const line of report.violations) console.log(`  ${line}`);
  if (!trace) return;
  console.log("what happened (time, node, what):");
  for (const line of report.trace) console.log(line);
}

/** Runs the seeds; true where none shows a violation. */
export async function searchSeeds(
  options: { seeds: number; from: number; jobs: number; trace: boolean },
): Promise<FaultsSummary> {
  const { seeds, from, trace } = options;
  const started = performance.now();
  const progress = new Progress();
  const total = summary(from);
  let next = from;
  await share(Math.min(options.jobs, seeds), seeds > 1, async (runner) => {
    if (next >= from + seeds) return false;
    const report = await runner.run({ seed: next++, trace });
    add(total, report);
    if (report.violations.length > 0 && total.failed.length <= MOST_PRINTED) {
      progress.clear();
      print(report, trace);
    }
    const secs = Math.round((performance.now() - started) / 1_000);
    progress.show(`${total.seeds} of ${seeds} seeds, ${total.failed.length} failed, ${secs} s`);
    return true;
  });
  progress.clear();
  total.failed.sort((a, b) => a - b);
  total.calmSecondsMean = round(total.calmSecondsMean / Math.max(1, total.seeds));
  total.calmSecondsMost = round(total.calmSecondsMost);
  total.secs = round((performance.now() - started) / 1_000);
  return total;
}

/** One row of the table of bugs. */
interface Hunt {
  readonly bug: string;
  readonly what: string;
  seeds: number;
  /** The first violation that gave it away; undefined where none did. */
  found: string | undefined;
}

/** Puts in one bug after another and counts the seeds until each is found. */
async function hunt(from: number, most: number, jobs: number): Promise<Hunt[]> {
  const progress = new Progress();
  const hunts: Hunt[] = BUGS.map(({ name, what }) => ({
    ...{ bug: name, what, seeds: 0, found: undefined },
  }));
  const waiting = [...hunts];
  await share(Math.min(jobs, hunts.length), true, async (runner) => {
    const row = waiting.shift();
    if (row === undefined) return false;
    for (let seed = from; seed < from + most && row.found === undefined; seed++) {
      progress.show(`${row.bug}: seed ${seed}`);
      row.seeds++;
      row.found = (await runner.run({ seed, trace: false, bug: row.bug })).violations[0];
    }
    return true;
  });
  progress.clear();
  return hunts;
}

async function huntBugs(from: number, jobs: number, json: boolean): Promise<boolean> {
  const hunts = await hunt(from, BUG_SEEDS, jobs);
  const rows = hunts.map(({ bug, seeds, found }) => [
    ...[bug, found?.slice(0, found.indexOf(":")) ?? "NOT FOUND", seeds],
  ]);
  console.log(table([["bug", "found by the check", "seeds"], ...rows]));
  if (json) console.log(JSON.stringify({ bugs: hunts }));
  return hunts.every(({ found }) => found !== undefined);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The command; true where nothing failed. */
export async function simFaults(args: readonly string[]): Promise<boolean> {
  const { seeds, from, jobs, trace, bugs, json } = readArgs(
    args,
    { seeds: 200, from: 1, jobs: navigator.hardwareConcurrency },
    ["trace", "bugs", "json"],
    {},
  );
  for (const [name, value] of Object.entries({ seeds, from, jobs })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`--${name} must be a whole number of at least 1, not ${value}`);
    }
  }
  if (bugs) return await huntBugs(from, jobs, json);
  const total = await searchSeeds({ seeds, from, jobs, trace });
  const failed = total.failed.length;
  console.log(
    `${seeds} seeds from ${from}, ${total.published} messages, ${total.delivered} deliveries, ` +
      `${total.checks} looks at what must hold; ${total.secs} s: ` +
      (failed === 0 ? "ok" : `${failed} seeds FAILED: ${total.failed.slice(0, 20).join(" ")}`),
  );
  console.log(table([
    ["fault", "times"],
    ...Object.entries(total.faults).sort(([a], [b]) => a < b ? -1 : 1),
  ]));
  if (json) console.log(JSON.stringify(total));
  return failed === 0;
}

if (import.meta.main) await runCommand(() => simFaults(Deno.args));
