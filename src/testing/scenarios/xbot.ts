/**
 * X-BOT against the same overlay without it: cost of the links over five minutes, what the swaps leave alone, and delivery.
 *
 * @module
 */

import { regionLatency } from "../regions.ts";
import type { Latency } from "../sim_fabric.ts";
import type { Graph } from "./graph.ts";
import type { Lab } from "./lab.ts";
import { TREES } from "./paper/many_authors.ts";
import { giant } from "./paper/setting.ts";
import { survivors } from "./paper/oracle.ts";
import { twoClusterLatency } from "./places.ts";
import {
  mean,
  quantile,
  round,
  type Scenario,
  type ScenarioSettings,
  settled,
} from "./scenario.ts";

const SECONDS = 300;
const MESSAGES = 30;
/** Messages before those that are measured: trees follow the links by what messages show of them. */
const WARM = 300;
const SAMPLES = 100;
/** For the overlay to notice that half of it is gone, and to mend; and the messages after that. */
const REPAIR_MS = 60_000, LATER = 10;

/** What one overlay showed. */
interface Found {
  /** Mean round trip of a link, by second. */
  readonly cost: readonly (readonly [number, number])[];
  readonly costMs: number;
  readonly degrees: readonly number[];
  /** Looks, one a second, at which not everybody could reach everybody. */
  readonly divided: number;
  readonly swaps: number;
  /** Seconds in which swaps alone changed links, and those of them that made the sum of costs larger. */
  readonly swapSeconds: number;
  readonly rises: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly reliability: number;
  /** Of half of the nodes being gone: share of the rest in the largest component, without repair. */
  readonly halfLeft: number;
  /** Half of the nodes did crash: share of the rest that the first message reached, within a minute, and mean of the messages after it. */
  readonly firstAfter: number;
  readonly laterAfter: number;
}

/** Links with their costs, each once. */
class Links {
  readonly costs = new Map<string, number>();
  sum = 0;

  constructor(lab: Lab) {
    for (const { from, to, rttMs } of lab.links()) {
      this.costs.set(from + to, rttMs);
      this.sum += rttMs;
    }
  }

  /** How many of these links `other` lacks. */
  missingIn(other: Links): number {
    let count = 0;
    for (const key of this.costs.keys()) if (!other.costs.has(key)) count++;
    return count;
  }
}

function swapsOf(lab: Lab): number {
  return lab.living.reduce((sum, { core }) => sum + core.overlay.metrics().swapsDone, 0);
}

function halfLeft(graph: Graph, lab: Lab): number {
  const half = graph.size >> 1;
  return mean(Array.from({ length: SAMPLES }, () => {
    return graph.components(survivors(graph.size, half, lab.rng))[0]!.length / (graph.size - half);
  }));
}

async function measure(
  settings: ScenarioSettings,
  latencyMs: Latency,
  swapMs: number | undefined,
): Promise<Found> {
  const lab = await settled(settings, {
    preset: "wan",
    latencyMs,
    // As a real node has them: peers are measured over links that nothing else needs.
    idleMs: 30_000,
    limits: { addressBook: 8_192 },
    // Random authors: each takes the tree whose centre is nearest, on either overlay.
    tree: { trees: TREES },
    ...swapMs === undefined ? {} : { overlay: { swapMs } },
  });
  const name = swapMs === 0 ? "without X-BOT" : "with X-BOT";
  const cost: [number, number][] = [];
  let before = new Links(lab), swapped = swapsOf(lab);
  let divided = 0, swapSeconds = 0, rises = 0;
  const start = lab.now;
  for (let second = 0; second <= SECONDS; second++) {
    const links = new Links(lab), swaps = swapsOf(lab);
    const gone = before.missingIn(links), come = links.missingIn(before);
    if (swaps > swapped && gone === come && gone === 2 * (swaps - swapped)) {
      swapSeconds++;
      if (links.sum > before.sum + 1e-6) rises++;
    }
    before = links;
    swapped = swaps;
    cost.push([second, links.sum / links.costs.size]);
    if (lab.graph().components().length > 1) divided++;
    settings.show(`${name}: ${second} of ${SECONDS} s`);
    await lab.run(start + (second + 1) * 1_000 - lab.now);
  }
  const graph = lab.graph(), left = halfLeft(graph, lab);
  const ms: number[] = [], reliability: number[] = [];
  for (let i = 0; i < WARM + MESSAGES; i++) {
    const broadcast = await lab.broadcast(lab.someone(), { quietMs: i < WARM ? 1_000 : 3_000 });
    settings.show(`${name}: broadcast ${i + 1} of ${WARM + MESSAGES}`);
    if (i < WARM) continue;
    for (const receipt of broadcast.receipts) ms.push(receipt.ms);
    reliability.push(broadcast.delivered / broadcast.expected);
  }
  settings.show(`${name}: half of the nodes crash`);
  lab.kill(lab.pick(lab.living.length >> 1));
  const first = await lab.broadcast(giant(lab).sender, { mostMs: REPAIR_MS, quietMs: REPAIR_MS });
  const later: number[] = [];
  for (let i = 0; i < LATER; i++) {
    const { delivered, expected } = await lab.broadcast(lab.someone(), { quietMs: 3_000 });
    later.push(delivered / expected);
  }
  await lab.close();
  ms.sort((a, b) => a - b);
  return {
    cost,
    costMs: mean(cost.slice(-10).map(([, value]) => value)),
    degrees: graph.degrees(),
    divided,
    swaps: swapped,
    swapSeconds,
    rises,
    p50Ms: quantile(ms, 0.5),
    p99Ms: quantile(ms, 0.99),
    reliability: mean(reliability),
    halfLeft: left,
    firstAfter: first.delivered / first.expected,
    laterAfter: mean(later),
  };
}

/** Least saving of link cost that is claimed. */
const LEAST_SAVING = 0.6;
/** A share of the nodes less than plain HyParView's by more than this counts as harm. */
const HARM = 0.01;

function scenario(name: string, about: string, latency: () => Latency): Scenario {
  return {
    name,
    about,
    nodes: 1_000,
    async run(settings) {
      const plain = await measure(settings, latency(), 0);
      const swapped = await measure(settings, latency(), undefined);
      const saving = 1 - swapped.costMs / plain.costMs;
      const claims = {
        saving: saving >= LEAST_SAVING,
        connected: swapped.divided === 0,
        noRise: swapped.swapSeconds > 0 && swapped.rises === 0,
        degrees: Math.abs((swapped.degrees[5] ?? 0) - (plain.degrees[5] ?? 0)) <=
          // Swaps under way hold a slot free.
          settings.nodes / 50,
        faster: swapped.p50Ms < plain.p50Ms && swapped.p99Ms < plain.p99Ms,
        delivered: plain.reliability === 1 && swapped.reliability === 1,
        sturdy: swapped.halfLeft >= plain.halfLeft - HARM &&
          swapped.firstAfter >= plain.firstAfter - HARM &&
          swapped.laterAfter >= plain.laterAfter - HARM,
      };
      const row = (what: string, value: (found: Found) => number | string) => //
      [what, value(plain), value(swapped)];
      const figure = ({ cost: _, ...found }: Found) => found;
      return {
        figures: { saving: round(saving), plain: figure(plain), xbot: figure(swapped) },
        table: [
          ["", "without", "with X-BOT"],
          row("mean link cost after 5 min, ms", ({ costMs }) => round(costMs, 1)),
          row("nodes by degree", ({ degrees }) => degrees.join(" ")),
          row("seconds with a divided overlay", ({ divided }) => divided),
          row("swaps", ({ swaps }) => swaps),
          row("seconds of swaps alone", ({ swapSeconds }) => swapSeconds),
          row("of them with a rise of the sum of costs", ({ rises }) => rises),
          row("delivery p50, ms", ({ p50Ms }) => round(p50Ms, 0)),
          row("delivery p99, ms", ({ p99Ms }) => round(p99Ms, 0)),
          row("reliability", ({ reliability }) => round(reliability, 5)),
          row("largest part when half is gone", (found) => round(found.halfLeft, 4)),
          row(
            "half crashes: reliability of the first message",
            (found) => round(found.firstAfter, 4),
          ),
          row("mean of 10 messages a minute later", (found) => round(found.laterAfter, 4)),
          ["saving", "", `${round(100 * saving, 1)} %`],
        ],
        chart: {
          title: `Mean round trip of a link, ${settings.nodes} nodes`,
          x: "seconds",
          y: "ms",
          series: [
            { name: "HyParView", points: plain.cost },
            { name: "X-BOT", points: swapped.cost },
          ],
        },
        claims,
      };
    },
  };
}

/** Nodes in the regions of the world. */
export const xbotRegions: Scenario = scenario(
  "xbot-regions",
  "X-BOT in eight regions of the world: link cost, degrees, connectedness, delivery, robustness",
  () => regionLatency(),
);

/** Two clusters. */
export const twoClusters: Scenario = scenario(
  "two-clusters",
  "X-BOT with two clusters, 5 ms of round trip inside and 150 ms between",
  () => twoClusterLatency(2.5, 75),
);
