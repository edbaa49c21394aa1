/**
 * What the request layer asks of the node that it is a part of.
 *
 * @module
 */

import type { Clock, PeerId } from "../core/host.ts";
import type { Lane } from "../wire/frames.ts";

/** The node, as the request layer sees it. */
export interface RequestPort extends Clock {
  /** This node. */
  readonly self: PeerId;
  /** True where a connection to the peer is up. */
  connected(peer: PeerId): boolean;
  /**
   * Dials a peer that is not connected. False where no address of it is known. True is answered later, never inside
   * this call, by `Requests.peerUp` or `Requests.unreachable`; does nothing more where a dial is on its way.
   */
  connect(peer: PeerId): boolean;
  /** Keeps the connection to a peer open. Called for connected peers only; each call is followed by one of {@linkcode release}, after `Requests.peerDown` too. */
  hold(peer: PeerId): void;
  /** See {@linkcode hold}. */
  release(peer: PeerId): void;
  /** Queues one frame; false where nothing was queued (lane full or no connection). `head` and `body` are not written to afterwards. */
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean;
  /** A peer broke the protocol; `points` of 100 end its connection. */
  misbehaved(peer: PeerId, points: number, what: string): void;
  /** See `Transport.touch`: what waits for an answer, or answers, may go on. */
  touch?(): void;
  /** A handler of this node threw, or gave what is no answer; the peer is told "handler failed" and no more. */
  handlerFailed(peer: PeerId, protocol: string, cause: unknown): void;
}

/**
 * What a node has counted of requests since it started, and how many are in progress, the library's own (for
 * the directory and for shards) among them; a frozen snapshot.
 *
 * @example
 * ```ts
 * import { Gossip, type RequestMetrics } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
 * using _ = a.handle("ping", () => "pong");
 * await b.connect(a.address);
 * await b.request(a.id, "ping");
 * const { asked, answered }: RequestMetrics = b.metrics().requests;
 * assertEquals(answered >= 1 && asked >= answered, true);
 * assertEquals(a.metrics().requests.refused, 0);
 * ```
 */
export interface RequestMetrics {
  /** Requests made here. */
  readonly asked: number;
  /** Of these, how many were answered completely, "not found" included. */
  readonly answered: number;
  /** Of these, how many failed or were given up. */
  readonly failed: number;
  /** Requests made here that are in progress. */
  readonly asking: number;
  /** Requests of peers that a handler was called for. */
  readonly served: number;
  /** Requests of peers that were refused: busy, too large, unknown protocol. */
  readonly refused: number;
  /** Requests of peers that are in progress, cancelled ones with a running handler among them. */
  readonly serving: number;
}
