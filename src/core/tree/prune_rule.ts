/**
 * Which duplicates are reason for a PRUNE.
 *
 * A duplicate says that eager links close a ring, and the paper prunes the link that brought it. That is right for one
 * author at a time. Where messages of many authors are under way together, each meets itself at another link of the same
 * ring, all of these links are pruned, and the tree falls apart; the GRAFTs that mend it close new rings. So while there
 * are several messages under way only duplicates of one author count, the same one at every node: the one with the lowest
 * origin among those heard lately. Its messages cross every eager link, so they find every ring, and cut each of them
 * where one author's tree would.
 *
 * The same happens to messages of one author that are under way together, where queues make the ways of one slow and of the next
 * one fast: what comes late through a link says little about what comes through it now. So a link is pruned only if it has brought nothing
 * first since the message came whose copy it brings. Along FIFO links that never cuts both ends of a ring. Where two links
 * keep outrunning each other it never holds, so once in half a `pruneWindowMs` an author marks a message, which prunes regardless.
 *
 * And a link is pruned only in favour of one that is eager: with messages in close succession the first may come first
 * through one link and the second through the other.
 *
 * @module
 */

import type { TreeContext } from "./context.ts";
import type { Branch } from "./links.ts";

/** Two messages within so many round trips, and at least so many ms, are under way together. */
const TOGETHER_ROUND_TRIPS = 20;
const TOGETHER_LEAST_MS = 100;

/** Keeps what the rule needs of the latest messages of one tree. */
export class PruneRule {
  readonly #context: TreeContext;
  #newestAt = -Infinity;
  #secondAt = -Infinity;
  #leader = Infinity;
  #leaderAt = -Infinity;
  #markedAt = -Infinity;

  /** Judges the links of a context. */
  constructor(context: TreeContext) {
    this.#context = context;
  }

  /** Whether a message that is published now is to be marked. */
  mark(now: number): boolean {
    if (now - this.#markedAt < this.#context.options.pruneWindowMs / 2) return false;
    this.#markedAt = now;
    return true;
  }

  /** A new message of an author came, through a link or by this node's own hand. */
  news(origin: number, branch: Branch | undefined, now: number): void {
    if (branch !== undefined) branch.firstAt = now;
    this.#secondAt = this.#newestAt;
    this.#newestAt = now;
    const { pruneWindowMs } = this.#context.options;
    if (origin > this.#leader && now - this.#leaderAt <= pruneWindowMs) return;
    this.#leader = origin;
    this.#leaderAt = now;
  }

  /** True where an eager branch is to be pruned: it brought a copy of what `first` (no link: this node) had brought at `firstAt`. */
  holds(
    origin: number,
    branch: Branch,
    first: Branch | undefined,
    firstAt: number,
    marked: boolean,
    now: number,
  ): boolean {
    if (!marked && branch.firstAt >= firstAt) return false;
    if (first !== undefined && !first.eager) return false;
    if (origin === this.#leader) return true;
    const other = this.#newestAt === firstAt ? this.#secondAt : this.#newestAt;
    return now - other > this.#together(branch);
  }

  /** True where at most one message came lately, so that no two are under way together. */
  sparse(branch: Branch, now: number): boolean {
    return now - this.#secondAt > this.#together(branch);
  }

  #together(branch: Branch): number {
    const rtt = this.#context.port.rtt(branch.link.peer) ?? Infinity;
    const together = Math.max(TOGETHER_LEAST_MS, TOGETHER_ROUND_TRIPS * rtt);
    return Math.min(this.#context.options.pruneWindowMs, together);
  }
}
