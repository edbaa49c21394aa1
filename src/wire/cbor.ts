/**
 * CBOR (RFC 8949) for control messages, requests and directory records, by `cbor-x`. Pure.
 *
 * Only what JSON has, bytes and `undefined`: no tags, no indefinite lengths, no integers past 2^53 - 1 or under -2^32, text in valid UTF-8, maps
 * with text keys. A walk over the bytes makes sure of that before `cbor-x` allocates anything, and before its tags could make
 * Date, RegExp, Map, Set or huge BigInts out of a peer's bytes. Whoever decodes checks the shape of what comes out all the same.
 *
 * @module
 */

// The main entry of cbor-x reads the environment at import; these two do not, but come without types.
// @ts-types="./cbor_x.d.ts"
import { Encoder } from "cbor-x/encode";
// @ts-types="./cbor_x.d.ts"
import { Decoder } from "cbor-x/decode";
import { Reader, WireError } from "./bytes.ts";

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  tagUint8Array: false,
  int64AsNumber: true,
};
const encoder = new Encoder(OPTIONS);
const decoder = new Decoder(OPTIONS);
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** How deep arrays and maps may be nested. */
export const MAX_CBOR_DEPTH = 64;

/**
 * Encodes a value; the result is a copy of its own. Throws `TypeError` on what {@linkcode decodeCbor} would not give back: functions,
 * symbols, dates, `Map`, `Set`, lone surrogates, bigints past 2^53 - 1 or under -2^32.
 */
export function encodeCbor(value: unknown): Uint8Array {
  try {
    const bytes = new Uint8Array(encoder.encode(value));
    checkCbor(bytes);
    return bytes;
  } catch (cause) {
    throw new TypeError("not a value of plain CBOR", { cause });
  }
}

/** The same without a check, for what the library builds itself of whole numbers, booleans, bytes and lists. */
export function encodeOwn(value: unknown): Uint8Array {
  return new Uint8Array(encoder.encode(value));
}

/**
 * Decodes exactly one value that fills all the bytes; throws {@linkcode WireError} otherwise. Byte strings in the result are
 * views of `bytes`.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  checkCbor(bytes);
  try {
    // a view of its own, since cbor-x leaves a property on what it reads
    return decoder.decode(bytes.subarray());
  } catch (cause) {
    throw new WireError("not CBOR", { cause });
  }
}

/** Throws {@linkcode WireError} unless the bytes are one item of the subset. Allocates nothing that a length in them asks for. */
function checkCbor(bytes: Uint8Array): void {
  const reader = new Reader(bytes);
  checkItem(reader, 0);
  reader.done();
}

function checkItem(reader: Reader, depth: number): void {
  if (depth > MAX_CBOR_DEPTH) throw new WireError("CBOR too deep");
  const first = reader.u8();
  const major = first >> 5, info = first & 31;
  if (major === 7) return checkSimple(reader, info);
  const value = argument(reader, info);
  switch (major) {
    case 0:
      return;
    case 1:
      // cbor-x reads these wrongly, and writes them as floating-point numbers
      if (info === 27) throw new WireError("CBOR integer too small");
      return;
    case 2:
      reader.view(value);
      return;
    case 3:
      return checkText(reader.view(value));
    case 4:
      for (let i = 0; i < value; i++) checkItem(reader, depth + 1);
      return;
    case 5:
      for (let i = 0; i < value; i++) {
        if (reader.left === 0 || reader.bytes[reader.at]! >> 5 !== 3) {
          throw new WireError("CBOR key is not text");
        }
        checkItem(reader, depth + 1);
        checkItem(reader, depth + 1);
      }
      return;
    default:
      throw new WireError("CBOR tag");
  }
}

/** false, true, null, undefined, and floating-point numbers of 2, 4 or 8 bytes. */
function checkSimple(reader: Reader, info: number): void {
  if (info >= 20 && info <= 23) return;
  if (info < 25 || info > 27) throw new WireError("CBOR simple value");
  reader.view(1 << (info - 24));
}

/** The number behind an item's first byte: a value or a length. */
function argument(reader: Reader, info: number): number {
  if (info < 24) return info;
  if (info > 27) throw new WireError("CBOR length without end");
  let value = 0;
  for (let left = 1 << (info - 24); left > 0; left--) value = value * 256 + reader.u8();
  if (value > Number.MAX_SAFE_INTEGER) throw new WireError("CBOR integer too large");
  return value;
}

function checkText(bytes: Uint8Array): void {
  if (bytes.every((byte) => byte < 128)) return;
  try {
    utf8.decode(bytes);
  } catch (cause) {
    throw new WireError("CBOR text is not UTF-8", { cause });
  }
}
