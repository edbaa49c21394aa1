import { assert, assertEquals, assertRejects } from "@std/assert";
import { BUGS, withBug } from "../../src/testing/faults/bugs.ts";
import { drawSetup } from "../../src/testing/faults/setup.ts";
import { searchFaults } from "../../src/testing/faults/search.ts";
import { Rng } from "../../src/testing/rng.ts";

/** A few seeds for every run of the tests; `deno task sim:faults --seeds 1000` searches more. */
const SEEDS = 8;

Deno.test(`clusters converge after random faults, ${SEEDS} seeds`, async () => {
  let delivered = 0, faults = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await searchFaults(seed);
    assertEquals([seed, ...report.violations], [seed]);
    delivered += report.delivered;
    for (const count of Object.values(report.faults)) faults += count;
  }
  assert(delivered > 100 * SEEDS);
  assert(faults > 20 * SEEDS);
});

/** Which of the bugs are quick to find; `deno task sim:faults --bugs` hunts them all. */
const QUICK: readonly [bug: string, check: string][] = [
  ["relays before the verdict", "validated first"],
  ["forgets what it has seen", "once"],
  ["keeps dead branches", "tree links"],
  ["takes one too many", "views"],
  ["leaves a timer", "timers"],
  ["checks at its own pace", "steady links"],
];

for (const [bug, check] of QUICK) {
  Deno.test(`the search finds a node that ${bug}`, async () => {
    let found: string | undefined;
    for (let seed = 1; seed <= 10 && found === undefined; seed++) {
      found = (await withBug(bug, () => searchFaults(seed))).violations[0];
    }
    assertEquals(found?.slice(0, found.indexOf(":")), check);
  });
}

Deno.test("a bug is out of the library again when its seed has run", async () => {
  for (const { name } of BUGS) {
    const failing = () => Promise.reject(new RangeError("stop"));
    await assertRejects(() => withBug(name, failing), RangeError, "stop");
  }
  assertEquals((await searchFaults(3)).violations, []);
  await assertRejects(() => withBug("none", () => Promise.resolve()), RangeError, "no such bug");
});

Deno.test("one seed gives one run, also where it keeps its trace", async () => {
  const { trace, ...first } = await searchFaults(24);
  assertEquals(trace, []);
  assertEquals((await searchFaults(24, { trace: true })).violations, []);
  const { trace: _, ...again } = await searchFaults(24, { trace: true });
  assertEquals(again, first);
});

Deno.test("a violation comes with a trace of bounded length that tells of its nodes", async () => {
  const report = await withBug(
    "forgets what it has seen",
    () => searchFaults(1, { trace: true }),
  );
  const [violation] = report.violations;
  const node = violation!.match(/\bn\d+\b/)![0];
  assert(report.trace.length > 10 && report.trace.length < 400, `${report.trace.length} lines`);
  assert(report.trace.some((line) => line.includes(` ${node} `)));
  assert(report.trace.some((line) => line.includes("GOSSIP")));
});

Deno.test("seeds draw clusters of 3 to 24 nodes and every kind of option", () => {
  const drawn = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const setup = drawSetup(seed, new Rng(seed));
    assert(setup.nodes >= 3 && setup.nodes <= 24);
    for (const preset of setup.presets) drawn.add(preset);
    drawn.add(setup.directory ? "directory" : "no directory");
    for (const { judging, codec, history, sign, tight } of setup.topics) {
      for (const value of [judging, codec, history, `sign ${sign}`, `tight ${tight}`]) {
        drawn.add(value);
      }
    }
  }
  assertEquals([...drawn].sort(), [
    ...["async", "cbor", "directory", "json", "lan", "local", "mixed", "no directory", "none"],
    ...["retained", "sign false", "sign true", "sync", "tight false", "tight true", "wan"],
  ]);
});
