/**
 * The one interface through which the protocol core acts on the world. TCP, memory and the simulator each give it one;
 * the core itself has no socket, no clock, no randomness and no await.
 *
 * @module
 */

import type { Hash } from "../wire/gossip.ts";
import type { SignedRecord } from "../wire/record.ts";
import type { Lane } from "../wire/frames.ts";

/**
 * A node's ed25519 public key (RFC 8032) as 64 lower-case hex digits.
 *
 * @example
 * ```ts
 * import { Identity, type PeerId } from "@x/plumtree";
 * import { assertMatch } from "@std/assert";
 *
 * const id: PeerId = Identity.generate().id;
 * assertMatch(id, /^[0-9a-f]{64}$/);
 * ```
 */
export type PeerId = string;

/** What {@linkcode Clock.after} gave, for {@linkcode Clock.cancel}. */
export type TimerId = number;

/** Time and chance, as the host has them. */
export interface Clock {
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** A number in [0, 1); not for keys. */
  random(): number;
  /** Calls `fire` once after `ms`; a real host calls it late, never early, and unless it is to be `exact` late enough to do so together with others. */
  after(ms: number, fire: () => void, exact?: boolean): TimerId;
  /** Calls `fire` at the end of this turn of the event loop. Without it: there are no turns. */
  soon?(fire: () => void): void;
  /** How late this host's own timers have been lately, in ms: how far to trust one's own timeouts. Without it: never late. */
  lag?(): number;
  /** Forgets a timer; one that has fired or was cancelled is ignored. */
  cancel(timer: TimerId): void;
}

/**
 * Why a connection ("peer-down") or a neighbour relation ("neighbor-down") ended.
 *
 * @example
 * ```ts
 * import { type DownReason, Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * const b = await Gossip.listen({ hostname: "127.0.0.1" });
 * const events = a.events();
 * await b.connect(a.address);
 * await b.close();
 * let reason: DownReason | undefined;
 * for await (const event of events) {
 *   if (event.type !== "peer-down") continue;
 *   reason = event.reason;
 *   break;
 * }
 * assertEquals(reason, "left");
 * ```
 */
export type DownReason =
  /** The other side said goodbye: it closes or leaves the topic. */
  | "left"
  /** This node closes or leaves the topic. */
  | "closed"
  /** Evicted from an active view, here or there, while alive. */
  | "evicted"
  /** Swapped for a nearer peer (X-BOT). */
  | "swapped"
  /** The connection broke or went silent. */
  | "lost"
  /** The reader stayed behind for too long. */
  | "slow"
  /** It broke the protocol, or its score fell too low. */
  | "misbehaved"
  /** Nothing needs the connection any more. */
  | "idle"
  /** The other connection of a simultaneous dial won. */
  | "superseded"
  /** A newer connection of the same peer took its place. */
  | "replaced";

/** What the core asks of its host. */
export interface Host extends Clock {
  /** This node's id. */
  readonly self: PeerId;
  /** This node's own contact record (no topics in it), signed. */
  record(): SignedRecord;
  /**
   * Asks for a connection to `peer`. Answered, never inside this call, by `Node.peerUp` or `Node.unreachable`;
   * does nothing where one is up or on its way. Where dials wait for their turn, one that is `urgent` then goes first.
   */
  connect(peer: PeerId, addresses: readonly string[], urgent?: () => boolean): void;
  /** True where such a dial has not begun: others go before it. Without it: each begins at once. */
  queued?(peer: PeerId): boolean;
  /** Counts one more reason to keep the connection to `peer`. */
  hold(peer: PeerId): void;
  /** Takes one back; a connection without reasons is closed after the idle time. */
  release(peer: PeerId): void;
  /** Ends the connection to `peer`. */
  disconnect(peer: PeerId, reason: DownReason): void;
  /**
   * Queues one frame, `head` followed by `body`, which the caller leaves unchanged from now on. False where there is no connection or the lane is full:
   * then nothing was queued.
   */
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean;
  /** The smoothed round-trip time in ms; undefined before the first measurement or without a connection. */
  rtt(peer: PeerId): number | undefined;
  /** The least of the last few, which is what the way itself costs. Without it: {@linkcode rtt}. */
  leastRtt?(peer: PeerId): number | undefined;
  /** SHA-256 of `front ‖ bytes[start, end)` written to `out` at `at` (32 bytes). */
  readonly sha256: Hash;
  /** Signs with this node's identity; `message` already begins with its context label. */
  sign(message: Uint8Array): Uint8Array;
  /** Checks an ed25519 signature (64 bytes) of `author`. Never throws. */
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean;
  /** Decoded records whose signatures held, where many nodes of a process share them. */
  readonly proven?: WeakSet<SignedRecord> | undefined;
}
