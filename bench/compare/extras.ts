/**
 * What `bench:compare` shows beside the workloads: connections, the first message of a fresh process, size of the module graph.
 *
 * @module
 */

import { lastLine, run } from "./contenders.ts";
import { median, type Outcome } from "./runs.ts";
import { judge } from "./verdicts.ts";

/** Figures of one side; medians over the rounds. */
export interface Extras {
  readonly cpuMsPerConnection: number;
  readonly importMs: number;
  readonly firstMs: number;
  readonly modules: number;
  readonly packages: number;
  readonly kilobytes: number;
}

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly size?: number;
    readonly npmPackage?: string;
  }[];
  readonly npmPackages?: Readonly<
    Record<string, { readonly dependencies: readonly string[]; readonly localPath?: string }>
  >;
}

const folder = new URL("../", import.meta.url);
const PEER = "peers/gossipsub/";
const RUN_MS = 120_000;

/** Measures both sides in alternating rounds; only ours where gossipsub takes no part. */
export async function measureExtras(
  rounds: number,
  sides: readonly ("ours" | "gossipsub")[],
): Promise<Record<string, Extras>> {
  const times = new Map<string, Record<string, number>[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      const connections = await figures(side, "connections.ts");
      times.get(side)!.push({ ...connections, ...await figures(side, "first_message.ts") });
    }
  }
  const extras: Record<string, Extras> = {};
  for (const [side, all] of times) {
    const middle = (field: string) => Number(median(all.map((each) => each[field]!)).toFixed(2));
    extras[side] = {
      cpuMsPerConnection: middle("cpuMsPerConnection"),
      importMs: middle("importMs"),
      firstMs: middle("firstMs"),
      ...await graph(side),
    };
  }
  return extras;
}

function config(side: string): string[] {
  return side === "ours" ? [] : ["--config", new URL(`${PEER}deno.json`, folder).pathname];
}

async function figures(side: string, file: string): Promise<Record<string, number>> {
  const path = new URL(side === "ours" ? file : PEER + file, folder).pathname;
  const command = [Deno.execPath(), "run", "--quiet", "-A", ...config(side), path];
  const { stdout, stderr } = await run(command, { ms: RUN_MS });
  try {
    return JSON.parse(lastLine(stdout)) as Record<string, number>;
  } catch {
    throw new Error(`${side}, ${file}: no result; ${lastLine(stderr)}`);
  }
}

/** What an import brings along: modules of its own, packages, and the size of both (packages with all their files). */
async function graph(
  side: string,
): Promise<Pick<Extras, "modules" | "packages" | "kilobytes">> {
  const entry = new URL(side === "ours" ? "../mod.ts" : `${PEER}peer.ts`, folder).pathname;
  const command = [Deno.execPath(), "info", "--json", ...config(side), entry];
  const { stdout } = await run(command, { ms: RUN_MS });
  const { modules, npmPackages = {} } = JSON.parse(stdout) as Graph;
  const own = modules.filter(({ specifier }) => specifier.startsWith("file:"));
  let bytes = own.reduce((sum, { size = 0 }) => sum + size, 0);
  const packages = new Set<string>();
  const visit = (name: string) => {
    const found = npmPackages[name];
    // Natives for other machines are in the lock file and nowhere else.
    if (packages.has(name) || found?.localPath === undefined || !isFolder(found.localPath)) return;
    packages.add(name);
    bytes += sizeOf(found.localPath);
    found.dependencies.forEach(visit);
  };
  for (const { npmPackage } of modules) if (npmPackage !== undefined) visit(npmPackage);
  return { modules: own.length, packages: packages.size, kilobytes: Math.round(bytes / 1_024) };
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function sizeOf(path: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const inside = `${path}/${name}`;
    bytes += isDirectory ? sizeOf(inside) : Deno.statSync(inside).size;
  }
  return bytes;
}

/** Rows for people. */
export function extraRows(extras: Record<string, Extras>): (string | number)[][] {
  const fields = Object.keys(Object.values(extras)[0] ?? {}) as (keyof Extras)[];
  return [
    ["", ...fields],
    ...Object.entries(extras).map(([side, each]) => [side, ...fields.map((field) => each[field])]),
  ];
}

/** What they are to show. */
export function extraVerdicts({ ours }: Record<string, Extras>): Outcome[] {
  if (ours === undefined) return [];
  return [
    judge("CPU of a connection, both ends", ours.cpuMsPerConnection, { most: 1.5 }, " ms"),
    judge("import to first message", ours.firstMs, { most: 150 }, " ms"),
  ];
}
