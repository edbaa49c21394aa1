import { assert, assertEquals } from "@std/assert";
import { Plumtree } from "../../src/core/tree/plumtree.ts";
import { Frame } from "../../src/wire/frames.ts";
import { searchFaults } from "./search.ts";

/** A few seeds for every run of the tests; `FAULT_SEEDS=500 deno test -A test/faults` searches more. */
const SEEDS = Number(Deno.env.get("FAULT_SEEDS") ?? 30);

Deno.test(`clusters converge after random faults, ${SEEDS} seeds`, async () => {
  const violations: string[] = [];
  let delivered = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await searchFaults(seed);
    violations.push(...report.violations);
    delivered += report.delivered;
  }
  assertEquals(violations, []);
  assert(delivered > 100 * SEEDS);
});

/** Runs seeds until one shows a violation; how many that took. */
async function seedsToFind(most: number): Promise<number> {
  for (let seed = 1; seed <= most; seed++) {
    if ((await searchFaults(seed)).violations.length > 0) return seed;
  }
  return Infinity;
}

Deno.test("the search finds a tree that never compares what it holds", async () => {
  const { receive } = Plumtree.prototype;
  Plumtree.prototype.receive = function (from, kind, bytes, at, end) {
    if (kind !== Frame.SYNC) receive.call(this, from, kind, bytes, at, end);
  };
  try {
    assert(await seedsToFind(40) <= 40);
  } finally {
    Plumtree.prototype.receive = receive;
  }
});

Deno.test("the search finds a tree that keeps neighbours which are gone", async () => {
  const { neighborDown } = Plumtree.prototype;
  Plumtree.prototype.neighborDown = function () {};
  try {
    assert(await seedsToFind(10) <= 10);
  } finally {
    Plumtree.prototype.neighborDown = neighborDown;
  }
});
