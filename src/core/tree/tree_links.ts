/**
 * Which links are eager: GRAFT and PRUNE, and when each is due.
 *
 * @module
 */

import { Lane } from "../../wire/frames.ts";
import { graftFrame, pruneFrame, type Stamp } from "../../wire/tree_messages.ts";
import type { TreeContext } from "./context.ts";
import { nextStamp, received, sent } from "./eager_relation.ts";
import type { Branch, Link } from "./links.ts";
import type { Missing } from "./missing.ts";
import { PruneRule } from "./prune_rule.ts";

/** Round trips for which a link that was grafted here is not pruned here, and the least time in ms. */
const GRACE_ROUND_TRIPS = 4;
const LEAST_GRACE_MS = 20;

/**
 * In a stream, a link that was made eager is not pruned for the copy of a message that came first, after that, in less than so many times what its copy
 * took longer: until then the way that the link replaces drains, and copies say nothing about rings. Where queues are long, the end that was
 * grafted cut the new link and the other had cut the old one already.
 */
const DRAINS = 2;

/** Changes the eager relation of links and answers its changes. */
export class TreeLinks {
  readonly #context: TreeContext;
  readonly #rules: (PruneRule | undefined)[] = [];

  /** Works on the links of a context. */
  constructor(context: TreeContext) {
    this.#context = context;
  }

  /** When a duplicate is reason for a PRUNE in a tree. */
  rule(tree: number): PruneRule {
    const rules = this.#rules;
    while (rules.length <= tree) rules.push(undefined);
    return rules[tree] ??= new PruneRule(this.#context);
  }

  /** Makes a link eager at both ends, asking for missing ids with the same frame. False where the lane was full. */
  graft(branch: Branch, now: number, missing?: Missing, handles: readonly number[] = []): boolean {
    const { port, counters, options } = this.#context;
    const { link } = branch;
    const stamp = nextStamp(branch);
    const frame = graftFrame(port.alias, branch.tree, stamp, handles.length);
    let at = frame.length - handles.length * 20;
    for (const handle of handles) at = missing!.writeId(handle, frame, at);
    if (!port.send(link.peer, Lane.CONTROL, frame)) return false;
    if (!branch.eager) branch.graftedAt = now;
    sent(branch, true, stamp);
    // Time for what was asked to come: the link is to show what it can before a duplicate ends it again.
    const answer = GRACE_ROUND_TRIPS * (port.rtt(link.peer) ?? Infinity);
    branch.graceUntil = now + Math.min(options.pruneWindowMs, Math.max(LEAST_GRACE_MS, answer));
    counters.graftsSent++;
    return true;
  }

  /** Makes a link lazy at both ends. False where the lane was full. */
  prune(branch: Branch, now: number): boolean {
    const { port, counters } = this.#context;
    const stamp = nextStamp(branch);
    const frame = pruneFrame(port.alias, branch.tree, stamp);
    if (!port.send(branch.link.peer, Lane.CONTROL, frame)) return false;
    sent(branch, false, stamp);
    branch.prunedAt = now;
    counters.prunesSent++;
    return true;
  }

  /** A copy came of a message that `first` (no link: this node) had brought at `firstAt`. */
  duplicate(
    origin: number,
    branch: Branch,
    first: Link | undefined,
    firstAt: number,
    marked: boolean,
    now: number,
  ): void {
    const { options, links } = this.#context;
    const { tree } = branch;
    if (!branch.eager) {
      // Copies behind a PRUNE were under way when it was sent; what still comes later says that it was not heard.
      if (now - branch.prunedAt >= options.pruneWindowMs) this.prune(branch, now);
      return;
    }
    if (now < branch.graceUntil || links.eager(tree) < 2) return;
    const rule = this.rule(tree);
    const drains = firstAt - branch.graftedAt < DRAINS * (now - firstAt);
    if (drains && !rule.sparse(branch, now)) return;
    if (rule.holds(origin, branch, first?.branch(tree), firstAt, marked, now)) {
      this.prune(branch, now);
    }
  }

  /**
   * At least one link has to be eager in a tree where there is one at all: else the preferred one becomes it, or the one that brought news
   * last; `pruner` only where there is no other.
   */
  ensureEager(tree: number, preferred: Link | undefined, now: number, pruner?: Link): void {
    let best: Branch | undefined;
    for (const link of this.#context.links.list) {
      const branch = link.branch(tree);
      if (branch.eager) return;
      if (best === undefined || best.link === pruner || branch.firstAt > best.firstAt) {
        if (best === undefined || link !== pruner) best = branch;
      }
    }
    if (preferred?.up) best = preferred.branch(tree);
    if (best !== undefined) this.graft(best, now);
  }

  /** A GRAFT with a stamp, or a PRUNE, came. */
  change(branch: Branch, graft: boolean, stamp: Stamp, now: number): void {
    const { port } = this.#context;
    const { link, eager } = branch;
    if (link.changes.take(1, now) === 0) port.misbehaved(link.peer, 1, "link changes too often");
    if (!link.up) return;
    if (received(branch, graft, stamp)) {
      if (!eager && branch.eager) branch.graftedAt = now;
      if (!eager || branch.eager) return;
      this.#regret(branch, now);
      // Without an eager link nothing would come but what is grafted message by message.
      this.ensureEager(branch.tree, undefined, now, link);
      return;
    }
    // It was meant for an earlier life of this link: this tells the peer of the present one.
    if (now - branch.prunedAt >= this.#context.options.pruneWindowMs) {
      branch.prunedAt = now;
      this.graft(branch, now);
    }
  }

  /**
   * A neighbour pruned the link that brought the news here, while this node has pruned another one in its favour: the two
   * PRUNEs crossed in the ring. The other one is taken back at once, before a message is missed.
   */
  #regret(branch: Branch, now: number): void {
    const { links, options } = this.#context;
    let last: Branch | undefined;
    for (const link of links.list) {
      const other = link.branch(branch.tree);
      if (other.eager && other.firstAt >= branch.firstAt) return;
      if (other === branch || other.eager) continue;
      if (now - other.prunedAt > options.pruneWindowMs) continue;
      if (last === undefined || other.prunedAt > last.prunedAt) last = other;
    }
    if (last !== undefined) this.graft(last, now);
  }
}
