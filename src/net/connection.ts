/**
 * One authenticated connection: records in and out, frames, pings, and how it ends.
 *
 * @module
 */

import type { Clock, DownReason, PeerId, TimerId } from "../core/host.ts";
import type { LinkInfo } from "../transport.ts";
import { Reader, WireError } from "../wire/bytes.ts";
import { Frame, type Lane } from "../wire/frames.ts";
import type { Duplex } from "./duplex.ts";
import { type EndReason, goodbyeCode, goodbyeReason } from "./goodbye.ts";
import { Inbox } from "./inbox.ts";
import type { ConnectionOptions, LinkContext, RecordChannel } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { Reassembly } from "./reassembly.ts";
import type { RecordReader } from "./records.ts";
import { freshToken, RoundTrip } from "./round_trip.ts";
import { Slowness } from "./slowness.ts";
import { gridStep } from "./timers.ts";

/** The largest record that is taken: what its length field can say. */
export const MAX_RECORD = 65_535;
/** Bytes that a frame may have beside the message in it: its head, a signature, a path. */
export const FRAME_SLACK = 64 * 1024;
/** First pause between pings; doubles up to `pingMs`. */
const FIRST_PING_MS = 100;
/** Pings in a row that are left out where the other side was heard in the meantime. */
const SPARED_PINGS = 7;
/** A link that was heard for so many times `pingMs` ago at most is not asked: checks of neighbours, every `checkMs` ± 20 %, keep it alive. */
const QUIET = 1.25;
/** Pings of an established link are put off by up to this part of `pingMs`, at random: see {@linkcode Connection.#pingAlone}. */
const ALONE_PART = 1 / 32;
/** Up to this pause between them a link is pinged that neither side needs: whoever dialled may want to measure it. */
const MEASURED_MS = 800;
/** In a PING's flags: the sender needs the connection. */
const PING_HELD = 1;
/** A tick that is later than this says that our own thread was. */
const LATE_MS = 100;

/** One authenticated connection. */
export class Connection {
  readonly id: PeerId;
  readonly direction: "in" | "out";
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #duplex: Duplex;
  readonly #reader: RecordReader;
  readonly #channel: RecordChannel;
  readonly #context: LinkContext;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #slowness: Slowness;
  readonly #reassembly: Reassembly;
  readonly #roundTrip = new RoundTrip();
  readonly #tick = (): void => this.#check();
  readonly #before: number;
  #timer: TimerId | undefined;
  #due = 0;
  #pause = FIRST_PING_MS;
  #token = 0;
  #awaited = false;
  #spared = 0;
  #toldHeld = false;
  #heardAt = 0;
  #ended: EndReason | undefined;
  #destroyed = false;
  #finished: Promise<void> = Promise.resolve();
  #finish: () => void = () => {};
  #used = false;
  #doubts: ((alive: boolean) => void)[] = [];
  #doubtTimer: TimerId | undefined;

  /** When it was accepted, by the clock; undefined before. */
  openedAt: number | undefined;
  /** When a frame of the node's last went either way; the pool keeps it. */
  activeAt = 0;
  /** When either side last held it, as far as the pool has looked. */
  neededAt = 0;
  /** The other side said with its last ping that it needs this connection. */
  heldThere = false;
  /** Until when it counts as held. */
  graceUntil = 0;

  constructor(options: ConnectionOptions, context: LinkContext) {
    this.id = options.id;
    this.direction = options.direction;
    this.remoteAddress = options.duplex.remoteAddress;
    this.localAddress = options.duplex.localAddress;
    this.#duplex = options.duplex;
    this.#reader = options.reader;
    this.#channel = options.channel;
    this.#context = context;
    this.#clock = context.clock;
    this.#before = options.reader.bytes;
    const { limits, counters, clock } = context;
    this.#reassembly = new Reassembly(
      Math.max(limits.messageBytes, limits.requestBytes) + FRAME_SLACK,
    );
    this.#outbox = new Outbox({
      duplex: options.duplex,
      sealer: options.channel,
      clock,
      counters,
      laneBytes: limits.laneBytes,
      broken: () => this.#broke(),
    });
    this.#slowness = new Slowness(this.#outbox, context.timing, limits.laneBytes);
    this.#heardAt = this.activeAt = this.neededAt = clock.now();
  }

  /** Smoothed round-trip time in ms. */
  get rttMs(): number | undefined {
    return this.#roundTrip.ms;
  }

  /** The least of the last round trips in ms. */
  get leastRttMs(): number | undefined {
    return this.#roundTrip.leastMs;
  }

  /** Bytes that wait in the lanes. */
  get queuedBytes(): number {
    return this.#outbox.lanes.bytes;
  }

  /** Why it ended; undefined while it has not. */
  get endReason(): EndReason | undefined {
    return this.#ended;
  }

  /** Resolves when its socket is closed and nothing of it is under way. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** A snapshot for the outside. */
  info(): LinkInfo {
    return {
      id: this.id,
      direction: this.direction,
      rttMs: this.rttMs,
      bytesIn: this.#reader.bytes - this.#before,
      bytesOut: this.#outbox.bytesOut,
      queuedBytes: this.queuedBytes,
    };
  }

  /**
   * Begins to read. The side that accepted opens at once and pings, by which the dialler learns that it was accepted; the dialler opens on the
   * first frame that is no GOODBYE.
   */
  start(): void {
    this.#reader.maximum = MAX_RECORD;
    this.#heardAt = this.#clock.now();
    this.#arm(this.#pause, true);
    this.#finished = new Promise((resolve) => this.#finish = resolve);
    this.#records();
    if (this.#destroyed) return this.#stop();
    new Inbox({
      duplex: this.#duplex,
      reader: this.#reader,
      came: (bytes) => this.#came(bytes),
      ended: () => this.#stop(),
    }).read();
  }

  /** Counts as accepted from now on. */
  open(): void {
    this.openedAt = this.activeAt = this.#clock.now();
    this.#sendPing();
  }

  /** Queues a frame; false where its lane is full or the connection has ended. */
  send(lane: Lane, head: Uint8Array, body: Uint8Array | undefined): boolean {
    if (this.#ended !== undefined) return false;
    this.#used = true;
    if (this.#outbox.send(lane, head, body)) return true;
    this.#context.counters.framesRefused++;
    if (!this.#slowness.suspected) {
      const now = this.#clock.now();
      this.#slowness.refused(now);
      this.#arm(Math.min(this.#due - now, this.#context.timing.slowMs / 4), true);
    }
    return false;
  }

  /** Says whether frames of the node's went either way since the last call. */
  takeUsed(): boolean {
    const used = this.#used;
    this.#used = false;
    return used;
  }

  /** Asks the other side to speak; ends the connection as lost unless it does within `ms`. `settled` is told what came of it. */
  doubt(ms: number, settled: (alive: boolean) => void = () => {}): void {
    if (this.#ended !== undefined) return settled(false);
    this.#doubts.push(settled);
    if (this.#doubts.length > 1) return;
    this.#awaited = false;
    this.#sendPing();
    this.#doubtTimer = this.#clock.after(ms, () => this.close("lost"));
  }

  /** Ends it: what is queued and a GOODBYE leave first, within a bounded time, unless the other side is not worth it. */
  close(reason: EndReason): void {
    if (!this.#end(reason)) return;
    if (reason === "lost" || reason === "slow") return this.#destroy();
    if (reason === "misbehaved") this.#outbox.lanes.clear();
    this.#outbox.goodbye(goodbyeCode(reason));
    this.#timer = this.#clock.after(this.#context.timing.closeMs, () => this.#destroy());
  }

  #settleDoubts(alive: boolean): void {
    if (this.#doubtTimer !== undefined) this.#clock.cancel(this.#doubtTimer);
    this.#doubtTimer = undefined;
    for (const settled of this.#doubts.splice(0)) settled(alive);
  }

  /** Drops the socket without a word; for a dial that is given up. */
  abandon(reason: DownReason): void {
    this.#end(reason);
    this.#destroy();
  }

  #end(reason: EndReason): boolean {
    if (this.#ended !== undefined) return false;
    this.#ended = reason;
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#context.handler.ended(this, reason);
    if (this.#doubts.length > 0) this.#settleDoubts(false);
    return true;
  }

  #destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#outbox.kill();
    this.#duplex.close();
    this.#channel.close();
  }

  #broke(): void {
    this.#end("lost");
    this.#destroy();
  }

  #came(bytes: number): boolean {
    this.#context.counters.bytesIn += bytes;
    this.#heardAt = this.#clock.now();
    if (this.#doubts.length > 0) this.#settleDoubts(true);
    this.#records();
    return !this.#destroyed;
  }

  /** Nothing more will be read: "lost", unless the end was known already. */
  #stop(): void {
    this.#broke();
    this.#outbox.done.then(this.#finish);
  }

  /** Takes every whole record that was read. One bad record ends the connection. */
  #records(): void {
    if (this.#ended !== undefined) return this.#reader.discard();
    try {
      for (;;) {
        const record = this.#reader.next();
        if (record === undefined) return;
        this.#context.counters.recordsIn++;
        this.#frames(this.#channel.open(record));
        if (this.#ended !== undefined) return this.#reader.discard();
      }
    } catch {
      this.close("misbehaved");
    }
  }

  #frames(bytes: Uint8Array): void {
    const end = bytes.length;
    if (end === 0) throw new WireError("empty record");
    let at = 0, spent = true;
    while (at < end && this.#ended === undefined) {
      let length = bytes[at]!;
      if (length < 128) {
        at++;
      } else {
        const reader = new Reader(bytes, at);
        length = reader.varint();
        at = reader.at;
      }
      const stop = at + length;
      if (length === 0 || stop > end) throw new WireError("frame length");
      this.#context.counters.framesIn++;
      if (bytes[at]! >= Frame.HELLO) {
        spent = false;
        this.#deliver(bytes, at, stop);
      } else this.#own(bytes, at, stop);
      at = stop;
    }
    this.#reassembly.finished(bytes, spent);
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    if (this.openedAt === undefined) this.#context.handler.opened(this);
    this.#used = true;
    this.#context.handler.receive(this, bytes, start, end);
  }

  /** A frame for the connection itself. */
  #own(bytes: Uint8Array, start: number, end: number): void {
    const kind = bytes[start]!;
    if (kind === Frame.CHUNK) {
      const message = this.#reassembly.add(bytes, start + 1, end);
      if (message === undefined) return;
      if (message[0]! < Frame.HELLO) throw new WireError("a chunked frame of the connection's");
      return this.#deliver(message, 0, message.length);
    }
    if (kind === Frame.GOODBYE && end - start === 2) {
      this.#end(goodbyeReason(bytes[start + 1]!));
      return this.#destroy();
    }
    const size = kind === Frame.PING ? 6 : kind === Frame.PONG ? 5 : 0;
    if (end - start !== size) throw new WireError("unknown frame");
    if (this.openedAt === undefined) this.#context.handler.opened(this);
    const token = (bytes[start + 1]! << 24 | bytes[start + 2]! << 16 | bytes[start + 3]! << 8 |
      bytes[start + 4]!) >>> 0;
    if (kind === Frame.PING) {
      this.heldThere = (bytes[start + 5]! & PING_HELD) !== 0;
      this.#outbox.pong(token);
    } else if (this.#awaited && token === this.#token) {
      this.#awaited = false;
      this.#roundTrip.add(this.#clock.now() - this.#outbox.pingedAt);
    }
  }

  #sendPing(): void {
    if (this.#ended !== undefined || this.#awaited) return;
    this.#awaited = true;
    this.#token = freshToken();
    // Links that came up together are not measured together.
    const early = this.#pause < this.#context.timing.pingMs;
    this.#spared = early ? Math.floor(this.#clock.random() * (SPARED_PINGS + 1)) : 0;
    this.#toldHeld = this.#context.handler.isHeld(this);
    this.#outbox.ping(this.#token, this.#toldHeld ? PING_HELD : 0);
  }

  /** Among all that other nodes of this process do on the grid of their timers, a round trip would measure their work. */
  #pingAlone(): void {
    if (this.#pause < this.#context.timing.pingMs) return this.#sendPing();
    const ms = this.#clock.random() * ALONE_PART * this.#context.timing.pingMs;
    this.#clock.after(ms, () => this.#sendPing(), true);
  }

  /** An established link that spoke lately needs no ping from both ends; one in eight still measures the round trip. */
  #spares(silentMs: number): boolean {
    const { pingMs } = this.#context.timing;
    if (this.#pause < pingMs || silentMs >= QUIET * pingMs || this.#awaited) return false;
    if (this.#context.handler.isHeld(this) !== this.#toldHeld) return false;
    return this.#spared++ < SPARED_PINGS;
  }

  /** Neither side needs the link: it is on its way to be closed, and nobody asks how it is. */
  #unneeded(silentMs: number): boolean {
    if (silentMs >= this.#context.timing.deadMs / 2) return false;
    if (this.direction === "out" && this.#pause <= MEASURED_MS) return false;
    return !this.heldThere && !this.#toldHeld && !this.#context.handler.isHeld(this);
  }

  /** `exact` where it is not for the grid of timers to say when. */
  #arm(ms: number, exact: boolean): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#due = this.#clock.now() + Math.max(0, ms) + (exact ? 0 : gridStep(ms));
    this.#timer = this.#clock.after(ms, this.#tick, exact);
  }

  /** One timer for everything: pings, silence, a reader that stays behind. */
  #check(): void {
    this.#timer = undefined;
    this.#reader.look();
    const { timing } = this.#context, now = this.#clock.now();
    const late = now - this.#due > LATE_MS ? now - this.#due : 0;
    this.#heardAt = Math.min(now, this.#heardAt + late);
    const silent = now - this.#heardAt;
    if (silent >= timing.deadMs) return this.close("lost");
    if (this.#slowness.judge(now, late)) return this.close("slow");
    if (this.openedAt !== undefined) {
      const unanswered = now - this.#outbox.pingedAt >= (1 - ALONE_PART) * timing.pingMs;
      if (this.#awaited && unanswered) this.#awaited = false;
      if (!this.#spares(silent) && !this.#unneeded(silent)) this.#pingAlone();
    }
    this.#pause = Math.min(timing.pingMs, this.#pause * 2);
    const heard = silent < QUIET * timing.pingMs;
    let next = Math.min(this.#pause, (heard ? QUIET * timing.pingMs : timing.deadMs) - silent);
    if (this.#slowness.suspected) next = Math.min(next, timing.slowMs / 4);
    this.#arm(next, !heard || this.#pause < timing.pingMs);
  }
}
