import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { giveBack } from "../../src/secure/v8_memory.ts";

Deno.test("memory goes back where it is large and all theirs", () => {
  const own = new Uint8Array(12 * 1_024), small = new Uint8Array(12 * 1_024 - 1);
  const shared = new Uint8Array(20_000), view = shared.subarray(0, 19_999);
  for (const bytes of [own, small, view]) giveBack(bytes, false);
  assertEquals([own.length, small.length, view.length], [0, 12 * 1_024 - 1, 19_999]);
  giveBack(own, false);
});

Deno.test("once a link carries a stream smaller memory goes back, too", () => {
  const least = new Uint8Array(2 * 1_024), small = new Uint8Array(2 * 1_024 - 1);
  for (const bytes of [least, small]) giveBack(bytes, true);
  assertEquals([least.length, small.length], [0, 2 * 1_024 - 1]);
});

Deno.test("young collections that are hurried free records before V8 collects the whole heap", async () => {
  /** Collections of both kinds while records come and go. */
  const run = async (hurried: number) => {
    const script = new URL("./young_run.ts", import.meta.url).pathname;
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--v8-flags=--trace-gc", script, `${hurried}`],
    }).output();
    const [text, began] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert(success && Number(began) > 0, began);
    const count = (kind: RegExp) =>
      [...text!.matchAll(kind)].filter(([, at]) => Number(at) > Number(began)).length;
    return { young: count(/(\d+) ms: Scavenge /g), whole: count(/(\d+) ms: .*Mark-Compact /g) };
  };
  const [without, hurried] = [await run(0), await run(1)];
  assertLessOrEqual(2 * without.young, hurried.young);
  assertLessOrEqual(2 * hurried.whole, without.whole);
});
