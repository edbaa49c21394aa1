/**
 * The overlay after 50 cycles, and broadcasts on it: of one sender, of random senders, under constant failures.
 *
 * @module
 */

import type { Broadcast, Lab, Stream } from "../lab.ts";
import {
  cycles,
  DETECT_MS,
  join,
  type Mean,
  meanDegree,
  meanOf,
  paperLab,
  REACT_MS,
  type Show,
} from "./setting.ts";

/** Figures of the overlay. */
export interface OverlayFigures {
  /** Nodes by degree. */
  readonly degrees: readonly number[];
  readonly meanDegree: number;
  readonly clustering: number;
  readonly path: number;
  readonly connected: boolean;
}

/** Figures of a series of broadcasts. */
export interface Series {
  readonly rmr: readonly number[];
  readonly ldh: readonly number[];
  readonly reliability: readonly number[];
}

/** What {@linkcode stable} measured. */
export interface StableFigures {
  readonly nodes: number;
  readonly overlay: OverlayFigures;
  /** The first broadcast: a flood, since all links are eager. */
  readonly flood: { payloads: number; expected: number; rmr: number; ldh: number };
  readonly oneSender: Series & Cost;
  readonly randomSenders: Series & Cost;
  /** Random senders at {@linkcode STREAM_PER_SECOND}. */
  readonly stream: Stream;
  readonly failing: Series & { readonly killed: number };
  readonly afterFailing: Series;
}

/** Means per broadcast. */
export interface Cost {
  readonly payloads: Mean;
  readonly ihaves: Mean;
  readonly control: Mean;
  readonly unbatched: number;
}

/** Messages per second of the stream by which batching is measured. */
export const STREAM_PER_SECOND = 400;
/** What the paper kills per cycle, of 10,000. */
const KILLED_PER_CYCLE = 0.005;
/** Senders for which paths are measured; each gives n - 1 of them. */
const PATH_SOURCES = 200;

/** How much is done. */
export interface StableSize {
  readonly nodes: number;
  readonly seed: number;
  readonly cycles: number;
  readonly messages: number;
  readonly failingCycles: number;
}

/** Runs the experiment. */
export async function stable(size: StableSize, show: Show): Promise<StableFigures> {
  const { nodes, seed, messages } = size;
  const lab = paperLab(seed);
  await join(lab, nodes, 5 * 10, show);
  await cycles(lab, size.cycles, show);
  const overlay = overlayFigures(lab);
  show("broadcasts");
  const sender = lab.nodes[0]!;
  const first = await lab.broadcast(sender);
  const twoE = overlay.meanDegree * nodes;
  const flood = {
    payloads: first.payloads,
    expected: twoE - (nodes - 1),
    rmr: first.rmr,
    ldh: first.ldh,
  };
  const unbatched = twoE - 2 * (nodes - 1);
  const settle = Math.max(4, messages >> 1);
  const one: Broadcast[] = [], random: Broadcast[] = [];
  for (let i = 0; i < settle + messages; i++) {
    const broadcast = await lab.broadcast(sender);
    if (i >= settle) one.push(broadcast);
  }
  for (let i = 0; i < settle + messages; i++) {
    const broadcast = await lab.broadcast(lab.someone());
    if (i >= settle) random.push(broadcast);
    show(`broadcast ${i + 1} of ${settle + messages}`);
  }
  const stream = await lab.stream(4 * messages, 1_000 / STREAM_PER_SECOND);
  const failing = await underFailures(lab, size, show);
  const after: Broadcast[] = [];
  await cycles(lab, 1, show);
  for (let i = 0; i < messages; i++) after.push(await lab.broadcast(lab.someone()));
  await lab.close();
  return {
    nodes,
    overlay,
    flood,
    oneSender: { ...seriesOf(one), ...costOf(one, unbatched) },
    randomSenders: { ...seriesOf(random), ...costOf(random, unbatched) },
    stream,
    failing,
    afterFailing: seriesOf(after),
  };
}

/** Figures of an overlay as it is now. */
export function overlayFigures(lab: Lab): OverlayFigures {
  const graph = lab.graph();
  const sources = Math.min(graph.size, PATH_SOURCES);
  return {
    degrees: graph.degrees(),
    meanDegree: meanDegree(graph),
    clustering: graph.clustering(),
    path: graph.paths(Array.from({ length: sources }, () => lab.rng.int(graph.size))).mean,
    connected: graph.components().length === 1,
  };
}

/** A few nodes crash, a message is sent before anybody noticed, a cycle passes; again and again. */
async function underFailures(
  lab: Lab,
  size: StableSize,
  show: Show,
): Promise<Series & { killed: number }> {
  const count = Math.max(1, Math.round(size.nodes * KILLED_PER_CYCLE));
  const broadcasts: Broadcast[] = [];
  for (let i = 0; i < size.failingCycles; i++) {
    lab.kill(lab.pick(count));
    broadcasts.push(await lab.broadcast(lab.someone(), { mostMs: DETECT_MS / 2, quietMs: 2_000 }));
    await lab.run(REACT_MS);
    await cycles(lab, 1, () => {});
    show(`constant failures: cycle ${i + 1} of ${size.failingCycles}`);
  }
  return { ...seriesOf(broadcasts), killed: count };
}

/** The series of a list of broadcasts. */
export function seriesOf(broadcasts: readonly Broadcast[]): Series {
  return {
    rmr: broadcasts.map(({ rmr }) => rmr),
    ldh: broadcasts.map(({ ldh }) => ldh),
    reliability: broadcasts.map(({ delivered, expected }) => delivered / expected),
  };
}

function costOf(broadcasts: readonly Broadcast[], unbatched: number): Cost {
  return {
    payloads: meanOf(broadcasts.map(({ payloads }) => payloads)),
    ihaves: meanOf(broadcasts.map(({ ihaves }) => ihaves)),
    control: meanOf(broadcasts.map((b) => b.ihaveFrames + b.grafts + b.prunes)),
    unbatched,
  };
}
