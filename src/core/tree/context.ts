/**
 * What the parts of one topic's tree share.
 *
 * @module
 */

import type { Limits } from "../../limits.ts";
import type { TreeOptions } from "../../options.ts";
import type { Links } from "./links.ts";
import type { MessageLog } from "./message_log.ts";
import type { TreePort } from "./port.ts";

/** The options of one {@linkcode Plumtree}. */
export interface PlumtreeOptions extends TreeOptions {
  /** Messages carry their author's signature. */
  readonly sign: boolean;
  /** Messages of one turn of the event loop may travel as one. Default false. */
  readonly bundle?: boolean;
  /** Whether this instance wants what others had received before it began. */
  readonly history: "none" | "retained";
  /** When this node began, in ms since 1970, growing over restarts. */
  readonly incarnation: number;
  /** The author's next counter, where it goes on from an earlier membership. Default: counts from 1. */
  readonly nextSeq?: () => number;
}

/** Counters since the instance began. */
export class TreeCounters {
  published = 0;
  delivered = 0;
  duplicates = 0;
  missed = 0;
  rejected = 0;
  ignored = 0;
  dropped = 0;
  congested = 0;
  strangers = 0;
  ihaveSent = 0;
  ihaveFramesSent = 0;
  ihaveReceived = 0;
  graftsSent = 0;
  graftsReceived = 0;
  graftsRefused = 0;
  prunesSent = 0;
  prunesReceived = 0;
  goneSent = 0;
  goneReceived = 0;
  swaps = 0;
  syncsSent = 0;
  syncsReceived = 0;
  repairs = 0;
}

/**
 * A snapshot of the broadcast tree of one topic (Plumtree, SRDS 2007): what it has counted since the join, and its sizes
 * now.
 *
 * @example
 * ```ts
 * import { Gossip, type TreeMetrics } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using news = node.join("news");
 * await news.publish("hello");
 * const { retainedMessages, duplicates, eager }: TreeMetrics = news.metrics();
 * assertEquals([retainedMessages, duplicates, eager], [1, 0, 0]);
 * ```
 */
export interface TreeMetrics {
  /** Messages published here. */
  readonly published: number;
  /** Messages of others that were accepted. */
  readonly delivered: number;
  /** Copies beyond the first. */
  readonly duplicates: number;
  /** Announced ids that nobody could give. */
  readonly missed: number;
  /** Messages refused with blame. */
  readonly rejected: number;
  /** Messages refused without. */
  readonly ignored: number;
  /** Messages put off because too many wait for their verdict. */
  readonly dropped: number;
  /** Payloads (of one message or several) announced instead of pushed because a lane was full. */
  readonly congested: number;
  /** Frames of peers that are no neighbours. */
  readonly strangers: number;
  /** Ids announced. */
  readonly ihaveSent: number;
  /** Frames that they took. */
  readonly ihaveFramesSent: number;
  /** Ids that neighbours announced. */
  readonly ihaveReceived: number;
  /** GRAFT frames sent. */
  readonly grafts: number;
  /** GRAFT frames received. */
  readonly graftsReceived: number;
  /** Payloads asked for above a bound. */
  readonly graftsRefused: number;
  /** PRUNE frames sent. */
  readonly prunes: number;
  /** PRUNE frames received. */
  readonly prunesReceived: number;
  /** Ids answered with GONE. */
  readonly goneSent: number;
  /** Ids that neighbours no longer had. */
  readonly goneReceived: number;
  /** Eager links exchanged for faster ones. */
  readonly swaps: number;
  /** SYNC frames sent. */
  readonly syncsSent: number;
  /** SYNC frames received. */
  readonly syncsReceived: number;
  /** Ids learned by comparison. */
  readonly repairs: number;
  /** Eager links. */
  readonly eager: number;
  /** Lazy links. */
  readonly lazy: number;
  /** Ids remembered as seen. */
  readonly seen: number;
  /** Ids being chased. */
  readonly missing: number;
  /** Messages that wait for their verdict. */
  readonly validating: number;
  /** Messages retained. */
  readonly retainedMessages: number;
  /** Bytes that they hold. */
  readonly retainedBytes: number;
}

/** The shared state. */
export interface TreeContext {
  readonly port: TreePort;
  readonly options: PlumtreeOptions;
  readonly limits: Limits;
  readonly links: Links;
  readonly log: MessageLog;
  readonly counters: TreeCounters;
  /** When the instance began. */
  readonly startedAt: number;
  /** True once it is closed: nothing is sent, no timer set. */
  closed: boolean;
  /** Until when announcements count as gathered for long. */
  fastUntil: number;
}
