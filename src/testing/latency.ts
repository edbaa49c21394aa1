/**
 * How long a frame is under way between two nodes of a simulated network.
 *
 * Arithmetic is + - * / on doubles and 32-bit integers only, which every machine rounds alike: a normal draw is the sum of twelve uniform
 * ones less six (Irwin-Hall: mean 0, deviation 1, never beyond six deviations), for logarithms differ between machines.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { mix32 } from "./rng.ts";

/**
 * Each pair of nodes has its own delay, the same both ways, drawn from a normal distribution.
 *
 * @example
 * ```ts
 * import { Network, type NormalLatency } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const latencyMs: NormalLatency = { kind: "normal", meanMs: 50, deviationMs: 15, minMs: 5 };
 * await using net = new Network({ seed: 1, latencyMs });
 * const [a] = await net.spawn(2, { join: ["news"] });
 * assertEquals(await net.until(() => a!.topic("news")!.neighbors.length === 1), true);
 * ```
 */
export interface NormalLatency {
  /** Says which model it is. */
  readonly kind: "normal";
  /** One-way mean in ms. */
  readonly meanMs: number;
  /** Standard deviation between pairs, in ms. */
  readonly deviationMs: number;
  /** No pair is closer than so. Default 0. */
  readonly minMs?: number;
}

/**
 * Nodes are at places; the delay from one to another is a cell of a table.
 *
 * @example
 * ```ts
 * import { type MatrixLatency, Network } from "@x/plumtree/testing";
 * import { assert } from "@std/assert";
 *
 * // Two data centres, 1 ms inside and 40 ms between, three quarters of the nodes in the first.
 * const latencyMs: MatrixLatency = {
 *   kind: "matrix",
 *   ms: [[1, 40], [40, 1]],
 *   weights: [3, 1],
 *   names: ["east", "west"],
 * };
 * await using net = new Network({ seed: 1, latencyMs });
 * const nodes = await net.spawn(40, { join: ["news"], directory: false });
 * const east = nodes.filter((node) => net.region(node) === "east");
 * assert(east.length > 20 && east.length < 40);
 * ```
 */
export interface MatrixLatency {
  /** Says which model it is. */
  readonly kind: "matrix";
  /** One-way delay in ms, `ms[from][to]`, of a square table; it need not be the same both ways. */
  readonly ms: readonly (readonly number[])[];
  /** The place of a node, an index into `ms`. Default: drawn by the network's seed and `weights`. */
  readonly place?: (id: PeerId) => number;
  /** How likely each place is. Default: all the same. */
  readonly weights?: readonly number[];
  /** What the places are called. Default "0", "1" and so on. */
  readonly names?: readonly string[];
}

/**
 * One-way delay in ms: the same everywhere, drawn per pair of nodes from a range or a normal distribution, by the places of both, or given by
 * a function.
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

/** What a model asks of a node. */
export interface Placed {
  readonly id: PeerId;
  /** 32 bits of the id. */
  readonly key: number;
}

/** A {@linkcode Latency} under a seed. */
export class LatencyModel {
  /** Jitter where the network has no word on it: a share of the delay. */
  readonly jitter: number = 0;
  /** Jitter takes no delay beyond this. */
  readonly most: number = Infinity;
  readonly #seed: number;
  readonly #delay: (from: Placed, to: Placed) => number;
  readonly #matrix: MatrixLatency | undefined;
  readonly #places = new Map<PeerId, number>();

  constructor(latency: Latency, seed: number) {
    this.#seed = seed;
    if (typeof latency === "function") {
      this.#delay = (from, to) => check(latency(from.id, to.id));
    } else if (typeof latency === "number") {
      const ms = check(latency);
      this.#delay = () => ms;
    } else if (typeof latency !== "object" || latency === null) {
      throw new TypeError(
        `latencyMs is a number, a range, a function or an object, not ${latency}`,
      );
    } else if (isRange(latency)) {
      const [min, max] = latency;
      check(min);
      if (!(max >= min) || max === Infinity) throw new RangeError(`no range: ${min} to ${max} ms`);
      this.jitter = 0.1;
      this.most = max;
      this.#delay = (from, to) => min + (max - min) * (this.#pair(from, to) / 4294967296);
    } else if (latency.kind === "normal") {
      const { meanMs, deviationMs, minMs = 0 } = latency;
      for (const ms of [meanMs, deviationMs, minMs]) check(ms);
      this.jitter = 0.1;
      this.#delay = (from, to) =>
        Math.max(minMs, meanMs + deviationMs * standardNormal(this.#pair(from, to)));
    } else {
      const { ms } = checkMatrix(latency);
      this.#matrix = latency;
      this.#delay = (from, to) => ms[this.placeOf(from)!]![this.placeOf(to)!]!;
    }
  }

  /** The one-way delay in ms. */
  between(from: Placed, to: Placed): number {
    return this.#delay(from, to);
  }

  /** The place of a node, where the model has places. */
  placeOf(node: Placed): number | undefined {
    const matrix = this.#matrix;
    if (matrix === undefined) return undefined;
    let place = this.#places.get(node.id);
    if (place === undefined) {
      place = matrix.place?.(node.id) ?? this.#draw(matrix, node.key);
      if (matrix.ms[place] === undefined) throw new RangeError(`no such place: ${place}`);
      this.#places.set(node.id, place);
    }
    return place;
  }

  /** The name of the place of a node, where the model has places. */
  nameOf(node: Placed): string | undefined {
    const place = this.placeOf(node);
    return place === undefined ? undefined : this.#matrix!.names?.[place] ?? `${place}`;
  }

  /** 32 bits for a pair of nodes, the same both ways, without a table of pairs. */
  #pair(from: Placed, to: Placed): number {
    const low = Math.min(from.key, to.key), high = Math.max(from.key, to.key);
    return mix32(mix32(low + this.#seed) ^ Math.imul(high, 0x9e3779b1));
  }

  #draw({ ms, weights }: MatrixLatency, key: number): number {
    const share = mix32(mix32(key ^ this.#seed) + 0x9e3779b9) / 4294967296;
    if (weights === undefined) return Math.floor(share * ms.length);
    let left = share * weights.reduce((sum, weight) => sum + weight, 0), place = 0;
    while ((left -= weights[place]!) >= 0 && place < weights.length - 1) place++;
    return place;
  }
}

/** A number of mean 0 and deviation 1 from 32 bits. */
export function standardNormal(bits: number): number {
  let sum = -6;
  for (let i = 1; i <= 12; i++) sum += mix32(bits + Math.imul(i, 0x9e3779b9)) / 4294967296;
  return sum;
}

function isRange(latency: Latency): latency is readonly [number, number] {
  return Array.isArray(latency);
}

function check(ms: number): number {
  if (typeof ms !== "number" || !(ms >= 0) || ms === Infinity) {
    throw new RangeError(`no delay: ${ms} ms`);
  }
  return ms;
}

function checkMatrix(matrix: MatrixLatency): MatrixLatency {
  const { ms, weights, names } = matrix;
  if (!Array.isArray(ms)) {
    throw new TypeError('latencyMs has the kind "normal", or a matrix of delays in ms');
  }
  const size = ms.length;
  if (size === 0 || ms.some((row) => row.length !== size)) {
    throw new RangeError("a matrix of delays is square and not empty");
  }
  for (const row of ms) row.forEach(check);
  for (const list of [weights, names]) {
    if (list !== undefined && list.length !== size) {
      throw new RangeError(`${size} places, but ${list.length} weights or names`);
    }
  }
  if (weights?.some((weight) => !(weight >= 0)) || weights?.every((weight) => weight === 0)) {
    throw new RangeError("weights are numbers of at least 0, not all 0");
  }
  return matrix;
}
