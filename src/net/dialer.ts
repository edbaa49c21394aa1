/**
 * Dials: one at a time per peer, a bounded number at once, address after address, with pauses after failures.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { Handshake } from "../secure/handshake.ts";
import type { Identity } from "../secure/identity.ts";
import { type Address, parseAddress } from "./address.ts";
import type { Backoff } from "./backoff.ts";
import { Connection } from "./connection.ts";
import type { LinkContext } from "./link.ts";
import { asDialError, Dial, Stepped, type Waiter } from "./dial.ts";
import { DialGate } from "./dial_gate.ts";
import type { StreamNetwork } from "./duplex.ts";
import type { EndReason } from "./goodbye.ts";
import { greet } from "./handshaking.ts";
import { openStream } from "./open_stream.ts";
import { RecordReader } from "./records.ts";

/** What a dialler asks of its pool. */
export interface DialOwner {
  /** The link to `peer` that is up. */
  get(peer: PeerId): Connection | undefined;
  /** Makes room for one more link; gives what to say where there is none, or the peer is banned. */
  refuses(peer: PeerId): GossipError | undefined;
  /** A connection that was dialled exists; it counts as open socket from now on. */
  adopt(connection: Connection): void;
  /** A dial failed at one address. */
  dialFailed(address: string, cause: GossipError): void;
  /** A dial that the node asked for failed at every address. */
  unreachable(peer: PeerId, cause: GossipError): void;
  /** Runs in order with the notices of links. */
  later(run: () => void): void;
}

/** What a dialler works with. */
export interface DialerOptions {
  readonly identity: Identity;
  readonly networkName: string;
  readonly network: StreamNetwork;
  readonly limits: Limits;
  readonly backoff: Backoff;
  readonly owner: DialOwner;
}

/** Dials beyond the running ones that may wait. */
const MOST_WAITING = 4_096;
/** How often a dial may be told "superseded" and see no other link come. */
const MOST_RETRIES = 3;
/** One for all nodes of the process: they share its thread. */
const gate = new DialGate();

/** See the module. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #context: LinkContext;
  readonly #byPeer = new Map<PeerId, Dial>();
  readonly #byAddress = new Map<string, Dial>();
  readonly #queue: Dial[] = [];
  readonly #verdicts = new Map<
    Connection,
    { accept: () => void; refuse: (reason: EndReason) => void }
  >();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(options: DialerOptions, context: LinkContext) {
    this.#options = options;
    this.#context = context;
  }

  /** Dials under way or waiting. */
  get size(): number {
    return this.#queue.length + this.#running.size;
  }

  /** True where the handshake's last message to `peer` is out. */
  committed(peer: PeerId): boolean {
    return this.#byPeer.get(peer)?.committed ?? false;
  }

  /** True where a dial to `peer` waits for its turn. */
  queued(peer: PeerId): boolean {
    return this.#byPeer.get(peer)?.begun === false;
  }

  /** See `Transport.connect`. The pool has looked whether a link is up. */
  connect(peer: PeerId, addresses: readonly string[], urgent: () => boolean): void {
    const existing = this.#byPeer.get(peer);
    if (existing !== undefined) {
      existing.wanted = true;
      existing.wish(urgent);
      return existing.add(addresses);
    }
    const pause = this.#options.backoff.remaining(peer);
    const cause = this.#refusal(peer, addresses, pause);
    if (cause !== undefined) return this.#options.owner.unreachable(peer, cause);
    const dial = new Dial(peer, peer);
    dial.wanted = true;
    dial.wish(urgent);
    dial.add(addresses);
    this.#begin(dial);
  }

  #refusal(peer: PeerId, addresses: readonly string[], pause: number): GossipError | undefined {
    if (this.#closed) return new GossipError("closed", "the node is closed");
    if (peer === this.#options.identity.id) {
      return new GossipError("own-id", "that peer is this node");
    }
    if (addresses.length === 0) {
      return new GossipError("unknown-peer", `no address of ${peer} is known`);
    }
    if (pause > 0) {
      return new GossipError(
        "dial-failed",
        `${peer} failed lately: ${Math.ceil(pause)} ms to wait`,
      );
    }
    if (this.#queue.length >= MOST_WAITING) return new GossipError("busy", "too many dials wait");
    return undefined;
  }

  /** See `Transport.dial`; `address` is parsed already. */
  dial(address: string, parsed: Address, waiter: Waiter): void {
    if (this.#closed) return waiter.reject(new GossipError("closed", "the node is closed"));
    const existing = parsed.id === undefined
      ? this.#byAddress.get(address)
      : this.#byPeer.get(parsed.id);
    if (existing !== undefined) {
      existing.waiters.push(waiter);
      return existing.add([address]);
    }
    if (this.#queue.length >= MOST_WAITING) {
      return waiter.reject(new GossipError("busy", "too many dials wait"));
    }
    const dial = new Dial(parsed.id, parsed.id ?? address);
    dial.waiters.push(waiter);
    dial.add([address]);
    this.#begin(dial);
  }

  /** A waiter lost interest; a dial that nobody waits for any more is given up. */
  leave(waiter: Waiter): void {
    for (const dial of [...this.#byPeer.values(), ...this.#byAddress.values()]) {
      const at = dial.waiters.indexOf(waiter);
      if (at < 0) continue;
      dial.waiters.splice(at, 1);
      if (dial.waiters.length > 0 || dial.wanted) return;
      this.#settle(dial);
      dial.connection?.close("closed");
      return dial.controller.abort();
    }
  }

  /** A link to `peer` is up, by whomever: dials to it have what they want. */
  linked(peer: PeerId): void {
    const dial = this.#byPeer.get(peer);
    if (dial === undefined) return;
    this.#satisfy(dial, peer);
    dial.controller.abort();
    dial.connection?.abandon("superseded");
  }

  /** The responder accepted a connection that was dialled here. False where the dial was given up meanwhile. */
  opened(connection: Connection): boolean {
    const verdict = this.#verdicts.get(connection);
    if (verdict === undefined) return false;
    this.#verdicts.delete(connection);
    verdict.accept();
    return true;
  }

  /** A connection that was dialled here ended before it was accepted. */
  refused(connection: Connection, reason: EndReason): void {
    const verdict = this.#verdicts.get(connection);
    this.#verdicts.delete(connection);
    verdict?.refuse(reason);
  }

  /** Gives up every dial; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#closed = true;
    const cause = new GossipError("closed", "the node was closed");
    for (const dial of new Set([...this.#byPeer.values(), ...this.#byAddress.values()])) {
      dial.wanted = false;
      this.#fail(dial, cause);
      dial.connection?.abandon("closed");
      dial.controller.abort();
    }
    this.#queue.length = 0;
    await Promise.all(this.#running);
  }

  #begin(dial: Dial): void {
    if (dial.peer === undefined) this.#byAddress.set(dial.key, dial);
    else this.#byPeer.set(dial.peer, dial);
    // An urgent one goes before the others here, too; while it waits, those before it are urgent.
    const at = dial.urgent ? this.#queue.findIndex((other) => !other.urgent) : -1;
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, dial);
    this.#next();
  }

  #next(): void {
    while (this.#running.size < this.#options.limits.dials) {
      const dial = this.#queue.shift();
      if (dial === undefined) return;
      if (dial.settled) continue;
      const run: Promise<void> = this.#run(dial).finally(() => {
        this.#running.delete(run);
        if (!this.#closed) this.#next();
      });
      this.#running.add(run);
    }
  }

  async #run(dial: Dial): Promise<void> {
    let last: GossipError | undefined;
    let retries = 0;
    for (;;) {
      const address = dial.addresses.shift();
      if (address === undefined || dial.settled) break;
      try {
        return await this.#attempt(dial, address);
      } catch (cause) {
        dial.connection = undefined;
        dial.committed = false;
        if (dial.settled) return;
        if (cause instanceof Stepped) {
          if (await this.#stepped(dial, cause)) return;
          if (dial.settled) return;
          if (++retries <= MOST_RETRIES) dial.addresses.unshift(address);
          else last = new GossipError("dial-failed", "another connection won and never came");
          continue;
        }
        last = asDialError(cause, address);
        this.#context.counters.dialsFailed++;
        this.#options.owner.dialFailed(address, last);
      }
    }
    if (dial.settled) return;
    // Addresses that a user names may be wrong: they say nothing about those that the node knows.
    if (dial.wanted && dial.peer !== undefined) this.#options.backoff.failed(dial.peer);
    this.#fail(dial, last ?? new GossipError("unknown-peer", "no address is known"));
  }

  /** Another connection is said to win. True where the dial is done; false where it must be tried again. */
  async #stepped(dial: Dial, { why }: Stepped): Promise<boolean> {
    const peer = dial.peer!;
    const link = this.#options.owner.get(peer);
    const { clock, timing } = this.#context;
    if (link !== undefined) {
      const alive = await new Promise<boolean>((resolve) => link.doubt(timing.probeMs, resolve));
      if (alive && !dial.settled) this.#satisfy(dial, peer);
      return dial.settled;
    }
    if (why === "superseded") {
      // `linked` ends the wait, and the dial with it.
      await new Promise<void>((resolve) => {
        const timer = clock.after(timing.probeMs, resolve);
        dial.controller.signal.addEventListener("abort", () => {
          clock.cancel(timer);
          resolve();
        }, { once: true });
      });
    }
    return dial.settled;
  }

  /** One address. Returns once the link is up; throws what stopped it. */
  async #attempt(dial: Dial, address: string): Promise<void> {
    const { identity, limits, networkName } = this.#options;
    const { clock, counters, timing } = this.#context;
    const { id, hostname, port } = parseAddress(address);
    if (id !== undefined && dial.peer !== undefined && id !== dial.peer) {
      throw new GossipError("wrong-peer", `${address} is not an address of ${dial.peer}`);
    }
    const signal = dial.controller.signal;
    const place = gate.enter(this, clock, signal, () => dial.urgent || !!this.#queue[0]?.urgent);
    const leave = typeof place === "function" ? place : await place;
    dial.begun = true;
    counters.dials++;
    const to = { hostname, port, ms: timing.connectMs, signal };
    const duplex = await openStream(this.#options.network, clock, to).catch((cause) => {
      leave();
      throw cause;
    });
    const drop = (): void => {
      if (dial.connection === undefined) duplex.close();
    };
    signal.addEventListener("abort", drop, { once: true });
    let late = false;
    const deadline = clock.after(limits.handshakeMs, () => {
      late = true;
      if (dial.connection === undefined) duplex.close();
      else dial.connection.close("lost");
    });
    try {
      signal.throwIfAborted();
      const handshake = new Handshake({
        role: "initiator",
        identity,
        network: networkName,
        expected: dial.peer ?? id,
      });
      const reader = new RecordReader(duplex, 0);
      const greeting = await greet(duplex, reader, handshake, (peer) => this.#proven(dial, peer));
      signal.throwIfAborted();
      if (greeting === undefined) throw new GossipError("handshake-failed", "the stream ended");
      const options = { id: greeting.peer, direction: "out", duplex, reader } as const;
      const connection = new Connection({ ...options, channel: greeting.channel }, this.#context);
      dial.connection = connection;
      await this.#accepted(dial, connection);
    } catch (cause) {
      if (dial.connection === undefined) duplex.close();
      if (!late) throw cause;
      throw new GossipError("handshake-failed", `no handshake in ${limits.handshakeMs} ms`, {
        cause,
      });
    } finally {
      leave();
      clock.cancel(deadline);
      signal.removeEventListener("abort", drop);
    }
  }

  /** The responder has proved who it is: the last moment to step back before it learns who dials. */
  #proven(dial: Dial, peer: PeerId): void {
    const { owner } = this.#options;
    if (dial.settled) throw new Stepped("merged");
    const other = this.#byPeer.get(peer);
    if (other !== undefined && other !== dial && other.committed) {
      other.absorb(dial);
      this.#settle(dial);
      throw new Stepped("merged");
    }
    dial.peer = peer;
    if (other !== undefined && other !== dial) {
      dial.absorb(other);
      this.#settle(other);
      other.controller.abort();
    }
    this.#byPeer.set(peer, dial);
    if (owner.get(peer) !== undefined) throw new Stepped("linked");
    const refusal = owner.refuses(peer);
    if (refusal !== undefined) throw refusal;
    dial.committed = true;
  }

  /** Waits for the responder's first frame. */
  #accepted(dial: Dial, connection: Connection): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#verdicts.set(connection, {
        accept: () => {
          this.#satisfy(dial, connection.id);
          resolve();
        },
        refuse: (reason) => {
          if (reason === "superseded") reject(new Stepped("superseded"));
          else if (reason === "busy") reject(new GossipError("busy", "the other side is full"));
          else reject(new GossipError("dial-failed", `the other side ended it: ${reason}`));
        },
      });
      this.#options.owner.adopt(connection);
      connection.start();
    });
  }

  #satisfy(dial: Dial, peer: PeerId): void {
    this.#settle(dial);
    const waiters = dial.waiters.splice(0);
    if (waiters.length === 0) return;
    const link = this.#options.owner.get(peer), { clock, timing } = this.#context;
    if (link !== undefined) link.graceUntil = clock.now() + timing.graceMs;
    this.#options.owner.later(() => {
      for (const waiter of waiters) waiter.resolve(peer);
    });
  }

  #fail(dial: Dial, cause: GossipError): void {
    this.#settle(dial);
    const waiters = dial.waiters.splice(0), { owner } = this.#options;
    if (dial.wanted && dial.peer !== undefined) owner.unreachable(dial.peer, cause);
    if (waiters.length === 0) return;
    owner.later(() => {
      for (const waiter of waiters) waiter.reject(cause);
    });
  }

  #settle(dial: Dial): void {
    dial.settle();
    if (this.#byAddress.get(dial.key) === dial) this.#byAddress.delete(dial.key);
    if (dial.peer !== undefined && this.#byPeer.get(dial.peer) === dial) {
      this.#byPeer.delete(dial.peer);
    }
  }
}
