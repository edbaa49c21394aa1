/**
 * Records on a stream: u16 big-endian length, then that many bytes. The handshake's messages travel in the same frame.
 *
 * @module
 */

import { GossipError } from "../errors.ts";
import { BufferPool } from "./buffer_pool.ts";
import type { Duplex } from "./duplex.ts";

/** Bytes in front of a record. */
export const RECORD_HEADER = 2;
/** Bytes of the authentication tag behind a record's ciphertext. */
export const RECORD_TAG = 16;
/**
 * Plaintext of a record of whole frames, one record per write; this side receives up to what the length field can say. Measured as
 * thousands of deliveries a second over a relay tree of 16 nodes on loopback, two cores:
 *
 * | plaintext | 100 B | 1 KiB | 64 KiB |
 * |---|---|---|---|
 * | 16 KiB | 1,050 | 340 | 6.4 |
 * | 32 KiB | 960 | 420 | 7.3 |
 * | 60 KiB | 960 | 400 | 8.5 |
 *
 * Two or four records in one write gave the same within the noise (a tenth). A control frame waits for one record at most, so the middle it is.
 */
export const RECORD_PLAINTEXT = 32 * 1024;
/** Plaintext of a record that chunks of a large message or frames above 16 KiB fill: `bench:cluster --size 65536` does a 12th more deliveries a second so. */
export const CHUNK_PLAINTEXT = 60 * 1024;
/** The same of one that begins with control frames: they are read when all of it has come. */
export const URGENT_PLAINTEXT = 8 * 1024;
/**
 * What a read buffer has before the other side is authenticated. Not 1,024: of so many bytes and more the C library's allocator first puts all its
 * small free pieces together again, and two of these buffers were a 20th of what a connection costs.
 */
export const STRANGER_BUFFER = 1_000;

/**
 * A parked read pins its buffer, so a quiet link has a small one; with 4 KiB that shrank after 256 reads only, buffers were four fifths of
 * what quiet nodes held outside the heap.
 */
const BASE_BUFFER = STRANGER_BUFFER;
const MAX_BUFFER = 128 * BASE_BUFFER;
const POOLED_BYTES = 512 * 1024;
/** Larger ones go from link to link: while 200 nodes start, each link needs one for a moment. One pool per doubling, half a MiB in each. */
const POOLS = Array.from({ length: Math.log2(MAX_BUFFER / BASE_BUFFER) }, (_, doublings) => {
  const bytes = BASE_BUFFER << doublings + 1;
  return new BufferPool(bytes, POOLED_BYTES / bytes);
});
/** Reads in a row that leave three quarters of the buffer empty before it shrinks to twice what the largest of them took. */
const CALM_READS = 16;

/** Cuts what a stream gives into records. The buffer grows with what really arrives and shrinks when it gets calm again. */
export class RecordReader {
  readonly #duplex: Duplex;
  #buffer: Uint8Array = new Uint8Array(STRANGER_BUFFER);
  #start = 0;
  #end = 0;
  #calm = 0;
  #most = 0;
  #mostLately = 0;
  #grow = false;
  #maximum: number;

  /** Bytes read so far. */
  bytes = 0;

  constructor(duplex: Duplex, maximum: number) {
    this.#duplex = duplex;
    this.#maximum = maximum;
  }

  /** The length of the largest record that is taken from now on. */
  set maximum(bytes: number) {
    this.#maximum = bytes;
  }

  /** Bytes that the buffer has now. */
  get capacity(): number {
    return this.#buffer.length;
  }

  /** True where nothing of a record is waiting: the stream may end here. */
  get between(): boolean {
    return this.#start === this.#end;
  }

  /**
   * The next whole record without its length, a view that is valid until {@linkcode RecordReader.fill}; undefined where more must be read first.
   *
   * @throws {GossipError} where the length is over the maximum, before any of it is buffered.
   */
  next(): Uint8Array | undefined {
    const buffer = this.#buffer, start = this.#start;
    if (this.#end - start < RECORD_HEADER) return undefined;
    const length = buffer[start]! << 8 | buffer[start + 1]!;
    if (length > this.#maximum) throw new GossipError("too-large", `a record of ${length} bytes`);
    const from = start + RECORD_HEADER;
    if (this.#end - from < length) return undefined;
    this.#start = from + length;
    return buffer.subarray(from, from + length);
  }

  /** Reads once; false at the end of the stream. */
  async fill(): Promise<boolean> {
    const read = await this.#duplex.read(this.room());
    if (read !== null) this.took(read);
    return read !== null;
  }

  /** Where the next read goes, for whoever reads himself; {@linkcode took} follows. */
  room(): Uint8Array {
    this.#makeRoom();
    return this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
  }

  /** So many bytes were read there. */
  took(read: number): void {
    this.#grow = read === this.#buffer.length - this.#end;
    this.#end += read;
    this.bytes += read;
    this.#mostLately = Math.max(this.#mostLately, this.#end);
    if (this.#end <= this.#buffer.length / 4) {
      this.#calm++;
      this.#most = Math.max(this.#most, this.#end);
    } else this.#calm = this.#most = 0;
  }

  /** Time has passed: a buffer of which three quarters were not needed since the last call shrinks with the next read, however few there were. */
  look(): void {
    if (this.#mostLately <= this.#buffer.length / 4) {
      this.#calm = CALM_READS;
      this.#most = this.#mostLately;
    }
    this.#mostLately = 0;
  }

  /** Forgets what was read: for a stream whose end alone is of interest. */
  discard(): void {
    this.#start = this.#end = 0;
  }

  #makeRoom(): void {
    const held = this.#end - this.#start;
    const size = this.#sizeFor(held);
    if (size !== this.#buffer.length) {
      const buffer = poolOf(size)?.take() ?? new Uint8Array(size);
      buffer.set(this.#buffer.subarray(this.#start, this.#end));
      poolOf(this.#buffer.length)?.give(this.#buffer);
      this.#buffer = buffer;
    } else if (held > 0 && this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = held;
  }

  #sizeFor(held: number): number {
    const size = this.#buffer.length;
    if (this.#maximum < STRANGER_BUFFER) return size;
    if (held === 0 && this.#calm >= CALM_READS && size > BASE_BUFFER) {
      let wanted = BASE_BUFFER;
      while (wanted < 2 * this.#most) wanted *= 2;
      this.#calm = this.#most = 0;
      // Halving with each such row of reads, a link that went quiet kept for an hour what one large message had taken.
      return wanted;
    }
    return (this.#grow || held === size) && size < MAX_BUFFER ? size * 2 : size;
  }
}

/** The pool of a size above the base. */
function poolOf(bytes: number): BufferPool | undefined {
  return POOLS[Math.log2(bytes / BASE_BUFFER) - 1];
}
