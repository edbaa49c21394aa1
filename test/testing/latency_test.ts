import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { Latency } from "../../src/testing/latency.ts";
import { LatencyModel, standardNormal } from "../../src/testing/latency.ts";
import { REGION_WEIGHTS, REGIONS, regions } from "../../src/testing/regions.ts";
import { hashText } from "../../src/testing/rng.ts";
import { simPeerId } from "../../src/testing/sim_crypto.ts";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import { Lane } from "../../src/wire/frames.ts";
import { addNodes, linkedPair } from "./sim_recorder.ts";

const nodes = Array.from({ length: 2_000 }, (_, i) => {
  const id = simPeerId("latency", i);
  return { id, key: hashText(id) };
});

function moments(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

Deno.test("normal draws have mean 0 and deviation 1, and tails", () => {
  const draws = Array.from({ length: 100_000 }, (_, i) => standardNormal(hashText(`${i}`)));
  const { mean, deviation } = moments(draws);
  assertAlmostEquals(mean, 0, 0.02);
  assertAlmostEquals(deviation, 1, 0.02);
  const within = (n: number) => draws.filter((draw) => Math.abs(draw) < n).length / draws.length;
  assertAlmostEquals(within(1), 0.683, 0.01);
  assertAlmostEquals(within(2), 0.954, 0.01);
  assert(within(3) < 1);
});

Deno.test("a normal model gives each pair its own delay, the same both ways, none below the least", () => {
  const model = new LatencyModel({ kind: "normal", meanMs: 50, deviationMs: 20, minMs: 10 }, 7);
  const delays = nodes.slice(1).map((node) => model.between(nodes[0]!, node));
  const { mean, deviation } = moments(delays);
  assertAlmostEquals(mean, 50, 2);
  assertAlmostEquals(deviation, 20, 2);
  assertEquals(Math.min(...delays), 10);
  assertEquals(nodes.slice(1).map((node) => model.between(node, nodes[0]!)), delays);
});

Deno.test("a matrix gives what is in its cell, by direction", () => {
  const place = (id: string) => nodes.findIndex((node) => node.id === id) % 2;
  const model = new LatencyModel({ kind: "matrix", ms: [[1, 20], [30, 2]], place }, 1);
  const [a, b, c, d] = nodes as [
    typeof nodes[0],
    typeof nodes[0],
    typeof nodes[0],
    typeof nodes[0],
  ];
  assertEquals([model.between(a, b), model.between(b, a)], [20, 30]);
  assertEquals([model.between(a, c), model.between(b, d)], [1, 2]);
  assertEquals([model.placeOf(a), model.nameOf(b)], [0, "1"]);
});

Deno.test("regions take their shares of the nodes, and another seed puts nodes elsewhere", () => {
  const model = new LatencyModel(regions(), 1), other = new LatencyModel(regions(), 2);
  const total = Object.values(REGION_WEIGHTS).reduce((sum, weight) => sum + weight, 0);
  for (const region of REGIONS) {
    const share = nodes.filter((node) => model.nameOf(node) === region).length / nodes.length;
    assertAlmostEquals(share, REGION_WEIGHTS[region] / total, 0.03);
  }
  assert(nodes.some((node) => model.placeOf(node) !== other.placeOf(node)));
  const [here, there] = ["europe", "na_east"].map((name) =>
    nodes.find((node) => model.nameOf(node) === name)!
  );
  assertEquals([model.between(here!, there!), model.between(here!, here!)], [70, 2]);
});

Deno.test("without weights places are equally likely", () => {
  const ms = Array.from({ length: 4 }, () => [1, 1, 1, 1]);
  const model = new LatencyModel({ kind: "matrix", ms }, 3);
  for (let place = 0; place < 4; place++) {
    const share = nodes.filter((node) => model.placeOf(node) === place).length / nodes.length;
    assertAlmostEquals(share, 0.25, 0.05);
  }
});

for (
  const [name, latencyMs] of [
    ["normal", { kind: "normal", meanMs: 40, deviationMs: 10 }],
    ["matrix", { kind: "matrix", ms: [[5, 60], [60, 5]] }],
    ["regions", regions()],
  ] as [string, Latency][]
) {
  Deno.test(`frames arrive in order under jitter, latency: ${name}`, async () => {
    const { fabric, a, b } = await linkedPair({ latencyMs, jitter: 5 });
    for (let i = 0; i < 200; i++) {
      a.transport.send(b.id, Lane.NORMAL, new Uint8Array([i]));
      await fabric.clock.run(fabric.clock.now() + 1);
    }
    await fabric.clock.run(fabric.clock.now() + 5_000);
    assertEquals(b.frames().map((bytes) => bytes[0]), Array.from({ length: 200 }, (_, i) => i));
  });
}

Deno.test("a link between two regions has their round trip", async () => {
  const fabric = new SimFabric({ seed: 4, latencyMs: regions() });
  const all = addNodes(fabric, 60);
  const [europe, east] = ["europe", "na_east"].map((name) =>
    all.find(({ id }) => fabric.regionOf(id) === name)!
  );
  europe!.transport.connect(east!.id, east!.transport.addresses);
  await fabric.clock.run(2_000);
  assertEquals(europe!.transport.rtt(east!.id), 140);
  assertEquals(fabric.placeOf(europe!.id), REGIONS.indexOf("europe"));
});

Deno.test("latencies that are none are refused", () => {
  const wrong: Latency[] = [
    -1,
    Infinity,
    [5, 1],
    [-1, 1],
    { kind: "normal", meanMs: NaN, deviationMs: 1 },
    { kind: "matrix", ms: [] },
    { kind: "matrix", ms: [[1, 2]] },
    { kind: "matrix", ms: [[-1]] },
    { kind: "matrix", ms: [[1]], weights: [1, 2] },
    { kind: "matrix", ms: [[1]], weights: [0] },
  ];
  for (const latency of wrong) assertThrows(() => new LatencyModel(latency, 1), RangeError);
  const away = new LatencyModel({ kind: "matrix", ms: [[1]], place: () => 7 }, 1);
  assertThrows(() => away.between(nodes[0]!, nodes[1]!), RangeError);
  const negative = new LatencyModel(() => -5, 1);
  assertThrows(() => negative.between(nodes[0]!, nodes[1]!), RangeError);
});
