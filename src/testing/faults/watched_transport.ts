/**
 * A transport that tells everything that passes: for checks of what a node sends, and of what it leaves behind.
 *
 * @module
 */

import type { DownReason, PeerId, TimerId } from "../../core/host.ts";
import type { LinkInfo, Transport, TransportMetrics, TransportSink } from "../../transport.ts";
import type { Lane } from "../../wire/frames.ts";
import type { SimTransport } from "../sim_transport.ts";

/** Is told what passes. */
export interface Watcher {
  /** A frame is handed to the links. */
  sent(peer: PeerId, head: Uint8Array, body: Uint8Array | undefined, taken: boolean): void;
  /** A frame came. */
  received(peer: PeerId, bytes: Uint8Array, start: number, end: number): void;
  up(peer: PeerId): void;
  down(peer: PeerId, reason: DownReason): void;
  /** The node used its transport as nobody should. */
  misuse(what: string): void;
}

/** See the module. */
export class WatchedTransport implements Transport, TransportSink {
  /** Peers whose link the node was told of. */
  readonly linked: Set<PeerId> = new Set();
  /** How many times the node holds the link to a peer. */
  readonly holds: Map<PeerId, number> = new Map();
  /** Timers that are armed. */
  readonly timers: Set<TimerId> = new Set();
  readonly #inner: SimTransport;
  readonly #watcher: Watcher;
  #sink!: TransportSink;

  /** See {@linkcode Transport.soon}; without it where there are no `turns`. */
  readonly soon: Transport["soon"];

  constructor(inner: SimTransport, watcher: Watcher, turns: boolean) {
    this.#inner = inner;
    this.#watcher = watcher;
    // No timer of the node: the turn ends whatever becomes of it.
    this.soon = turns ? (fire) => void inner.after(0, fire) : undefined;
  }

  // --- what the node asks ---

  get addresses(): readonly string[] {
    return this.#inner.addresses;
  }
  get address(): string {
    return this.#inner.address;
  }
  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#inner.start(this);
  }
  now(): number {
    return this.#inner.now();
  }
  random(): number {
    return this.#inner.random();
  }
  after(ms: number, fire: () => void): TimerId {
    if (!(ms >= 0)) this.#watcher.misuse(`sets a timer of ${ms} ms`);
    const timer = this.#inner.after(ms, () => {
      this.timers.delete(timer);
      fire();
    });
    this.timers.add(timer);
    return timer;
  }
  cancel(timer: TimerId): void {
    this.timers.delete(timer);
    this.#inner.cancel(timer);
  }
  lag(): number {
    return (this.#inner as Transport).lag?.() ?? 0;
  }
  connect(peer: PeerId, addresses: readonly string[]): void {
    this.#inner.connect(peer, addresses);
  }
  dial(address: string, options?: { signal?: AbortSignal }): Promise<PeerId> {
    return this.#inner.dial(address, options);
  }
  hold(peer: PeerId): void {
    this.holds.set(peer, (this.holds.get(peer) ?? 0) + 1);
    this.#inner.hold(peer);
  }
  release(peer: PeerId): void {
    const count = this.holds.get(peer) ?? 0;
    if (count === 0) this.#watcher.misuse("releases a link that it does not hold");
    if (count > 1) this.holds.set(peer, count - 1);
    else this.holds.delete(peer);
    this.#inner.release(peer);
  }
  disconnect(peer: PeerId, reason: DownReason): void {
    this.#inner.disconnect(peer, reason);
  }
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    const taken = this.#inner.send(peer, lane, head, body);
    this.#watcher.sent(peer, head, body, taken);
    return taken;
  }
  rtt(peer: PeerId): number | undefined {
    return this.#inner.rtt(peer);
  }
  link(peer: PeerId): LinkInfo | undefined {
    return this.#inner.link(peer);
  }
  links(): LinkInfo[] {
    return this.#inner.links();
  }
  wallClock(): number {
    return this.#inner.wallClock();
  }
  touch(): void {
    this.#inner.touch();
  }
  metrics(): TransportMetrics {
    return this.#inner.metrics();
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
  abort(): Promise<void> {
    return this.#inner.abort();
  }

  // --- what the network tells ---

  up(peer: PeerId, direction: "in" | "out"): void {
    if (this.linked.has(peer)) this.#watcher.misuse("is told of a second link to one peer");
    this.linked.add(peer);
    this.#watcher.up(peer);
    this.#sink.up(peer, direction);
  }
  down(peer: PeerId, reason: DownReason): void {
    this.linked.delete(peer);
    this.#watcher.down(peer, reason);
    this.#sink.down(peer, reason);
  }
  unreachable(peer: PeerId, cause: Error): void {
    this.#sink.unreachable(peer, cause);
  }
  receive(peer: PeerId, bytes: Uint8Array, start: number, end: number): void {
    if (!this.linked.has(peer)) this.#watcher.misuse("is given a frame where there is no link");
    this.#watcher.received(peer, bytes, start, end);
    this.#sink.receive(peer, bytes, start, end);
  }
  dialFailed(address: string, cause: Error): void {
    this.#sink.dialFailed(address, cause);
  }
  refused(address: string, reason: string): void {
    this.#sink.refused(address, reason);
  }
  addressChanged(): void {
    this.#sink.addressChanged();
  }
}
