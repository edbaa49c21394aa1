import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Rng } from "../../src/testing/rng.ts";
import { Graph } from "../../src/testing/scenarios/graph.ts";
import { Lab } from "../../src/testing/scenarios/lab.ts";
import {
  giantShare,
  ideal,
  randomRegular,
  survivors,
} from "../../src/testing/scenarios/paper/oracle.ts";

const ring = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: String(i),
    links: [String((i + 1) % count), String((i + count - 1) % count)],
  }));

Deno.test("the figures of a ring are those of a ring", () => {
  const graph = new Graph(ring(8));
  assertEquals([graph.edges, graph.degrees(), graph.clustering()], [8, [0, 0, 8], 0]);
  assertEquals([...graph.distances(0)], [0, 1, 2, 3, 4, 3, 2, 1]);
  assertEquals(graph.paths([0]), { mean: 16 / 7, most: 4 });
  assertEquals(graph.components().length, 1);
  const cut = graph.components(Uint8Array.from([0, 1, 1, 1, 0, 1, 1, 0]));
  assertEquals(cut.map((part) => part.toSorted()), [[1, 2, 3], [5, 6]]);
});

Deno.test("a complete graph is all clusters, and half links are no edges", () => {
  const ids = ["a", "b", "c", "d"];
  const complete = ids.map((id) => ({ id, links: ids.filter((other) => other !== id) }));
  assertEquals(new Graph(complete).clustering(), 1);
  const half = new Graph([{ id: "a", links: ["b", "gone"] }, { id: "b", links: [] }]);
  assertEquals([half.edges, half.oneSided, half.distances(0)[1]], [0, 1, -1]);
});

Deno.test("the giant component's share is what percolation on 5-regular graphs says", () => {
  for (const [failed, share] of [[0.1, 1], [0.4, 0.9872], [0.6, 0.842], [0.7, 0.4738]] as const) {
    assertAlmostEquals(giantShare(failed), share, 5e-4);
  }
  assertEquals(giantShare(0.8), 0);
});

Deno.test("a random regular graph is regular, and its giant component agrees with the theory", () => {
  const rng = new Rng("regular"), graph = randomRegular(2_000, 5, rng);
  assertEquals(graph.degrees(), [0, 0, 0, 0, 0, 2_000]);
  assertEquals(graph.edges, 5_000);
  const { giant, clustering } = ideal(2_000, [50], rng);
  assertAlmostEquals(giant.get(50)!, giantShare(0.5), 0.01);
  assert(clustering < 0.01);
  assertEquals(survivors(50, 20, rng).reduce((sum, one) => sum + one, 0), 30);
});

Deno.test("a laboratory's broadcast counts every delivery, payload and hop", async () => {
  const lab = new Lab({ seed: 4, latencyMs: 10 });
  await lab.joinThroughAnybody(60, 20);
  await lab.run(20_000);
  const graph = lab.graph();
  const first = await lab.broadcast(lab.nodes[7]!);
  assertEquals([first.delivered, first.expected], [59, 59]);
  assertEquals(first.payloads, 2 * graph.edges - 59);
  assertEquals(first.hops.length, 59);
  assertEquals(first.hops[0], 1);
  assertEquals(first.ldh, graph.paths([7]).most);
  assertEquals(first.ms.at(-1), 10 * first.ldh);
  const second = await lab.broadcast(lab.nodes[7]!);
  assertEquals([second.payloads, second.rmr], [59, 0]);
  lab.kill(lab.pick(10));
  assertEquals([lab.living.length, lab.graph().size], [50, 50]);
  const stream = await lab.stream(5, 10);
  assertEquals(stream.messages, 5);
  assert(stream.reliability > 0.5 && stream.reliability <= 1);
  await lab.close();
});

Deno.test("survivors that lost every neighbour come back through addresses that were good before", async () => {
  const far = 2 ** 31 - 1;
  const lab = new Lab({
    // Of few addresses all may be gone: then nothing brings a node back but others that know it.
    seed: 3,
    latencyMs: 10,
    detectMs: 2_000,
    dialTimeoutMs: 50,
    overlay: { probeMs: far, shuffleMs: 5_000, passiveSize: 4, swapMs: 0 },
  });
  await lab.joinThroughAnybody(200, 50);
  await lab.run(60_000);
  lab.kill(lab.pick(170));
  await lab.run(60_000);
  const degrees = lab.graph().degrees();
  assertEquals(degrees[0] ?? 0, 0, String(degrees));
  await lab.close();
});

Deno.test("peers in reserve can be dialled though the address book has dropped them for others", async () => {
  const far = 2 ** 31 - 1;
  const lab = new Lab({
    seed: 1,
    latencyMs: 10,
    detectMs: 2_000,
    dialTimeoutMs: 50,
    limits: { addressBook: 4 },
    overlay: { probeMs: far, shuffleMs: far, swapMs: 0 },
  });
  await lab.joinThroughAnybody(100, 50);
  await lab.run(10_000);
  lab.kill(lab.pick(70));
  await lab.run(60_000);
  assertEquals(lab.graph().components().length, 1);
  await lab.close();
});
