/**
 * Options of a simulated network's nodes.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../checks.ts";
import type { Gossip } from "../gossip.ts";
import type { GossipOptions } from "../gossip_options.ts";
import type { TopicOptions } from "../topic.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { Rng } from "./rng.ts";
import type { SimNodeOptions } from "./sim_node.ts";
import type { SimTransport } from "./sim_transport.ts";

/** One node and what it was made with. */
export interface Simulated {
  readonly gossip: Gossip;
  readonly transport: SimTransport;
  readonly options: SpawnOptions;
  /** How its network was told to treat it. */
  readonly manners: SimNodeOptions;
}

/**
 * Options of {@linkcode Network.spawn}; those that `GossipOptions` has too mean the same.
 *
 * @example
 * ```ts
 * import { Network, type SpawnOptions } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const options: SpawnOptions = { join: ["news"], topic: { echo: true }, directory: false };
 * await using net = new Network({ seed: 1 });
 * const [node] = await net.spawn(1, options);
 * assertEquals(node!.topic("news")?.name, "news");
 * assertEquals(node!.directory.size, 0);
 * ```
 */
export interface SpawnOptions
  extends Pick<GossipOptions, "bootstrap" | "preset" | "overlay" | "tree" | "limits" | "listen"> {
  /** Topics that every node joins. Default none. */
  join?: string[];
  /** Options of these topics. Default: those of `Gossip.join`. */
  topic?: TopicOptions;
  /**
   * Whether nodes keep a directory. Every node then hears of every other one, which is n² records: turn it off for
   * thousands of nodes whose topics need no look-up. Default true.
   */
  directory?: boolean;
  /** How far their wall clocks are ahead of the others', in ms: a number, or a range in which each draws its own. Default 0. */
  skewMs?: number | readonly [number, number];
  /** Bytes per second that each sends and takes. Default: those of the network. */
  bandwidth?: Bandwidth;
}

/**
 * What a cut is between: some nodes and all others, several groups, or a share of all nodes, drawn by chance, and the rest.
 *
 * @example
 * ```ts
 * import { Network, type Sides } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using net = new Network({ seed: 1 });
 * const nodes = await net.spawn(9);
 * const thirds: Sides = [nodes.slice(0, 3), nodes.slice(3, 6), nodes.slice(6)];
 * assertEquals(net.partition(thirds).length, 3);
 * ```
 */
export type Sides = readonly Gossip[] | readonly (readonly Gossip[])[] | number;

/** The names of {@linkcode SpawnOptions}. */
const SPAWN_OPTIONS: OptionNames<SpawnOptions> = {
  bootstrap: true,
  preset: true,
  overlay: true,
  tree: true,
  limits: true,
  listen: true,
  join: true,
  topic: true,
  directory: true,
  skewMs: true,
  bandwidth: true,
};

/** Refuses what are no options of nodes, as far as nothing else does. */
export function checkSpawn(options: SpawnOptions): void {
  checkOptions(options, SPAWN_OPTIONS);
  const { join, directory = true } = options;
  if (join !== undefined && !Array.isArray(join)) {
    throw new TypeError("join must be a list of topics");
  }
  if (typeof directory !== "boolean") throw new TypeError("directory is a boolean");
}

/** Nodes, as a list; a single one is none. */
export function listOf(nodes: readonly Gossip[]): readonly Gossip[] {
  if (!Array.isArray(nodes)) throw new TypeError("nodes must be a list of nodes");
  return nodes;
}

/** The groups of a cut. */
export function sidesOf(sides: Sides, all: readonly Gossip[], rng: Rng): readonly Gossip[][] {
  if (typeof sides === "number") {
    if (!(sides > 0 && sides < 1)) throw new RangeError(`no share between 0 and 1: ${sides}`);
    return [rng.shuffle([...all]).slice(0, Math.max(1, Math.round(sides * all.length)))];
  }
  if (!Array.isArray(sides)) throw new TypeError("sides must be nodes, groups of nodes or a share");
  const isGroup = (side: Gossip | readonly Gossip[]): side is readonly Gossip[] =>
    Array.isArray(side);
  const groups: Gossip[][] = [], single: Gossip[] = [];
  for (const side of sides) {
    if (isGroup(side)) groups.push([...side]);
    else single.push(side);
  }
  return groups.length > 0 ? groups : [single];
}

/** The skew of one node. */
export function skewOf(skewMs: SpawnOptions["skewMs"], rng: Rng): number {
  if (skewMs !== undefined && typeof skewMs !== "number" && !Array.isArray(skewMs)) {
    throw new TypeError("skewMs is a number or a range");
  }
  const [from, to] = typeof skewMs === "number" ? [skewMs, skewMs] : skewMs ?? [0, 0];
  if (!(from <= to) || from === -Infinity || to === Infinity) {
    throw new RangeError(`no skew: ${from} to ${to} ms`);
  }
  return from + (to - from) * rng.next();
}

/** Whether a node comes back with another id; refuses what says neither. */
export function isNew(options: { identity?: "same" | "new" }): boolean {
  checkOptions(options, { identity: true });
  const { identity = "same" } = options;
  if (identity !== "same" && identity !== "new") throw new TypeError('identity is "same" or "new"');
  return identity === "new";
}

/** Seconds in ms; refuses what is no time, or more of it than `most` seconds. */
export function milliseconds(time: { seconds: number }, most = Number.MAX_VALUE): number {
  checkOptions(time, { seconds: true }, "time");
  const { seconds } = time;
  if (typeof seconds !== "number" || !(seconds >= 0 && seconds <= most)) {
    throw new RangeError(`seconds must be a finite number of at least 0, not ${seconds}`);
  }
  return seconds * 1_000;
}
