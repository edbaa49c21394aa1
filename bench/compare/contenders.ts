/**
 * Who takes part in `bench:compare`, and how a run of each is started.
 *
 * @module
 */

import type { WorkloadResult } from "../workload.ts";
import { type Load, NODES, WINDOW } from "./loads.ts";

/** One contender. */
export interface Contender {
  readonly name: string;
  /** Whether it is given few messages, being slow. */
  readonly slow: boolean;
  /** Builds or fetches what it needs; what is missing, in words, where it cannot take part. */
  prepare(): Promise<string | undefined>;
  /** Whether a workload makes sense for it. */
  loads(load: Load): boolean;
  /** Program and fixed arguments. */
  command(): string[];
}

/** What one run printed. */
export type RunResult = WorkloadResult & { rssMb: number };

/** Loads of gossipsub with a link between every two nodes; the others would take it minutes. */
const ALL_LINKED: readonly string[] = ["1k", "paced"];
const folder = new URL("../", import.meta.url);
/** How long one run may take. */
const RUN_MS = 180_000;
/** How long a build may take. */
const BUILD_MS = 1_800_000;

/** All contenders. */
export function contenders(): Contender[] {
  const unsigned = ({ sign }: Load) => sign === 0;
  return [
    script("ours", "cluster.ts", () => true),
    script("limit", "limit.ts", unsigned),
    script("flooding", "flood.ts", unsigned),
    gossipsub("gossipsub", "main.ts", () => true),
    gossipsub("gossipsub-all", "all_linked.ts", ({ name }) => ALL_LINKED.includes(name)),
    iroh(unsigned),
    go(),
  ];
}

function script(name: string, file: string, loads: (load: Load) => boolean): Contender {
  const path = new URL(file, folder).pathname;
  const command = () => [Deno.execPath(), "run", "--quiet", "-A", path, "--json"];
  return { name, slow: false, prepare: () => Promise.resolve(undefined), loads, command };
}

function gossipsub(name: string, file: string, loads: (load: Load) => boolean): Contender {
  const at = (file: string) => new URL(`peers/gossipsub/${file}`, folder).pathname;
  const config = ["--config", at("deno.json"), "--frozen"];
  return {
    name,
    slow: true,
    loads,
    command: () => [Deno.execPath(), "run", "--quiet", "-A", ...config, at(file), "--json"],
    async prepare() {
      const { code, stderr } = await run([Deno.execPath(), "cache", ...config, at(file)]);
      return code === 0 ? undefined : `its packages cannot be had: ${lastLine(stderr)}`;
    },
  };
}

/** Built by `cargo` into a folder that git ignores; its messages carry no author's signature. */
function iroh(loads: (load: Load) => boolean): Contender {
  const at = new URL("peers/iroh/", folder);
  return {
    name: "iroh",
    slow: false,
    loads,
    command: () => [new URL("target/release/iroh-peer", at).pathname, "--json"],
    async prepare() {
      const command = ["cargo", "build", "--release", "--locked", "--quiet"];
      try {
        const { code, stderr } = await run(command, { cwd: at, ms: BUILD_MS });
        return code === 0 ? undefined : `it cannot be built: ${lastLine(stderr)}`;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return "there is no cargo on this machine";
        throw error;
      }
    },
  };
}

/** Named so that its place is seen: without its module no program for it could be built, let alone tried. */
function go(): Contender {
  const missing = "the module proxy refused go-libp2p-pubsub, so there is no program for it";
  const prepare = () => Promise.resolve(missing);
  return { name: "go", slow: false, loads: () => false, command: () => [], prepare };
}

/** Runs a contender once; throws where it gives no result. */
export async function runOnce(
  contender: Contender,
  load: Load,
  quick: boolean,
): Promise<RunResult> {
  const { size, sign, senders, rate, window = WINDOW } = load;
  const full = contender.slow ? load.slowCount : load.count;
  const count = quick ? Math.ceil(full / 5) : full;
  const options = { nodes: NODES, size, sign, senders, count, window };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  if (rate !== undefined) args.push("--mode", "paced", "--rate", String(rate));
  const { stdout, stderr } = await run([...contender.command(), ...args]);
  const line = lastLine(stdout);
  try {
    return JSON.parse(line) as RunResult;
  } catch {
    throw new Error(`${contender.name}, ${load.name}: no result; ${lastLine(stderr) || line}`);
  }
}

/** Runs a program to its end, or to its time limit. */
export async function run(
  command: readonly string[],
  options: { cwd?: URL; ms?: number } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    ...(options.cwd && { cwd: options.cwd }),
    stdin: "null",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(options.ms ?? RUN_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** The last line that is not empty. */
export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
