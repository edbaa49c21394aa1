/**
 * Where the nodes of a world-wide network are and how far apart: the eight regions of libp2p's gossipsub-interop test plans, with
 * one-way delays in ms and the number of nodes in each.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import type { MatrixLatency } from "./latency.ts";

/** Nodes per region, of 11,326. */
export const REGION_WEIGHTS = {
  australia: 290,
  europe: 5599,
  east_asia: 1059,
  west_asia: 161,
  na_east: 2894,
  na_west: 1240,
  south_africa: 47,
  south_america: 36,
} as const;

/** One of the regions. */
export type Region = keyof typeof REGION_WEIGHTS;

/** The regions, in the order of the table. */
export const REGIONS = Object.keys(REGION_WEIGHTS) as readonly Region[];

/** One-way latency in ms from each region to each; between the southern two it differs by direction, as in the source. */
const LATENCY_MS: Readonly<Record<Region, readonly number[]>> = {
  australia: [2, 165, 110, 180, 150, 110, 220, 190],
  europe: [165, 2, 125, 60, 70, 110, 95, 140],
  east_asia: [110, 125, 4, 110, 140, 100, 175, 175],
  west_asia: [180, 60, 110, 5, 110, 150, 110, 145],
  na_east: [150, 70, 140, 110, 2, 60, 130, 100],
  na_west: [110, 110, 100, 150, 60, 2, 160, 100],
  south_africa: [220, 95, 175, 110, 130, 160, 7, 190],
  south_america: [190, 140, 175, 145, 100, 100, 195, 7],
};

const TOTAL = REGIONS.reduce((sum, region) => sum + REGION_WEIGHTS[region], 0);

/**
 * Eight regions of the world with their delays: nodes are put into them by seeded chance, as many as the weights say. `Network.region`
 * tells where one is.
 *
 * @example
 * ```ts
 * import { Network, regions } from "@x/plumtree/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using net = new Network({ seed: 1, latencyMs: regions() });
 * const nodes = await net.spawn(100, { join: ["news"], directory: false });
 * const here = nodes.filter((node) => net.region(node) === "europe");
 * assert(here.length > 35 && here.length < 65);
 * assertEquals(regions().ms[1]![4], 70);
 * ```
 */
export function regions(): MatrixLatency {
  return {
    kind: "matrix",
    ms: REGIONS.map((region) => LATENCY_MS[region]),
    weights: REGIONS.map((region) => REGION_WEIGHTS[region]),
    names: REGIONS,
  };
}

/** The region of a node, drawn by weight from its id. */
export function regionOf(id: PeerId): Region {
  let share = parseInt(id.slice(0, 8), 16) / 2 ** 32 * TOTAL;
  for (const region of REGIONS) if ((share -= REGION_WEIGHTS[region]) < 0) return region;
  return REGIONS[0]!;
}

/** The delays of {@linkcode regions} as a function, each node in the region of {@linkcode regionOf}, whatever the seed. */
export function regionLatency(): (from: PeerId, to: PeerId) => number {
  const places = new Map<PeerId, number>();
  const place = (id: PeerId): number => {
    let known = places.get(id);
    if (known === undefined) places.set(id, known = REGIONS.indexOf(regionOf(id)));
    return known;
  };
  return (from, to) => LATENCY_MS[REGIONS[place(from)]!][place(to)]!;
}
