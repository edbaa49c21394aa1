/**
 * What waits to be sent on one connection, in three lanes, and how it is cut into records.
 *
 * Control goes before normal, normal before bulk. So that no lane starves for ever, one that waited for {@linkcode PATIENCE} records without
 * a byte in them begins the next one.
 *
 * @module
 */

import { varintSize, writeVarint } from "../wire/bytes.ts";
import { Frame, Lane } from "../wire/frames.ts";

/**
 * A message up to this many bytes travels as one frame, a larger one in CHUNK frames that fill what room a record has left. As much as a record of whole
 * frames holds beside the connection's own: chunks are put together again, which is one more copy. One of more than {@linkcode LARGE_FRAME} is cut, too,
 * where it would not fit behind control frames, or it would wait for a record without any.
 */
export const CHUNK_BYTES = 32_700;
/** Frames above this many bytes fill a record up to the limit of chunks: two of them would not share one of whole frames. */
const LARGE_FRAME = 16 * 1024;
/** Records that a lane waits through, empty-handed, before it goes first once. */
export const PATIENCE = 16;
/** What a queued frame counts in its lane beside its bytes, so that empty ones are bounded too. */
export const FRAME_OVERHEAD = 32;
/** In a CHUNK's lane byte: this is the message's last chunk. */
export const LAST_CHUNK = 0x80;

/** Least room for which a chunk is cut. */
const MIN_CHUNK = 1024;
/** Room for a chunk's length, kind and lane byte. */
const CHUNK_HEADER = 5;

/** The send lanes of one connection. */
export class Lanes {
  readonly #queues: readonly [Queue, Queue, Queue] = [new Queue(), new Queue(), new Queue()];
  readonly #bound: number;

  /** Frames that were taken in; counted when the last byte of one leaves. */
  framesOut = 0;

  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Bytes that wait, over all lanes. */
  get bytes(): number {
    return this.#queues[0].bytes + this.#queues[1].bytes + this.#queues[2].bytes;
  }

  /** True where nothing waits. */
  get empty(): boolean {
    return this.#queues[0].empty && this.#queues[1].empty && this.#queues[2].empty;
  }

  /** True where some lane is more than half full. */
  get crowded(): boolean {
    const half = this.#bound / 2;
    return this.#queues[0].bytes > half || this.#queues[1].bytes > half ||
      this.#queues[2].bytes > half;
  }

  /** Queues one frame; false, and nothing queued, where its lane would pass the bound. */
  push(lane: Lane, head: Uint8Array, body: Uint8Array | undefined): boolean {
    const queue = this.#queues[lane];
    const cost = head.length + (body === undefined ? 0 : body.length) + FRAME_OVERHEAD;
    if (queue.bytes + cost > this.#bound) return false;
    queue.push(head, body, cost);
    return true;
  }

  /** Writes frames to `out[at, limit)` as long as they fit, and large ones and chunks up to `chunks`, behind control frames up to `urgent`; returns the offset behind them. */
  fill(out: Uint8Array, at: number, limit: number, chunks = limit, urgent = limit): number {
    const queues = this.#queues;
    for (let lane: Lane = 1; lane < 3; lane++) {
      const queue = queues[lane as Lane];
      if (!queue.empty && queue.waited >= PATIENCE) {
        at = this.#take(queue, lane as Lane, out, at, limit, chunks, true);
      }
    }
    for (let lane = 0; lane < 3; lane++) {
      const queue = queues[lane as Lane];
      if (queue.empty) continue;
      const before = at;
      at = this.#take(queue, lane as Lane, out, at, limit, chunks, false);
      if (at === before) queue.waited++;
      else if (lane === Lane.CONTROL) chunks = urgent;
      if (queue.empty) continue;
      // What is left of this lane did not fit: no lower lane may slip in front of it.
      for (let lower = lane + 1; lower < 3; lower++) {
        if (!queues[lower as Lane].empty) queues[lower as Lane].waited++;
      }
      break;
    }
    return at;
  }

  /** Forgets everything that waits. */
  clear(): void {
    for (const queue of this.#queues) queue.clear();
  }

  #take(
    queue: Queue,
    lane: Lane,
    out: Uint8Array,
    at: number,
    limit: number,
    chunks: number,
    one: boolean,
  ): number {
    const begin = at;
    while (!queue.empty) {
      const size = queue.size, large = size > LARGE_FRAME;
      const end = at + varintSize(size) + size;
      const cut = size > CHUNK_BYTES || queue.offset > 0 || large && chunks < limit && end > chunks;
      if (!cut) {
        if (end > (large ? Math.max(limit, chunks) : limit)) break;
        at = writeVarint(out, at, size);
        at = queue.copy(out, at, size);
      } else {
        const left = size - queue.offset;
        const take = Math.min(left, chunks - at - CHUNK_HEADER);
        if (take < MIN_CHUNK && take < left) break;
        at = writeVarint(out, at, take + 2);
        out[at++] = Frame.CHUNK;
        out[at++] = lane | (take === left ? LAST_CHUNK : 0);
        at = queue.copy(out, at, take);
      }
      if (queue.offset === size) {
        queue.shift();
        this.framesOut++;
      }
      if (one) break;
    }
    if (at > begin) queue.waited = 0;
    return at;
  }
}

/** Places that an empty queue keeps: arrays that are emptied give theirs back, and the next frame makes new ones. */
const KEPT_PLACES = 64;

/** One lane: a queue of (head, body) with an offset into the first. */
class Queue {
  #heads: (Uint8Array | undefined)[] = [];
  #bodies: (Uint8Array | undefined)[] = [];
  #first = 0;
  #end = 0;

  /** What its frames count together. */
  bytes = 0;
  /** How many bytes of the first frame have left already. */
  offset = 0;
  /** Records that left while this lane waited without a byte in them. */
  waited = 0;

  get empty(): boolean {
    return this.#first === this.#end;
  }

  /** Bytes of the first frame. */
  get size(): number {
    const body = this.#bodies[this.#first];
    return this.#heads[this.#first]!.length + (body === undefined ? 0 : body.length);
  }

  push(head: Uint8Array, body: Uint8Array | undefined, cost: number): void {
    this.#heads[this.#end] = head;
    this.#bodies[this.#end++] = body;
    this.bytes += cost;
  }

  /** Copies the next `length` bytes of the first frame to `out`; returns the offset behind them. */
  copy(out: Uint8Array, at: number, length: number): number {
    const head = this.#heads[this.#first]!, body = this.#bodies[this.#first];
    let from = this.offset;
    const end = from + length;
    this.offset = end;
    if (from < head.length) {
      const upTo = Math.min(end, head.length);
      if (upTo - from <= 16) {
        while (from < upTo) out[at++] = head[from++]!;
      } else {
        out.set(from === 0 && upTo === head.length ? head : head.subarray(from, upTo), at);
        at += upTo - from;
        from = upTo;
      }
    }
    if (from < end) {
      const start = from - head.length, stop = end - head.length;
      out.set(start === 0 && stop === body!.length ? body! : body!.subarray(start, stop), at);
      at += stop - start;
    }
    return at;
  }

  shift(): void {
    this.bytes -= this.size + FRAME_OVERHEAD;
    this.offset = 0;
    this.#heads[this.#first] = undefined;
    this.#bodies[this.#first] = undefined;
    this.#first++;
    if (this.empty) {
      this.#restart();
    } else if (this.#first >= 1024 && this.#first * 2 >= this.#end) {
      this.#heads = this.#heads.slice(this.#first, this.#end);
      this.#bodies = this.#bodies.slice(this.#first, this.#end);
      this.#end -= this.#first;
      this.#first = 0;
    }
  }

  clear(): void {
    this.#heads.length = this.#bodies.length = 0;
    this.#restart();
    this.bytes = this.offset = this.waited = 0;
  }

  #restart(): void {
    this.#first = this.#end = 0;
    if (this.#heads.length > KEPT_PLACES) this.#heads.length = this.#bodies.length = 0;
  }
}
