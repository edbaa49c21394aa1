/**
 * The SYNC frame of Plumtree's repair: range-based set reconciliation over message ids. Fixed binary. Pure.
 *
 * A range is all ids that begin with `depth` given hex digits. A frame opens a session with the fingerprint of
 * everything, says that all was equal, or carries parts: a range split 16 ways, or the ids in a range.
 *
 * @module
 */

import { MAX_VARINT_BYTES, Reader, varintSize, WireError, writeVarint } from "./bytes.ts";
import { Frame } from "./frames.ts";
import { ID_BYTES } from "./gossip.ts";
import { readStamp, type Stamp, treeFrame, writeU32 } from "./tree_messages.ts";

/** Deepest split: ranges of eight hex digits. */
export const SYNC_DEPTH = 8;
/** Most parts in a frame. */
export const SYNC_PARTS = 1_024;

const OPEN = 0;
const SAME = 1;
const PARTS = 2;
const EAGER = 0x80;
const SPLIT = 0x00;
const LIST = 0x10;
const REPLY = 0x20;
const MORE = 0x40;

/** Fingerprint of a range: how many ids, and 64 bits over all of them. */
export interface Fingerprint {
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

/** The ids that begin with the first `depth` hex digits of `prefix` (a u32, its other digits are zero). */
export interface Range {
  readonly depth: number;
  readonly prefix: number;
}

/** A range that differed, in 16 pieces. */
export interface SyncSplit extends Range {
  readonly type: "split";
  /** One of each next hex digit. */
  readonly children: readonly Fingerprint[];
}

/** The ids that the sender holds in a range. */
export interface SyncList extends Range {
  readonly type: "list";
  /** Asks for what the receiver holds beside these. */
  readonly reply: boolean;
  /** There was more than one answer could hold. */
  readonly more: boolean;
  /** The ids one after another, 20 bytes each. */
  readonly ids: Uint8Array;
  /** How long ago, in ms, the sender received each. */
  readonly ages: readonly number[];
}

/** One part of a SYNC frame. */
export type SyncPart = SyncSplit | SyncList;

/** A SYNC frame. */
export type SyncMessage =
  /** Begins a session. `windowMs`: ids older than that are left out; `stamp` and `eager`: how the sender sees the link. */
  | {
    readonly type: "open";
    readonly salt: number;
    readonly windowMs: number;
    readonly stamp: Stamp;
    readonly eager: boolean;
    readonly all: Fingerprint;
  }
  /** Nothing differed. */
  | { readonly type: "same" }
  /** What differed. */
  | {
    readonly type: "parts";
    readonly salt: number;
    readonly windowMs: number;
    readonly parts: readonly SyncPart[];
  };

/** Bytes that one listed id takes at most. */
export const SYNC_ITEM_BYTES: number = ID_BYTES + MAX_VARINT_BYTES;

function fingerprintSize(print: Fingerprint): number {
  return varintSize(print.count) + (print.count > 0 ? 8 : 0);
}

function writeFingerprint(out: Uint8Array, at: number, print: Fingerprint): number {
  at = writeVarint(out, at, print.count);
  return print.count > 0 ? writeU32(out, writeU32(out, at, print.high), print.low) : at;
}

function partSize(part: SyncPart): number {
  if (part.type === "split") {
    return 5 + part.children.reduce((sum, child) => sum + fingerprintSize(child), 0);
  }
  return 5 + varintSize(part.ages.length) + part.ids.length +
    part.ages.reduce((sum, age) => sum + varintSize(age), 0);
}

function writePart(out: Uint8Array, at: number, part: SyncPart): number {
  if (part.type === "split") {
    out[at] = SPLIT | part.depth;
    at = writeU32(out, at + 1, part.prefix);
    for (const child of part.children) at = writeFingerprint(out, at, child);
    return at;
  }
  out[at] = LIST | (part.reply ? REPLY : 0) | (part.more ? MORE : 0) | part.depth;
  at = writeVarint(out, writeU32(out, at + 1, part.prefix), part.ages.length);
  part.ages.forEach((age, i) => {
    out.set(part.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES), at);
    at = writeVarint(out, at + ID_BYTES, age);
  });
  return at;
}

/** Encodes a whole SYNC frame. */
export function encodeSync(alias: number, message: SyncMessage): Uint8Array {
  if (message.type === "same") {
    const frame = treeFrame(Frame.SYNC, alias, 1);
    frame[frame.length - 1] = SAME;
    return frame;
  }
  const tail = message.type === "open"
    ? 8 + fingerprintSize(message.all)
    : message.parts.reduce((sum, part) => sum + partSize(part), 0);
  const size = 5 + varintSize(message.windowMs) + tail;
  const frame = treeFrame(Frame.SYNC, alias, size);
  let at = frame.length - size;
  frame[at] = message.type === "open" ? OPEN | (message.eager ? EAGER : 0) : PARTS;
  at = writeVarint(frame, writeU32(frame, at + 1, message.salt), message.windowMs);
  if (message.type === "open") {
    at = writeU32(frame, writeU32(frame, at, message.stamp.own), message.stamp.seen);
    writeFingerprint(frame, at, message.all);
  } else {
    for (const part of message.parts) at = writePart(frame, at, part);
  }
  return frame;
}

function readU32(reader: Reader): number {
  const bytes = reader.view(4);
  return (bytes[0]! << 24 | bytes[1]! << 16 | bytes[2]! << 8 | bytes[3]!) >>> 0;
}

function readFingerprint(reader: Reader): Fingerprint {
  const count = reader.varint();
  if (count === 0) return { count, high: 0, low: 0 };
  const high = readU32(reader);
  return { count, high, low: readU32(reader) };
}

function readPart(reader: Reader, room: number): SyncPart {
  const tag = reader.u8();
  const depth = tag & 0x0f;
  const prefix = readU32(reader);
  if (depth > SYNC_DEPTH || (tag & 0x80) !== 0) throw new WireError("sync: bad range");
  if (depth < SYNC_DEPTH && (prefix << (4 * depth)) !== 0) throw new WireError("sync: bad prefix");
  if ((tag & LIST) === 0) {
    if ((tag & (REPLY | MORE)) !== 0 || depth === SYNC_DEPTH) throw new WireError("sync: bad part");
    const children: Fingerprint[] = [];
    for (let i = 0; i < 16; i++) children.push(readFingerprint(reader));
    return { type: "split", depth, prefix, children };
  }
  const count = reader.varint();
  if (count > room || count * (ID_BYTES + 1) > reader.left) throw new WireError("sync: too many");
  const ids = new Uint8Array(count * ID_BYTES);
  const ages: number[] = [];
  for (let i = 0; i < count; i++) {
    ids.set(reader.view(ID_BYTES), i * ID_BYTES);
    ages.push(reader.varint());
  }
  const reply = (tag & REPLY) !== 0;
  return { type: "list", depth, prefix, reply, more: (tag & MORE) !== 0, ids, ages };
}

/** Reads the SYNC behind the alias, in `bytes[at, end)`; throws {@linkcode WireError}. At most `mostIds` listed ids in all. */
export function decodeSync(
  bytes: Uint8Array,
  at: number,
  end: number,
  mostIds: number,
): SyncMessage {
  const reader = new Reader(bytes, at, end);
  const tag = reader.u8();
  if (tag === SAME) {
    reader.done();
    return { type: "same" };
  }
  const type = tag & ~EAGER;
  if (type !== OPEN && tag !== PARTS) throw new WireError("sync: unknown type");
  const salt = readU32(reader);
  const windowMs = reader.varint();
  if (type === OPEN) {
    const stamp = readStamp(bytes, reader.at, end);
    reader.at += 8;
    const all = readFingerprint(reader);
    reader.done();
    return { type: "open", salt, windowMs, stamp, eager: (tag & EAGER) !== 0, all };
  }
  const parts: SyncPart[] = [];
  let room = mostIds;
  while (reader.left > 0) {
    if (parts.length >= SYNC_PARTS) throw new WireError("sync: too many parts");
    const part = readPart(reader, room);
    if (part.type === "list") room -= part.ages.length;
    parts.push(part);
  }
  return { type: "parts", salt, windowMs, parts };
}
