/**
 * `deno task bench:growth`: cost and memory at 1x, 10x and 100x (topics also 1,000x) of nodes, topics, messages held and peers known, and how
 * they grow. Every point is a process of its own. Options: `--only nodes,topics --markdown FILE --json`.
 *
 * @module
 */

import { Progress, readArgs, runCommand, table } from "../src/cli/args.ts";
import { lastLine, run } from "./compare/contenders.ts";
import { fillSection, machine, markdownTable } from "./machine.ts";
import { round } from "./workload.ts";
import { slope } from "./soak.ts";

/** One size that grows. */
interface Dimension {
  readonly name: string;
  /** Each ten times the one before. */
  readonly sizes: readonly number[];
  /** For people. */
  readonly note: string;
}

/** What one point shows; memory as the heap and what hangs on it, after a collection. */
export interface Point {
  readonly cpuUsPerDelivery: number;
  readonly memoryMb: number;
  readonly delivered: number;
  readonly expected: number;
}

/** Most that CPU per delivery may grow with: the square root of the size. */
const CPU_BOUND = 0.5;
/** Most that memory may grow with: in proportion, and noise. */
const MEMORY_BOUND = 1.05;

const DIMENSIONS: readonly Dimension[] = [
  { name: "nodes", sizes: [10, 100, 1_000], note: "simulated, 1 KiB, one sender" },
  {
    name: "topics",
    sizes: [1, 10, 100, 1_000],
    note: "8 nodes on TCP, all on all topics",
  },
  {
    name: "held",
    sizes: [100, 1_000, 10_000],
    note: "messages retained by each of 8 nodes on TCP",
  },
  {
    name: "peers",
    sizes: [100, 1_000, 10_000],
    note: "records in a directory; a newer one is a delivery",
  },
];

/** The exponent of growth, and of memory, which may at most be in proportion. */
function exponent(sizes: readonly number[], values: readonly number[]): number {
  const points = sizes.map((size, i) => [Math.log(size), Math.log(values[i]!)] as const);
  return round(slope(points));
}

async function measure(dimension: string, size: number): Promise<Point> {
  const path = new URL("growth_point.ts", import.meta.url).pathname;
  const flags = ["run", "--quiet", "-A", "--v8-flags=--expose-gc"];
  const command = [Deno.execPath(), ...flags, path, dimension, String(size)];
  const { stdout, stderr } = await run(command, { ms: 600_000 });
  try {
    return JSON.parse(lastLine(stdout)) as Point;
  } catch {
    throw new Error(`${dimension} ${size}: no result; ${lastLine(stderr)}`);
  }
}

/** Runs the command; true where everything arrived and nothing grows faster than it may. */
export async function benchGrowth(args: readonly string[]): Promise<boolean> {
  const { only, markdown, json } = readArgs(args, {}, ["json"], { only: "", markdown: "" });
  const names = only === "" ? DIMENSIONS.map(({ name }) => name) : only.split(",");
  const unknown = names.find((name) => !DIMENSIONS.some((each) => each.name === name));
  if (unknown !== undefined) throw new RangeError(`--only: "${unknown}" does not grow here`);
  const progress = new Progress();
  const rows: (string | number)[][] = [
    ["what", "size", "CPU µs/delivery", "memory MB", "delivered", "expected"],
  ];
  const exponents: (string | number)[][] = [["what", "CPU", "at most", "memory", "at most", "how"]];
  const report: Record<string, unknown> = {};
  let ok = true;
  for (const { name, sizes, note } of DIMENSIONS) {
    if (!names.includes(name)) continue;
    const points: Point[] = [];
    for (const size of sizes) {
      progress.show(`${name} ${size}`);
      const point = await measure(name, size);
      points.push(point);
      const { cpuUsPerDelivery, memoryMb, delivered, expected } = point;
      rows.push([name, size, cpuUsPerDelivery, memoryMb, delivered, expected]);
      if (delivered !== expected) ok = false;
    }
    const cpu = exponent(sizes, points.map((each) => each.cpuUsPerDelivery));
    const memory = exponent(sizes, points.map((each) => each.memoryMb));
    if (cpu > CPU_BOUND || memory > MEMORY_BOUND) ok = false;
    exponents.push([name, cpu, CPU_BOUND, memory, MEMORY_BOUND, note]);
    report[name] = { sizes, points, cpuExponent: cpu, memoryExponent: memory };
  }
  progress.clear();
  console.log(`${table(rows)}\n\n${table(exponents)}`);
  if (markdown !== "") {
    const head = `Measured with \`deno task bench:growth\` on ${machine()}.`;
    const text = [head, markdownTable(rows), "Exponents:", markdownTable(exponents)].join("\n\n");
    await fillSection(markdown, "bench:growth", text + "\n");
  }
  if (json) console.log(JSON.stringify({ ...report, ok }));
  return ok;
}

if (import.meta.main) await runCommand(() => benchGrowth(Deno.args));
