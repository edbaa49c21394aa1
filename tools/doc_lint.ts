/**
 * `deno doc --lint` over every entry point that deno.json exports: the command wants each one named.
 *
 * @module
 */

const root = new URL("../", import.meta.url);
const { exports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", root))) as {
  exports: Record<string, string>;
};
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", ...Object.values(exports)],
  cwd: root,
  stdin: "null",
  stdout: "null",
}).output();
Deno.exit(code);
