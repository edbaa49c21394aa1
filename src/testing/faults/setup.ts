/**
 * What a seed draws before anything runs: the size of the cluster, its network, its topics and their options.
 *
 * @module
 */

import type { OverlayOptions, Preset, TreeOptions } from "../../options.ts";
import type { Rng } from "../rng.ts";
import type { SimFabricOptions } from "../sim_fabric.ts";

/** How a topic judges. */
export type Judging = "none" | "sync" | "async";
/** Whether its members want what was there before them; "mixed": each membership draws. */
export type History = "none" | "retained" | "mixed";

/** What all members of a topic agree on. */
export interface TopicPlan {
  readonly name: string;
  readonly sign: boolean;
  readonly judging: Judging;
  /** Every third node does not judge, whatever the others do: what it publishes in bundles they take apart. */
  readonly mixed: boolean;
  readonly codec: "none" | "json" | "cbor";
  readonly history: History;
  /** Probability that a member has its own messages delivered too. */
  readonly echo: number;
  /** Probability that a node joins it when it starts. */
  readonly share: number;
  readonly retain: { readonly seconds: number; readonly messages: number; readonly bytes: number };
  /** True where the bounds of `retain` are reached: then a late member may lack what they pushed out. */
  readonly tight: boolean;
}

/** The whole plan of a seed. */
export interface Setup {
  readonly nodes: number;
  readonly fabric: SimFabricOptions;
  readonly presets: readonly Preset[];
  readonly overlay: Partial<OverlayOptions>;
  readonly tree: Partial<TreeOptions>;
  /** Whether nodes keep a directory; without it all of them join every topic, for nobody could look members up. */
  readonly directory: boolean;
  /** Whether nodes are slow, or stand still, at times; without it what links cost never changes. */
  readonly slows: boolean;
  /** Whether nodes know turns of the event loop, at the end of which messages leave in bundles. */
  readonly turns: boolean;
  /** Most ms by which wall clocks differ. */
  readonly skewMs: number;
  readonly topics: readonly TopicPlan[];
  readonly faultSeconds: number;
  /** Seconds for which two halves are apart in the end, long enough for each to fill its views. */
  readonly apartSeconds: number;
  /** Most ms between two steps. */
  readonly stepMs: number;
}

const PRESETS: readonly Preset[] = ["local", "lan", "wan"];
/** Longer than a run lasts: what is retained so long is still there in the end. */
const AMPLE = { seconds: 7_200, messages: 8_192, bytes: 32 * 1024 * 1024 };

/** One of some values. */
export function oneOf<T>(rng: Rng, values: readonly T[]): T {
  return values[rng.int(values.length)]!;
}

/** True with a probability. */
export function chance(rng: Rng, probability: number): boolean {
  return rng.next() < probability;
}

/** Draws the plan of a seed. */
export function drawSetup(seed: number, rng: Rng): Setup {
  const nodes = 3 + (chance(rng, 0.6) ? rng.int(10) : rng.int(22));
  const least = 1 + rng.int(20);
  const lossy = chance(rng, 0.3);
  const directory = !chance(rng, 0.15);
  const narrow = chance(rng, 0.25);
  const count = 1 + (chance(rng, 0.5) ? 0 : rng.int(3));
  const topics: TopicPlan[] = [];
  const turns = seed % 2 === 1, mixed = turns && seed % 4 === 1;
  for (let i = 0; i < count; i++) {
    topics.push({ ...drawTopic(`topic ${"abcd"[i]}`, rng, i, directory), mixed });
  }
  return {
    nodes,
    fabric: {
      seed,
      latencyMs: [least, least + rng.int(100)],
      loss: lossy ? 0.02 : 0,
      linkLoss: lossy && chance(rng, 0.5) ? 0.001 : 0,
      detectMs: oneOf(rng, [1_000, 2_000, 5_000]),
      bandwidth: narrow
        ? { up: 50_000 * 2 ** rng.int(6), down: 100_000 * 2 ** rng.int(6) }
        : undefined,
    },
    presets: chance(rng, 0.2) ? PRESETS : [oneOf(rng, ["local", "local", "lan", "wan"])],
    overlay: {
      ...chance(rng, 0.6) ? {} : { activeSize: 3 + rng.int(4), passiveSize: 6 + rng.int(25) },
      // Far more swaps than anybody wants, so that they meet every fault.
      ...chance(rng, 0.4) ? { swapMs: 200 + rng.int(2_000), swapGainMs: rng.int(3) } : {},
      ...chance(rng, 0.2) ? { swapUnbiased: 0 } : {},
    },
    slows: chance(rng, 0.5),
    // A short T1 lets announcements, not comparisons, mend a tree, also after times in which everything was late.
    // Not on narrow links, where queues are longer than the patience that goes with it.
    tree: !narrow && chance(rng, 0.7) ? { graftMaxMs: 1_000 } : {},
    directory,
    turns,
    skewMs: oneOf(rng, [0, 0, 5_000, 3_600_000]),
    topics,
    faultSeconds: 15 + rng.int(40),
    apartSeconds: chance(rng, 0.2) ? 20 + rng.int(40) : 0,
    stepMs: oneOf(rng, [300, 1_000, 2_000]),
  };
}

function drawTopic(
  name: string,
  rng: Rng,
  index: number,
  directory: boolean,
): Omit<TopicPlan, "mixed"> {
  const tight = chance(rng, 0.2);
  return {
    name,
    sign: !chance(rng, 0.3),
    judging: oneOf(rng, ["none", "sync", "async"]),
    codec: oneOf(rng, ["none", "none", "json", "cbor"]),
    history: oneOf(rng, ["none", "none", "retained", "mixed"]),
    echo: chance(rng, 0.3) ? 0.5 : 0,
    share: index === 0 || !directory ? 1 : 0.3 + 0.7 * rng.next(),
    tight,
    retain: tight
      ? {
        seconds: oneOf(rng, [5, 20, 7_200]),
        messages: oneOf(rng, [4, 32, 8_192]),
        bytes: oneOf(rng, [4_096, 262_144]),
      }
      : AMPLE,
  };
}
