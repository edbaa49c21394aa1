/**
 * Optimisation of the tree by measured arrival: where announcements of a lazy link keep beating the payloads of an eager
 * one, the two change places.
 *
 * @module
 */

import type { TreeContext } from "./context.ts";
import type { Branch, Link } from "./links.ts";
import type { TreeLinks } from "./tree_links.ts";

/** Wins of one window count once, so that one burst, whose messages all wait in the same queue, is one observation. */
const SAMPLES_PER_WINDOW = 8;

/**
 * Compares when a neighbour had a message with when it came here. A swap needs a clear gain, many times in a row against the
 * same rival, over a span of time; one swap per window. The hop counts of the paper are not used: they are the sender's claim,
 * and say nothing about time.
 */
export class Optimizer {
  readonly #context: TreeContext;
  readonly #treeLinks: TreeLinks;
  #swappedAt = -Infinity;

  /** Works on the links of a context. */
  constructor(context: TreeContext, treeLinks: TreeLinks) {
    this.#context = context;
    this.#treeLinks = treeLinks;
  }

  /** A payload of a tree came through `via` `gainMs` after `link` is thought to have got it; negative where `link` was later. */
  sample(tree: number, link: Link, via: Link, gainMs: number, now: number): void {
    if (link === via) return;
    const lazy = link.branch(tree), eager = via.branch(tree);
    if (lazy.eager || !eager.eager) return;
    const { options, port } = this.#context;
    const least = Math.max(options.optimizeMs, 0.25 * (port.rtt(link.peer) ?? 0));
    if (gainMs <= least) {
      if (lazy.rival === via) lazy.wins = 0;
      return;
    }
    if (lazy.rival !== via || now - lazy.wonAt > 60_000) {
      lazy.rival = via;
      lazy.wins = 0;
      lazy.wonAt = -Infinity;
    }
    if (now - lazy.wonAt < options.pruneWindowMs / SAMPLES_PER_WINDOW) return;
    lazy.wonAt = now;
    if (++lazy.wins >= options.optimizeCount) this.#swap(lazy, eager, now);
  }

  #swap(lazy: Branch, eager: Branch, now: number): void {
    const { options, links, counters } = this.#context;
    if (now - this.#swappedAt < options.pruneWindowMs) return;
    if (now - eager.prunedAt < options.pruneWindowMs) return;
    if (!this.#treeLinks.graft(lazy, now)) return;
    // Where messages come in close succession the slower link stays until it brings copies: it alone brings what the faster one announced before.
    if (this.#treeLinks.rule(lazy.tree).sparse(lazy, now)) this.#treeLinks.prune(eager, now);
    this.#swappedAt = now;
    counters.swaps++;
    for (const link of links.list) {
      const branch = link.branch(lazy.tree);
      branch.rival = undefined;
      branch.wins = 0;
    }
  }
}
