/**
 * Takes streams from outside and lets through those that prove who they are. Until then a stranger costs a socket, a buffer of
 * about a kilobyte and a deadline, and their number is bounded in total and per address.
 *
 * @module
 */

import type { Clock, PeerId, TimerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import type { Channel } from "../secure/channel.ts";
import { Handshake } from "../secure/handshake.ts";
import type { Identity } from "../secure/identity.ts";
import { hostOf } from "./address.ts";
import type { Counters } from "./counters.ts";
import type { Duplex, StreamListener } from "./duplex.ts";
import { greet } from "./handshaking.ts";
import { RecordReader } from "./records.ts";

/** A stream whose other end is known. */
export interface Guest {
  readonly peer: PeerId;
  readonly duplex: Duplex;
  readonly reader: RecordReader;
  readonly channel: Channel;
}

/** What an acceptor works with. */
export interface AcceptorOptions {
  readonly identity: Identity;
  readonly networkName: string;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly counters: Counters;
  /** Somebody was turned away. */
  readonly refused: (address: string, reason: string) => void;
  /** Somebody proved who it is. The place among the strangers is free again when the promise resolves. */
  readonly arrived: (guest: Guest) => Promise<void>;
}

/** Pause after the system could not hand out a stream, e.g. for want of file descriptors. */
const ACCEPT_PAUSE_MS = 100;

/** See the module. */
export class Acceptor {
  readonly #listener: StreamListener;
  readonly #options: AcceptorOptions;
  readonly #strangers = new Map<Duplex, Promise<void>>();
  readonly #perHost = new Map<string, number>();
  #running: Promise<void> = Promise.resolve();
  #closed = false;
  #pause: { timer: TimerId; end: () => void } | undefined;

  constructor(listener: StreamListener, options: AcceptorOptions) {
    this.#listener = listener;
    this.#options = options;
  }

  /** Streams that have not proved anything yet. */
  get halfOpen(): number {
    return this.#strangers.size;
  }

  /** Begins to accept. */
  start(): void {
    this.#running = this.#run();
  }

  /** Stops, drops every stranger, resolves when nothing is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    if (this.#pause !== undefined) {
      this.#options.clock.cancel(this.#pause.timer);
      this.#pause.end();
    }
    const strangers = [...this.#strangers];
    for (const [duplex] of strangers) duplex.close();
    await Promise.all(strangers.map(([, greeting]) => greeting));
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const duplex = await this.#listener.accept();
        if (duplex === null) return;
        this.#admit(duplex);
      } catch {
        // One stream was lost before it was ours, or descriptors ran out: the listener itself goes on.
        if (!this.#closed) await this.#rest();
      }
    }
  }

  #rest(): Promise<void> {
    return new Promise((end) => {
      const timer = this.#options.clock.after(ACCEPT_PAUSE_MS, end);
      this.#pause = { timer, end };
    });
  }

  #admit(duplex: Duplex): void {
    const { counters, limits, refused } = this.#options;
    const host = hostOf(duplex.remoteAddress), fromHost = this.#perHost.get(host) ?? 0;
    if (this.#closed) return duplex.close();
    if (this.#strangers.size >= limits.halfOpen || fromHost >= limits.halfOpenPerAddress) {
      duplex.close();
      counters.refused++;
      return refused(duplex.remoteAddress, "too many handshakes under way");
    }
    counters.accepted++;
    this.#perHost.set(host, fromHost + 1);
    const greeting = this.#greet(duplex).finally(() => {
      this.#strangers.delete(duplex);
      const left = this.#perHost.get(host)! - 1;
      if (left === 0) this.#perHost.delete(host);
      else this.#perHost.set(host, left);
    });
    this.#strangers.set(duplex, greeting);
  }

  async #greet(duplex: Duplex): Promise<void> {
    const { arrived, clock, counters, identity, limits, networkName, refused } = this.#options;
    let late = false;
    const deadline = clock.after(limits.handshakeMs, () => {
      late = true;
      duplex.close();
    });
    const reader = new RecordReader(duplex, 0);
    try {
      const handshake = new Handshake({ role: "responder", identity, network: networkName });
      const greeting = await greet(duplex, reader, handshake);
      clock.cancel(deadline);
      if (this.#closed || greeting === undefined) {
        // Ended in between: a port scan, or a dialler that found another way. Counted, no event.
        if (greeting === undefined) counters.handshakesFailed++;
        return duplex.close();
      }
      await arrived({ ...greeting, duplex, reader });
    } catch (cause) {
      duplex.close();
      if (this.#closed) return;
      counters.handshakesFailed++;
      const why = cause instanceof GossipError ? cause.message : "the stream broke";
      refused(duplex.remoteAddress, late ? `no handshake in ${limits.handshakeMs} ms` : why);
    } finally {
      clock.cancel(deadline);
    }
  }
}
