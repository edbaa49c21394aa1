/**
 * Every bound on what a remote peer can make this node hold or do.
 *
 * Each field says its unit, its default and what raising or lowering it costs. `GossipOptions.limits` overrides them.
 *
 * @module
 */

/**
 * The bounds of one node on what its peers can make it hold or do, for `limits` in `GossipOptions`. Whole numbers of at least 1; times
 * may be fractions, and `banSeconds` 0.
 *
 * @example
 * ```ts
 * import { Gossip, type Limits } from "@x/plumtree";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const limits: Partial<Limits> = { messageBytes: 1_024 };
 * await using node = await Gossip.listen({ hostname: "127.0.0.1", limits });
 * await using news = node.join("news");
 * await assertRejects(() => news.publish(new Uint8Array(1_025)), Error, "1024");
 * assertEquals(news.metrics().published, 0);
 * ```
 */
export interface Limits {
  /** Bytes of the largest message that is published, accepted or relayed. Raising it lets one message hold more memory at every node on its way. Default 4 MiB. */
  messageBytes: number;
  /** Bytes that one connection may have waiting per send lane. Raising it rides out longer pauses of a slow reader at the cost of memory per peer. Default 8 MiB; at least twice `messageBytes`. */
  laneBytes: number;
  /** Connections in total; further ones are refused after the handshake. Default 512. */
  connections: number;
  /** Connections that have not finished their handshake, in total. Default 128. */
  halfOpen: number;
  /** The same from one remote address. Raising it lets one host take more of the total. Default 32. */
  halfOpenPerAddress: number;
  /** Milliseconds for a whole handshake, both ways. Lower sheds silent strangers sooner and refuses slow links. Default 10_000. */
  handshakeMs: number;
  /** Dials under way at once. Default 32. */
  dials: number;
  /**
   * Topics that one peer may open on its connection. One that opens more is cut off and banned, so this node opens no more than three quarters of
   * it on its own connections, and looks for neighbours on further topics elsewhere: give all nodes of a network the same. Default 4096.
   */
  topicsPerPeer: number;
  /** Topic ids remembered as seen, per topic: an older id that comes again would be delivered twice. Each costs about 64 bytes. Default 65_536. */
  seenIds: number;
  /** Ids announced but not received, per topic. Beyond it the oldest is given up. Default 8192. */
  missingIds: number;
  /** Announcers remembered for one missing id. Default 8. */
  announcers: number;
  /** Ids in one IHAVE, GRAFT or GONE frame; a frame with more is refused. Default 1024. */
  idsPerFrame: number;
  /** Ids that one neighbour may announce per second and topic before its announcements are dropped. Default 20_000. */
  ihavePerSecond: number;
  /** Payloads that one neighbour may ask for (GRAFT) per second and topic. Default 5_000. */
  graftsPerSecond: number;
  /** Frames of set comparison (SYNC) that one neighbour may send per second and topic; each can cost a pass over the retained ids. Default 32. */
  syncPerSecond: number;
  /** Authors remembered per signed topic against replay of recorded messages, least recently heard out first. Each costs about 300 bytes. Default 4096. */
  authors: number;
  /** Entries taken from one shuffle or candidate list. Default 16. */
  shuffleEntries: number;
  /**
   * Overlay messages (join, neighbour, shuffle …) that one peer may send per second over all topics; burst of ten times that. Neighbours check each
   * other on each topic every `overlay.checkMs`, so by default two nodes can be neighbours on about 2,000 topics at once. Default 200.
   */
  overlayPerSecond: number;
  /** Messages that wait for an asynchronous `validate`, per topic. Default 1024. */
  validating: number;
  /** Bytes of the same. Default 32 MiB. */
  validatingBytes: number;
  /** Milliseconds that an asynchronous `validate` may take before the message is ignored. Default 10_000. */
  verdictMs: number;
  /** Topics that one peer record may list. Default 1024. */
  recordTopics: number;
  /** Peers whose newest record (addresses) is remembered; the longest unused is forgotten. About 400 bytes each. Default 8192. */
  addressBook: number;
  /** Overlay messages that wait for one dial to succeed. Default 16. */
  outboxFrames: number;
  /** Seconds for which a peer that broke the protocol is refused. Default 600. */
  banSeconds: number;
  /** Peers in the directory. Default 16_384. */
  directoryPeers: number;
  /** Bytes of their records as they travel; the memory is two to three times that. Default 64 MiB. */
  directoryBytes: number;
  /** Requests in progress that one peer may have at this node. Default 64. */
  requestsPerPeer: number;
  /** Requests in progress from all peers. Default 1024. */
  requests: number;
  /** Bytes of the largest request body; a message that is published through a member is one, with up to 400 bytes more. Default 5 MiB. */
  requestBytes: number;
  /** Bytes of the largest reply that is collected whole; a streamed one is not bounded. Default 64 MiB. */
  replyBytes: number;
  /** Bytes of messages held per iterator of a topic, beside its `buffer` count; the oldest are dropped beyond it. Default 64 MiB. */
  bufferBytes: number;
  /** Events held per reader of `events()`; the oldest are dropped beyond it. Default 1024. */
  eventBuffer: number;
}

/**
 * The defaults of {@linkcode Limits}; frozen.
 *
 * @example
 * ```ts
 * import { DEFAULT_LIMITS } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(DEFAULT_LIMITS.messageBytes, 4 * 1024 * 1024);
 * ```
 */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  messageBytes: 4 * 1024 * 1024,
  laneBytes: 8 * 1024 * 1024,
  connections: 512,
  halfOpen: 128,
  halfOpenPerAddress: 32,
  handshakeMs: 10_000,
  dials: 32,
  topicsPerPeer: 4_096,
  seenIds: 65_536,
  missingIds: 8_192,
  announcers: 8,
  idsPerFrame: 1_024,
  ihavePerSecond: 20_000,
  graftsPerSecond: 5_000,
  syncPerSecond: 32,
  authors: 4_096,
  shuffleEntries: 16,
  overlayPerSecond: 200,
  validating: 1_024,
  validatingBytes: 32 * 1024 * 1024,
  verdictMs: 10_000,
  recordTopics: 1_024,
  addressBook: 8_192,
  outboxFrames: 16,
  banSeconds: 600,
  directoryPeers: 16_384,
  directoryBytes: 64 * 1024 * 1024,
  requestsPerPeer: 64,
  requests: 1_024,
  requestBytes: 5 * 1024 * 1024,
  replyBytes: 64 * 1024 * 1024,
  bufferBytes: 64 * 1024 * 1024,
  eventBuffer: 1_024,
});
