/**
 * The control frames of Plumtree: IHAVE, GRAFT, PRUNE, GONE, APART. Fixed binary; every count follows from the frame's length, so a
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

/** Bytes of one announcement: the id, and a u16 of four bits of tree and twelve of age in ms. */
export const ANNOUNCEMENT_BYTES: number = ID_BYTES + 2;

/** The greatest age that an announcement can tell, in ms. */
export const MAX_AGE_MS = 0xfff;

/** Trees that there may be. */
const MAX_TREE = 15;

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
export function pruneFrame(alias: number, tree: number, stamp: Stamp): Uint8Array {
  const size = tree === 0 ? 8 : 9;
  const frame = treeFrame(Frame.PRUNE, alias, size);
  const end = writeU32(frame, writeU32(frame, frame.length - size, stamp.own), stamp.seen);
  if (tree !== 0) frame[end] = tree;
  return frame;
}

/** A GRAFT frame with a stamp and room for `count` ids at its end. */
export function graftFrame(alias: number, tree: number, stamp: Stamp, count: number): Uint8Array {
  const size = 9 + count * ID_BYTES;
  const frame = treeFrame(Frame.GRAFT, alias, size);
  const at = frame.length - size;
  frame[at] = GRAFT_LINK | tree << 1;
  writeU32(frame, writeU32(frame, at + 1, stamp.own), stamp.seen);
  return frame;
}

/** Writes what goes behind the id of an announcement. */
export function writeAge(out: Uint8Array, at: number, tree: number, ageMs: number): number {
  const age = Math.min(MAX_AGE_MS, Math.max(0, Math.round(ageMs)));
  out[at] = tree << 4 | age >> 8;
  out[at + 1] = age;
  return at + 2;
}

/** The tree of the announcement at `at`. */
export function announcedTree(bytes: Uint8Array, at: number): number {
  return bytes[at + ID_BYTES]! >> 4;
}

/** The age of the announcement at `at`, in ms. */
export function announcedAge(bytes: Uint8Array, at: number): number {
  return (bytes[at + ID_BYTES]! & 15) << 8 | bytes[at + ID_BYTES + 1]!;
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

/** Throws where the rest of an APART in `[at, end)` is not one id. */
export function readApart(at: number, end: number): void {
  count("apart", end - at, ID_BYTES, 1, 1);
}

/** A link stamp as it was read. */
export interface Stamp {
  /** The sender's newest counter. */
  readonly own: number;
  /** The newest counter of the receiver that the sender has seen. */
  readonly seen: number;
}

/** A PRUNE as it was read. */
export interface PruneRead {
  /** The tree that the link leaves. */
  readonly tree: number;
  /** Its stamp. */
  readonly stamp: Stamp;
}

/** A GRAFT as it was read; its ids are the last `count * 20` bytes. */
export interface GraftRead {
  /** The tree that the link joins; 0 without a stamp. */
  readonly tree: number;
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
  const flags = bytes[at]!, tree = flags >> 1;
  if (tree > MAX_TREE) throw new WireError("graft: unknown flags");
  if ((flags & GRAFT_LINK) === 0) {
    if (tree !== 0) throw new WireError("graft: unknown flags");
    return { tree, stamp: undefined, count: count("graft", end - at - 1, ID_BYTES, 1, most) };
  }
  const stamp = readStamp(bytes, at + 1, end);
  return { tree, stamp, count: count("graft", end - at - 9, ID_BYTES, 0, most) };
}

/** Reads a PRUNE. */
export function readPrune(bytes: Uint8Array, at: number, end: number): PruneRead {
  if (end - at !== 8 && end - at !== 9) throw new WireError("prune: wrong length");
  const stamp = readStamp(bytes, at, end);
  if (end - at === 8) return { tree: 0, stamp };
  const tree = bytes[at + 8]!;
  if (tree === 0 || tree > MAX_TREE) throw new WireError("prune: no such tree");
  return { tree, stamp };
}

function count(what: string, length: number, each: number, least: number, most: number): number {
  const items = length / each;
  if (!Number.isInteger(items) || items < least) throw new WireError(`${what}: wrong length`);
  if (items > most) throw new WireError(`${what}: too many ids`);
  return items;
}
