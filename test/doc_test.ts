import { assertEquals, assertGreater } from "@std/assert";
import { inspectDocs } from "./support/doc.ts";
import { read, ROOT } from "./support/source.ts";

Deno.test("every export of every entry point has a comment and an example that is run", async () => {
  const { exports } = JSON.parse(read("deno.json")) as { exports: Record<string, string> };
  const entries = Object.values(exports).map((path) => new URL(path, ROOT));
  const report = await inspectDocs(entries);
  assertEquals(report.lacks, []);
  assertGreater(report.exports, 40);
});

const UNDOCUMENTED = `
/**
 * A module.
 *
 * @example
 * \`\`\`ts
 * console.log(1);
 * \`\`\`
 *
 * @module
 */

/**
 * Whole.
 *
 * @example
 * \`\`\`ts
 * console.log(whole);
 * \`\`\`
 */
export const whole = 1;

/** Without an example. */
export function bare(): void {}

/**
 * With an example that is not run.
 *
 * @example
 * Call it.
 */
export type Told = string;

export interface Silent {
  /** With a comment. */
  told: string;
  untold: string;
}

/**
 * With members.
 *
 * @example
 * \`\`\`ts
 * new Members();
 * \`\`\`
 */
export class Members {
  /** With a comment. */
  told(): void {}
  untold(): void {}
  private hidden(): void {}
  #mine = 1;
}

const inside = 1;
void inside;
`;

Deno.test("an export that lacks a comment or an example would be noticed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const entry = new URL(`file://${folder}/undocumented.ts`);
    await Deno.writeTextFile(entry, UNDOCUMENTED);
    const { exports, lacks } = await inspectDocs([entry]);
    assertEquals(exports, 5);
    assertEquals([...lacks].sort(), [
      "undocumented.ts: Members.untold has no comment",
      "undocumented.ts: Silent has no comment",
      "undocumented.ts: Silent has no example",
      "undocumented.ts: Silent.untold has no comment",
      "undocumented.ts: Told has no example",
      "undocumented.ts: bare has no example",
    ]);

    await Deno.writeTextFile(entry, "/** No module's comment. */\nexport const one = 1;\n");
    assertEquals((await inspectDocs([entry])).lacks, [
      "undocumented.ts: the module has no example",
      "undocumented.ts: one has no example",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
