/**
 * `deno task bench:soak`: a cluster under constant load for `--minutes 10`, its memory measured once a minute after a collection; ends with
 * a verdict on its slope. Options: `--minutes 10 --nodes 16 --rate 500 --size 1024 --every 60 --markdown FILE --json`.
 *
 * @module
 */

import { Progress, readArgs, runCommand, table } from "../src/cli/args.ts";
import { fillSection, machine, markdownTable } from "./machine.ts";
import { PlumtreeCluster } from "./plumtree_cluster.ts";
import { checkLoad, cpuMicros, round, runWorkload, warmUp, whole } from "./workload.ts";

/** Growth a minute that still counts as flat, as a share of the memory. */
const FLAT = 0.01;

/** What one interval showed. */
interface Sample {
  readonly minute: number;
  readonly heapMb: number;
  readonly rssMb: number;
  readonly delivered: number;
  readonly missing: number;
  readonly cpuUsPerDelivery: number;
}

/** Slope of a straight line through points, by least squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(([at]) => at)), y = mean(points.map(([, value]) => value));
  const over = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0);
  const under = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** Heap and resident memory in MB, after a collection. */
function memory(): { heapMb: number; rssMb: number } {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { heapMb: round((heapUsed + external) / 1e6), rssMb: round(rss / 1e6) };
}

/** Runs the command; true where everything arrived and memory stayed flat. */
export async function benchSoak(args: readonly string[]): Promise<boolean> {
  const numbers = { minutes: 10, nodes: 16, rate: 500, size: 1_024, every: 60 };
  const options = readArgs(args, numbers, ["json"], { markdown: "" });
  const { minutes, nodes, rate, size, every, json } = options;
  whole("every", every, 1);
  const intervals = Math.floor(minutes * 60 / every);
  if (intervals < 4) throw new RangeError("--minutes must hold at least four times --every");
  const count = Math.round(rate * every);
  const load = checkLoad(nodes, { size, count, window: 64, senders: nodes, mode: "paced", rate });
  const progress = new Progress();
  const cluster = await PlumtreeCluster.start({ nodes });
  const samples: Sample[] = [];
  try {
    await cluster.filled();
    await warmUp(cluster, load);
    for (let i = 1; i <= intervals; i++) {
      progress.show(`interval ${i} of ${intervals}`);
      const before = cpuMicros();
      const { delivered, expected } = await runWorkload(cluster, load);
      const cpuUsPerDelivery = round((cpuMicros() - before) / delivered);
      const missing = expected - delivered, minute = round(i * every / 60);
      samples.push({ minute, ...memory(), delivered, missing, cpuUsPerDelivery });
    }
  } finally {
    progress.clear();
    await cluster.close();
  }
  // The first half fills what is bounded: messages retained, ids seen.
  const late = samples.slice(Math.floor(samples.length / 2));
  const mean = late.reduce((sum, { heapMb }) => sum + heapMb, 0) / late.length;
  const share = slope(late.map(({ minute, heapMb }) => [minute, heapMb])) / mean;
  const flat = share <= FLAT, missing = samples.reduce((sum, each) => sum + each.missing, 0);
  const fields = Object.keys(samples[0]!) as (keyof Sample)[];
  const rows = [fields, ...samples.map((each) => fields.map((field) => each[field]))];
  const verdict =
    `memory ${flat ? "is flat" : "GROWS"}: ${round(share * 100)} % a minute over the ` +
    `second half, at most ${FLAT * 100} %; missing messages: ${missing}`;
  console.log(`${table(rows)}\n\n${verdict}`);
  if (options.markdown !== "") {
    const head = `Measured with \`deno task bench:soak ${args.join(" ")}\` on ${machine()}.`;
    const text = `${head}\n\n${markdownTable(rows)}\n\nVerdict: ${verdict}.\n`;
    await fillSection(options.markdown, "bench:soak", text);
  }
  if (json) console.log(JSON.stringify({ samples, sharePerMinute: share, flat, missing }));
  return flat && missing === 0;
}

if (import.meta.main) await runCommand(() => benchSoak(Deno.args));
