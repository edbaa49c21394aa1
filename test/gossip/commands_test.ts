import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** Runs a command of the repository; its exit status and its lines. */
async function run(
  script: string,
  ...args: string[]
): Promise<{ code: number; lines: string[]; error: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 90_000);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return {
    code,
    lines: decoder.decode(stdout).trimEnd().split("\n"),
    error: decoder.decode(stderr),
  };
}

const report = (lines: readonly string[]) => JSON.parse(lines.at(-1)!) as Record<string, number>;

/** Asserts that all fields are there and are numbers. */
function assertNumbers(found: Record<string, unknown>, fields: readonly string[]): void {
  for (const field of fields) {
    assert(typeof found[field] === "number" && Number.isFinite(found[field]), field);
  }
}

const DEMO_FIELDS = [
  ...["nodes", "shards", "published", "expected", "delivered", "missing", "corrupted"],
  ...["duplicatesPerDelivery", "p50Ms", "p99Ms", "secs"],
];

for (const [how, flags] of [["one process", []], ["a process each", ["--processes"]]] as const) {
  Deno.test(`the demo in miniature delivers everything, its nodes in ${how}`, async () => {
    const { code, lines, error } = await run(
      "src/cli/demo.ts",
      ...["--nodes", "6", "--shards", "2", "--messages", "30", "--json", ...flags],
    );
    assertEquals([code, error], [0, ""]);
    const found = report(lines);
    assertNumbers(found, DEMO_FIELDS);
    const { nodes, shards, published, missing, corrupted, expected, delivered, ok } = found;
    assertEquals({ nodes, shards, published }, { nodes: 6, shards: 2, published: 30 });
    assertEquals({ missing, corrupted, ok }, { missing: 0, corrupted: 0, ok: true as never });
    assertGreaterOrEqual(delivered!, expected!);
    assertGreater(expected!, 30);
    assert(lines.length >= 5, "a report for people comes first");
  });
}

Deno.test("the demo loses nothing where most of its nodes are killed", async () => {
  const { code, lines, error } = await run(
    "src/cli/demo.ts",
    ...["--nodes", "6", "--shards", "2", "--messages", "60", "--kill", "0.6", "--json"],
  );
  assertEquals([code, error], [0, ""]);
  assertEquals(report(lines).missing, 0);
});

Deno.test("the demo refuses options that are none with a line and another exit status", async () => {
  for (const args of [["--nodes", "x"], ["--nodes", "3", "--shards", "2"], ["--what", "1"]]) {
    const { code, error } = await run("src/cli/demo.ts", ...args);
    assertEquals([code, error.trimEnd().split("\n").length], [2, 1], args.join(" "));
  }
});

Deno.test("bench:cluster in miniature delivers everything and reports every field", async () => {
  const { code, lines, error } = await run(
    "bench/cluster.ts",
    ...["--nodes", "4", "--count", "50", "--json"],
  );
  assertEquals([code, error], [0, ""]);
  const found = report(lines);
  assertNumbers(found, [
    ...["nodes", "size", "count", "delivered", "expected", "secs", "deliveriesPerSec", "mbPerSec"],
    ...["p50Ms", "p99Ms", "maxMs", "cpuUsPerDelivery", "duplicatesPerDelivery"],
    ...["wireBytesPerDelivery", "rssMb"],
  ]);
  assertEquals([found.nodes, found.size, found.count], [4, 1_024, 50]);
  assertEquals([found.delivered, found.expected], [150, 150]);
});

Deno.test("bench:cluster in miniature runs paced, signed, with several senders", async () => {
  const { code, lines, error } = await run(
    "bench/cluster.ts",
    ...["--nodes", "3", "--count", "20", "--senders", "3", "--sign", "1", "--mode", "paced"],
    ...["--rate", "100", "--size", "100", "--json"],
  );
  assertEquals([code, error], [0, ""]);
  assertEquals([report(lines).delivered, report(lines).expected], [40, 40]);
});
