/**
 * The sending half of a connection: what waits, sealed into records and written, one write at a time.
 *
 * Nothing here awaits a caller and no caller awaits this: `send` queues, a flush follows at the end of the turn of the event loop,
 * when all that was readable has been read, and what is queued while a write is under way leaves together with the next one.
 * A flush in the same turn (by a microtask) made four times as many records, and 50 % more work per delivery.
 *
 * @module
 */

import type { Clock } from "../core/host.ts";
import { Frame, type Lane } from "../wire/frames.ts";
import { BufferPool } from "./buffer_pool.ts";
import type { Counters } from "./counters.ts";
import type { Duplex } from "./duplex.ts";
import { Lanes } from "./lanes.ts";
import {
  CHUNK_PLAINTEXT,
  RECORD_HEADER,
  RECORD_PLAINTEXT,
  RECORD_TAG,
  URGENT_PLAINTEXT,
} from "./records.ts";
import { writeAtEndOfTurn } from "./turn.ts";

/** Seals a record; see `secure/channel.ts`. */
export interface Sealer {
  /** Writes the record for the first `length` bytes of `plaintext`, u16 length in front, to `out` at `at`; returns the offset behind it. */
  sealInto(plaintext: Uint8Array, length: number, out: Uint8Array, at: number): number;
}

/** What an {@linkcode Outbox} works with. */
export interface OutboxOptions {
  readonly duplex: Duplex;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Bytes per lane. */
  readonly laneBytes: number;
  /** The stream broke while writing. */
  readonly broken: () => void;
}

/** Room that the connection's own frames (pong 6 bytes, ping 7, goodbye 3) need in a record. */
const OWN_FRAMES = 16;
/** Sealing copies at once, so that one plaintext buffer does for all connections. */
const scratch = new Uint8Array(CHUNK_PLAINTEXT + OWN_FRAMES);
/** A record is longer than its plaintext by this. */
const RECORD_OVERHEAD = RECORD_HEADER + RECORD_TAG;
/**
 * One buffer per write under way, and some kept for the next: many of the size of a few control frames, since hundreds of connections may write at
 * once (while 200 nodes started, buffers of 4 KiB alone were 118 MB of garbage).
 */
const tiny = new BufferPool(512, 1_024), small = new BufferPool(4 * 1024, 64);
const large = new BufferPool(scratch.length + RECORD_OVERHEAD, 16);

function poolFor(size: number): BufferPool {
  return size <= tiny.bytes ? tiny : size <= small.bytes ? small : large;
}

/** The sending half of a connection. */
export class Outbox {
  readonly lanes: Lanes;
  readonly #duplex: Duplex;
  readonly #sealer: Sealer;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #broken: () => void;
  // One of each for all records, and no async function: with those a record's way out and in made a third more garbage.
  readonly #start = (): void => this.#flush();
  readonly #wrote = (bytes: number): void => this.#advance(bytes);
  readonly #failed = (): void => this.#fail();
  #scheduled = false;
  #pumping = false;
  #dead = false;
  readonly #waiting: (() => void)[] = [];
  /** What is being written, and how much of it is. */
  #record: Uint8Array | undefined;
  #written = 0;
  #pong = -1;
  #ping = -1;
  #pingFlags = 0;
  #goodbye = 0;
  #goodbyeWritten = false;
  #buffer: Uint8Array | undefined;

  /** When the write that is under way began; undefined where there is none. */
  writingSince: number | undefined;
  /** When the last ping was put into a record. */
  pingedAt = 0;
  /** Bytes written to the stream. */
  bytesOut = 0;

  constructor(options: OutboxOptions) {
    this.lanes = new Lanes(options.laneBytes);
    this.#duplex = options.duplex;
    this.#sealer = options.sealer;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#broken = options.broken;
  }

  /** Queues a frame; false where its lane is full. */
  send(lane: Lane, head: Uint8Array, body: Uint8Array | undefined): boolean {
    if (this.#goodbye !== 0 || this.#dead || !this.lanes.push(lane, head, body)) return false;
    this.#schedule();
    return true;
  }

  /** Sends a PING, before anything that waits. */
  ping(token: number, flags: number): void {
    this.#ping = token;
    this.#pingFlags = flags;
    this.#schedule();
  }

  /** Answers a PING. Of several that came in one turn only the last is answered: a flood of them queues nothing. */
  pong(token: number): void {
    this.#pong = token;
    this.#schedule();
  }

  /** Lets what is queued leave, then a GOODBYE, then ends this direction of the stream. */
  goodbye(code: number): void {
    this.#goodbye = code;
    // At once: whoever says goodbye may be about to end the stream.
    queueMicrotask(this.#start);
  }

  /** Stops at once. */
  kill(): void {
    this.#dead = true;
    this.lanes.clear();
  }

  /** Resolves when no write is under way any more. */
  get done(): Promise<void> {
    if (!this.#pumping) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #schedule(): void {
    if (this.#pumping || this.#scheduled || this.#dead) return;
    this.#scheduled = true;
    writeAtEndOfTurn(this.#start);
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#pumping || this.#dead) return;
    this.#pumping = true;
    this.#pump();
  }

  /** Seals what waits and writes it. */
  #pump(): void {
    try {
      this.#record = this.#next();
      if (this.#record === undefined) return this.#rest();
      this.#written = 0;
      this.#write(this.#record);
    } catch {
      this.#fail();
    }
  }

  #write(bytes: Uint8Array): void {
    this.writingSince = this.#clock.now();
    this.#duplex.write(bytes).then(this.#wrote, this.#failed);
  }

  /** So much was written. */
  #advance(bytes: number): void {
    this.bytesOut += bytes;
    this.#counters.bytesOut += bytes;
    this.#written += bytes;
    const record = this.#record!;
    // A slow link that moves is not stuck.
    if (this.#written < record.length && !this.#dead) {
      return this.#write(record.subarray(this.#written));
    }
    this.writingSince = undefined;
    this.#release();
    this.#pump();
  }

  /** Nothing waits, or nothing may leave any more. */
  #rest(): void {
    if (!this.#goodbyeWritten || this.#dead) return this.#stop();
    this.#duplex.closeWrite().then(() => this.#stop(), this.#failed);
  }

  #fail(): void {
    this.#dead = true;
    this.#broken();
    this.#stop();
  }

  #stop(): void {
    this.#pumping = false;
    this.writingSince = undefined;
    if (this.#waiting.length > 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }

  /** Seals the next record; undefined where nothing waits. */
  #next(): Uint8Array | undefined {
    if (this.#dead || this.#goodbyeWritten) return undefined;
    const length = this.#plaintext();
    if (length === 0) return undefined;
    const size = length + RECORD_OVERHEAD;
    const buffer = this.#buffer = poolFor(size).take();
    this.#sealer.sealInto(scratch, length, buffer, 0);
    return buffer.subarray(0, size);
  }

  #release(): void {
    if (this.#buffer === undefined) return;
    poolFor(this.#buffer.length).give(this.#buffer);
    this.#buffer = undefined;
  }

  /** Puts the frames of the next record into the common buffer; returns their length. */
  #plaintext(): number {
    let at = 0;
    if (this.#pong >= 0) {
      at = token(5, Frame.PONG, this.#pong, at);
      this.#pong = -1;
      this.#counters.framesOut++;
    }
    if (this.#ping >= 0) {
      at = token(6, Frame.PING, this.#ping, at);
      scratch[at++] = this.#pingFlags;
      this.#ping = -1;
      this.pingedAt = this.#clock.now();
      this.#counters.framesOut++;
    }
    const frames = this.lanes.framesOut;
    at = this.lanes.fill(scratch, at, RECORD_PLAINTEXT, CHUNK_PLAINTEXT, URGENT_PLAINTEXT);
    this.#counters.framesOut += this.lanes.framesOut - frames;
    if (this.#goodbye !== 0 && !this.#goodbyeWritten && this.lanes.empty) {
      scratch[at++] = 2;
      scratch[at++] = Frame.GOODBYE;
      scratch[at++] = this.#goodbye;
      this.#goodbyeWritten = true;
      this.#counters.framesOut++;
    }
    if (at > 0) this.#counters.recordsOut++;
    return at;
  }
}

function token(length: number, kind: number, value: number, at: number): number {
  scratch[at++] = length;
  scratch[at++] = kind;
  scratch[at++] = value >>> 24;
  scratch[at++] = value >>> 16;
  scratch[at++] = value >>> 8;
  scratch[at++] = value;
  return at;
}
