import { assertLess } from "@std/assert";
import { treeDefaults } from "../../../src/options.ts";
import { DEFAULT_LIMITS } from "../../../src/limits.ts";
import { Plumtree } from "../../../src/core/tree/plumtree.ts";
import type { TreePort } from "../../../src/core/tree/port.ts";

Deno.test("a quiet topic costs about 2 KB", () => {
  const port: TreePort = {
    self: "0".repeat(64),
    alias: 1,
    key: new Uint8Array(32),
    now: () => 0,
    random: () => 0.5,
    after: () => 1,
    cancel: () => {},
    send: () => true,
    rtt: () => undefined,
    sha256: () => {},
    sign: () => new Uint8Array(64),
    verify: () => true,
    validate: () => "accept",
    deliver: () => {},
    missed: () => {},
    rejected: () => {},
    misbehaved: () => {},
  };
  const options = { ...treeDefaults("lan"), sign: true, history: "none", incarnation: 1 } as const;
  const count = 20_000, trees: Plumtree[] = [];
  const used = () => {
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const make = (n: number) => {
    for (let i = 0; i < n; i++) trees.push(new Plumtree(port, options, DEFAULT_LIMITS));
  };
  make(1_000);
  const before = used();
  make(count);
  // Without a forced collection garbage counts too: an upper bound.
  assertLess((used() - before) / count, 3_072);
  for (const tree of trees) tree.close();
});
