/**
 * The GOSSIP frame: one published message. Pure.
 *
 * Head: kind, varint alias, u8 hops, u8 path. Body: flags u8 (signed, priority, tree, marked), u8 depth in all trees but the first, where signed 64
 * bytes of signature and the way to what is signed (see batch.ts), origin, varint seq, payload. A relay sends a new head and the identical body.
 * Two bytes that are no number in its shortest form, before the seq, say that this is a bundle, or a part of one (see bundle.ts).
 *
 * @module
 */

import { type Batch, HASH_BYTES, MOST_BUNDLE_HEIGHT, MOST_HEIGHT, wayBytes } from "./batch.ts";
import { MAX_VARINT_BYTES, varintSize, WireError, writeVarint } from "./bytes.ts";
import { Frame, Lane } from "./frames.ts";

/** How urgent a message is; it chooses the send lane on every hop. */
export type Priority = "high" | "normal" | "bulk";

/** Bytes of a message id: the first bytes of a SHA-256. */
export const ID_BYTES = 20;
/** Bytes of an ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** Origin of a signed message: 32 bytes of author key, 6 bytes of big-endian incarnation. */
export const SIGNED_ORIGIN_BYTES = 38;
/** Origin of an unsigned message: bytes that a topic instance chose at random. */
export const UNSIGNED_ORIGIN_BYTES = 8;
/** Before the seq of a bundle, and of a part of one: the first byte of a varint that is padded by the second, a zero. */
export const BUNDLE_MARK = 0xfe;
/** See {@linkcode BUNDLE_MARK}. */
export const PART_MARK = 0xff;
/** Bytes of a mark. */
export const MARK_BYTES = 2;
/** Most bytes that a body has beside its payload: a part's. */
export const GOSSIP_OVERHEAD: number = 2 + SIGNATURE_BYTES + wayBytes(MOST_HEIGHT) +
  SIGNED_ORIGIN_BYTES + MARK_BYTES + HASH_BYTES + wayBytes(MOST_BUNDLE_HEIGHT) + MAX_VARINT_BYTES;
/** The context label of message signatures; 32 bytes of SHA-256 follow it. */
export const MESSAGE_LABEL: Uint8Array = new TextEncoder().encode("plumtree/1 message\0");

const SIGNED = 1, MARKED = 128;
const PRIORITIES: readonly Priority[] = ["high", "normal", "bulk"];
const LANES: readonly Lane[] = [Lane.CONTROL, Lane.NORMAL, Lane.BULK];
/** Up to so many bytes a body is copied behind the topic's key: one hash of both is then as fast as one that is given two parts, or faster. */
const HASHED_COPIED = 4 * 1024;
/** Scratch space above this is not kept. */
const SCRATCH_KEPT = 16 * 1024;

/** SHA-256 of `front ‖ bytes[start, end)` into `out` at `at`, as `TreePort.sha256` has it. */
export type Hash = (
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  front?: Uint8Array,
) => void;

/** Where the parts of a body are; one is filled again and again by {@linkcode readGossip}. */
export interface GossipShape {
  /** True where the body carries a signature. */
  signed: boolean;
  /** The lane that the message's priority asks for. */
  lane: Lane;
  /** The tree that it travels, 0 to 15. */
  tree: number;
  /** What the way from the tree's centre to the author costs, as the author takes it; 0 in the first tree. */
  depth: number;
  /** True where its copies are reason to prune. */
  marked: boolean;
  /** Where the signature begins, with the way right behind it; where the origin is, of an unsigned body. */
  signatureAt: number;
  /** Where the origin begins. */
  originAt: number;
  /** True where the payload is a bundle. */
  bundle: boolean;
  /** Where the packed hash of the bundle is that this is a part of, with the way to its root behind it; 0 where it is none. */
  partAt: number;
  /** Where the counter is. */
  seqAt: number;
  /** The author's counter; of a bundle, that of its first message. */
  seq: number;
  /** Where the payload begins. */
  payloadAt: number;
  /** Where it ends: where the body does, but for a bundle's root. */
  payloadEnd: number;
}

/** An empty {@linkcode GossipShape} to read into. */
export function gossipShape(): GossipShape {
  return {
    signed: false,
    lane: Lane.NORMAL,
    tree: 0,
    depth: 0,
    marked: false,
    signatureAt: 0,
    originAt: 0,
    bundle: false,
    partAt: 0,
    seqAt: 0,
    seq: 0,
    payloadAt: 0,
    payloadEnd: 0,
  };
}

/** Reads the body in `bytes[start, end)` into `shape`; throws {@linkcode WireError} where it is none or its payload is above `most` bytes. */
export function readGossip(
  shape: GossipShape,
  bytes: Uint8Array,
  start: number,
  end: number,
  most: number,
): void {
  if (start >= end) throw new WireError("gossip: empty");
  const flags = bytes[start]!;
  if ((flags & 6) === 6) throw new WireError("gossip: unknown flags");
  const signed = (flags & SIGNED) !== 0;
  const tree = flags >> 3 & 15;
  const signatureAt = start + (tree === 0 ? 1 : 2);
  let originAt = signatureAt;
  if (signed) {
    const wayAt = signatureAt + SIGNATURE_BYTES;
    if (wayAt + 1 >= end) throw new WireError("gossip: truncated");
    const height = bytes[wayAt]!;
    if (height > MOST_HEIGHT) throw new WireError("gossip: way too long");
    if (height > 0 && bytes[wayAt + 1]! >> height !== 0) {
      throw new WireError("gossip: no such place");
    }
    originAt = wayAt + wayBytes(height);
  }
  let at = originAt + (signed ? SIGNED_ORIGIN_BYTES : UNSIGNED_ORIGIN_BYTES);
  if (at >= end) throw new WireError("gossip: truncated");
  let bundle = false, partAt = 0, payloadEnd = end;
  if (bytes[at + 1] === 0 && (bytes[at] === BUNDLE_MARK || bytes[at] === PART_MARK)) {
    bundle = bytes[at] === BUNDLE_MARK;
    at += MARK_BYTES;
    if (bundle) {
      payloadEnd -= HASH_BYTES;
    } else {
      partAt = at;
      at += HASH_BYTES;
      if (at + 1 >= end) throw new WireError("gossip: truncated");
      const height = bytes[at]!;
      if (height === 0 || height > MOST_BUNDLE_HEIGHT || bytes[at + 1]! >> height !== 0) {
        throw new WireError("gossip: no such place");
      }
      at += wayBytes(height);
    }
    if (at >= payloadEnd) throw new WireError("gossip: truncated");
  }
  const seqAt = at;
  let byte = bytes[at++]!;
  let seq = byte & 127;
  for (let scale = 128, n = 1; byte >= 128; n++, scale *= 128) {
    if (n === MAX_VARINT_BYTES) throw new WireError("gossip: seq too long");
    if (at >= payloadEnd) throw new WireError("gossip: truncated");
    byte = bytes[at++]!;
    if (byte === 0) throw new WireError("gossip: padded seq");
    seq += (byte & 127) * scale;
  }
  if (seq > Number.MAX_SAFE_INTEGER) throw new WireError("gossip: seq too large");
  if (payloadEnd - at > most) throw new WireError("gossip: payload too large");
  shape.signed = signed;
  shape.lane = LANES[flags >> 1 & 3]!;
  shape.tree = tree;
  shape.marked = flags >= MARKED;
  shape.depth = tree === 0 ? 0 : bytes[start + 1]!;
  shape.signatureAt = signatureAt;
  shape.originAt = originAt;
  shape.bundle = bundle;
  shape.partAt = partAt;
  shape.seqAt = seqAt;
  shape.seq = seq;
  shape.payloadAt = at;
  shape.payloadEnd = payloadEnd;
}

/** Where the origin of a signed body that was read before begins. */
export function originOf(body: Uint8Array): number {
  const wayAt = (treeOf(body) === 0 ? 1 : 2) + SIGNATURE_BYTES;
  return wayAt + wayBytes(body[wayAt]!);
}

/** The lane of a body that was read before. */
export function laneOf(body: Uint8Array): Lane {
  return LANES[body[0]! >> 1 & 3] ?? Lane.NORMAL;
}

/** The tree of a body that was read before. */
export function treeOf(body: Uint8Array): number {
  return body[0]! >> 3 & 15;
}

/** The lane of a priority. */
export function priorityLane(priority: Priority): Lane {
  return LANES[PRIORITIES.indexOf(priority)] ?? Lane.NORMAL;
}

/** The author's start in ms since 1970, out of the origin of a signed body. */
export function readIncarnation(bytes: Uint8Array, originAt: number): number {
  const at = originAt + 32;
  const high = bytes[at]! * 256 + bytes[at + 1]!;
  return high * 0x1_0000_0000 +
    ((bytes[at + 2]! << 24 | bytes[at + 3]! << 16 | bytes[at + 4]! << 8 | bytes[at + 5]!) >>> 0);
}

/** The first 32 bits of an origin: tells authors apart well enough to choose one of them. */
export function originMark(bytes: Uint8Array, originAt: number): number {
  return (bytes[originAt]! << 24 | bytes[originAt + 1]! << 16 | bytes[originAt + 2]! << 8 |
    bytes[originAt + 3]!) >>> 0;
}

/** The origin of a signed message. */
export function signedOrigin(author: Uint8Array, incarnation: number): Uint8Array {
  const origin = new Uint8Array(SIGNED_ORIGIN_BYTES);
  origin.set(author.subarray(0, 32));
  for (let i = 5, rest = incarnation; i >= 0; i--, rest = Math.floor(rest / 256)) {
    origin[32 + i] = rest % 256;
  }
  return origin;
}

let scratch = new Uint8Array(2_048);
/** The part of it that was hashed last: messages of a stream are often of one size. */
let hashed = scratch;

/**
 * Writes SHA-256(topic key ‖ `bytes[originAt, end)`) to `out`; its first {@linkcode ID_BYTES} are the message id. What lies in
 * `bytes[gapAt, gapEnd)` is left out.
 */
export function gossipDigest(
  hash: Hash,
  key: Uint8Array,
  bytes: Uint8Array,
  originAt: number,
  end: number,
  out: Uint8Array,
  gapAt = originAt,
  gapEnd = originAt,
): void {
  if (gapAt === originAt && end - gapEnd > HASHED_COPIED) {
    return hash(bytes, gapEnd, end, out, 0, key);
  }
  const size = key.length + gapAt - originAt + end - gapEnd;
  let space = hashed;
  if (size > SCRATCH_KEPT) {
    space = new Uint8Array(size);
  } else if (size !== space.length) {
    if (size > scratch.length) scratch = new Uint8Array(2 ** Math.ceil(Math.log2(size)));
    space = hashed = scratch.subarray(0, size);
  }
  space.set(key);
  if (gapAt > originAt) space.set(bytes.subarray(originAt, gapAt), key.length);
  space.set(bytes.subarray(gapEnd, end), key.length + gapAt - originAt);
  hash(space, 0, size, out, 0);
}

/** The bytes that an author signs: the label and the digest that {@linkcode gossipDigest} wrote. */
export function signedBytes(digest: Uint8Array): Uint8Array {
  const message = new Uint8Array(MESSAGE_LABEL.length + 32);
  message.set(MESSAGE_LABEL);
  message.set(digest.subarray(0, 32), MESSAGE_LABEL.length);
  return message;
}

/** What {@linkcode draftGossip} makes a draft of. */
export interface DraftParts {
  /** {@linkcode signedOrigin}, or {@linkcode UNSIGNED_ORIGIN_BYTES} random bytes. */
  readonly origin: Uint8Array;
  /** The author's counter. */
  readonly seq: number;
  /** How urgent it is. */
  readonly priority: Priority;
  /** The tree that it travels, 0 to 15. Default 0. */
  readonly tree?: number;
  /** What the way from its centre to this node costs. Default 0. */
  readonly depth?: number;
  /** Whether its copies are reason to prune. Default false. */
  readonly marked?: boolean;
  /** What is published; copied. */
  readonly payload: Uint8Array;
  /** SHA-256 of topic and network. */
  readonly key: Uint8Array;
  /** SHA-256. */
  readonly hash: Hash;
  /** Whether it will be signed. */
  readonly signed: boolean;
}

/** A body whose id is known and whose signature is not. */
export interface GossipDraft {
  /** Its hash, 32 bytes. */
  readonly digest: Uint8Array;
  /** Room for what comes before the origin, then all the rest. */
  readonly bytes: Uint8Array;
  readonly originAt: number;
  readonly seq: number;
  readonly payloadAt: number;
  readonly flags: number;
  readonly depth: number;
}

/** The signature of a draft and, where it was signed with others, their tree and its place in it. */
export interface DraftSignature {
  readonly signature: Uint8Array;
  readonly batch?: Batch;
  readonly place?: number;
}

/** Most bytes before the origin of a signed body. */
const MOST_HEAD = 2 + SIGNATURE_BYTES + wayBytes(MOST_HEIGHT);

/** Copies a payload and makes its id. */
export function draftGossip(parts: DraftParts): GossipDraft {
  const { origin, seq, payload, signed, tree = 0, depth = 0, marked } = parts;
  const originAt = signed ? MOST_HEAD : 2;
  const seqAt = originAt + origin.length;
  const payloadAt = seqAt + varintSize(seq);
  const bytes = new Uint8Array(payloadAt + payload.length);
  bytes.set(origin, originAt);
  writeVarint(bytes, seqAt, seq);
  bytes.set(payload, payloadAt);
  const digest = new Uint8Array(32);
  gossipDigest(parts.hash, parts.key, bytes, originAt, bytes.length, digest);
  const flags = (signed ? SIGNED : 0) | PRIORITIES.indexOf(parts.priority) << 1 | tree << 3 |
    (marked ? MARKED : 0);
  return { digest, bytes, originAt, seq, payloadAt, flags, depth: Math.min(255, depth) };
}

/** True where the second draft is the author's next message and goes the same way as the first. */
export function sameWay(first: GossipDraft, second: GossipDraft): boolean {
  return second.seq === first.seq + 1 && second.depth === first.depth &&
    ((second.flags ^ first.flags) & ~MARKED) === 0;
}

/** Makes the body of a draft: a view of the draft's bytes, in which the head is written. */
export function finishGossip(draft: GossipDraft, signed?: DraftSignature): Uint8Array {
  const { bytes, originAt, flags, depth } = draft;
  const tree = flags >> 3 & 15;
  let at = originAt - (tree === 0 ? 1 : 2);
  if (signed !== undefined) {
    const { signature, batch, place = 0 } = signed;
    at -= SIGNATURE_BYTES + wayBytes(batch?.height ?? 0);
    const signatureAt = at + (tree === 0 ? 1 : 2);
    bytes.set(signature.subarray(0, SIGNATURE_BYTES), signatureAt);
    if (batch === undefined) bytes[signatureAt + SIGNATURE_BYTES] = 0;
    else batch.writeWay(place, bytes, signatureAt + SIGNATURE_BYTES);
  }
  bytes[at] = flags;
  if (tree !== 0) bytes[at + 1] = depth;
  return bytes.subarray(at);
}

/** Makes the body of a message that is signed by itself, or not at all, and writes its digest to `digest` (32 bytes). */
export function buildGossip(
  parts: Omit<DraftParts, "signed"> & {
    readonly sign: ((message: Uint8Array) => Uint8Array) | undefined;
  },
  digest: Uint8Array,
): Uint8Array {
  const { sign } = parts;
  const draft = draftGossip({ ...parts, signed: sign !== undefined });
  digest.set(draft.digest);
  return finishGossip(draft, sign && { signature: sign(signedBytes(draft.digest)) });
}

/** Bytes of the head behind kind and alias: hops and path. */
export const GOSSIP_WAY = 2;

/** The head that goes before a body; `path`: what the way cost so far. */
export function gossipHead(alias: number, hops: number, path: number): Uint8Array {
  const head = new Uint8Array(1 + varintSize(alias) + GOSSIP_WAY);
  head[0] = Frame.GOSSIP;
  const at = writeVarint(head, 1, alias);
  head[at] = hops;
  head[at + 1] = path;
  return head;
}
