/**
 * What a broadcast tree asks of the node that it is a part of, and what it hands over.
 *
 * @module
 */

import type { Hash } from "../../wire/gossip.ts";
import type { Clock, PeerId } from "../host.ts";
import type { Lane } from "../../wire/frames.ts";

/**
 * What `validate` says of a message.
 *
 * @example
 * ```ts
 * import type { Message, Verdict } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const judge = (m: Pick<Message, "size">): Verdict => m.size <= 65_536 ? "accept" : "reject";
 * assertEquals(judge({ size: 65_537 }), "reject");
 * ```
 */
export type Verdict =
  /** Deliver and relay. */
  | "accept"
  /** Drop without blame. */
  | "ignore"
  /** Drop and blame the neighbour that relayed it. */
  | "reject";

/** A message as the tree holds it; the bytes are never written to again. */
export interface TreeMessage {
  /** The id: 40 lower-case hex digits, made when it is first read. */
  readonly id: string;
  /** The body that it travels in (see wire/gossip.ts), of own ones that leave with others from the origin on. */
  readonly body: Uint8Array;
  /** Where the payload begins in {@linkcode body}. */
  readonly payloadAt: number;
  /** Where it ends. */
  readonly payloadEnd: number;
  /** A copy of the payload that readers may write to; each call may make a new one. */
  copy(): Uint8Array;
  /** The author, verified; undefined on unsigned topics. */
  readonly from: PeerId | undefined;
  /** The author's counter. */
  readonly seq: number;
  /** The neighbour that it came through; this node itself for own messages. */
  readonly via: PeerId;
  /** 1 for a direct neighbour of the author, 0 for own messages. */
  readonly hops: number;
}

/** The node, as one topic's tree sees it. */
export interface TreePort extends Clock {
  /** This node. */
  readonly self: PeerId;
  /** The number by which this node names the topic on every connection of its own; goes into the head of every frame. */
  readonly alias: number;
  /** SHA-256 of the topic's name and network, 32 bytes; goes into every message id. */
  readonly key: Uint8Array;
  /** Queues a frame to a neighbour; false where nothing was queued (lane full or no connection). `head` and `body` are not written to afterwards. */
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean;
  /** The smoothed round-trip time. */
  rtt(peer: PeerId): number | undefined;
  /** See `Host.sha256`. */
  readonly sha256: Hash;
  /** Signs with this node's identity. */
  sign(message: Uint8Array): Uint8Array;
  /** Checks an ed25519 signature. */
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean;
  /** Asks the user's validation. `undefined`: the verdict comes later through `Plumtree.verdict`. */
  validate(message: TreeMessage): Verdict | undefined;
  /** Hands an accepted message over; called once per id, unless its author (where nobody signs, anybody) sends it both by itself and in a bundle, or in two. */
  deliver(message: TreeMessage): void;
  /** An announced message could not be got from anybody. */
  missed(id: string, why: "gone" | "no-answer" | "overflow"): void;
  /** A message was refused: by validation, a bad signature, or its shape. */
  rejected(id: string, via: PeerId, why: string): void;
  /** A peer broke the protocol; `points` of 100 end its connection. */
  misbehaved(peer: PeerId, points: number, what: string): void;
}
