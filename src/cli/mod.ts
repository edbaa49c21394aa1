/**
 * The commands of the library under one name.
 *
 * ```sh
 * deno run -A jsr:@x/plumtree/cli sim --scenario healing --nodes 1000
 * ```
 *
 * @example
 * ```ts
 * import { plumtree } from "@x/plumtree/cli";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => plumtree(["dance"]), RangeError, "there are demo");
 * ```
 *
 * @module
 */

import { runCommand } from "./args.ts";
import { demo } from "./demo.ts";
import { sim } from "./sim.ts";
import { simFaults } from "./sim_faults.ts";
import { simPaper } from "./sim_paper.ts";

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<boolean>>> = {
  demo,
  sim,
  "sim:paper": simPaper,
  "sim:faults": simFaults,
};

const USAGE = `commands: ${Object.keys(COMMANDS).join(", ")}; see the README for their options`;

/**
 * Runs a command by its name: `demo`, `sim`, `sim:paper` or `sim:faults`, with the options that the tasks of the same names have.
 *
 * @param args The name and what follows it on the command line.
 * @returns True where everything that the command's report claims held. RangeError for a name that is none.
 *
 * @example
 * ```ts
 * import { plumtree } from "@x/plumtree/cli";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => plumtree(["fly"]), RangeError, "demo, sim");
 * ```
 */
export async function plumtree(args: readonly string[]): Promise<boolean> {
  const [name = "", ...rest] = args;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const what = name === "" ? "a command is missing" : `no command is called ${name}`;
    throw new RangeError(`${what}; there are ${Object.keys(COMMANDS).join(", ")}`);
  }
  return await command(rest);
}

if (import.meta.main) {
  if (Deno.args.length > 0) await runCommand(() => plumtree(Deno.args));
  else console.error(`usage: plumtree COMMAND [--option value]...\n${USAGE}`);
}
