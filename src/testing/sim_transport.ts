/**
 * A {@linkcode Transport} over virtual time. `SimFabric.createTransport` makes one.
 *
 * @module
 */

import type { DownReason, PeerId, TimerId } from "../core/host.ts";
import type { LinkInfo, Transport, TransportMetrics, TransportSink } from "../transport.ts";
import type { Lane } from "../wire/frames.ts";
import type { LinkEnd } from "./sim_link.ts";
import { NodeTimer, type SimNode } from "./sim_node.ts";

function linkInfo(end: LinkEnd): LinkInfo {
  return {
    id: end.peer.id,
    direction: end.direction,
    rttMs: end.world.rtt(end.owner, end.peer),
    bytesIn: end.bytesIn,
    bytesOut: end.bytesOut,
    queuedBytes: end.other.stalledBytes + (end.leaving?.bytes ?? 0) +
      (end.other.landing?.bytes ?? 0),
  };
}

/**
 * One node's links in a simulated network.
 *
 * What differs from TCP: where bandwidth is not modelled the three lanes are one queue in which nothing waits (`laneBytes` bounds what a cut
 * holds back), there is no cap on half-open handshakes, no pause after a failed dial, and a record is a frame.
 */
export class SimTransport implements Transport {
  readonly #node: SimNode;

  /**
   * Used by `SimFabric`.
   *
   * @internal
   */
  constructor(node: SimNode) {
    this.#node = node;
  }

  /** The node's id. */
  get id(): PeerId {
    return this.#node.id;
  }

  /** True between {@linkcode start} and {@linkcode close} or a kill. */
  get running(): boolean {
    return this.#node.running;
  }

  /** True after `SimFabric.kill`: its owner is never called again. */
  get killed(): boolean {
    return this.#node.crashed;
  }

  /** See {@linkcode Transport.address}. */
  get address(): string {
    return this.addresses[0] ?? "";
  }

  /** See {@linkcode Transport.addresses}. */
  get addresses(): readonly string[] {
    return this.#node.address === "" ? [] : [this.#node.address];
  }

  /** See {@linkcode Transport.start}. */
  start(sink: TransportSink): void {
    if (this.#node.started) throw new Error("the transport was started before");
    this.#node.sink = sink;
    this.#node.started = true;
  }

  /** Virtual milliseconds, the same at every node. */
  now(): number {
    return this.#node.world.clock.now();
  }

  /** The node's own seeded chance. */
  random(): number {
    return this.#node.rng.next();
  }

  /** Calls `fire` after `ms` of virtual time, unless the node is gone by then. */
  after(ms: number, fire: () => void): TimerId {
    const { clock } = this.#node.world;
    return clock.schedule(clock.now() + ms, new NodeTimer(this.#node, fire));
  }

  /** See `Clock.cancel`. */
  cancel(timer: TimerId): void {
    this.#node.world.clock.cancel(timer);
    this.#node.loop?.cancel(timer);
  }

  /** See `Clock.lag`: how late `SimFabric.stall` made this node's event loop. */
  lag(): number {
    return this.#node.loop?.lag() ?? 0;
  }

  /** See {@linkcode Transport.connect}. */
  connect(peer: PeerId, addresses: readonly string[]): void {
    this.#node.connect(peer, addresses);
  }

  /** See {@linkcode Transport.dial}. The promise settles in virtual time. */
  dial(address: string, options: { signal?: AbortSignal } = {}): Promise<PeerId> {
    const at = address.indexOf("@");
    const place = address.slice(at + 1);
    if (!place.includes(":")) return Promise.reject(new TypeError(`not an address: ${address}`));
    return this.#node.dial(at < 0 ? undefined : address.slice(0, at), place, options.signal);
  }

  /** See {@linkcode Transport.hold}. */
  hold(peer: PeerId): void {
    this.#node.hold(peer);
  }

  /** See {@linkcode Transport.release}. */
  release(peer: PeerId): void {
    this.#node.release(peer);
  }

  /** Ends the link: the other side hears the same reason, "left" for "closed". `down` follows in an event of its own. */
  disconnect(peer: PeerId, reason: DownReason): void {
    this.#node.disconnect(peer, reason);
  }

  /** See {@linkcode Transport.send}. The same head and body sent to several peers in a row are joined once. */
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    return this.#node.send(peer, head, body, lane);
  }

  /** The round trip by the latency model, without jitter. */
  rtt(peer: PeerId): number | undefined {
    const end = this.#node.live(peer);
    return end === undefined ? undefined : end.world.rtt(end.owner, end.peer);
  }

  /** See {@linkcode Transport.link}. */
  link(peer: PeerId): LinkInfo | undefined {
    const end = this.#node.live(peer);
    return end === undefined ? undefined : linkInfo(end);
  }

  /** See {@linkcode Transport.links}. */
  links(): LinkInfo[] {
    const infos: LinkInfo[] = [];
    for (const end of this.#node.links.values()) if (!end.closed) infos.push(linkInfo(end));
    return infos;
  }

  /** The wall clock of this node: virtual time since the fabric's epoch, with the node's skew. */
  wallClock(): number {
    const { world, skewMs } = this.#node;
    return world.epochMs + Math.floor(world.clock.now() + skewMs);
  }

  /** Says that promises which user code waits for were settled: they get their turn before virtual time moves on. */
  touch(): void {
    this.#node.world.clock.touch();
  }

  /** See {@linkcode Transport.metrics}; a record is a frame. */
  metrics(): TransportMetrics {
    const node = this.#node;
    return Object.freeze({
      connections: node.connections,
      dials: node.dials,
      dialsFailed: node.dialsFailed,
      accepted: node.accepted,
      handshakesFailed: node.handshakesFailed,
      refused: node.refused,
      superseded: node.superseded,
      bytesIn: node.bytesIn,
      bytesOut: node.bytesOut,
      recordsIn: node.framesIn,
      recordsOut: node.framesOut,
      framesIn: node.framesIn,
      framesOut: node.framesOut,
      framesRefused: node.framesRefused,
    });
  }

  /** Says goodbye on every link; needs no virtual time. The peers hear "left" once theirs goes on. */
  close(): Promise<void> {
    return this.#node.close();
  }

  /** What `SimFabric.kill` does, from inside. */
  abort(): Promise<void> {
    this.#node.crash();
    return Promise.resolve();
  }
}
