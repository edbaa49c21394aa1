/**
 * Messages that arrive in chunks.
 *
 * @module
 */

import { giveBack } from "../secure/v8_memory.ts";
import { WireError } from "../wire/bytes.ts";
import { LAST_CHUNK } from "./lanes.ts";

/**
 * From so many bytes in chunks on a connection's records are given back by hand (`bench/cluster.ts --size 65536`, six alternating runs: 3,970 to 4,100
 * deliveries a second). Not before: where they held what nodes that start tell each other, the allocator kept the gaps.
 */
const STREAM_BYTES = 4 * 2 ** 20;

/** Puts the CHUNK frames of one connection together again, a message per lane at a time. */
export class Reassembly {
  readonly #bound: number;
  readonly #streamBytes: number;
  /** Bytes that came in chunks. */
  #came = 0;
  readonly #parts: [Part, Part, Part] = [new Part(), new Part(), new Part()];
  /** The record that views were taken of last. */
  #source: Source | undefined;

  /** Makes one that refuses messages over `bound` bytes, and gives records back once `streamBytes` came. */
  constructor(bound: number, streamBytes: number = STREAM_BYTES) {
    this.#bound = bound;
    this.#streamBytes = streamBytes;
  }

  /**
   * Takes the chunk whose lane byte is at `bytes[start]`; returns the message where this was its last one. The memory of a part follows what
   * arrived, about four times over at most, however small the chunks are, never what is claimed. What is passed in stays referenced; {@linkcode Reassembly.finished} has to follow before
   * another record, and may empty it.
   *
   * @throws {WireError} on an unknown lane, an empty chunk, or more bytes than the bound.
   */
  add(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    if (end - start < 2) throw new WireError("empty chunk");
    const flags = bytes[start]!;
    const part = this.#parts[flags & ~LAST_CHUNK];
    if (part === undefined) throw new WireError("unknown lane");
    const from = start + 1;
    this.#came += end - from;
    if (part.length + (end - from) > this.#bound) throw new WireError("message too large");
    if (end - from < VIEW_BYTES) {
      part.copy(bytes, from, end);
    } else {
      if (this.#source?.bytes !== bytes) this.#source = new Source(bytes);
      part.view(bytes.subarray(from, end), this.#source);
    }
    return (flags & LAST_CHUNK) === 0 ? undefined : part.take();
  }

  /** All of a record was read; `spent`: nobody holds any of it but this, and its memory may go back as soon as its chunks are used. */
  finished(bytes: Uint8Array, spent: boolean): void {
    const source = this.#source;
    this.#source = undefined;
    if (!spent || this.#came < this.#streamBytes) return;
    if (source?.bytes === bytes) source.finish();
    else giveBack(bytes, true);
  }

  /** Bytes of memory that unfinished messages hold at most: two views may share a record. */
  get held(): number {
    return this.#parts[0].held + this.#parts[1].held + this.#parts[2].held;
  }
}

/** A chunk of at least this many bytes is kept as the view it came as, which keeps its record of up to 64 KiB alive; smaller ones are copied. */
const VIEW_BYTES = 16 * 1024;
/** Memory for small chunks that follow one another begins with so much and doubles: a piece for each would cost hundreds of bytes for one. */
const LEAST_ROOM = 1_024, MOST_ROOM = 64 * 1024;

/** A record, and how many views of it wait. */
class Source {
  readonly bytes: Uint8Array;
  #views = 0;
  #finished = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  hold(): void {
    this.#views++;
  }

  letGo(): void {
    this.#views--;
    this.#settle();
  }

  finish(): void {
    this.#finished = true;
    this.#settle();
  }

  #settle(): void {
    if (this.#finished && this.#views === 0) giveBack(this.bytes, true);
  }
}

class Part {
  #pieces: Uint8Array[] = [];
  #sources: Source[] = [];
  /** The piece that small chunks are copied to until a large one comes, and how much of it is used. */
  #room: Uint8Array | undefined;
  #used = 0;
  length = 0;
  held = 0;

  /** Takes a piece of a record. */
  view(piece: Uint8Array, source: Source): void {
    this.#close();
    this.#pieces.push(piece);
    this.length += piece.length;
    this.held += piece.buffer.byteLength;
    this.#sources.push(source);
    source.hold();
  }

  /** Takes a copy of `bytes[start, end)`. */
  copy(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let room = this.#room;
    if (room === undefined || this.#used + size > room.length) {
      const most = room === undefined ? LEAST_ROOM : Math.min(MOST_ROOM, 2 * room.length);
      this.#close();
      this.#room = room = new Uint8Array(Math.max(size, most));
      this.#pieces.push(room);
      this.held += room.length;
    }
    room.set(bytes.subarray(start, end), this.#used);
    this.#used += size;
    this.length += size;
  }

  #close(): void {
    if (this.#room === undefined) return;
    this.#pieces[this.#pieces.length - 1] = this.#room.subarray(0, this.#used);
    this.#room = undefined;
    this.#used = 0;
  }

  /** The message, in memory of its own. */
  take(): Uint8Array {
    this.#close();
    const message = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    for (const source of this.#sources) source.letGo();
    this.#pieces = [];
    this.#sources = [];
    this.length = this.held = 0;
    return message;
  }
}
