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
  done: (job: PaperJob, secs: number) => void = () => {},
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
      const started = performance.now();
      found[index] = workers === 0
        ? await runPaperJob(job, progress)
        : await runInWorker(job, progress);
      done(job, (performance.now() - started) / 1_000);
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

const HEADING = ["", "paper", "ours", "±", "of", "tolerance", "verdict"] as const;

function cellsOf(row: PaperRow): string[] {
  return [
    row.case,
    short(row.paper),
    short(row.ours),
    row.ci !== undefined && Number.isFinite(row.ci) ? short(row.ci) : "",
    String(row.samples ?? ""),
    row.tolerance,
    row.ok ? "ok" : "FAILED",
  ];
}

/** The table for people: a heading per figure. */
export function paperTable(rows: readonly PaperRow[]): string {
  const width = Math.max(...rows.map((row) => row.case.length));
  const cells = rows.map((row) => {
    const [what, ...rest] = cellsOf(row);
    return [`  ${what!.padEnd(width)}`, ...rest];
  });
  const [heading, ...lines] = table([[...HEADING], ...cells]).split("\n");
  return [
    heading!,
    ...rows.flatMap(({ figure }, i) =>
      figure === rows[i - 1]?.figure ? [lines[i]!] : [figure, lines[i]!]
    ),
  ].join("\n");
}

const TABLE_BEGIN = "<!-- table: deno task sim:paper -->";
const TABLE_END = "<!-- end of the table -->";

/** The table in Markdown, with the figure in every row. */
export function paperMarkdown(rows: readonly PaperRow[], summary: string): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    TABLE_BEGIN,
    "",
    summary,
    "",
    line(["figure", "case", ...HEADING.slice(1)]),
    line(Array(2 + HEADING.length - 1).fill("---")),
    ...rows.map((row) => line([row.figure, ...cellsOf(row)])),
    "",
    TABLE_END,
  ].join("\n");
}

/** Puts a table in the place of the one that a document has. */
export function replaceTable(document: string, markdown: string): string {
  const begin = document.indexOf(TABLE_BEGIN), end = document.indexOf(TABLE_END);
  if (begin < 0 || end < begin) throw new RangeError(`the document has no line ${TABLE_BEGIN}`);
  return document.slice(0, begin) + markdown + document.slice(end + TABLE_END.length);
}

/** Runs the command; true where every row is within its tolerance. */
export async function simPaper(args: readonly string[]): Promise<boolean> {
  const { nodes, seed, workers, json, svg, doc } = readArgs(
    args,
    { nodes: 10_000, seed: 1, workers: 2 },
    ["json"],
    { svg: "", doc: "" },
  );
  if (!Number.isInteger(nodes) || nodes < 100) {
    throw new RangeError("--nodes must be a whole number of at least 100");
  }
  // Told before the work of minutes, not after it.
  if (doc !== "") replaceTable(await Deno.readTextFile(doc), "");
  const started = performance.now();
  const progress = new Progress();
  const size = paperSize(nodes, seed);
  const { found, rssMb } = await measurePaper(size, workers, (line) => {
    progress.show(`${Math.round((performance.now() - started) / 1_000)} s: ${line}`);
  }, ({ kind, size }, secs) => {
    progress.clear();
    const shares = "shares" in size
      ? ` ${size.shares.map((share) => 100 * share).join(", ")} %`
      : "";
    console.error(`${kind}${shares}: ${Math.round(secs)} s`);
  });
  progress.clear();
  const percents = size.failures.flat().map((share) => Math.round(100 * share));
  const rows = paperRows(found, ideal(nodes, percents, new Rng(seed)));
  const secs = Math.round((performance.now() - started) / 1_000);
  const failed = rows.filter(({ ok }) => !ok).length;
  const report: PaperReport = { nodes, seed, secs, rssMb, rows, ok: failed === 0 };
  console.log(paperTable(rows));
  const summary = `${rows.length - failed} of ${rows.length} rows within their tolerance; ` +
    `${nodes} nodes, seed ${seed}, ${secs} s, ${rssMb} MiB.`;
  console.log(summary);
  if (svg !== "") await drawPaper(svg, found, nodes);
  if (doc !== "") {
    const document = await Deno.readTextFile(doc);
    await Deno.writeTextFile(doc, replaceTable(document, paperMarkdown(rows, summary)));
  }
  if (json) console.log(JSON.stringify(report));
  return report.ok;
}

if (import.meta.main) await runCommand(() => simPaper(Deno.args));
