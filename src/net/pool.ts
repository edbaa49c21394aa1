/**
 * The links of a node: one per peer, counted by those who need them.
 *
 * @module
 */

import type { DownReason, PeerId, TimerId } from "../core/host.ts";
import type { TransportSink } from "../transport.ts";
import type { Guest } from "./acceptor.ts";
import { arbitrate, type Verdict } from "./arbiter.ts";
import type { Backoff } from "./backoff.ts";
import { Connection } from "./connection.ts";
import type { LinkContext, LinkHandler } from "./link.ts";
import type { Dialer, DialOwner } from "./dialer.ts";
import { downReason, type EndReason, isHarmless } from "./goodbye.ts";
import { GossipError } from "../errors.ts";
import type { Notices } from "./notices.ts";
import type { OwnAddresses } from "./own_addresses.ts";

/** What a pool works with; set once by the transport. */
export interface PoolOptions {
  readonly self: PeerId;
  readonly backoff: Backoff;
  readonly notices: Notices;
  readonly addresses: OwnAddresses;
  /** The node; undefined before it is there. */
  readonly sink: () => TransportSink | undefined;
  /** The dialler. */
  readonly dialer: () => Dialer;
  readonly onFault: (error: unknown) => void;
}

/** A link that nobody holds may go for a newcomer when it was unused for this long. */
const SPARE_AFTER_MS = 1_000;

/** See the module. */
export class Pool implements LinkHandler, DialOwner {
  readonly #options: PoolOptions;
  readonly #links = new Map<PeerId, Connection>();
  readonly #sockets = new Set<Connection>();
  readonly #holds = new Map<PeerId, number>();
  #context!: LinkContext;
  #sweeper: TimerId | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Names what connections share (they in turn need the pool) and begins to look after idle links. */
  start(context: LinkContext): void {
    this.#context = context;
    this.#sweep();
  }

  /** Links that are up. */
  get size(): number {
    return this.#links.size;
  }

  /** The link to `peer`, if it is up. */
  get(peer: PeerId): Connection | undefined {
    return this.#links.get(peer);
  }

  /** Every link that is up. */
  all(): IterableIterator<Connection> {
    return this.#links.values();
  }

  /** See `Host.hold`. Counted whether or not a link is up. */
  hold(peer: PeerId): void {
    this.#holds.set(peer, (this.#holds.get(peer) ?? 0) + 1);
  }

  /** See `Host.release`. */
  release(peer: PeerId): void {
    const left = (this.#holds.get(peer) ?? 0) - 1;
    if (left > 0) return void this.#holds.set(peer, left);
    this.#holds.delete(peer);
    const link = this.#links.get(peer);
    if (link !== undefined) link.neededAt = this.#context.clock.now();
  }

  /** A peer has dialled this node and proved who it is. Resolves when it is no stranger any more: up, or turned away. */
  async arrived(guest: Guest): Promise<void> {
    const { counters, timing } = this.#context;
    const connection = new Connection({ ...guest, id: guest.peer, direction: "in" }, this.#context);
    const link = this.#links.get(guest.peer);
    const verdict = this.#judge(guest.peer, link);
    this.adopt(connection);
    const refusal = this.#refusal(guest.peer, verdict);
    if (refusal !== undefined) {
      if (refusal === "superseded") {
        counters.superseded++;
        link?.doubt(timing.probeMs);
      } else {
        counters.refused++;
        const { remoteAddress } = connection;
        const why = refusal === "misbehaved" ? "its peer is banned" : "too many connections";
        this.#tell((sink) => sink.refused(remoteAddress, why));
      }
      connection.start();
      connection.close(refusal);
      return await connection.finished;
    }
    link?.close("replaced");
    this.#up(connection);
    this.#options.dialer().linked(guest.peer);
    connection.start();
  }

  #judge(peer: PeerId, link: Connection | undefined): Verdict {
    const { clock, limits } = this.#context;
    return arbitrate({
      self: this.#options.self,
      peer,
      committed: this.#options.dialer().committed(peer),
      link: link && { direction: link.direction, ageMs: clock.now() - link.openedAt! },
      raceMs: limits.handshakeMs,
    });
  }

  #refusal(peer: PeerId, verdict: Verdict): EndReason | undefined {
    if (this.#closed) return "left";
    if (this.#options.sink()?.banned?.(peer)) return "misbehaved";
    if (verdict === "supersede") return "superseded";
    return verdict === "accept" && !this.makeRoom() ? "busy" : undefined;
  }

  /** See {@linkcode DialOwner.refuses}. */
  refuses(peer: PeerId): GossipError | undefined {
    if (this.#options.sink()?.banned?.(peer)) {
      return new GossipError("dial-failed", "the peer is banned here: it misbehaved");
    }
    return this.makeRoom() ? undefined : new GossipError("busy", "limits.connections is reached");
  }

  /** Makes room for one more link, false where there is none: an idle link that this node does not hold goes first. What the other side needs keeps no room. */
  makeRoom(): boolean {
    const { limits, clock } = this.#context;
    if (this.#links.size < limits.connections) return true;
    const now = clock.now();
    let oldest: Connection | undefined;
    for (const link of this.#links.values()) {
      this.#note(link, now);
      if (this.isHeld(link) || now - link.activeAt < SPARE_AFTER_MS) continue;
      if (oldest === undefined || link.activeAt < oldest.activeAt) oldest = link;
    }
    oldest?.close("idle");
    return oldest !== undefined;
  }

  /** See {@linkcode DialOwner.adopt}. */
  adopt(connection: Connection): void {
    this.#sockets.add(connection);
  }

  /** See {@linkcode DialOwner.dialFailed}. */
  dialFailed(address: string, cause: GossipError): void {
    this.#tell((sink) => sink.dialFailed(address, cause));
  }

  /** See {@linkcode DialOwner.unreachable}. */
  unreachable(peer: PeerId, cause: GossipError): void {
    this.#tell((sink) => sink.unreachable(peer, cause));
  }

  /** See {@linkcode DialOwner.later}. */
  later(run: () => void): void {
    this.#options.notices.add(run);
  }

  /** See {@linkcode LinkHandler.opened}. */
  opened(connection: Connection): void {
    const taken = this.#links.has(connection.id);
    if (this.#closed || taken) return connection.abandon("superseded");
    this.#up(connection);
    if (!this.#options.dialer().opened(connection)) connection.close("closed");
  }

  #up(connection: Connection): void {
    const { id, direction } = connection;
    this.#links.set(id, connection);
    connection.open();
    this.#tell((sink) => sink.up(id, direction));
    this.#options.addresses.seen(connection.localAddress);
  }

  /** See {@linkcode LinkHandler.receive}. */
  receive(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    const { notices, onFault, sink } = this.#options;
    if (notices.pending) notices.tell();
    // A notice may have ended the connection.
    if (connection.endReason !== undefined) return;
    try {
      sink()?.receive(connection.id, bytes, start, end);
    } catch (error) {
      onFault(error);
    }
  }

  /** See {@linkcode LinkHandler.ended}. */
  ended(connection: Connection, reason: EndReason): void {
    const { backoff, dialer } = this.#options, { clock, timing } = this.#context;
    const { id } = connection;
    if (this.#sockets.has(connection)) {
      queueMicrotask(() => connection.finished.then(() => this.#sockets.delete(connection)));
    }
    if (this.#links.get(id) !== connection) return dialer().refused(connection, reason);
    this.#links.delete(id);
    if (isHarmless(reason) || clock.now() - connection.openedAt! >= timing.stableMs) {
      backoff.clear(id);
    }
    this.#tell((sink) => sink.down(id, downReason(reason)));
  }

  /** Says goodbye on every link and resolves when all sockets are closed: each takes `closeMs` at most. */
  async close(): Promise<void> {
    this.#closed = true;
    const { clock } = this.#context;
    if (this.#sweeper !== undefined) clock.cancel(this.#sweeper);
    for (const link of [...this.#links.values()]) link.close("closed");
    await Promise.all([...this.#sockets].map((socket) => socket.finished));
  }

  /** Drops every socket without a word. */
  abort(): void {
    this.#closed = true;
    for (const socket of [...this.#sockets]) socket.abandon("closed");
  }

  #tell(notice: (sink: TransportSink) => void): void {
    this.#options.notices.add(() => {
      const sink = this.#options.sink();
      if (sink !== undefined) notice(sink);
    });
  }

  /** See {@linkcode LinkHandler.isHeld}. */
  isHeld(link: Connection): boolean {
    return this.#holds.has(link.id) || this.#context.clock.now() < link.graceUntil;
  }

  #note(link: Connection, now: number): void {
    if (link.takeUsed()) link.activeAt = now;
  }

  /** Closes what neither side holds or uses. The side that was dialled waits longer: the other one knows better why it dialled. */
  #sweep(): void {
    const { clock, timing } = this.#context, now = clock.now();
    for (const link of [...this.#links.values()]) {
      this.#note(link, now);
      const idleMs = link.direction === "out" ? timing.idleMs : 4 * timing.idleMs;
      if (link.heldThere || this.isHeld(link)) link.neededAt = now;
      if (now - Math.max(link.activeAt, link.neededAt) >= idleMs) link.close("idle");
    }
    this.#sweeper = clock.after(timing.idleMs / 4, () => this.#sweep());
  }

  /** See `Host.disconnect`. */
  disconnect(peer: PeerId, reason: DownReason): void {
    this.#links.get(peer)?.close(reason);
  }
}
