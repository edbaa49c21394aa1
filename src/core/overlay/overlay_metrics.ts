/**
 * What an overlay counts.
 *
 * @module
 */

/**
 * What the membership of one topic has counted since it was joined: messages and steps of HyParView (DSN 2007).
 *
 * @example
 * ```ts
 * import { Gossip, type OverlayCounters } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using news = node.join("news");
 * const { joins, evictions }: Readonly<OverlayCounters> = news.metrics();
 * assertEquals([joins, evictions], [0, 0]);
 * ```
 */
export interface OverlayCounters {
  /** JOINs received. */
  joins: number;
  /** FORWARDJOINs received from neighbours. */
  forwardJoins: number;
  /** JOINs and NEIGHBORs sent. */
  requestsSent: number;
  /** Of these, refused. */
  refused: number;
  /** Of these, not answered in time. */
  silent: number;
  /** Peers that could not be dialled. */
  unreachable: number;
  /** JOINs and NEIGHBORs of others accepted. */
  requestsAccepted: number;
  /** JOINs and NEIGHBORs of others refused. */
  requestsRefused: number;
  /** Neighbours evicted to make room. */
  evictions: number;
  /** Times that a neighbour evicted this node. */
  evicted: number;
  /** Shuffles sent. */
  shuffles: number;
  /** Replies to them. */
  shuffleReplies: number;
  /** Peers told that they are no neighbours though they think so. */
  corrections: number;
  /** Neighbours dropped since they did not show for long that they have this node too. */
  halfLinks: number;
  /** Probes for other islands sent. */
  probes: number;
  /** Swaps of a neighbour for a nearer peer (X-BOT) that this node began. */
  swapsTried: number;
  /** Of these, carried out. */
  swapsDone: number;
  /** Of these, refused, given up or not answered in time; the rest is under way. */
  swapsFailed: number;
}

/**
 * A snapshot of the membership of one topic: its counters, and how many peers it remembers.
 *
 * @example
 * ```ts
 * import { Gossip, type OverlayMetrics } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using news = node.join("news");
 * const { active, passive, isolations }: OverlayMetrics = news.metrics();
 * assertEquals([active, passive, isolations], [0, 0, 0]);
 * ```
 */
export interface OverlayMetrics extends Readonly<OverlayCounters> {
  /** Times that the last neighbour went away. */
  readonly isolations: number;
  /** Size of the active view. */
  readonly active: number;
  /** Size of the passive view. */
  readonly passive: number;
  /** Peers that were in the passive view and are asked where too many others are gone. */
  readonly former: number;
  /** Requests without an answer. */
  readonly openRequests: number;
  /** Peers that are left alone for a while. */
  readonly cooling: number;
  /** Peers whose link cost is remembered, and those that no swap is tried with for a while. */
  readonly costs: number;
  /** Mean round trip in ms of the active view's links, as far as measured; 0 before. */
  readonly meanCostMs: number;
}

/** Counters at zero. */
export function countOverlay(): OverlayCounters {
  return {
    joins: 0,
    forwardJoins: 0,
    requestsSent: 0,
    refused: 0,
    silent: 0,
    unreachable: 0,
    requestsAccepted: 0,
    requestsRefused: 0,
    evictions: 0,
    evicted: 0,
    shuffles: 0,
    shuffleReplies: 0,
    corrections: 0,
    halfLinks: 0,
    probes: 0,
    swapsTried: 0,
    swapsDone: 0,
    swapsFailed: 0,
  };
}
