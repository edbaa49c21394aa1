import { assertEquals, assertNotEquals } from "@std/assert";
import { fabricRun, networkRun } from "./hash_run.ts";

/** Of seed 11. It changes with the simulator alone; where it does, say so in the CHANGELOG: seeds of before no longer replay. */
const EXPECTED = "51d8c553c8f93e9d";

Deno.test("one seed gives one trace hash twice in one process and in another one, with every model and fault of the simulator", async () => {
  const script = new URL("./hash_run.ts", import.meta.url).pathname;
  const other = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", script, "11"],
    stderr: "inherit",
  }).output();
  const fabric = await fabricRun(11), network = await networkRun(11);
  assertEquals([await fabricRun(11), await networkRun(11)], [fabric, network]);
  assertEquals(new TextDecoder().decode((await other).stdout).trim(), `${fabric} ${network}`);
  assertNotEquals(await fabricRun(12), fabric);
  assertNotEquals(await networkRun(12), network);
});

Deno.test("the trace hash of a fixed run is the one that every machine has", async () => {
  assertEquals(await fabricRun(11), EXPECTED);
});
