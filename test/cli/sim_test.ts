import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { plumtree } from "../../src/cli/mod.ts";
import { paperRows } from "../../src/cli/paper_rows.ts";
import { paperCharts } from "../../src/cli/paper_plots.ts";
import { scenarioOf } from "../../src/cli/sim.ts";
import {
  measurePaper,
  paperMarkdown,
  paperTable,
  replaceTable,
  simPaper,
} from "../../src/cli/sim_paper.ts";
import { drawChart } from "../../src/cli/svg.ts";
import { Rng } from "../../src/testing/rng.ts";
import { SCENARIOS } from "../../src/testing/scenarios/mod.ts";
import { ideal } from "../../src/testing/scenarios/paper/oracle.ts";

/** Calls a command and gives what it printed. */
async function printed(call: () => Promise<boolean>): Promise<{ ok: boolean; lines: string[] }> {
  const { log } = console, lines: string[] = [];
  console.log = (line: string) => void lines.push(...line.split("\n"));
  try {
    return { ok: await call(), lines };
  } finally {
    console.log = log;
  }
}

Deno.test("a scenario prints its table, one JSON object last, and draws its plot", async () => {
  const file = await Deno.makeTempFile({ suffix: ".svg" });
  const args = ["--scenario", "join", "--nodes", "60", "--seed", "3", "--json", "--svg", file];
  const { ok, lines } = await printed(() => plumtree(["sim", ...args]));
  const { scenario, nodes, seed, secs, ...figures } = JSON.parse(lines.at(-1)!);
  assertEquals([ok, scenario, nodes, seed], [true, "join", 60, 3]);
  assert(typeof secs === "number" && figures.connected === true && figures.degrees.length === 6);
  assert(lines.some((line) => line.includes("mean degree")));
  const svg = await Deno.readTextFile(file);
  await Deno.remove(file);
  assertStringIncludes(svg, "deno task sim --scenario join --nodes 60 --seed 3");
});

for (const [name, nodes] of [["broadcast", 100], ["many-senders", 60]] as const) {
  Deno.test(`what the scenario ${name} claims holds for ${nodes} nodes`, async () => {
    const { claims } = await scenarioOf(name).run({ nodes, seed: 1, show: () => {} });
    assert(Object.values(claims).every(Boolean), JSON.stringify(claims));
  });
}

Deno.test("a scenario with the same seed finds the same", async () => {
  const run = () => scenarioOf("broadcast").run({ nodes: 40, seed: 5, show: () => {} });
  assertEquals((await run()).figures, (await run()).figures);
});

Deno.test("names of scenarios are unlike, and an unknown one is answered with all of them", () => {
  const names = SCENARIOS.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  const error = assertThrows(() => scenarioOf("flood"), RangeError, "no scenario is called flood");
  for (const name of names) assertStringIncludes(error.message, name);
  assertThrows(() => scenarioOf(""), RangeError, "--scenario NAME is missing");
});

for (
  const [args, message] of [
    [["sim", "--scenario", "join", "--nodes", "2"], "--nodes"],
    [["sim", "--scenario", "join", "--nodes", "many"], "--nodes"],
    [["sim", "--scenario", "join", "--nodes", "1e9"], "from 20 to 200000"],
    [["sim", "--speed", "9"], "speed"],
    [["sim:paper", "--nodes", "10"], "--nodes"],
    [["walk"], "no command is called walk"],
    [[], "a command is missing"],
  ] as const
) {
  Deno.test(`plumtree ${args.join(" ")} says what is wrong`, async () => {
    let error: unknown;
    await plumtree(args).catch((caught) => error = caught);
    assert(error instanceof TypeError || error instanceof RangeError);
    assertStringIncludes(error.message, message);
  });
}

Deno.test("the papers' figures in miniature are within their tolerances", async () => {
  const nodes = 200, seed = 2;
  const { found } = await measurePaper({
    nodes,
    seed,
    cycles: 6,
    failureCycles: 3,
    failureMessages: 10,
    messages: 10,
    failingCycles: 2,
    youngCycles: 12,
    failures: [[0.4]],
  }, 0);
  const rows = paperRows(found, ideal(nodes, [40], new Rng(seed)));
  // How random senders and stragglers fare among so few nodes is left to chance.
  const exact = rows.filter(({ figure }) => /HyParView|table 1|stabilised first/.test(figure));
  assert(exact.length >= 12, String(exact.length));
  assertEquals(exact.filter(({ ok }) => !ok), []);
  const broken = rows.filter(({ case: what, ours }) => /^reliability/.test(what) && ours !== 1);
  assertEquals(broken.filter(({ figure }) => !/first message/.test(figure)), []);
  assertStringIncludes(paperTable(rows), "average shortest path");
  for (const chart of paperCharts(found, nodes).values()) {
    assert(!drawChart(chart).includes("NaN"));
  }
});

Deno.test("the table of a document is replaced and nothing else", () => {
  const rows = [
    { figure: "f", case: "c", paper: 1, ours: 0.5, tolerance: "at most 1", ok: true, samples: 3 },
  ];
  const begin = "# A\n\n<!-- table: deno task sim:paper -->\nold\n<!-- end of the table -->\n\nb\n";
  const once = replaceTable(begin, paperMarkdown(rows, "1 of 1"));
  assertStringIncludes(once, "| f | c | 1 | 0.5 |  | 3 | at most 1 | ok |");
  assert(once.startsWith("# A\n\n<!--") && once.endsWith("-->\n\nb\n") && !once.includes("old"));
  assertEquals(replaceTable(once, paperMarkdown(rows, "1 of 1")), once);
  assertThrows(() => replaceTable("# A", ""), RangeError, "no line");
});

Deno.test("sim:paper wants a document with a table before it begins", async () => {
  const file = await Deno.makeTempFile();
  let error: unknown;
  await simPaper(["--nodes", "300", "--doc", file]).catch((caught) => error = caught);
  await Deno.remove(file);
  assert(error instanceof RangeError);
});
