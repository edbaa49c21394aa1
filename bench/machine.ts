/**
 * What figures are said to come from.
 *
 * @module
 */

import os from "node:os";

/** Processor, system and runtime in one line. */
export function machine(): string {
  const cpus = os.cpus();
  const { deno, v8 } = Deno.version;
  return `${cpus.length} x ${
    cpus[0]?.model.trim() ?? "?"
  }, ${Deno.build.os}, Deno ${deno} (V8 ${v8})`;
}

/** A table as Markdown; the first row is the heading. */
export function markdownTable(rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const [head, ...rest] = rows;
  return [line(head!), line(head!.map((_, i) => i === 0 ? "---" : "---:")), ...rest.map(line)]
    .join("\n");
}

/** Puts text between two marks of a Markdown file in place of what is there. */
export async function fillSection(file: string, mark: string, text: string): Promise<void> {
  const page = await Deno.readTextFile(file);
  const open = `<!-- ${mark} -->`, close = `<!-- end of ${mark} -->`;
  const from = page.indexOf(open), to = page.indexOf(close);
  if (from < 0 || to < from) throw new TypeError(`${file} has no ${open} ... ${close}`);
  await Deno.writeTextFile(
    file,
    `${page.slice(0, from + open.length)}\n${text}\n${page.slice(to)}`,
  );
  // The repository's own form of tables.
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", file] }).output();
}
