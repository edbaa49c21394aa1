/**
 * The papers' figures beside ours: runs their experiments in the simulator, prints the acceptance table, draws the plots.
 *
 * @module
 */

import { Progress, readArgs, runCommand, table } from "./args.ts";
import { drawPaper } from "./paper_plots.ts";
import { type PaperRow, paperRows, short } from "./paper_rows.ts";
import { Rng } from "../testing/rng.ts";
import {
  type PaperFigures,
  type PaperJob,
  paperJobs,
  type PaperSize,
  paperSize,
  runPaperJob,
} from "../testing/scenarios/paper/jobs.ts";
import { ideal } from "../testing/scenarios/paper/oracle.ts";

/** What the command found, as its JSON has it. */
export interface PaperReport {
  nodes: number;
  seed: number;
  secs: number;
  /** Most memory of the process while it ran. */
  rssMb: number;
  rows: PaperRow[];
  ok: boolean;
}

/** Runs every experiment, as many at once as there are `workers`; 0: in this thread. */
export async function measurePaper(
  size: PaperSize,
  workers: number,
  show: (line: string) => void = () => {},
): Promise<{ found: PaperFigures[]; rssMb: number }> {
  const jobs = paperJobs(size);
  const found: PaperFigures[] = [];
  const lines: string[] = [];
  let next = 0, rss = 0;
  const lane = async (at: number) => {
    while (next < jobs.length) {
      const index = next++, job = jobs[index]!;
      const progress = (line: string) => {
        rss = Math.max(rss, Deno.memoryUsage().rss);
        lines[at] = `${job.kind}: ${line}`;
        show(lines.filter(Boolean).join(" | "));
      };
      found[index] = workers === 0
        ? await runPaperJob(job, progress)
        : await runInWorker(job, progress);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, workers) }, (_, at) => lane(at)));
  return { found, rssMb: Math.round(rss / 2 ** 20) };
}

function runInWorker(job: PaperJob, show: (line: string) => void): Promise<PaperFigures> {
  const worker = new Worker(new URL("./sim_worker.ts", import.meta.url), { type: "module" });
  return new Promise<PaperFigures>((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.line !== undefined) show(data.line);
      else if (data.error !== undefined) reject(new Error(data.error));
      else resolve(data.figures);
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(job);
  }).finally(() => worker.terminate());
}

/** The table for people. */
export function paperTable(rows: readonly PaperRow[]): string {
  const cells: (string | number)[][] = [
    ["figure", "case", "paper", "ours", "±", "of", "tolerance", "verdict"],
  ];
  let last = "";
  for (const row of rows) {
    cells.push([
      row.figure === last ? "" : row.figure,
      row.case,
      short(row.paper),
      short(row.ours),
      row.ci !== undefined && Number.isFinite(row.ci) ? short(row.ci) : "",
      row.samples ?? "",
      row.tolerance,
      row.ok ? "ok" : "FAILED",
    ]);
    last = row.figure;
  }
  return table(cells);
}

/** Runs the command; true where every row is within its tolerance. */
export async function simPaper(args: readonly string[]): Promise<boolean> {
  const { nodes, seed, workers, json, svg } = readArgs(
    args,
    { nodes: 10_000, seed: 1, workers: 2 },
    ["json"],
    { svg: "" },
  );
  if (!Number.isInteger(nodes) || nodes < 100) {
    throw new RangeError("--nodes must be a whole number of at least 100");
  }
  const started = performance.now();
  const progress = new Progress();
  const size = paperSize(nodes, seed);
  const { found, rssMb } = await measurePaper(size, workers, (line) => {
    progress.show(`${Math.round((performance.now() - started) / 1_000)} s: ${line}`);
  });
  progress.clear();
  const percents = size.failures.flat().map((share) => Math.round(100 * share));
  const rows = paperRows(found, ideal(nodes, percents, new Rng(seed)));
  const secs = Math.round((performance.now() - started) / 1_000);
  const failed = rows.filter(({ ok }) => !ok).length;
  const report: PaperReport = { nodes, seed, secs, rssMb, rows, ok: failed === 0 };
  console.log(paperTable(rows));
  console.log(
    `${rows.length - failed} of ${rows.length} rows within their tolerance; ${nodes} nodes, ` +
      `${secs} s, ${rssMb} MiB: ${report.ok ? "ok" : "FAILED"}`,
  );
  if (svg !== "") await drawPaper(svg, found, nodes);
  if (json) console.log(JSON.stringify(report));
  return report.ok;
}

if (import.meta.main) await runCommand(() => simPaper(Deno.args));
