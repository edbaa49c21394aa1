/**
 * The knobs of the protocols: unit in the name, default, what raising and lowering it costs, where the value comes from.
 *
 * @module
 */

/**
 * Options of the membership, HyParView (Leitão, Pereira, Rodrigues, DSN 2007), per topic. Sizes and hops are whole numbers of at least
 * 1, of which `prwl`, `shuffleActive`, `shufflePassive`, `swapMs`, `swapUnbiased`, `swapGainMs` and `swapGainPercent` may be 0.
 *
 * @example
 * ```ts
 * import { Gossip, overlayDefaults, type OverlayOptions } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const overlay: Partial<OverlayOptions> = { activeSize: 8, passiveSize: 60 };
 * await using node = await Gossip.listen({ hostname: "127.0.0.1", overlay });
 * assertEquals(node.peers(), []);
 * assertEquals(overlayDefaults("lan").activeSize, 5);
 * ```
 */
export interface OverlayOptions {
  /** Size of the active view: open links per topic. More survive larger failures and cost more lazy announcements. At most 30. Default 5 (paper 5.1). */
  activeSize: number;
  /** Size of the passive view: peers in reserve. More survive larger failures at about 300 B each, and four times as many former members are remembered. At most 4,096. Default 30 (paper 5.1). */
  passiveSize: number;
  /** Active random walk length: hops of a FORWARDJOIN. At most 255. Default 6 (paper 5.1). */
  arwl: number;
  /** Passive random walk length: the hop at which a FORWARDJOIN leaves the joiner in a passive view. At most 255. Default 3 (paper 5.1). */
  prwl: number;
  /** Hops of a SHUFFLE. At most 255. Default 6 (the paper has no value; Cyclon's walk in its experiments was 5). */
  shuffleTtl: number;
  /** Active members in a shuffle. At most 4,096. Default 3 (paper 5.1). */
  shuffleActive: number;
  /** Passive members in a shuffle. At most 4,096. Default 4 (paper 5.1). */
  shufflePassive: number;
  /** Milliseconds between shuffles, ±20 %; up to 16 times as long while the passive view is stocked and no link changes. Shorter keeps passive views fresher under churn at about 1 KB each. Default 10_000, local 5_000, wan 30_000. */
  shuffleMs: number;
  /** Milliseconds between looks at free slots (refill) while the active view is not full. Shorter fills it sooner and asks more. Default 1_000, local 500. */
  refillMs: number;
  /** Milliseconds between symmetry checks of every active link, ±20 %. Shorter repairs half links sooner. Default 10_000, local 5_000, wan 30_000. */
  checkMs: number;
  /** Least milliseconds to wait for the answer to a NEIGHBOR or JOIN; the wait is at least four round trips. Shorter turns to the next peer sooner. Default 1_000, wan 3_000. */
  answerMs: number;
  /** Milliseconds between probes of bootstrap and known-good addresses by which islands merge again; a node acts on one with probability 3/n (ringpop's rule). Shorter merges islands sooner. Default 30_000, local 5_000. */
  probeMs: number;
  /** Milliseconds between tries to swap an expensive link for a cheaper one (X-BOT), ±20 %, while the view is full; up to 8 times as long where nothing comes of them. Shorter gets near peers sooner, and measures (dials) more of them. 0: no swaps, which then nobody else can make through this node. Default 5_000, local 0. */
  swapMs: number;
  /** Peers whose round trip is measured in such a try, where none is known that would be worth it. More find near peers sooner at a dial each. Default 2 (papers call it PSL). */
  swapScan: number;
  /** Links of a view that did not come by swaps and are never given up to one. More keep the overlay more random, which survives larger failures, and more expensive. Default 1 (papers call it UN). */
  swapUnbiased: number;
  /** Least gain, in ms of round trip over all links that change, for a swap. Lower optimises further and follows noise sooner. Default 2, wan 5. */
  swapGainMs: number;
  /** Least gain in percent of the links that go; the larger of the two counts. Default 10. */
  swapGainPercent: number;
  /** Milliseconds for all four parties to agree; the measurement at the fourth is part of it. Shorter frees who waits for a lost party sooner and refuses slow ones. Default 5_000, wan 8_000. */
  swapWaitMs: number;
}

/**
 * Options of the broadcast tree, Plumtree (Leitão, Pereira, Rodrigues, SRDS 2007), per topic. Whole numbers of at least 1; times may be
 * fractions, and `ihaveMs` and `optimizeMs` 0.
 *
 * @example
 * ```ts
 * import { Gossip, treeDefaults, type TreeOptions } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const tree: Partial<TreeOptions> = { retainSeconds: 10 };
 * await using node = await Gossip.listen({ hostname: "127.0.0.1", tree });
 * assertEquals(node.peers(), []);
 * assertEquals(treeDefaults("lan").retainSeconds, 60);
 * ```
 */
export interface TreeOptions {
  /** Milliseconds that announcements (IHAVE) wait for company; five times as long where messages come fast. Longer saves frames and delays repair by as much. Default 10, wan 25 (the paper sends them at once). */
  ihaveMs: number;
  /** Least milliseconds between an announcement and the GRAFT for it (T1); the real wait follows the measured delay between first hash and payload. Default 50, wan 150 (the paper has a constant and no value). */
  graftMinMs: number;
  /** Most milliseconds of the same; an id that was asked for is given up after 12 times as long, which has to be more than queues on narrow links take. Default 5_000. */
  graftMaxMs: number;
  /** GRAFTs sent for one id, one soon after another; then it is asked for rarely, and given up as missed after 12 `graftMaxMs`. Default 16 (the paper has no bound). */
  graftRetries: number;
  /** Milliseconds within which a neighbour is pruned at most once, and for which a link just grafted is not pruned by us. Longer keeps duplicates for longer, shorter lets trees flap. Default 500, wan 2_000. */
  pruneWindowMs: number;
  /** How much earlier, in ms, an announcement must beat the payload to count for a swap of eager link (the paper's optimisation, there in hops: 4.1). Lower adapts sooner and flaps sooner. Default 5, wan 15. */
  optimizeMs: number;
  /** How many times in a row it must do so. Default 8. */
  optimizeCount: number;
  /**
   * Trees among which an author takes the one in whose midst it stands, 1 to 15. More shorten the way of messages of many authors (a tree has
   * about twice its height from the rim) and share the load of relaying; every tree has to be formed, and after a change of neighbours mended, at the cost of
   * duplicates. All members should have the same. Default 1 (the paper has one, or one per author: 3.7).
   */
  trees: number;
  /** Milliseconds between comparisons of the retained messages with a random neighbour. Shorter finds sooner what no announcement told, at the cost of a frame each. Default 10_000, local 5_000. */
  syncMs: number;
  /** Seconds for which a message is retained for repair. Default 60. */
  retainSeconds: number;
  /** Messages retained per topic. Default 8_192. */
  retainMessages: number;
  /** Bytes retained per topic. Default 32 MiB. */
  retainBytes: number;
}

/**
 * The three sets of defaults, which differ in times only: "local" for processes on one machine, "lan" for one data centre (the
 * default), "wan" for the Internet.
 *
 * @example
 * ```ts
 * import { overlayDefaults, type Preset } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const preset: Preset = "wan";
 * assertEquals(overlayDefaults(preset).shuffleMs, 30_000);
 * ```
 */
export type Preset = "local" | "lan" | "wan";

const OVERLAY: OverlayOptions = {
  activeSize: 5,
  passiveSize: 30,
  arwl: 6,
  prwl: 3,
  shuffleTtl: 6,
  shuffleActive: 3,
  shufflePassive: 4,
  shuffleMs: 10_000,
  refillMs: 1_000,
  checkMs: 10_000,
  answerMs: 1_000,
  probeMs: 30_000,
  swapMs: 5_000,
  swapScan: 2,
  swapUnbiased: 1,
  swapGainMs: 2,
  swapGainPercent: 10,
  swapWaitMs: 5_000,
};

const TREE: TreeOptions = {
  ihaveMs: 10,
  graftMinMs: 50,
  graftMaxMs: 5_000,
  graftRetries: 16,
  pruneWindowMs: 500,
  optimizeMs: 5,
  optimizeCount: 8,
  trees: 1,
  syncMs: 10_000,
  retainSeconds: 60,
  retainMessages: 8_192,
  retainBytes: 32 * 1024 * 1024,
};

/**
 * The defaults of {@linkcode OverlayOptions} for a preset; an object of its own each time.
 *
 * @example
 * ```ts
 * import { overlayDefaults } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(overlayDefaults("lan").passiveSize, 30);
 * ```
 */
export function overlayDefaults(preset: Preset): OverlayOptions {
  if (preset === "local") {
    const quick = { shuffleMs: 5_000, refillMs: 500, checkMs: 5_000, probeMs: 5_000 };
    return { ...OVERLAY, ...quick, swapMs: 0 };
  }
  if (preset === "wan") {
    const slow = { shuffleMs: 30_000, checkMs: 30_000, answerMs: 3_000 };
    return { ...OVERLAY, ...slow, swapGainMs: 5, swapWaitMs: 8_000 };
  }
  return { ...OVERLAY };
}

/**
 * The defaults of {@linkcode TreeOptions} for a preset; an object of its own each time.
 *
 * @example
 * ```ts
 * import { treeDefaults } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(treeDefaults("lan").retainMessages, 8_192);
 * ```
 */
export function treeDefaults(preset: Preset): TreeOptions {
  if (preset === "local") return { ...TREE, syncMs: 5_000 };
  if (preset === "wan") {
    return { ...TREE, ihaveMs: 25, graftMinMs: 150, pruneWindowMs: 2_000, optimizeMs: 15 };
  }
  return { ...TREE };
}
