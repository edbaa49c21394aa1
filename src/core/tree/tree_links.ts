/**
 * Which links are eager: GRAFT and PRUNE, and when each is due.
 *
 * @module
 */

import { Lane } from "../../wire/frames.ts";
import { graftFrame, pruneFrame, type Stamp } from "../../wire/tree_messages.ts";
import type { TreeContext } from "./context.ts";
import { nextStamp, received, sent } from "./eager_relation.ts";
import type { Link } from "./links.ts";
import type { Missing } from "./missing.ts";
import { PruneRule } from "./prune_rule.ts";

/** Round trips for which a link that was grafted here is not pruned here, and the least time in ms. */
const GRACE_ROUND_TRIPS = 4;
const LEAST_GRACE_MS = 20;

/** Changes the eager relation of links and answers its changes. */
export class TreeLinks {
  /** When a duplicate is reason for a PRUNE. */
  readonly rule: PruneRule;
  readonly #context: TreeContext;

  /** Works on the links of a context. */
  constructor(context: TreeContext) {
    this.#context = context;
    this.rule = new PruneRule(context);
  }

  /** Makes a link eager at both ends, asking for missing ids with the same frame. False where the lane was full. */
  graft(link: Link, now: number, missing?: Missing, handles: readonly number[] = []): boolean {
    const { port, counters, options } = this.#context;
    const stamp = nextStamp(link);
    const frame = graftFrame(port.alias, stamp.own, stamp.seen, handles.length);
    let at = frame.length - handles.length * 20;
    for (const handle of handles) at = missing!.writeId(handle, frame, at);
    if (!port.send(link.peer, Lane.CONTROL, frame)) return false;
    sent(link, true, stamp);
    // Time for what was asked to come: the link is to show what it can before a duplicate ends it again.
    const answer = GRACE_ROUND_TRIPS * (port.rtt(link.peer) ?? Infinity);
    link.graceUntil = now + Math.min(options.pruneWindowMs, Math.max(LEAST_GRACE_MS, answer));
    counters.graftsSent++;
    return true;
  }

  /** Makes a link lazy at both ends. False where the lane was full. */
  prune(link: Link, now: number): boolean {
    const { port, counters } = this.#context;
    const stamp = nextStamp(link);
    const frame = pruneFrame(port.alias, stamp.own, stamp.seen);
    if (!port.send(link.peer, Lane.CONTROL, frame)) return false;
    sent(link, false, stamp);
    link.prunedAt = now;
    counters.prunesSent++;
    return true;
  }

  /** A copy came of a message that `first` (no link: this node) had brought at `firstAt`. */
  duplicate(
    origin: number,
    link: Link,
    first: Link | undefined,
    firstAt: number,
    now: number,
  ): void {
    const { options, links } = this.#context;
    if (!link.eager) {
      // Copies behind a PRUNE were under way when it was sent; what still comes later says that it was not heard.
      if (now - link.prunedAt >= options.pruneWindowMs) this.prune(link, now);
      return;
    }
    if (now < link.graceUntil || links.eager < 2) return;
    if (this.rule.holds(origin, link, first, firstAt, now)) this.prune(link, now);
  }

  /** At least one link has to be eager where there is one at all. */
  ensureEager(preferred: Link | undefined, now: number): void {
    const { links, port } = this.#context;
    const { list } = links;
    if (list.length === 0 || list.some((link) => link.eager)) return;
    const link = preferred?.up ? preferred : list[Math.floor(port.random() * list.length)]!;
    this.graft(link, now);
  }

  /** A GRAFT with a stamp, or a PRUNE, came. */
  change(link: Link, graft: boolean, stamp: Stamp, now: number): void {
    const { port } = this.#context;
    if (link.changes.take(1, now) === 0) port.misbehaved(link.peer, 1, "link changes too often");
    if (!link.up) return;
    const eager = link.eager;
    if (received(link, graft, stamp)) {
      if (eager && !link.eager) this.#regret(link, now);
      return;
    }
    // It was meant for an earlier life of this link: this tells the peer of the present one.
    if (now - link.prunedAt >= this.#context.options.pruneWindowMs) {
      link.prunedAt = now;
      this.graft(link, now);
    }
  }

  /**
   * A neighbour pruned the link that brought the news here, while this node has pruned another one in its favour: the two
   * PRUNEs crossed in the ring. The other one is taken back at once, before a message is missed.
   */
  #regret(link: Link, now: number): void {
    const { links, options } = this.#context;
    let last: Link | undefined;
    for (const other of links.list) {
      if (other.eager && other.firstAt >= link.firstAt) return;
      if (other === link || other.eager || now - other.prunedAt > options.pruneWindowMs) continue;
      if (last === undefined || other.prunedAt > last.prunedAt) last = other;
    }
    if (last !== undefined) this.graft(last, now);
  }
}
