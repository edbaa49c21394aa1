/**
 * Reading and writing of bytes: varints, bounded cursors, hex. Pure.
 *
 * @module
 */

/** Thrown by every decoder of this folder on bytes that are not what they claim to be; caught at `core/node`'s door. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** The largest number of bytes that {@linkcode writeVarint} writes: eight groups of seven bits hold 2^53 - 1. */
export const MAX_VARINT_BYTES = 8;

/** How many bytes {@linkcode writeVarint} needs for `value`. */
export function varintSize(value: number): number {
  let size = 1;
  while (value >= 128) {
    value = Math.floor(value / 128);
    size++;
  }
  return size;
}

/** Writes an unsigned LEB128 number (0 to 2^53 - 1) at `at`; returns the offset behind it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  while (value >= 128) {
    out[at++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  out[at++] = value;
  return at;
}

/** A bounded cursor over received bytes: every read checks the end first and throws {@linkcode WireError}. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) throw new WireError("out of bounds");
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.end - this.at;
  }

  /** One byte. */
  u8(): number {
    if (this.at >= this.end) throw new WireError("truncated");
    return this.bytes[this.at++]!;
  }

  /** An unsigned LEB128 number up to 2^53 - 1; longer or padded forms are refused, so that one value has one form. */
  varint(): number {
    let value = 0, scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        if (i > 0 && byte === 0) throw new WireError("padded varint");
        return value;
      }
      scale *= 128;
    }
    throw new WireError("varint too long");
  }

  /** A view of the next `length` bytes, not a copy. */
  view(length: number): Uint8Array {
    // written so that a negative length and NaN, out of a caller's sum, are refused too
    if (!(length >= 0 && length <= this.end - this.at)) throw new WireError("truncated");
    return this.bytes.subarray(this.at, this.at += length);
  }

  /** A view of everything that is left. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.at, this.at = this.end);
  }

  /** Throws unless everything was read. */
  done(): void {
    if (this.at !== this.end) throw new WireError("trailing bytes");
  }
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** Lower-case hex of `bytes[start, end)`. */
export function toHex(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  // A third of the time of the loop, for 20 bytes; not every browser has it yet.
  if (bytes.toHex !== undefined) return bytes.subarray(start, end).toHex();
  let text = "";
  for (let i = start; i < end; i++) text += HEX[bytes[i]!];
  return text;
}

/** The bytes of a lower- or upper-case hex string; throws {@linkcode WireError} where it is none. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new WireError("not hex");
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** True where both hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
