/**
 * Reads TypeScript source for tests about the source itself: what is code, what is comment or string, what is imported.
 *
 * @module
 */

/** Every `.ts` file under a folder of the repository, as paths from its root; none where the folder is not there. */
export function sources(folder: string): string[] {
  const found: string[] = [];
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(new URL(folder + "/", ROOT))];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  for (const { name, isDirectory } of entries) {
    if (isDirectory) found.push(...sources(`${folder}/${name}`));
    else if (name.endsWith(".ts")) found.push(`${folder}/${name}`);
  }
  return found.sort();
}

/** The repository's root. */
export const ROOT = new URL("../../", import.meta.url);

/** A file of the repository. */
export function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Whether the repository has a file. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Blanks out comments, and with `strings` also what is in strings, templates (not their `${}`) and regular expressions. */
export function codeOf(source: string, options: { strings: boolean }): string {
  const out = source.split("");
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  // one entry per template that is open; the braces counted inside its current ${}
  const templates: number[] = [];
  let at = 0;
  const template = () => {
    const from = at;
    while (at < source.length && source[at] !== "`" && !source.startsWith("${", at)) {
      at += source[at] === "\\" ? 2 : 1;
    }
    if (options.strings) blank(from, at);
    if (source[at] === "`") at++;
    else {
      at += 2;
      templates.push(0);
    }
  };
  while (at < source.length) {
    const char = source[at]!, from = at;
    if (source.startsWith("//", at)) {
      at = lineEnd(source, at);
      blank(from, at);
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      at = end < 0 ? source.length : end + 2;
      blank(from, at);
    } else if (char === '"' || char === "'") {
      at = literalEnd(source, at, char);
      if (options.strings) blank(from + 1, at - 1);
    } else if (char === "/" && startsRegExp(out, at)) {
      at = literalEnd(source, at, "/");
      if (options.strings) blank(from + 1, at - 1);
    } else if (char === "`") {
      at++;
      template();
    } else {
      at++;
      if (templates.length === 0) continue;
      if (char === "{") templates[templates.length - 1]!++;
      if (char === "}" && templates[templates.length - 1]!-- === 0) {
        templates.pop();
        template();
      }
    }
  }
  return out.join("");
}

function lineEnd(source: string, at: number): number {
  const end = source.indexOf("\n", at);
  return end < 0 ? source.length : end;
}

/** The offset behind a string or regular expression that begins at `at`. */
function literalEnd(source: string, at: number, quote: string): number {
  let inClass = false;
  for (at++; at < source.length && source[at] !== "\n"; at++) {
    const char = source[at]!;
    if (char === "\\") at++;
    else if (quote === "/" && char === "[") inClass = true;
    else if (quote === "/" && char === "]") inClass = false;
    else if (char === quote && !inClass) return at + 1;
  }
  return at;
}

/** Whether a slash begins a regular expression: where a value cannot have ended before it. */
function startsRegExp(before: readonly string[], at: number): boolean {
  let from = at - 1;
  while (from >= 0 && /\s/.test(before[from]!)) from--;
  if (from < 0) return true;
  if (/[)\]}"'`]/.test(before[from]!)) return false;
  const word = /[\w$]+$/.exec(before.slice(Math.max(0, from - 20), from + 1).join(""))?.[0];
  return word === undefined || /^(return|typeof|case|in|of|void|delete|throw|else|do)$/.test(word);
}

/** One import or re-export of a file. */
export interface Import {
  /** As written. */
  readonly specifier: string;
  /** From the repository's root; undefined where it names a package. */
  readonly path: string | undefined;
  /** Nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** What a file imports and re-exports, without dynamic imports. */
export function importsOf(path: string, source: string): Import[] {
  const code = codeOf(source, { strings: false });
  const statement =
    /(?:^|[;\n}])\s*(import|export)\b(\s+type\b)?\s*((?:\*(?:\s*as\s+\w+)?|[\w$\s,]*\{[^}]*\}|[\w$]+(?:\s*,\s*\*\s*as\s+\w+)?|\*\s*as\s+[\w$]+)\s*from\s*)?["']([^"'\n]+)["']/g;
  return Array.from(code.matchAll(statement), ([, , type, clause, specifier]) => {
    const names = /\{([^}]*)\}/.exec(clause ?? "")?.[1]?.split(",").map((name) => name.trim());
    const listed = names?.filter((name) => name !== "") ?? [];
    return {
      specifier: specifier!,
      path: /^\.{0,2}\//.test(specifier!)
        ? new URL(specifier!, `root:/${path}`).pathname.slice(1)
        : undefined,
      typeOnly: type !== undefined ||
        (listed.length > 0 && listed.every((name) => name.startsWith("type "))),
    };
  });
}
