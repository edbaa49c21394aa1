import { assert, assertEquals } from "@std/assert";
import { codeOf, exists, type Import, importsOf, read, ROOT, sources } from "./support/source.ts";

const ENTRIES = Object.values(
  (JSON.parse(read("deno.json")) as { exports: Record<string, string> }).exports,
).map((path) => path.replace(/^\.\//, ""));

/** The imports of a folder's files that break a rule, in words. */
function breaches(folder: string, breaks: (found: Import) => boolean): string[] {
  return sources(folder).flatMap((path) =>
    importsOf(path, read(path)).filter(breaks).map(({ specifier }) => `${path}: ${specifier}`)
  );
}

const leadsTo = (found: Import, pattern: RegExp) => pattern.test(found.path ?? "");

Deno.test("src/net knows nothing of what a message means", () => {
  const found = breaches(
    "src/net",
    (to) => leadsTo(to, /^src\/(core\/(overlay|tree|node)|gossip|topic)/),
  );
  assertEquals(found, []);
});

Deno.test("src/secure takes nothing but types from src/net and src/core", () => {
  const found = breaches("src/secure", (to) => leadsTo(to, /^src\/(net|core)\//) && !to.typeOnly);
  assertEquals(found, []);
});

Deno.test("nothing that is published imports tests, benches, examples or what only tests have", () => {
  const outside = (to: Import) =>
    leadsTo(to, /^(test|bench|examples|tools)\//) || /^(@std\/|fast-check)/.test(to.specifier);
  assertEquals(breaches("src", outside), []);
});

Deno.test({
  name: "mod.ts re-exports and does nothing else",
  ignore: !exists("mod.ts"),
  fn() {
    assertEquals(otherThanReExports(read("mod.ts")), "");
  },
});

Deno.test("the check of mod.ts sees a statement beside the re-exports", () => {
  assertEquals(
    otherThanReExports('export * from "./a.ts";\nexport type { B } from "./b.ts"; // c'),
    "",
  );
  assert(otherThanReExports('export * from "./a.ts";\nconst a = 1;') !== "");
  assert(otherThanReExports("export const a = 1;") !== "");
  assert(otherThanReExports('import "./a.ts";') !== "");
});

function otherThanReExports(source: string): string {
  const reExport = /export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]*";/g;
  return codeOf(source, { strings: false }).replace(reExport, "").trim();
}

/** What a module touches while it is imported by a process without any permission. */
async function touchedAtImport(entry: string | URL): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--frozen"],
      ...["--preload", new URL("test/support/import_probe.ts", ROOT).pathname, `${entry}`],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const last = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
  return JSON.parse(last) as string[];
}

/** What the runtime's own Node layer looks at when it is first used is no doing of this library's. */
const RUNTIME_ALONE = `data:text/javascript,${
  encodeURIComponent('import "node:crypto"; import "node:timers";')
}`;

for (const entry of ENTRIES) {
  Deno.test({
    name: `${entry} can be imported without permissions and touches no clock, file or environment`,
    ignore: !exists(entry),
    async fn() {
      const runtime = await touchedAtImport(RUNTIME_ALONE);
      // The probe runs it, and a command that is run looks at its arguments.
      if (entry.startsWith("src/cli/")) runtime.push("Deno.args");
      const touched = await touchedAtImport(entry);
      assertEquals(touched.filter((name) => !runtime.includes(name)), []);
    },
  });
}

Deno.test("the import probe sees what a module touches", async () => {
  const source = `
    Date.now(); new Date(); performance.now(); Math.random(); setTimeout(() => {}, 0);
    try { Deno.env.get("HOME"); } catch {}
    try { Deno.readTextFileSync("/etc/hostname"); } catch {}
  `;
  const touched = await touchedAtImport(`data:text/javascript,${encodeURIComponent(source)}`);
  assertEquals(touched, [
    ...["Date", "Date.now", "Deno.env", "Deno.readTextFileSync", "Math.random"],
    ...["performance.now", "setTimeout"],
  ]);
});
