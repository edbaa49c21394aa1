/**
 * The transport over real streams: encrypted, authenticated links to peers, over TCP or anything else that is a {@linkcode StreamNetwork}.
 *
 * @module
 */

import type { Clock, DownReason, PeerId, TimerId } from "../core/host.ts";
import type { LinkInfo, Transport, TransportMetrics, TransportSink } from "../transport.ts";
import { GossipError } from "../errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../limits.ts";
import type { Preset } from "../options.ts";
import type { Identity } from "../secure/identity.ts";
import type { Lane } from "../wire/frames.ts";
import { Acceptor } from "./acceptor.ts";
import { checkAdvertised, formatAddress, parseAddress } from "./address.ts";
import { Backoff } from "./backoff.ts";
import type { LinkContext } from "./link.ts";
import { Counters } from "./counters.ts";
import type { Waiter } from "./dial.ts";
import { Dialer } from "./dialer.ts";
import type { StreamListener, StreamNetwork } from "./duplex.ts";
import { Notices } from "./notices.ts";
import { OwnAddresses } from "./own_addresses.ts";
import { Pool } from "./pool.ts";
import { TcpNetwork } from "./tcp.ts";
import { Timers } from "./timers.ts";
import { type LinkTiming, linkTiming } from "./timing.ts";

/** Options of a {@linkcode StreamTransport}. */
export interface StreamTransportOptions {
  /** Who this node is. */
  identity: Identity;
  /** The network's name: nodes of different networks refuse each other in the handshake. Default "plumtree". */
  network?: string;
  /** Where streams come from. Default TCP. */
  streams?: StreamNetwork;
  /** Host to bind. Default "0.0.0.0". */
  hostname?: string;
  /** Port to bind; 0, the default, is any free one. */
  port?: number;
  /** False: dials out only. Default true. */
  listen?: boolean;
  /** "host:port" that others should dial, where it differs from what is bound. */
  advertise?: string;
  /** Bounds. */
  limits?: Partial<Limits>;
  /** Set of times. Default "lan". */
  preset?: Preset;
  /** Single times that differ from the preset's. */
  timing?: Partial<LinkTiming>;
  /** Time and chance; default: the runtime's. */
  clock?: Clock;
  /** Told what the node's own code threw in a callback. */
  onFault?: (error: unknown) => void;
}

/** Most peers whose failed dials are remembered. */
const MOST_PAUSES = 4_096;

/** See the module. */
export class StreamTransport implements Transport {
  readonly #options: StreamTransportOptions;
  readonly #clock: Clock;
  /** See {@linkcode Clock.soon}; not with a clock of its own, whose time may stand still. */
  readonly soon: Clock["soon"];
  readonly #timers: Timers | undefined;
  readonly #streams: StreamNetwork;
  readonly #limits: Limits;
  readonly #counters = new Counters();
  readonly #notices: Notices;
  readonly #addresses: OwnAddresses;
  readonly #pool: Pool;
  readonly #dialer: Dialer;
  #acceptor: Acceptor | undefined;
  #listener: StreamListener | undefined;
  #sink: TransportSink | undefined;
  #closing: Promise<void> | undefined;

  /** Checks the options; opens nothing before {@linkcode StreamTransport.start}. */
  constructor(options: StreamTransportOptions) {
    const port = options.port ?? 0;
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new RangeError(`port must be a whole number from 0 to 65535, not ${port}`);
    }
    if (options.advertise !== undefined) checkAdvertised(options.advertise);
    this.#options = options;
    const onFault = options.onFault ?? (() => {});
    const timers = this.#timers = options.clock === undefined ? new Timers({ onFault }) : undefined;
    this.soon = timers && ((fire) => timers.soon(fire));
    this.#clock = options.clock ?? this.#timers!;
    this.#streams = options.streams ?? new TcpNetwork();
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const timing = { ...linkTiming(options.preset ?? "lan"), ...options.timing };
    this.#notices = new Notices(onFault);
    this.#addresses = new OwnAddresses(options.advertise, () => {
      this.#tell((sink) => sink.addressChanged());
    });
    const { backoffMs, maxBackoffMs } = timing;
    const backoff = new Backoff(this.#clock, backoffMs, maxBackoffMs, MOST_PAUSES);
    this.#pool = new Pool({
      self: options.identity.id,
      backoff,
      notices: this.#notices,
      addresses: this.#addresses,
      sink: () => this.#sink,
      dialer: () => this.#dialer,
      onFault,
    });
    const context: LinkContext = {
      clock: this.#clock,
      timing,
      limits: this.#limits,
      counters: this.#counters,
      handler: this.#pool,
    };
    this.#dialer = new Dialer({
      identity: options.identity,
      networkName: this.#networkName,
      network: this.#streams,
      limits: this.#limits,
      backoff,
      owner: this.#pool,
    }, context);
    this.#pool.start(context);
  }

  get #networkName(): string {
    return this.#options.network ?? "plumtree";
  }

  /** See {@linkcode Transport.addresses}. */
  get addresses(): readonly string[] {
    return this.#listener === undefined ? [] : this.#addresses.list;
  }

  /** See {@linkcode Transport.address}. */
  get address(): string {
    if (this.#listener === undefined) return "";
    return this.addresses[0] ?? formatAddress("127.0.0.1", this.port);
  }

  /** The port that is bound; 0 where nothing is accepted. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Handshakes from outside that are under way. */
  get halfOpen(): number {
    return this.#acceptor?.halfOpen ?? 0;
  }

  /**
   * See {@linkcode Transport.start}; binds and begins to accept.
   *
   * @throws {GossipError} "listen-failed", "closed".
   */
  start(sink: TransportSink): void {
    if (this.#closing !== undefined) throw new GossipError("closed", "the node is closed");
    this.#sink = sink;
    if (this.#options.listen === false) return;
    const hostname = this.#options.hostname ?? "0.0.0.0", port = this.#options.port ?? 0;
    try {
      this.#listener = this.#streams.listen({ hostname, port });
    } catch (cause) {
      throw new GossipError("listen-failed", `cannot listen on ${hostname}:${port}`, { cause });
    }
    this.#addresses.bound(hostname, this.#listener.port);
    this.#acceptor = new Acceptor(this.#listener, {
      identity: this.#options.identity,
      networkName: this.#networkName,
      clock: this.#clock,
      limits: this.#limits,
      counters: this.#counters,
      refused: (address, reason) => this.#tell((each) => each.refused(address, reason)),
      arrived: (guest) => this.#pool.arrived(guest),
    });
    this.#acceptor.start();
  }

  /** See {@linkcode Transport.connect}. */
  connect(peer: PeerId, addresses: readonly string[], urgent = () => false): void {
    if (this.#pool.get(peer) === undefined) this.#dialer.connect(peer, addresses, urgent);
  }

  /** See {@linkcode Transport.queued}. */
  queued(peer: PeerId): boolean {
    return this.#dialer.queued(peer);
  }

  /** See {@linkcode Transport.dial}. */
  async dial(address: string, options: { signal?: AbortSignal } = {}): Promise<PeerId> {
    const parsed = parseAddress(address), { signal } = options;
    signal?.throwIfAborted();
    if (this.#closing !== undefined) throw new GossipError("closed", "the node is closed");
    if (parsed.id === this.#options.identity.id) {
      throw new GossipError("own-id", `${address} is this node itself`);
    }
    const link = parsed.id === undefined ? undefined : this.#pool.get(parsed.id);
    if (link !== undefined) return link.id;
    return await new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve: settle(resolve), reject: settle(reject) };
      const abort = (): void => {
        this.#dialer.leave(waiter);
        waiter.reject(signal!.reason);
      };
      function settle<T>(then: (value: T) => void): (value: T) => void {
        return (value) => {
          signal?.removeEventListener("abort", abort);
          then(value);
        };
      }
      signal?.addEventListener("abort", abort, { once: true });
      this.#dialer.dial(address, parsed, waiter);
    });
  }

  /** See {@linkcode Transport.hold}. */
  hold(peer: PeerId): void {
    this.#pool.hold(peer);
  }

  /** See {@linkcode Transport.release}. */
  release(peer: PeerId): void {
    this.#pool.release(peer);
  }

  /** See {@linkcode Transport.disconnect}. */
  disconnect(peer: PeerId, reason: DownReason): void {
    this.#pool.disconnect(peer, reason);
  }

  /** See {@linkcode Transport.send}. */
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    const link = this.#pool.get(peer);
    return link !== undefined && link.send(lane, head, body);
  }

  /** See {@linkcode Transport.rtt}. */
  rtt(peer: PeerId): number | undefined {
    return this.#pool.get(peer)?.rttMs;
  }

  /** See {@linkcode Transport.leastRtt}. */
  leastRtt(peer: PeerId): number | undefined {
    return this.#pool.get(peer)?.leastRttMs;
  }

  /** See {@linkcode Transport.link}. */
  link(peer: PeerId): LinkInfo | undefined {
    return this.#pool.get(peer)?.info();
  }

  /** See {@linkcode Transport.links}. */
  links(): LinkInfo[] {
    return Array.from(this.#pool.all(), (link) => link.info());
  }

  /** See {@linkcode Transport.wallClock}. */
  wallClock(): number {
    return Date.now();
  }

  /** See {@linkcode Transport.metrics}. */
  metrics(): TransportMetrics {
    return this.#counters.snapshot(this.#pool.size);
  }

  /** See {@linkcode Clock.now}. */
  now(): number {
    return this.#clock.now();
  }

  /** See {@linkcode Clock.random}. */
  random(): number {
    return this.#clock.random();
  }

  /** See {@linkcode Clock.after}. */
  after(ms: number, fire: () => void): TimerId {
    return this.#clock.after(ms, fire);
  }

  /** See {@linkcode Clock.lag}. */
  lag(): number {
    return this.#clock.lag?.() ?? 0;
  }

  /** See {@linkcode Clock.cancel}. */
  cancel(timer: TimerId): void {
    this.#clock.cancel(timer);
  }

  /** See {@linkcode Transport.close}. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#dialer.close(), this.#acceptor?.close(), this.#pool.close()]);
    // Whoever was accepted while the above was under way.
    await this.#pool.close();
    this.#notices.tell();
    this.#timers?.close();
    this.#sink = undefined;
  }

  /** See {@linkcode Transport.abort}. */
  abort(): Promise<void> {
    this.#sink = undefined;
    this.#pool.abort();
    return this.close();
  }

  #tell(notice: (sink: TransportSink) => void): void {
    this.#notices.add(() => {
      if (this.#sink !== undefined) notice(this.#sink);
    });
  }
}
