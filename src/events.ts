/**
 * What happens on a node, for logs, dashboards and tests.
 *
 * @module
 */

import type { DownReason, PeerId } from "./core/host.ts";

export type { DownReason } from "./core/host.ts";

/**
 * One event of a node, told apart by `type`; see `Gossip.events`.
 *
 * @example
 * ```ts
 * import { Gossip, type GossipEvent } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * function line(event: GossipEvent): string {
 *   switch (event.type) {
 *     case "missed":
 *       return `${event.topic}: ${event.id} is lost (${event.reason})`;
 *     case "dial-failed":
 *       return `${event.address}: ${event.error.message}`;
 *     default:
 *       return event.type;
 *   }
 * }
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * const events = node.events();
 * await using peer = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [node.address] });
 * for await (const event of events) {
 *   assertEquals(line(event), "peer-up");
 *   assertEquals(peer.address.startsWith("127.0.0.1:"), true);
 *   break;
 * }
 * ```
 */
export type GossipEvent =
  /** A connection to a peer is up and authenticated. */
  | { readonly type: "peer-up"; readonly peer: PeerId; readonly direction: "in" | "out" }
  /** A connection ended. */
  | { readonly type: "peer-down"; readonly peer: PeerId; readonly reason: DownReason }
  /** A peer entered a topic's active view. */
  | { readonly type: "neighbor-up"; readonly topic: string; readonly peer: PeerId }
  /** A peer left a topic's active view. */
  | {
    readonly type: "neighbor-down";
    readonly topic: string;
    readonly peer: PeerId;
    readonly reason: DownReason;
  }
  /** This node gave up the neighbour `from` for the nearer peer `to` (X-BOT), `gainMs` of round trip. The other three parties see neighbours come and go ("swapped"). */
  | {
    readonly type: "swap";
    readonly topic: string;
    readonly from: PeerId;
    readonly to: PeerId;
    readonly gainMs: number;
  }
  /**
   * A message was announced but could not be got: nobody holds it any more, nobody answered, or too many were missing. Of messages that travel
   * together (published in one turn of the event loop) `id` is that of all of them, and none's own: it is told once.
   */
  | {
    readonly type: "missed";
    readonly topic: string;
    readonly id: string;
    readonly reason: "gone" | "no-answer" | "overflow";
  }
  /** A slow reader lost its `count` oldest messages (`topic`) or events (no `topic`). */
  | { readonly type: "lagged"; readonly topic: string | undefined; readonly count: number }
  /** A message was refused by `validate`, by the codec (`reason` has its words), for its signature, or for its shape. */
  | {
    readonly type: "reject";
    readonly topic: string;
    readonly id: string;
    readonly peer: PeerId;
    readonly reason: string;
  }
  /** A dial failed. */
  | { readonly type: "dial-failed"; readonly address: string; readonly error: Error }
  /** A stranger was refused before or in its handshake, or for a bound. */
  | { readonly type: "refused"; readonly address: string; readonly reason: string }
  /** A topic lost its last neighbour. */
  | { readonly type: "isolated"; readonly topic: string }
  /** A topic has a neighbour again. */
  | { readonly type: "rejoined"; readonly topic: string }
  /** A peer broke the protocol and lost score; at -100 its connection is ended. */
  | {
    readonly type: "misbehaved";
    readonly peer: PeerId;
    readonly points: number;
    readonly what: string;
  }
  /** A peer sent something for a topic that this node has not joined. `key` is the topic's hash in hex. */
  | { readonly type: "unknown-topic"; readonly peer: PeerId; readonly key: string }
  /** An error inside the library or a user's callback was caught; the node goes on. */
  | { readonly type: "fault"; readonly error: unknown };
