import { assert, assertEquals, assertThrows } from "@std/assert";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import { linkTiming } from "../src/net/timing.ts";
import { overlayDefaults, treeDefaults } from "../src/options.ts";
import { Frame } from "../src/wire/frames.ts";
import { read, sources } from "./support/source.ts";

const UNITS: Record<string, number> = { "": 1, KiB: 1024, MiB: 1024 * 1024 };

/** The rows of a document's tables whose first cells match, as name and number. */
function table(
  text: string,
  row: RegExp,
  number: (cell: string) => number,
): Record<string, number> {
  return Object.fromEntries(
    Array.from(text.matchAll(row), ([, name, cell]) => [name, number(cell!)]),
  );
}

function limits(text: string): Record<string, number> {
  return table(text, /^\| `(\w+)`\s*\| ([\d,]+(?: [KM]iB)?)\s*\|/gm, (cell) => {
    const [digits, unit = ""] = cell.split(" ");
    return Number(digits!.replaceAll(",", "")) * UNITS[unit]!;
  });
}

function kinds(text: string): Record<string, number> {
  return table(text, /^\| ([A-Z_]+)\s*\| (0x[0-9a-f]{2})\s*\|/gm, Number);
}

Deno.test("SECURITY.md names every limit with its default", () => {
  assertEquals(limits(read("SECURITY.md")), { ...DEFAULT_LIMITS });
});

Deno.test("PROTOCOL.md names every option and every time of a link with its defaults", () => {
  const rows = read("PROTOCOL.md").matchAll(
    /^\| `(\w+)`\s*\| ([\d,]+)\s*\| ([\d,]+)\s*\| ([\d,]+)\s*\|/gm,
  );
  const named = Array.from(rows, ([, name, ...cells]) => {
    return [name!, cells.slice(0, 3).map((cell) => Number(cell.replaceAll(",", "")))];
  });
  const [local, lan, wan] = (["local", "lan", "wan"] as const).map((preset) => {
    const all = { ...linkTiming(preset), ...overlayDefaults(preset), ...treeDefaults(preset) };
    return new Map<string, number>(Object.entries(all));
  });
  const held = Array.from(lan!, ([name, value]) => {
    return [name, [local!.get(name), value, wan!.get(name)]];
  });
  assertEquals<unknown>(Object.fromEntries(named), Object.fromEntries(held));
});

Deno.test("PROTOCOL.md names every kind of frame with its number", () => {
  assertEquals(kinds(read("PROTOCOL.md")), { ...Frame });
});

Deno.test("a wrong number in a document would be noticed", () => {
  const { messageBytes, requests } = limits(
    "| `messageBytes` | 4 MiB | x |\n| `requests` | 1,024 | y |",
  );
  assertEquals([messageBytes, requests], [4 * 1024 * 1024, 1024]);
  assertThrows(() => assertEquals(kinds("| PING | 0x02 | x |"), { PING: Frame.PING }));
});

Deno.test("links between documents lead to files", () => {
  const documents = ["SECURITY.md", "PROTOCOL.md", "CONTRIBUTING.md", "CHANGELOG.md"];
  let links = 0;
  for (const document of documents) {
    for (const [, target] of read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      assert(read(target!).length > 0, `${document} leads to ${target}`);
      links++;
    }
  }
  assert(links > 0);
});

Deno.test("no source file grows past 400 lines", () => {
  const long = sources("src").filter((path) => read(path).split("\n").length > 401);
  assertEquals(long, []);
});
