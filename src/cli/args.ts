/**
 * Options of the commands: `--name value` with numbers checked, and a progress line for terminals.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** Somebody asked for help: the message is it. */
class Help extends Error {}

/** Reads `--name value` options of which each has a number as default, plus flags. */
export function readArgs<N extends string, F extends string, S extends string>(
  args: readonly string[],
  numbers: Readonly<Record<N, number>>,
  flags: readonly F[],
  texts: Readonly<Record<S, string>>,
): Record<N, number> & Record<F, boolean> & Record<S, string> {
  const options: Record<string, { type: "string" | "boolean" }> = {};
  for (const name of [...Object.keys(numbers), ...Object.keys(texts)]) {
    options[name] = { type: "string" };
  }
  for (const name of flags) options[name] = { type: "boolean" };
  if (args.includes("--help")) {
    const lines = Object.entries<number>(numbers).map(([name, value]) =>
      Number.isNaN(value) ? `--${name} NUMBER` : `--${name} NUMBER (${value})`
    );
    lines.push(...flags.map((name) => `--${name}`));
    lines.push(...Object.keys(texts).map((name) => `--${name} TEXT`));
    throw new Help(`options, and what they are where they are left out:\n  ${lines.join("\n  ")}`);
  }
  const { values } = parseArgs({ args: [...args], options, strict: true });
  const read: Record<string, number | boolean | string> = { ...numbers, ...texts };
  for (const name of flags) read[name] = values[name] === true;
  for (const [name, value] of Object.entries(values)) {
    if (!(name in numbers)) {
      read[name] = value!;
      continue;
    }
    const number = Number(value);
    if (value === "" || !Number.isFinite(number) || number < 0) {
      throw new RangeError(`--${name} must be a number of at least 0, not ${value}`);
    }
    read[name] = number;
  }
  return read as Record<N, number> & Record<F, boolean> & Record<S, string>;
}

/** Runs a command: prints what it throws for its arguments as one line, and sets the exit status. */
export async function runCommand(main: () => Promise<boolean>): Promise<void> {
  try {
    Deno.exitCode = await main() ? 0 : 1;
  } catch (error) {
    if (error instanceof Help) return console.log(error.message);
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exitCode = 2;
  }
}

/** Finds out before the work, not after it, that a file cannot be written; RangeError. Nothing where the path is empty. */
export async function checkWritable(option: string, path: string): Promise<void> {
  if (path === "") return;
  try {
    (await Deno.open(path, { write: true, create: true })).close();
  } catch (error) {
    throw new RangeError(`--${option}: ${(error as Error).message}`);
  }
}

/** A line that is written over and over on a terminal, and not at all elsewhere. */
export class Progress {
  readonly #on = Deno.stderr.isTerminal();
  readonly #encoder = new TextEncoder();

  /** Shows a line in place of the last one. */
  show(line: string): void {
    if (this.#on) Deno.stderr.writeSync(this.#encoder.encode(`\r\x1b[2K${line}`));
  }

  /** Takes the line away. */
  clear(): void {
    this.show("");
  }
}

/** The value below which a share `p` of the sorted numbers lies; NaN of none. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) return NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]!;
}

/** Columns aligned for people; the first row is the heading. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  return rows.map((row) => row.map((cell, i) => String(cell).padStart(widths[i]!)).join("  "))
    .join("\n");
}
