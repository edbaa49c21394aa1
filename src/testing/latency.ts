/**
 * How far apart simulated nodes are, as data.
 *
 * Every draw is integer arithmetic and sums: the functions of `Math` that engines may round differently (log, sin, pow) are not used, so
 * that one seed gives the same delays on every machine.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { mix32, type Rng } from "./rng.ts";

/**
 * Each pair of nodes gets a delay of its own from a normal distribution, the same both ways. Drawn as the sum of twelve uniform
 * numbers: nothing lies further than six deviations from the mean.
 *
 * @example
 * ```ts
 * import { Network, type NormalLatency } from "@x/plumtree/testing";
 * import { assert } from "@std/assert";
 *
 * const latencyMs: NormalLatency = { kind: "normal", meanMs: 50, deviationMs: 10, minMs: 5 };
 * await using net = new Network({ seed: 1, latencyMs });
 * const [a, b] = await net.spawn(2);
 * assert(net.latency(a!, b!) >= 5 && net.latency(a!, b!) <= 110);
 * ```
 */
export interface NormalLatency {
  readonly kind: "normal";
  /** The mean over all pairs. */
  readonly meanMs: number;
  /** The standard deviation. */
  readonly deviationMs: number;
  /** What is drawn below it becomes it. Default 0. */
  readonly minMs?: number;
}

/**
 * A row of a {@linkcode MatrixLatency}.
 *
 * @example
 * ```ts
 * import { type Place, regions } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const [first]: readonly Place[] = regions().places!;
 * assertEquals(first, { name: "australia", weight: 290 });
 * ```
 */
export interface Place {
  /** How a node's `place` names it. */
  readonly name: string;
  /** Nodes that say nothing else are here with a probability of this by the sum of all. Default 1. */
  readonly weight?: number;
}

/**
 * Nodes are at places, and a table says how far each place is from each. Where a node is, is drawn by weight from the seed and its id, or
 * said when it is spawned.
 *
 * @example
 * ```ts
 * import { type MatrixLatency, Network } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const latencyMs: MatrixLatency = {
 *   kind: "matrix",
 *   ms: [[1, 70], [75, 2]],
 *   places: [{ name: "here" }, { name: "there", weight: 3 }],
 * };
 * await using net = new Network({ seed: 1, latencyMs });
 * const [a] = await net.spawn(1, { place: "here" });
 * const [b] = await net.spawn(1, { place: "there" });
 * assertEquals([net.latency(a!, b!), net.latency(b!, a!), net.place(b!)], [70, 75, "there"]);
 * ```
 */
export interface MatrixLatency {
  readonly kind: "matrix";
  /** `ms[i][j]`: one-way delay from place i to place j. */
  readonly ms: readonly (readonly number[])[];
  /** Names and weights of the places, in the order of the table. Default "0", "1" and so on, all alike. */
  readonly places?: readonly Place[];
}

/**
 * One-way delay in ms: the same everywhere, drawn per pair of nodes from a range or a normal distribution, by a table of places, or
 * given by a function.
 *
 * @example
 * ```ts
 * import { type Latency, Network } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const latencyMs: Latency = (from, to) => from < to ? 5 : 80;
 * await using net = new Network({ seed: 1, latencyMs });
 * const [a] = await net.spawn(2, { join: ["news"] });
 * await net.until(a!.topic("news")!.ready());
 * assertEquals(a!.topic("news")!.neighbors.length, 1);
 * ```
 */
export type Latency =
  | number
  | readonly [number, number]
  | NormalLatency
  | MatrixLatency
  | ((from: PeerId, to: PeerId) => number);

/** What a model looks at. */
interface Located {
  readonly id: PeerId;
  readonly key: number;
  readonly place: number;
}

/** A {@linkcode Latency}, checked, with its seed. */
export interface LatencyModel {
  /** The one-way delay between two nodes. */
  between(from: Located, to: Located): number;
  /** Where the node with this key is, or at the place of this name; 0 where there are no places. */
  place(key: number, name: string | undefined): number;
  /** Names of the places. */
  readonly places: readonly string[];
  /** No jitter goes beyond it. */
  readonly mostMs: number;
  /** Jitter where none is asked for. */
  readonly jitter: number;
}

const RANGE_JITTER = 0.1;
const UNIFORMS = 12;

/** Makes the model; RangeError for numbers that are none. */
export function latencyModel(latency: Latency, rng: Rng): LatencyModel {
  const seed = rng.fork("pairs").uint32();
  if (typeof latency === "function") return model((from, to) => latency(from.id, to.id));
  if (typeof latency === "number") {
    const ms = delay(latency, "latencyMs");
    return model(() => ms);
  }
  if ("kind" in latency) {
    return latency.kind === "normal" ? normal(latency, seed) : matrix(latency, rng);
  }
  const min = delay(latency[0], "latencyMs[0]"), max = delay(latency[1], "latencyMs[1]");
  if (max < min) throw new RangeError(`latencyMs: ${max} is less than ${min}`);
  const between = (from: Located, to: Located) =>
    min + (max - min) * (pairHash(from, to, seed) / 4294967296);
  return { ...model(between), mostMs: max, jitter: RANGE_JITTER };
}

function normal(latency: NormalLatency, seed: number): LatencyModel {
  const mean = delay(latency.meanMs, "meanMs");
  const deviation = delay(latency.deviationMs, "deviationMs");
  const min = delay(latency.minMs ?? 0, "minMs");
  return model((from, to) => {
    let hash = pairHash(from, to, seed), sum = 0;
    for (let i = 0; i < UNIFORMS; i++) {
      sum += hash;
      hash = mix32(hash + 0x9e3779b9);
    }
    // Twelve uniform numbers of variance 1/12 each: mean 6, variance 1.
    const drawn = mean + deviation * (sum / 4294967296 - UNIFORMS / 2);
    return drawn < min ? min : drawn;
  });
}

function matrix({ ms, places }: MatrixLatency, rng: Rng): LatencyModel {
  const count = ms.length;
  if (count === 0) throw new RangeError("a latency matrix needs a row");
  if (places !== undefined && places.length !== count) {
    throw new RangeError(`${places.length} places for a latency matrix of ${count} rows`);
  }
  const table = new Float64Array(count * count);
  ms.forEach((row, i) => {
    if (row.length !== count) throw new RangeError(`row ${i} of the latency matrix is not ${count} long`);
    row.forEach((value, j) => table[i * count + j] = delay(value, `ms[${i}][${j}]`));
  });
  const names = ms.map((_, i) => places?.[i]!.name ?? `${i}`);
  const weights = ms.map((_, i) => delay(places?.[i]!.weight ?? 1, `weight of ${names[i]}`));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) throw new RangeError("every place has weight 0");
  const seed = rng.fork("places").uint32();
  return {
    ...model((from, to) => table[from.place * count + to.place]!),
    places: names,
    place(key, name) {
      if (name !== undefined) return placeNamed(names, name);
      let share = mix32(mix32(key + seed) ^ seed) / 4294967296 * total;
      for (let i = 0; i < count; i++) if ((share -= weights[i]!) < 0) return i;
      return weights.findLastIndex((weight) => weight > 0);
    },
  };
}

function model(between: LatencyModel["between"]): LatencyModel {
  return {
    between,
    places: [],
    place: (_, name) => name === undefined ? 0 : placeNamed([], name),
    mostMs: Infinity,
    jitter: 0,
  };
}

function placeNamed(names: readonly string[], name: string): number {
  const place = names.indexOf(name);
  if (place < 0) throw new RangeError(`no such place: ${name}`);
  return place;
}

/** Both ends' keys, smaller first: the same both ways, and no table of pairs. */
function pairHash(from: Located, to: Located, seed: number): number {
  const low = Math.min(from.key, to.key), high = Math.max(from.key, to.key);
  return mix32(mix32(low + seed) ^ Math.imul(high, 0x9e3779b1));
}

function delay(value: number, what: string): number {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw new RangeError(`${what} must be a number of at least 0, not ${value}`);
}
