/**
 * What networks do to a topic: a cut, distance, a slow node.
 *
 * @module
 */

import type { Broadcast } from "./lab.ts";
import { regionLatency, regionOf, REGIONS } from "../regions.ts";
import { mean, quantile, round, type Scenario, settled } from "./scenario.ts";

const CUT_SECONDS = 60;
const MOST_SECONDS = 180;

/** The network falls into two halves and heals. */
export const partition: Scenario = {
  name: "partition",
  about: "two halves without a way between them for a minute, then healed: when they are one again",
  nodes: 200,
  async run(settings) {
    // What was published in the cut has to be there still when it heals.
    const lab = await settled(settings, {
      overlay: { probeMs: 10_000 },
      tree: { retainSeconds: 300 },
    });
    const half = lab.nodes.slice(0, settings.nodes >> 1), rest = lab.nodes.slice(half.length);
    lab.fabric.partition([half.map(({ id }) => id)]);
    const parts: [number, number][] = [];
    const from = lab.now;
    const look = () => {
      parts.push([round((lab.now - from) / 1_000, 1), lab.graph().components().length]);
    };
    const inside: number[] = [];
    for (let i = 0; i < CUT_SECONDS / 5; i++) {
      await lab.run(4_500);
      const side = i % 2 === 0 ? half : rest;
      const { delivered } = await lab.broadcast(side[0]!, { mostMs: 500, quietMs: 500 });
      if (i >= 4) inside.push(delivered / (side.length - 1));
      look();
      settings.show(`cut: ${i * 5} s`);
    }
    lab.fabric.heal();
    const healedAt = lab.now, published = CUT_SECONDS / 5;
    let one = Infinity, all = Infinity;
    while (all === Infinity && lab.now < healedAt + MOST_SECONDS * 1_000) {
      await lab.run(1_000);
      look();
      const secs = (lab.now - healedAt) / 1_000;
      if (one === Infinity && lab.graph().components().length === 1) one = secs;
      const has = (node: typeof half[number]) => {
        const { delivered, published: own } = node.core.tree.metrics();
        return delivered + own === published;
      };
      if (lab.nodes.every(has)) all = secs;
      settings.show(`healed: ${Math.round(secs)} s`);
    }
    await lab.close();
    const figures = {
      reliabilityInside: round(mean(inside), 4),
      oneOverlayAfterSecs: one,
      everythingEverywhereAfterSecs: all,
    };
    return {
      figures,
      table: [
        ["", ""],
        ["reliability inside the halves", figures.reliabilityInside],
        ["one overlay again after, s", one],
        ["everything everywhere after, s", all],
      ],
      chart: {
        title: `${settings.nodes} nodes, cut in two for ${CUT_SECONDS} s`,
        x: "seconds after the cut",
        y: "components of the overlay",
        series: [{ name: "components", points: parts }],
      },
      claims: {
        "everything arrives inside the halves": figures.reliabilityInside === 1,
        [`everything everywhere within ${MOST_SECONDS} s`]: all < MOST_SECONDS,
      },
    };
  },
};

const MESSAGES = 40;

/** Nodes in eight regions of the world. */
export const regions: Scenario = {
  name: "regions",
  about:
    "nodes in eight regions of the world, preset wan: delivery times by region of the receiver",
  nodes: 1_000,
  async run(settings) {
    const lab = await settled(settings, { preset: "wan", latencyMs: regionLatency() });
    for (let i = 0; i < 10; i++) await lab.broadcast(lab.someone(), { quietMs: 3_000 });
    const byRegion = REGIONS.map((): number[] => []);
    const all: Broadcast[] = [];
    for (let i = 0; i < MESSAGES; i++) {
      const broadcast = await lab.broadcast(lab.someone(), { quietMs: 3_000 });
      broadcast.receipts.forEach(({ node, ms }) =>
        byRegion[REGIONS.indexOf(regionOf(node))]!.push(ms)
      );
      all.push(broadcast);
      settings.show(`broadcast ${i + 1} of ${MESSAGES}`);
    }
    const cost = lab.links().map(({ rttMs }) => rttMs);
    await lab.close();
    for (const list of byRegion) list.sort((a, b) => a - b);
    const sorted = byRegion.flat().sort((a, b) => a - b);
    const p50 = byRegion.map((list) => round(quantile(list, 0.5), 0));
    const p99 = byRegion.map((list) => round(quantile(list, 0.99), 0));
    // Few nodes may leave a region empty.
    const shown = REGIONS.map((_, i) => i).filter((i) => byRegion[i]!.length > 0);
    const reliability = mean(all.map(({ delivered, expected }) => delivered / expected));
    return {
      figures: {
        p50Ms: round(quantile(sorted, 0.5), 1),
        p99Ms: round(quantile(sorted, 0.99), 1),
        meanLinkRttMs: round(mean(cost), 1),
        reliability: round(reliability, 5),
        rmr: round(mean(all.map(({ rmr }) => rmr)), 4),
        regions: Object.fromEntries(shown.map((i) => [REGIONS[i], [p50[i], p99[i]]])),
      },
      table: [
        ["region", "deliveries", "p50 ms", "p99 ms"],
        ...shown.map((i) => [REGIONS[i]!, byRegion[i]!.length, p50[i]!, p99[i]!]),
      ],
      chart: {
        title: `Delivery times among ${settings.nodes} nodes in eight regions`,
        x: "region of the receiver",
        y: "ms",
        kind: "bar",
        series: [
          { name: "p50", points: shown.map((i) => [REGIONS[i]!, p50[i]!]) },
          { name: "p99", points: shown.map((i) => [REGIONS[i]!, p99[i]!]) },
        ],
      },
      claims: { "everything arrives": reliability === 1 },
    };
  },
};

const SLOW_MS = 1_000;

/** The busiest relay becomes slow. */
export const slowNode: Scenario = {
  name: "slow-node",
  about: "the nodes that relay most become 1 s slow: how the tree grows around them",
  nodes: 300,
  async run(settings) {
    const lab = await settled(settings);
    const series: [number, number][] = [];
    const p99 = async (from: number, count: number) => {
      const values: number[] = [];
      for (let i = 0; i < count; i++) {
        const broadcast = await lab.broadcast(lab.nodes[0]!, { quietMs: 2_500 });
        const fast = broadcast.receipts.filter(({ node }) => !slow.has(node)).map(({ ms }) => ms);
        values.push(quantile(fast.sort((a, b) => a - b), 0.99));
        series.push([from + i, values.at(-1)!]);
        settings.show(`broadcast ${from + i}`);
      }
      return values;
    };
    const slow = new Set<string>();
    const before = await p99(0, 15);
    const busy = lab.nodes.slice(1).sort((a, b) =>
      b.core.tree.eagerPeers.length - a.core.tree.eagerPeers.length
    ).slice(0, Math.max(1, Math.round(settings.nodes / 50)));
    for (const { id } of busy) {
      slow.add(id);
      lab.fabric.slow(id, SLOW_MS);
    }
    const after = await p99(15, 60);
    await lab.close();
    const figures = {
      slowNodes: slow.size,
      beforeP99Ms: round(mean(before.slice(-5)), 1),
      atFirstP99Ms: round(after[0]!, 1),
      laterP99Ms: round(mean(after.slice(-10)), 1),
    };
    return {
      figures,
      table: [
        ["p99 of the others' deliveries, ms", ""],
        ["before", figures.beforeP99Ms],
        [`the first message with ${slow.size} slow nodes`, figures.atFirstP99Ms],
        ["the last ten of sixty", figures.laterP99Ms],
      ],
      chart: {
        title:
          `${slow.size} busy relays of ${settings.nodes} nodes become ${SLOW_MS} ms slow at 15`,
        x: "broadcast",
        y: "ms until 99 % of the other nodes have it",
        series: [{ name: "p99", points: series }],
      },
      // As much as a way around needs, and not the slowness itself.
      claims: { [`later p99 below ${SLOW_MS} ms`]: figures.laterP99Ms < SLOW_MS },
    };
  },
};
