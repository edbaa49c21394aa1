import { assert, assertEquals } from "@std/assert";
import { measureScale } from "../../bench/sim_scale.ts";

Deno.test("the measurement of scale counts every delivery, and its run is the same for the same seed", async () => {
  const options = { nodes: 60, messages: 4, settle: 5, seed: 3, wave: 25 };
  const seen: string[] = [];
  const report = await measureScale(options, (line) => seen.push(line));
  assertEquals([report.firstReached, report.reached, report.deliveries], [1, 1, 59 * 4]);
  assert(report.deliveriesPerSecond > 0 && report.framesPerSecond > report.deliveriesPerSecond);
  assert(report.rssBytes > 0);
  assert(seen.includes("50 of 60 nodes joined"));
  assertEquals((await measureScale(options, () => {})).traceHash, report.traceHash);
});
