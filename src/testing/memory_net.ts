/**
 * Streams between transports in one process, without sockets, with the faults that sockets have.
 *
 * @module
 */

import { formatAddress } from "../net/address.ts";
import type { Duplex, StreamListener, StreamNetwork } from "../net/duplex.ts";

/** Options of a {@linkcode MemoryNetwork}. */
export interface MemoryNetworkOptions {
  /** Bytes that one direction of a stream holds before its writer waits. Default 64 KiB. */
  capacity?: number;
  /** How many of `bytes` one read or write moves, at least 1: cuts streams at arbitrary boundaries. */
  split?: (bytes: number) => number;
  /** Awaited before a stream opens, before each write is taken and before each read looks: shuffles the order of events. */
  turn?: () => Promise<void>;
}

/** Both ends of one stream, for faults. */
export interface MemoryLink {
  /** The dialler's "host:port". */
  readonly from: string;
  /** The listener's "host:port". */
  readonly to: string;
  /** From now on nothing arrives at the other end, not even the end of the stream, and writers wait when it is full: a cable was pulled. */
  stall(): void;
  /** Both ends break at once. */
  cut(): void;
}

/** Streams in memory. One instance is one network: its addresses mean nothing elsewhere. */
export class MemoryNetwork implements StreamNetwork {
  readonly #options: MemoryNetworkOptions;
  readonly #listeners = new Map<string, MemoryListener>();
  readonly #links = new Set<Link>();
  #nextPort = 40_000;

  /** Called for every stream that opens, before either side has it. */
  onOpen: ((link: MemoryLink) => void) | undefined;

  constructor(options: MemoryNetworkOptions = {}) {
    this.#options = options;
  }

  /** Streams that are open at either end. */
  get links(): readonly MemoryLink[] {
    return [...this.#links];
  }

  /** See {@linkcode StreamNetwork.listen}. */
  listen(options: { hostname: string; port: number }): StreamListener {
    const port = options.port === 0 ? this.#nextPort++ : options.port;
    const key = String(port);
    if (this.#listeners.has(key)) throw new Error(`port ${port} is in use`);
    const listener = new MemoryListener(options.hostname, port, () => this.#listeners.delete(key));
    this.#listeners.set(key, listener);
    return listener;
  }

  /** See {@linkcode StreamNetwork.connect}. A host name "black-hole" never answers. */
  async connect(hostname: string, port: number, signal: AbortSignal): Promise<Duplex> {
    await this.#options.turn?.();
    signal.throwIfAborted();
    if (hostname === "black-hole") await aborted(signal);
    const listener = this.#listeners.get(String(port));
    if (listener === undefined) throw new Error("connection refused");
    const from = formatAddress("127.0.0.1", this.#nextPort++);
    const link = new Link(from, formatAddress("127.0.0.1", port), this.#options, () => {
      this.#links.delete(link);
    });
    this.#links.add(link);
    this.onOpen?.(link);
    listener.offer(link.right);
    return link.left;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

class MemoryListener implements StreamListener {
  readonly hostname: string;
  readonly port: number;
  readonly #offered: Duplex[] = [];
  readonly #closedBy: () => void;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(hostname: string, port: number, closedBy: () => void) {
    this.hostname = hostname;
    this.port = port;
    this.#closedBy = closedBy;
  }

  offer(duplex: Duplex): void {
    this.#offered.push(duplex);
    this.#wake?.();
  }

  async accept(): Promise<Duplex | null> {
    while (!this.#closed) {
      const duplex = this.#offered.shift();
      if (duplex !== undefined) return duplex;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closedBy();
    for (const duplex of this.#offered.splice(0)) duplex.close();
    this.#wake?.();
  }
}

class Link implements MemoryLink {
  readonly from: string;
  readonly to: string;
  readonly left: Duplex;
  readonly right: Duplex;
  readonly #pipes: readonly [Pipe, Pipe];

  constructor(from: string, to: string, options: MemoryNetworkOptions, closed: () => void) {
    this.from = from;
    this.to = to;
    const capacity = options.capacity ?? 64 * 1024;
    const there = new Pipe(capacity), back = new Pipe(capacity);
    this.#pipes = [there, back];
    let open = 2;
    const ended = (): void => {
      if (--open === 0) closed();
    };
    this.left = new MemoryDuplex(from, to, back, there, options, ended);
    this.right = new MemoryDuplex(to, from, there, back, options, ended);
  }

  stall(): void {
    for (const pipe of this.#pipes) pipe.stalled = true;
  }

  cut(): void {
    for (const pipe of this.#pipes) pipe.break();
  }
}

/** One direction: a ring of bytes. */
class Pipe {
  readonly #ring: Uint8Array;
  #start = 0;
  #held = 0;
  #wakes: (() => void)[] = [];
  #ended = false;
  #broken = false;
  stalled = false;

  constructor(capacity: number) {
    this.#ring = new Uint8Array(capacity);
  }

  /** Bytes taken; 0 where it is full. */
  put(bytes: Uint8Array): number {
    if (this.#broken || this.#ended) throw new Error("broken pipe");
    const size = this.#ring.length, count = Math.min(bytes.length, size - this.#held);
    const at = (this.#start + this.#held) % size, first = Math.min(count, size - at);
    this.#ring.set(bytes.subarray(0, first), at);
    this.#ring.set(bytes.subarray(first, count), 0);
    this.#held += count;
    if (count > 0) this.wake();
    return count;
  }

  /** Bytes given; 0 where there is none, null at the end. */
  get(into: Uint8Array): number | null {
    if (this.#broken) throw new Error("connection reset");
    if (this.stalled) return 0;
    if (this.#held === 0) return this.#ended ? null : 0;
    const size = this.#ring.length, count = Math.min(into.length, this.#held);
    const first = Math.min(count, size - this.#start);
    into.set(this.#ring.subarray(this.#start, this.#start + first), 0);
    into.set(this.#ring.subarray(0, count - first), first);
    this.#start = (this.#start + count) % size;
    this.#held -= count;
    this.wake();
    return count;
  }

  end(): void {
    this.#ended = true;
    this.wake();
  }

  break(): void {
    this.#broken = true;
    this.wake();
  }

  changed(): Promise<void> {
    return new Promise((resolve) => this.#wakes.push(resolve));
  }

  wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }
}

class MemoryDuplex implements Duplex {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #in: Pipe;
  readonly #out: Pipe;
  readonly #options: MemoryNetworkOptions;
  readonly #ended: () => void;
  #closed = false;

  constructor(
    localAddress: string,
    remoteAddress: string,
    incoming: Pipe,
    outgoing: Pipe,
    options: MemoryNetworkOptions,
    ended: () => void,
  ) {
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.#in = incoming;
    this.#out = outgoing;
    this.#options = options;
    this.#ended = ended;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const window = into.subarray(0, this.#split(into.length));
    for (;;) {
      await this.#options.turn?.();
      this.#check();
      const read = this.#in.get(window);
      if (read !== 0) return read;
      await this.#in.changed();
      this.#check();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const window = bytes.subarray(0, this.#split(bytes.length));
    for (;;) {
      await this.#options.turn?.();
      this.#check();
      const wrote = this.#out.put(window);
      if (wrote > 0) return wrote;
      await this.#out.changed();
      this.#check();
    }
  }

  closeWrite(): Promise<void> {
    if (!this.#closed) this.#out.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#out.end();
    // What the other side still writes goes nowhere.
    if (!this.#in.stalled) this.#in.break();
    this.#in.wake();
    this.#ended();
  }

  #split(bytes: number): number {
    return this.#options.split === undefined
      ? bytes
      : Math.max(1, Math.min(bytes, this.#options.split(bytes)));
  }

  #check(): void {
    if (this.#closed) throw new Error("the stream is closed");
  }
}
