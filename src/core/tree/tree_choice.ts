/**
 * Which of the topic's trees an own message takes.
 *
 * Through a tree every message goes up to its middle and down again, so the way is short for an author in the midst of the tree and
 * twice as long for one at its rim. With several trees, each grown around the node that used it first, every author takes
 * the one whose centre is nearest. It knows how near: what the way of a message from the other side of the centre cost is the author's
 * depth, which the message tells, and one's own. Every hop costs one, and one more for every 4 ms of delay, so that among near peers hops
 * count and in a wide network time.
 *
 * @module
 */

import { TREES } from "./links.ts";

/** How fast a depth is forgotten that no message confirms any more, per message. */
const FADE = 1 / 64;
/** Round trip, in ms, that costs as much as a hop. */
const HOP_RTT_MS = 8;

/** What a hop costs over a link with this round trip in ms. */
export function wayCost(rttMs: number): number {
  return 1 + Math.round(rttMs / HOP_RTT_MS);
}

/** This node's depth in each tree. */
export class TreeChoice {
  readonly #trees: number;
  readonly #own: number;
  /** Cost of the way to the centre; negative while nothing came through the tree. */
  #depths: Float64Array | undefined;

  /** Chooses among `trees`: the first one alone, or that many others. */
  constructor(trees: number, random: () => number) {
    this.#trees = Math.min(TREES - 1, trees);
    // The one that it founds where nobody has yet.
    this.#own = this.#trees > 1 ? 1 + Math.floor(random() * this.#trees) : 0;
  }

  /** A message came through a tree, at the cost of `path`, of an author that takes itself to be `depth` from the centre. */
  heard(tree: number, path: number, depth: number): void {
    if (this.#own === 0) return;
    const depths = this.#depths ??= new Float64Array(TREES).fill(-1);
    depths[tree] = Math.max(depths[tree]! - FADE, path - depth, 0);
  }

  /** The tree with the nearest centre; this node's own one where nothing came through that yet. */
  best(): number {
    const depths = this.#depths;
    if (depths === undefined || depths[this.#own]! < 0) return this.#own;
    let best = this.#own;
    for (let tree = 1; tree <= this.#trees; tree++) {
      if (depths[tree]! >= 0 && depths[tree]! < depths[best]!) best = tree;
    }
    return best;
  }

  /** What the way to a tree's centre costs as far as known, at most 255; 0 where this node founds it. */
  depth(tree: number): number {
    return Math.min(255, Math.max(0, Math.round(this.#depths?.[tree] ?? 0)));
  }
}
