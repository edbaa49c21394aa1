/**
 * What a node stands on: authenticated links to peers. `net/` gives one over TCP, `testing/` one over virtual time.
 *
 * @module
 */

import type { Clock, DownReason, PeerId } from "./core/host.ts";
import type { Lane } from "./wire/frames.ts";

/** What a transport tells about one link that is up. */
export interface LinkInfo {
  /** The peer at the other end. */
  readonly id: PeerId;
  /** Who dialled. */
  readonly direction: "in" | "out";
  /** Smoothed round-trip time; undefined before the first pong. */
  readonly rttMs: number | undefined;
  /** Bytes read from the socket since the link came up. */
  readonly bytesIn: number;
  /** Bytes written to the socket since the link came up. */
  readonly bytesOut: number;
  /** Bytes waiting in the send lanes. */
  readonly queuedBytes: number;
}

/**
 * What a node has counted of its connections since it started; a frozen snapshot.
 *
 * @example
 * ```ts
 * import { Gossip, type TransportMetrics } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
 * await b.connect(a.address);
 * const { connections, dials, dialsFailed }: TransportMetrics = b.metrics().transport;
 * assertEquals([connections, dials, dialsFailed], [1, 1, 0]);
 * ```
 */
export interface TransportMetrics {
  /** Connections that are up now. */
  readonly connections: number;
  /** Addresses dialled, each attempt of its own. */
  readonly dials: number;
  /** Attempts to reach an address that failed, in the handshake too. */
  readonly dialsFailed: number;
  /** Connections of others that were let into a handshake. */
  readonly accepted: number;
  /** Of these, how many did not finish it. */
  readonly handshakesFailed: number;
  /** Connections of others that were refused: for a bound, or since their peer is banned. */
  readonly refused: number;
  /** Connections of others that lost against another one with the same peer, as after a simultaneous dial. */
  readonly superseded: number;
  /** Bytes read from peers. */
  readonly bytesIn: number;
  /** Bytes written to peers. */
  readonly bytesOut: number;
  /** Encrypted records read; in a simulated network, frames. */
  readonly recordsIn: number;
  /** Encrypted records written; in a simulated network, frames. */
  readonly recordsOut: number;
  /** Frames read. */
  readonly framesIn: number;
  /** Frames written. */
  readonly framesOut: number;
  /** Frames refused because a lane was full (`limits.laneBytes`). */
  readonly framesRefused: number;
}

/** What the transport tells its node. Called from socket and timer callbacks, never inside a call of the node's. */
export interface TransportSink {
  /** A link is up and authenticated; frames may be sent. */
  up(peer: PeerId, direction: "in" | "out"): void;
  /** A link that was up has ended. */
  down(peer: PeerId, reason: DownReason): void;
  /** A {@linkcode Transport.connect} found no way: every address failed. */
  unreachable(peer: PeerId, cause: Error): void;
  /** Whether a peer that has dialled is to be turned away. Asked inside calls. Without it: nobody is. */
  banned?(peer: PeerId): boolean;
  /** One frame, in `bytes[start, end)`; the view is the receiver's to keep, nothing writes to it again. */
  receive(peer: PeerId, bytes: Uint8Array, start: number, end: number): void;
  /** A dial, by whomever, failed. */
  dialFailed(address: string, cause: Error): void;
  /** Something that is worth an event happened before a peer was known: a refused handshake, a bound reached. */
  refused(address: string, reason: string): void;
  /** The address that others can dial became known or changed. */
  addressChanged(): void;
}

/** Authenticated links to peers. */
export interface Transport extends Clock {
  /** The addresses under which others can dial this node, best first; empty where nothing is accepted or nothing is known. */
  readonly addresses: readonly string[];
  /** The first of {@linkcode addresses}; "127.0.0.1" with the bound port while none is known, "" where nothing is accepted. */
  readonly address: string;
  /** Names the receiver of everything that happens; called once, before anything else. */
  start(sink: TransportSink): void;
  /** See `Host.connect`. */
  connect(peer: PeerId, addresses: readonly string[], urgent?: () => boolean): void;
  /** True where such a dial has not begun: others go before it. Without it: each begins at once. */
  queued?(peer: PeerId): boolean;
  /** Dials "host:port" or "id@host:port" and resolves with the peer once the link is up. Errors are `GossipError`s. */
  dial(address: string, options?: { signal?: AbortSignal }): Promise<PeerId>;
  /** See `Host.hold`. */
  hold(peer: PeerId): void;
  /** See `Host.release`. */
  release(peer: PeerId): void;
  /** See `Host.disconnect`. */
  disconnect(peer: PeerId, reason: DownReason): void;
  /** See `Host.send`. */
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean;
  /** See `Host.rtt`. */
  rtt(peer: PeerId): number | undefined;
  /** See `Host.leastRtt`. */
  leastRtt?(peer: PeerId): number | undefined;
  /** The link to `peer`, if it is up. */
  link(peer: PeerId): LinkInfo | undefined;
  /** Every link that is up. */
  links(): LinkInfo[];
  /** Milliseconds since 1970 by the wall clock, for sequence numbers that must grow over restarts. */
  wallClock(): number;
  /** Told when promises that user code waits for were settled: a virtual clock lets them run before it moves on. */
  touch?(): void;
  /** Counters. */
  metrics(): TransportMetrics;
  /** Says goodbye on every link, waits (bounded) until it is written, closes everything. Idempotent. */
  close(): Promise<void>;
  /** Ends everything at once and tells nobody, as a crash would. Idempotent. */
  abort(): Promise<void>;
}
