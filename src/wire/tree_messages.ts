/**
 * The control frames of Plumtree: IHAVE, GRAFT, PRUNE, GONE. Fixed binary; every count follows from the frame's length, so a
 * decoder has nothing to allocate. Pure.
 *
 * A stamp is two u32: the sender's newest link counter and the newest one it has seen of the other side, see
 * `core/tree/eager_relation.ts`.
 *
 * @module
 */

import { varintSize, WireError, writeVarint } from "./bytes.ts";
import { Frame } from "./frames.ts";
import { ID_BYTES } from "./gossip.ts";

/** Bytes of one announcement: the id and a u8 age in ms. */
export const ANNOUNCEMENT_BYTES: number = ID_BYTES + 1;

/** A GRAFT flag: the link becomes eager at both ends and a stamp follows. Without it only payloads are asked for. */
export const GRAFT_LINK = 1;

/** A frame of `kind` with room for `size` bytes behind its head; the room begins at `frame.length - size`. */
export function treeFrame(kind: number, alias: number, size: number): Uint8Array {
  const frame = new Uint8Array(1 + varintSize(alias) + size);
  frame[0] = kind;
  writeVarint(frame, 1, alias);
  return frame;
}

/** Writes a big-endian u32. */
export function writeU32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** Reads a big-endian u32; the caller has checked the length. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** A PRUNE frame. */
export function pruneFrame(alias: number, own: number, seen: number): Uint8Array {
  const frame = treeFrame(Frame.PRUNE, alias, 8);
  writeU32(frame, writeU32(frame, frame.length - 8, own), seen);
  return frame;
}

/** A GRAFT frame with a stamp and room for `count` ids at its end. */
export function graftFrame(alias: number, own: number, seen: number, count: number): Uint8Array {
  const size = 9 + count * ID_BYTES;
  const frame = treeFrame(Frame.GRAFT, alias, size);
  const at = frame.length - size;
  frame[at] = GRAFT_LINK;
  writeU32(frame, writeU32(frame, at + 1, own), seen);
  return frame;
}

/** A GRAFT frame that asks for payloads only, with room for `count` ids at its end. */
export function fetchFrame(alias: number, count: number): Uint8Array {
  return treeFrame(Frame.GRAFT, alias, 1 + count * ID_BYTES);
}

/** How many announcements an IHAVE whose rest lies in `[at, end)` holds. */
export function readIhave(at: number, end: number, most: number): number {
  return count("ihave", end - at, ANNOUNCEMENT_BYTES, 1, most);
}

/** How many ids a GONE whose rest lies in `[at, end)` holds. */
export function readGone(at: number, end: number, most: number): number {
  return count("gone", end - at, ID_BYTES, 1, most);
}

/** A link stamp as it was read. */
export interface Stamp {
  /** The sender's newest counter. */
  readonly own: number;
  /** The newest counter of the receiver that the sender has seen. */
  readonly seen: number;
}

/** A GRAFT as it was read; its ids are the last `count * 20` bytes. */
export interface GraftRead {
  /** Absent where only payloads are asked for. */
  readonly stamp: Stamp | undefined;
  /** How many ids. */
  readonly count: number;
}

/** Reads the stamp at `at`. */
export function readStamp(bytes: Uint8Array, at: number, end: number): Stamp {
  if (end - at < 8) throw new WireError("stamp: truncated");
  return { own: readU32(bytes, at), seen: readU32(bytes, at + 4) };
}

/** Reads a GRAFT. */
export function readGraft(bytes: Uint8Array, at: number, end: number, most: number): GraftRead {
  if (at >= end) throw new WireError("graft: truncated");
  const flags = bytes[at]!;
  if (flags > 1) throw new WireError("graft: unknown flags");
  if ((flags & GRAFT_LINK) === 0) {
    return { stamp: undefined, count: count("graft", end - at - 1, ID_BYTES, 1, most) };
  }
  const stamp = readStamp(bytes, at + 1, end);
  return { stamp, count: count("graft", end - at - 9, ID_BYTES, 0, most) };
}

/** Reads a PRUNE. */
export function readPrune(bytes: Uint8Array, at: number, end: number): Stamp {
  if (end - at !== 8) throw new WireError("prune: wrong length");
  return readStamp(bytes, at, end);
}

function count(what: string, length: number, each: number, least: number, most: number): number {
  const items = length / each;
  if (!Number.isInteger(items) || items < least) throw new WireError(`${what}: wrong length`);
  if (items > most) throw new WireError(`${what}: too many ids`);
  return items;
}
