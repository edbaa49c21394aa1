/**
 * Where nodes are: the eight regions of libp2p's test plans (gossipsub-interop) with their one-way delays in ms and shares of the nodes, and
 * two clusters.
 *
 * @module
 */

import type { PeerId } from "../../core/host.ts";
import type { Latency } from "../sim_fabric.ts";
import { hashText, Rng } from "../rng.ts";

/** The regions, in the order of the matrix. */
export const REGIONS: readonly string[] = [
  ...["australia", "east_asia", "europe", "na_west"],
  ...["na_east", "south_america", "south_africa", "west_asia"],
];
const WEIGHTS = [290, 1_059, 5_599, 1_240, 2_894, 36, 47, 161];
const DELAYS = [
  [2, 110, 165, 110, 150, 190, 220, 180],
  [110, 4, 125, 100, 140, 175, 175, 110],
  [165, 125, 2, 110, 70, 140, 95, 60],
  [110, 100, 110, 2, 60, 100, 160, 150],
  [150, 140, 70, 60, 2, 100, 130, 110],
  [190, 175, 140, 100, 100, 7, 195, 145],
  [220, 175, 95, 160, 130, 190, 7, 110],
  [180, 110, 60, 150, 110, 145, 110, 5],
];

/** Places of nodes by their ids, and the delays between them. */
export interface Places {
  /** The number of a node's place. */
  of(id: PeerId): number;
  readonly latencyMs: Latency;
}

/** Every id drawn into a region, as the weights have it. */
export function regions(seed: number): Places {
  const places = new Map<PeerId, number>();
  const total = WEIGHTS.reduce((sum, weight) => sum + weight, 0);
  const of = (id: PeerId) => {
    const known = places.get(id);
    if (known !== undefined) return known;
    let at = new Rng(seed ^ hashText(id)).next() * total, place = 0;
    while ((at -= WEIGHTS[place]!) >= 0 && place < WEIGHTS.length - 1) place++;
    places.set(id, place);
    return place;
  };
  return { of, latencyMs: (from, to) => DELAYS[of(from)]![of(to)]! };
}

/** Two halves, near inside and far between. */
export function twoClusters(insideMs: number, betweenMs: number): Places {
  const of = (id: PeerId) => hashText(id) & 1;
  return { of, latencyMs: (from, to) => of(from) === of(to) ? insideMs : betweenMs };
}
