import { assert, assertEquals } from "@std/assert";
import { codeOf, importsOf, read, sources } from "./support/source.ts";

/** What a pure file may not name. */
const WORLD = [
  ...["Date", "Temporal", "performance", "setTimeout", "setInterval", "setImmediate"],
  ...[
    "clearTimeout",
    "clearInterval",
    "queueMicrotask",
    "await",
    "async",
    "Promise",
    "PromiseLike",
  ],
  ...["Deno", "process", "Buffer", "globalThis", "crypto", "fetch", "WebSocket"],
  ...[
    "Worker",
    "BroadcastChannel",
    "AbortSignal",
    "AbortController",
    "EventTarget",
    "localStorage",
  ],
  ...["console", "require", "eval"],
];
const FORBIDDEN = new RegExp(
  String.raw`(?<![\w$.#]|\?\.)(?:${WORLD.join("|")})(?![\w$]|\??\s*:)` +
    // of the global object's other names only what they give access to: `self` is also a fine local name
    String.raw`|\b(?:self|window)\s*(?:\[|(?:\?\.|\.)\s*(?:${WORLD.join("|")})\b)` +
    String.raw`|\bMath\s*(?:\?\.|\.)\s*random\b|\bMath\s*\[|\bimport\s*[.(]`,
  "g",
);

/** Outside of their own two folders pure files use these alone. */
const ALLOWED_FILES = ["src/limits.ts", "src/options.ts", "src/errors.ts"];
const ALLOWED_PACKAGES = new Map([
  ["src/wire/cbor.ts", ["cbor-x/encode", "cbor-x/decode"]],
]);
/** What makes a file under src/core or src/wire impure, in words. */
function impurities(path: string, source: string): string[] {
  const found: string[] = [];
  const code = codeOf(source, { strings: true });
  for (const { 0: text, index } of code.matchAll(FORBIDDEN)) {
    found.push(`${path}:${code.slice(0, index).split("\n").length} names ${text}`);
  }
  for (const { specifier, path: target, typeOnly } of importsOf(path, source)) {
    const inside = target !== undefined &&
      (/^src\/(core|wire)\//.test(target) || ALLOWED_FILES.includes(target));
    const known = ALLOWED_PACKAGES.get(path)?.includes(specifier) ?? false;
    if (!inside && !known) found.push(`${path} imports ${specifier}`);
    const upwards = path.startsWith("src/wire/") && target?.startsWith("src/core/");
    if (upwards && !typeOnly) found.push(`${path} imports more than types from ${specifier}`);
  }
  return found;
}

const pure = [...sources("src/core"), ...sources("src/wire")];

Deno.test("src/core and src/wire touch no clock, socket, randomness or await", () => {
  assert(pure.length > 5, "the files are found");
  assertEquals(pure.flatMap((path) => impurities(path, read(path))), []);
});

Deno.test("the purity check flags everything that reaches the world", () => {
  for (
    const snippet of [
      "const t = Date.now();",
      "const t = new Date();",
      "const t = Date\n  .now();",
      "const { now } = Date;",
      "const t = performance.now();",
      "const r = Math.random();",
      "const r = Math . random();",
      "const r = Math['random']();",
      "const r = `${Math.random()}`;",
      "const r = `a ${`b ${Date.now()}`} c`;",
      "setTimeout(f, 1);",
      "setInterval(f, 1);",
      "queueMicrotask(f);",
      "Deno.env.get('x');",
      "const d = Deno;",
      "globalThis['Deno'];",
      "self.Date.now();",
      "self['Deno'];",
      "crypto.getRandomValues(x);",
      "crypto.subtle;",
      "await x;",
      "for await (const x of y) {}",
      "async function f() {}",
      "const f = async () => 1;",
      "class A { async f() {} }",
      "function f(): Promise<void> {}",
      "type F = () => PromiseLike<void>;",
      "Promise.resolve();",
      "fetch('x');",
      "const x = a / 2; Date.now(); const y = b / 2;",
      "const x = /[/]/.test(y) ? Date.now() : 0;",
      'const x = "\\""; Date.now(); const y = "\\"";',
      "/* a */ Date.now() /* b */",
      "await import('./x.ts');",
      "import('./x.ts');",
      "import.meta.url;",
      'import { x } from "node:crypto";',
      "import { x } from 'node:net';",
      'import "node:net";',
      'import type { x } from "node:net";',
      'import * as x from "node:net";',
      'import x from "cbor-x/encode";',
      'import {\n  x,\n  y,\n} from "../net/tcp.ts";',
      'export { x } from "../net/tcp.ts";',
      'export * from "../net/tcp.ts";',
      'export type { X } from "../gossip.ts";',
      'import { x } from "npm:cbor-x";',
      'const a = 1;import { x } from "../../mod.ts";',
    ]
  ) {
    assert(impurities("src/core/x.ts", snippet).length > 0, `must be flagged: ${snippet}`);
  }
  const upwards = 'import { x } from "../core/host.ts";';
  assertEquals(impurities("src/wire/x.ts", upwards).length, 1);
});

Deno.test("the purity check is not fooled by comments, strings and names of one's own", () => {
  const source = `
/** Never Date.now, never Math.random; see {@linkcode Promise}. */
// await setTimeout(f, 1)
import type { Clock } from "./host.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { WireError } from "../wire/bytes.ts";
import { type A, type B } from "./overlay/port.ts";
const url = "https://x.example/Date.now";
const note = 'Deno. "await"';
const text = \`await \${port.now()} Promise\`;
const pattern = /await "Date.now()/;
const update = port.fetch(1), updated = candidate.async, awaited = deadline / 2 / half;
class DateLike { #performance = 1; isAwait(): boolean { return this.#performance > 1; } }
const self = port.self, same = self.length;
const options = { self: id, async: true };
interface Port { readonly self: PeerId; readonly process?: number }
`;
  assertEquals(impurities("src/core/x.ts", source), []);
  assertEquals(impurities("src/wire/x.ts", 'import type { A } from "../core/host.ts";'), []);
});
