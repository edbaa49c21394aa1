/**
 * What an overlay asks of the node that it is a part of.
 *
 * @module
 */

import type { Clock, DownReason, PeerId } from "../host.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayMessage } from "../../wire/overlay_messages.ts";

/** The overlay of the directory, as the node's other topics see it: its links are there anyway, and most were drawn at random. */
export interface BaseOverlay {
  /** True for a neighbour in it. */
  isActive(peer: PeerId): boolean;
  /** True while it looks for neighbours and soon finds some. */
  readonly filling: boolean;
}

/** The node, as one topic's overlay sees it. */
export interface OverlayPort extends Clock {
  /** This node. */
  readonly self: PeerId;
  /** Calls `fire` about every `ms`, together with other topics of the node, until what is returned is called. */
  every(ms: number, fire: (lateMs: number) => void): () => void;
  /** This node's own signed contact record. */
  record(): SignedRecord;
  /** The newest record known of a peer: from its HELLO, an overlay message or the directory. */
  recordOf(peer: PeerId): SignedRecord | undefined;
  /** True where the record's signature holds; remembered, so that a record is checked once. Keeps the record for {@linkcode recordOf}. */
  accept(record: SignedRecord): boolean;
  /** Members of the topic that the directory knows, in random order, at most `most`; without this node. */
  members(most: number): PeerId[];
  /** True where a connection to the peer is up. */
  connected(peer: PeerId): boolean;
  /** True where a connection to the peer is up, or on its way for any topic: asking it costs no dial of its own. */
  near(peer: PeerId): boolean;
  /** Neighbours on other topics of this node that are known to be on this one too, in no order. */
  shared(): PeerId[];
  /** The part of the nodes that the directory knows which it knows to be on this topic; 1 where it knows none. */
  presence(): number;
  /** Messages that the topic has carried so far. */
  carried(): number;
  /** The overlay whose links this one shares where it can; none without a directory, and for the directory's own. */
  base(): BaseOverlay | undefined;
  /** True where a dial to the peer is to be made and has not begun: others go before it. */
  queued(peer: PeerId): boolean;
  /** The smoothed round-trip time. */
  rtt(peer: PeerId): number | undefined;
  /** What a link to a connected peer costs: see `Host.leastRtt`. */
  cost(peer: PeerId): number | undefined;
  /**
   * Sends over the connection to `peer`, dialling first where none is up. Where that fails, or no address is known,
   * `HyParView.unreachable(peer)` is called later, never inside this call.
   */
  send(peer: PeerId, message: OverlayMessage): void;
  /** Dials `peer` where no connection is up, to measure it; failure is told as by {@linkcode send}. */
  connect(peer: PeerId): void;
  /** Keeps the connection to a peer open until {@linkcode release}; called once per peer in the active view. */
  hold(peer: PeerId): void;
  /** See {@linkcode hold}. */
  release(peer: PeerId): void;
  /** A peer entered the active view. */
  neighborUp(peer: PeerId): void;
  /** A peer left the active view. */
  neighborDown(peer: PeerId, reason: DownReason): void;
  /** A swap put `to` in the place of `from`, `gainMs` of round trip nearer. */
  swapped(from: PeerId, to: PeerId, gainMs: number): void;
  /** The last neighbour is gone and the topic is not being left. */
  isolated(): void;
  /** The first neighbour after {@linkcode isolated}. */
  rejoined(): void;
  /** A peer broke the protocol; `points` of 100 end its connection. */
  misbehaved(peer: PeerId, points: number, what: string): void;
}
