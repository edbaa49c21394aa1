/** What the tests of src/net share: a sink that writes down what it is told, nodes over memory or TCP, waiting for conditions. */

import { onGrid } from "../../src/net/timers.ts";
import { setImmediate } from "node:timers";
import type { Clock, DownReason, PeerId, TimerId } from "../../src/core/host.ts";
import type { TransportSink } from "../../src/transport.ts";
import type { Duplex, StreamNetwork } from "../../src/net/duplex.ts";
import { greet } from "../../src/net/handshaking.ts";
import { RecordReader } from "../../src/net/records.ts";
import { StreamTransport, type StreamTransportOptions } from "../../src/net/transport.ts";
import type { Channel } from "../../src/secure/channel.ts";
import { Handshake } from "../../src/secure/handshake.ts";
import { Identity } from "../../src/secure/identity.ts";

/** One thing that a sink was told. */
export interface Told {
  readonly what: "up" | "down" | "unreachable" | "dialFailed" | "refused" | "addressChanged";
  readonly peer?: PeerId;
  readonly reason?: string;
  readonly cause?: Error;
}

/** Writes down everything, and checks that up and down alternate. */
export class Recorder implements TransportSink {
  readonly told: Told[] = [];
  readonly frames: Uint8Array[] = [];
  readonly broken: string[] = [];
  readonly #up = new Set<PeerId>();
  #watchers = new Set<() => void>();
  /** Called for every frame, instead of keeping it. */
  onFrame: ((peer: PeerId, bytes: Uint8Array, start: number, end: number) => void) | undefined;
  /** Called for every notice. */
  onTold: ((told: Told) => void) | undefined;

  up(peer: PeerId, direction: "in" | "out"): void {
    if (this.#up.has(peer)) this.broken.push(`up twice: ${peer.slice(0, 8)}`);
    this.#up.add(peer);
    this.#add({ what: "up", peer, reason: direction });
  }

  down(peer: PeerId, reason: DownReason): void {
    if (!this.#up.delete(peer)) this.broken.push(`down without up: ${peer.slice(0, 8)}`);
    this.#add({ what: "down", peer, reason });
  }

  unreachable(peer: PeerId, cause: Error): void {
    this.#add({ what: "unreachable", peer, cause });
  }

  receive(peer: PeerId, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#up.has(peer)) this.broken.push(`a frame without a link: ${peer.slice(0, 8)}`);
    if (this.onFrame !== undefined) this.onFrame(peer, bytes, start, end);
    else this.frames.push(bytes.slice(start, end));
    this.#changed();
  }

  dialFailed(address: string, cause: Error): void {
    this.#add({ what: "dialFailed", reason: address, cause });
  }

  refused(_address: string, reason: string): void {
    this.#add({ what: "refused", reason });
  }

  addressChanged(): void {
    this.#add({ what: "addressChanged" });
  }

  count(what: Told["what"], peer?: PeerId): number {
    return this.told.filter((t) => t.what === what && (peer === undefined || t.peer === peer))
      .length;
  }

  /** The last thing told of a kind. */
  last(what: Told["what"]): Told | undefined {
    return this.told.findLast((t) => t.what === what);
  }

  /** Resolves once `holds()` is true; rejects after five seconds. Looks whenever something happens. */
  async until(holds: () => boolean, what = "condition"): Promise<void> {
    await until(holds, what, this.#watchers);
  }

  #add(told: Told): void {
    this.told.push(told);
    this.onTold?.(told);
    this.#changed();
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** Resolves once `holds()` is true, looking every few milliseconds and whenever a watcher is called. */
export function until(
  holds: () => boolean,
  what = "condition",
  watchers: Set<() => void> = new Set(),
  ms = 5_000,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = performance.now() + ms;
    const look = (): void => {
      const held = holds();
      if (!held && performance.now() < end) return;
      watchers.delete(look);
      clearInterval(interval);
      if (held) resolve();
      else reject(new Error(`not within ${ms} ms: ${what}`));
    };
    const interval = setInterval(look, 3);
    watchers.add(look);
    look();
  });
}

/** A started transport with its recorder. */
export interface TestNode extends AsyncDisposable {
  readonly id: PeerId;
  readonly transport: StreamTransport;
  readonly sink: Recorder;
  /** "127.0.0.1:port". */
  readonly address: string;
  readonly faults: unknown[];
}

/** Starts a transport; over `streams`, or TCP on loopback. */
export function startNode(
  streams: StreamNetwork | undefined,
  options: Partial<StreamTransportOptions> = {},
): TestNode {
  const faults: unknown[] = [];
  const identity = options.identity ?? Identity.generate();
  const transport = new StreamTransport({
    hostname: "127.0.0.1",
    preset: "local",
    onFault: (error) => faults.push(error),
    ...options,
    identity,
    streams,
  });
  const sink = new Recorder();
  transport.start(sink);
  return {
    id: identity.id,
    transport,
    sink,
    address: `127.0.0.1:${transport.port}`,
    faults,
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

/** Two identities, the smaller id first. */
export function orderedIdentities(): [Identity, Identity] {
  const a = Identity.generate(), b = Identity.generate();
  return a.id < b.id ? [a, b] : [b, a];
}

/** A clock that stands still until it is told. Timers fire in order of (time, number). */
export class ManualClock implements Clock {
  #now = 1_000;
  #next = 1;
  #timers: { id: TimerId; due: number; fire: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  get size(): number {
    return this.#timers.length;
  }

  after(ms: number, fire: () => void): TimerId {
    const id = this.#next++;
    this.#timers.push({ id, due: this.#now + Math.max(0, ms), fire });
    return id;
  }

  cancel(timer: TimerId): void {
    this.#timers = this.#timers.filter((each) => each.id !== timer);
  }

  /** Moves on by `ms` in steps, lets sockets and microtasks run between them. */
  async advance(ms: number, step = 50): Promise<void> {
    const end = this.#now + ms;
    while (this.#now < end) {
      this.jump(Math.min(step, end - this.#now));
      await settle();
    }
  }

  /** Moves on by `ms` at once, as a thread that was blocked: timers that were due fire late. */
  jump(ms: number): void {
    this.#now += ms;
    for (;;) {
      this.#timers.sort((a, b) => a.due - b.due || a.id - b.id);
      const first = this.#timers[0];
      if (first === undefined || first.due > this.#now) return;
      this.#timers.shift();
      first.fire();
    }
  }
}

/** Lets everything that is ready in memory run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A frame of the node's: kind 0x14 (GOSSIP), then `length - 1` bytes that follow from `seed`. */
export function frame(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[0] = 0x14;
  for (let i = 1; i < length; i++) bytes[i] = (seed * 31 + i * 7) & 255;
  return bytes;
}

/** A peer that speaks the protocol by hand, so that it can break it. */
export interface RawPeer {
  readonly id: PeerId;
  readonly peer: PeerId;
  readonly duplex: Duplex;
  readonly channel: Channel;
  readonly reader: RecordReader;
  /** Seals and writes one record. */
  send(plaintext: Uint8Array): Promise<void>;
  /** The plaintext of the next record; undefined at the end of the stream. */
  next(): Promise<Uint8Array | undefined>;
}

/** Dials `port` and shakes hands as anybody. */
export async function rawPeer(
  streams: StreamNetwork,
  port: number,
  identity: Identity = Identity.generate(),
  network = "plumtree",
): Promise<RawPeer> {
  const duplex = await streams.connect("127.0.0.1", port, new AbortController().signal);
  const reader = new RecordReader(duplex, 0);
  const greeting = await greet(
    duplex,
    reader,
    new Handshake({ role: "initiator", identity, network }),
  );
  if (greeting === undefined) throw new Error("the stream ended in the handshake");
  const { channel, peer } = greeting;
  reader.maximum = 65_535;
  return {
    id: identity.id,
    peer,
    duplex,
    channel,
    reader,
    send: (plaintext) => writeAll(duplex, channel.seal(plaintext)),
    next: async () => {
      for (;;) {
        const record = reader.next();
        if (record !== undefined) return channel.open(record);
        if (!await reader.fill().catch(() => false)) return undefined;
      }
    },
  };
}

/** Writes everything. */
export async function writeAll(duplex: Duplex, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await duplex.write(bytes.subarray(at));
}

/** A manual clock whose timers fire on a grid, as those of `net/timers.ts` do. */
export class GridClock extends ManualClock {
  override after(ms: number, fire: () => void, exact = false): TimerId {
    return super.after(onGrid(this.now() + ms, exact ? 0 : ms) - this.now(), fire);
  }
}
