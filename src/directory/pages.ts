/**
 * The bytes by which one node fetches the directory of another. Pure.
 *
 * Request: u8 version 1, varint cursor (0 at first), varint count and 8 bytes of the requester's fingerprint.
 * Answer: u8 0 "equal" | 1 "last page" | 2 "more"; pages go on with varint next cursor, then per record varint seconds that
 * it still holds, varint length, record.
 *
 * @module
 */

import { Reader, varintSize, WireError, writeVarint } from "../wire/bytes.ts";
import type { Entry, Fingerprint } from "./table.ts";

/** The protocol's name. */
export const DIRECTORY_PROTOCOL = "plumtree/directory";

/** Most bytes of a page. */
export const PAGE_BYTES: number = 256 * 1024;

const VERSION = 1;
const EQUAL = 0;
const LAST = 1;
const MORE = 2;

/** What is asked. */
export interface PageRequest {
  /** 0, or what the page before said. */
  readonly cursor: number;
  /** What the requester has. */
  readonly fingerprint: Fingerprint;
}

/** One record in a page. */
export interface PageRecord {
  /** Seconds for which it still holds. */
  readonly seconds: number;
  /** The record as its peer signed it. */
  readonly bytes: Uint8Array;
}

/** What is answered; no `records` where both tables are equal. */
export interface Page {
  /** Whether there are more records behind the cursor. */
  readonly more: boolean;
  /** Where the next page begins. */
  readonly cursor: number;
  /** The records. */
  readonly records: readonly PageRecord[];
}

/** Encodes a request. */
export function encodePageRequest({ cursor, fingerprint }: PageRequest): Uint8Array {
  const { count, high, low } = fingerprint;
  const out = new Uint8Array(1 + varintSize(cursor) + varintSize(count) + 8);
  out[0] = VERSION;
  const at = writeVarint(out, writeVarint(out, 1, cursor), count);
  const view = new DataView(out.buffer);
  view.setUint32(at, high);
  view.setUint32(at + 4, low);
  return out;
}

function u32(reader: Reader): number {
  const bytes = reader.view(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

/** Decodes a request; throws {@linkcode WireError}. */
export function decodePageRequest(bytes: Uint8Array): PageRequest {
  const reader = new Reader(bytes);
  if (reader.u8() !== VERSION) throw new WireError("unknown version of a directory request");
  const cursor = reader.varint();
  const count = reader.varint();
  const fingerprint = { count, high: u32(reader), low: u32(reader) };
  reader.done();
  return { cursor, fingerprint };
}

/** The answer where both tables are equal. */
export function encodeEqual(): Uint8Array {
  return new Uint8Array([EQUAL]);
}

/** The records with a stamp above the cursor, in the order of their stamps, as many as `most` bytes hold, at least one. */
export function encodePage(
  entries: Iterable<Entry>,
  cursor: number,
  now: number,
  most: number,
): Uint8Array {
  const chosen: { seconds: number; bytes: Uint8Array }[] = [];
  let size = 0, next = cursor, more = false;
  for (const { record, until, stamp } of entries) {
    if (stamp <= cursor) continue;
    const left = until === Infinity ? record.ttlSeconds : Math.floor((until - now) / 1_000);
    if (left > 0) {
      const length = record.encoded.length;
      const cost = varintSize(left) + varintSize(length) + length;
      if (size > 0 && size + cost > most) {
        more = true;
        break;
      }
      size += cost;
      chosen.push({ seconds: left, bytes: record.encoded });
    }
    next = stamp;
  }
  const out = new Uint8Array(1 + varintSize(next) + size);
  out[0] = more ? MORE : LAST;
  let at = writeVarint(out, 1, next);
  for (const { seconds, bytes } of chosen) {
    at = writeVarint(out, writeVarint(out, at, seconds), bytes.length);
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

/** Decodes an answer; the records are views into `bytes`. Throws {@linkcode WireError}. */
export function decodePage(bytes: Uint8Array): Page {
  const reader = new Reader(bytes);
  const kind = reader.u8();
  if (kind === EQUAL) {
    reader.done();
    return { more: false, cursor: 0, records: [] };
  }
  if (kind !== LAST && kind !== MORE) throw new WireError("unknown directory answer");
  const cursor = reader.varint();
  const records: PageRecord[] = [];
  while (reader.left > 0) {
    const seconds = reader.varint();
    records.push({ seconds, bytes: reader.view(reader.varint()) });
  }
  return { more: kind === MORE, cursor, records };
}
