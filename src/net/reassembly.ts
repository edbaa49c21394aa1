/**
 * Messages that arrive in chunks.
 *
 * @module
 */

import { WireError } from "../wire/bytes.ts";
import { LAST_CHUNK } from "./lanes.ts";

/** Puts the CHUNK frames of one connection together again, a message per lane at a time. */
export class Reassembly {
  readonly #bound: number;
  readonly #parts: [Part, Part, Part] = [new Part(), new Part(), new Part()];

  /** Makes one that refuses messages over `bound` bytes. */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /**
   * Takes the chunk whose lane byte is at `bytes[start]`; returns the message where this was its last one. The memory of a part follows what
   * arrived, at most four times over, never what is claimed. What is passed in stays referenced.
   *
   * @throws {WireError} on an unknown lane, an empty chunk, or more bytes than the bound.
   */
  add(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    if (end - start < 2) throw new WireError("empty chunk");
    const flags = bytes[start]!;
    const part = this.#parts[flags & ~LAST_CHUNK];
    if (part === undefined) throw new WireError("unknown lane");
    const from = start + 1;
    if (part.length + (end - from) > this.#bound) throw new WireError("message too large");
    part.append(bytes, from, end);
    return (flags & LAST_CHUNK) === 0 ? undefined : part.take();
  }

  /** Bytes of memory that unfinished messages hold at most: two views may share a record. */
  get held(): number {
    return this.#parts[0].held + this.#parts[1].held + this.#parts[2].held;
  }
}

/** A chunk of at least this many bytes is kept as the view it came as, which keeps its record of up to 64 KiB alive; smaller ones are copied. */
const VIEW_BYTES = 16 * 1024;

class Part {
  #pieces: Uint8Array[] = [];
  length = 0;
  held = 0;

  append(bytes: Uint8Array, from: number, end: number): void {
    const size = end - from;
    this.#pieces.push(size < VIEW_BYTES ? bytes.slice(from, end) : bytes.subarray(from, end));
    this.length += size;
    this.held += size < VIEW_BYTES ? size : bytes.buffer.byteLength;
  }

  /** The message, in memory of its own. */
  take(): Uint8Array {
    const message = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.length = this.held = 0;
    return message;
  }
}
