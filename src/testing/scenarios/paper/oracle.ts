/**
 * What the theory of random graphs says: HyParView's overlay, once stable, is a random regular graph of degree 5.
 *
 * @module
 */

import type { Rng } from "../../rng.ts";
import { Graph } from "../graph.ts";

/**
 * Share of the survivors in the giant component after a share `failed` of the nodes of an infinite random 5-regular graph is gone (site
 * percolation); 0 at and beyond 75 %.
 */
export function giantShare(failed: number): number {
  const p = 1 - failed;
  let u = 0;
  for (let i = 0; i < 100_000; i++) {
    const next = 1 - p + p * u ** 4;
    if (Math.abs(next - u) < 1e-12) break;
    u = next;
  }
  const share = 1 - u ** 5;
  return share < 1e-3 ? 0 : share;
}

/** A random regular graph by the configuration model; loops and double links are swapped away. */
export function randomRegular(nodes: number, degree: number, rng: Rng): Graph {
  const ends = Array.from({ length: nodes * degree }, (_, i) => Math.floor(i / degree));
  for (let i = ends.length - 1; i > 0; i--) {
    const j = rng.int(i + 1);
    [ends[i], ends[j]] = [ends[j]!, ends[i]!];
  }
  const sets = Array.from({ length: nodes }, () => new Map<number, number>());
  const count = (a: number, b: number, by: number) => {
    sets[a]!.set(b, (sets[a]!.get(b) ?? 0) + by);
    sets[b]!.set(a, (sets[b]!.get(a) ?? 0) + by);
  };
  for (let i = 0; i < ends.length; i += 2) count(ends[i]!, ends[i + 1]!, 1);
  const bad = (i: number) =>
    ends[i] === ends[i + 1] || (sets[ends[i]!]!.get(ends[i + 1]!) ?? 0) > 1;
  for (let i = 0; i < ends.length; i += 2) {
    while (bad(i)) {
      const j = 2 * rng.int(ends.length / 2);
      if (j === i) continue;
      count(ends[i]!, ends[i + 1]!, -1);
      count(ends[j]!, ends[j + 1]!, -1);
      [ends[i + 1], ends[j + 1]] = [ends[j + 1]!, ends[i + 1]!];
      count(ends[i]!, ends[i + 1]!, 1);
      count(ends[j]!, ends[j + 1]!, 1);
      if (j < i && bad(j)) i = j;
    }
  }
  return new Graph(sets.map((set, i) => ({
    id: String(i),
    links: [...set].filter(([to, links]) => links > 0 && to !== i).map(([to]) => String(to)),
  })));
}

/** Figures of the ideal overlay of a size. */
export interface Ideal {
  readonly path: number;
  readonly clustering: number;
  /** Mean share of the survivors in the largest component, by share of failed nodes in percent. */
  readonly giant: ReadonlyMap<number, number>;
}

/** Random choices of the failed. */
const SAMPLES = 100;

/** Measures a random 5-regular graph. */
export function ideal(nodes: number, failed: readonly number[], rng: Rng): Ideal {
  const graph = randomRegular(nodes, 5, rng);
  const sources = Array.from({ length: Math.min(100, nodes) }, () => rng.int(nodes));
  const giant = new Map<number, number>();
  for (const percent of failed) {
    let sum = 0;
    for (let i = 0; i < SAMPLES; i++) {
      const alive = survivors(nodes, Math.round(nodes * percent / 100), rng);
      sum += graph.components(alive)[0]!.length / (nodes - Math.round(nodes * percent / 100));
    }
    giant.set(percent, sum / SAMPLES);
  }
  return { path: graph.paths(sources).mean, clustering: graph.clustering(), giant };
}

/** Ones for the nodes that live on when a random `killed` of them are gone. */
export function survivors(nodes: number, killed: number, rng: Rng): Uint8Array {
  const alive = new Uint8Array(nodes).fill(1);
  for (let left = killed; left > 0;) {
    const at = rng.int(nodes);
    if (alive[at] === 0) continue;
    alive[at] = 0;
    left--;
  }
  return alive;
}
