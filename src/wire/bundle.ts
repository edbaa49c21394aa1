/**
 * Messages that their author sends as one, a bundle: a body whose payload is several payloads, with one hash and, where the topic signs, one
 * signature. Whoever does not take all of it passes the others on by themselves, as parts, with the proof that they belong to it. Pure.
 *
 * The payload of a bundle: for each of its messages a varint length and so many bytes. Behind it, at the end of the body, the root of the hash tree
 * (batch.ts) over the hashes of its messages. The digest of a bundle is the hash of its packed hash (that of all but the root) and its root.
 *
 * @module
 */

import { Batch, HASH_BYTES, MOST_BUNDLE_HEIGHT, wayBytes } from "./batch.ts";
import { sameBytes, varintSize, WireError, writeVarint } from "./bytes.ts";
import {
  BUNDLE_MARK,
  gossipDigest,
  type GossipDraft,
  type GossipShape,
  gossipShape,
  type Hash,
  MARK_BYTES,
  PART_MARK,
  readGossip,
} from "./gossip.ts";

/** Most messages in a bundle. */
export const BUNDLE_MESSAGES: number = 2 ** MOST_BUNDLE_HEIGHT;
/**
 * Most bytes of payload that this library puts into a bundle: with all that goes with them they travel in one frame. Half of it takes a 16th more
 * records in a burst of 1 KiB (two such bundles share one); whether that is slower is less than the noise tells.
 */
export const BUNDLE_BYTES = 32_000;
/** Most bytes of payload in a bundle of anybody's: what one of its messages can pin, and what it costs to take it apart. */
const MOST_BYTES = 32_768;
/** What a bundle's digest begins with; packed hash and root follow. */
const BUNDLE_LABEL = new TextEncoder().encode("plumtree/1 bundle\0");

const both = new Uint8Array(BUNDLE_LABEL.length + 2 * HASH_BYTES);
both.set(BUNDLE_LABEL);

/** Writes the digest of a bundle to `out` (32 bytes): of the packed hash at `packed[packedAt]` and the root at `root[rootAt]`. */
export function bundleDigest(
  hash: Hash,
  packed: Uint8Array,
  packedAt: number,
  root: Uint8Array,
  rootAt: number,
  out: Uint8Array,
): void {
  both.set(packed.subarray(packedAt, packedAt + HASH_BYTES), BUNDLE_LABEL.length);
  both.set(root.subarray(rootAt, rootAt + HASH_BYTES), BUNDLE_LABEL.length + HASH_BYTES);
  hash(both, 0, both.length, out, 0);
}

/** Bytes that a payload of so many bytes takes in a bundle. */
export function bundledBytes(size: number): number {
  return varintSize(size) + size;
}

/** Writes payloads to `out` from `at` on. */
export function packBundle(payloads: readonly Uint8Array[], out: Uint8Array, at: number): void {
  for (const payload of payloads) {
    at = writeVarint(out, at, payload.length);
    out.set(payload, at);
    at += payload.length;
  }
}

/** Counts the messages of the bundle in `bytes[start, end)`; throws {@linkcode WireError} where it is none, or has fewer than two or too many. */
export function countBundle(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > MOST_BYTES) throw new WireError("bundle: too large");
  let count = 0;
  for (let at = start; at < end; count++) {
    if (count === BUNDLE_MESSAGES) throw new WireError("bundle: too many messages");
    at = payloadStart(bytes, at, end) + length;
    if (at > end) throw new WireError("bundle: truncated");
  }
  if (count < 2) throw new WireError("bundle: fewer than two messages");
  return count;
}

/** Calls `visit` with the place of each payload in `bytes[start, end)`, which {@linkcode countBundle} has counted. */
export function eachBundled(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (start: number, end: number) => void,
): void {
  for (let at = start; at < end;) {
    const from = payloadStart(bytes, at, end);
    at = from + length;
    visit(from, at);
  }
}

/** The length that {@linkcode payloadStart} read last. */
let length = 0;

/** Reads the length at `at`; returns where the payload begins. */
function payloadStart(bytes: Uint8Array, at: number, end: number): number {
  length = 0;
  for (let scale = 1, n = 0; n < 4; n++, scale *= 128) {
    if (at >= end) throw new WireError("bundle: truncated");
    const byte = bytes[at++]!;
    length += (byte & 127) * scale;
    if (byte < 128) {
      if (byte === 0 && n > 0) throw new WireError("bundle: padded length");
      return at;
    }
  }
  throw new WireError("bundle: length too long");
}

/** Puts the drafts of an author's messages, of which each is `sameWay` as the one before it, into one. */
export function draftBundle(
  drafts: readonly GossipDraft[],
  originBytes: number,
  key: Uint8Array,
  hash: Hash,
): GossipDraft {
  const { seq, originAt, depth, bytes: first } = drafts[0]!;
  const markAt = originAt + originBytes, seqAt = markAt + MARK_BYTES;
  const payloadAt = seqAt + varintSize(seq);
  const payloads = drafts.map(({ bytes, payloadAt }) => bytes.subarray(payloadAt));
  const rootAt = payloads.reduce((at, { length }) => at + bundledBytes(length), payloadAt);
  const bytes = new Uint8Array(rootAt + HASH_BYTES);
  bytes.set(first.subarray(originAt, markAt), originAt);
  bytes[markAt] = BUNDLE_MARK;
  writeVarint(bytes, seqAt, seq);
  packBundle(payloads, bytes, payloadAt);
  const { root } = new Batch(hash, drafts.map(({ digest }) => digest), MOST_BUNDLE_HEIGHT);
  bytes.set(root, rootAt);
  const digest = new Uint8Array(HASH_BYTES);
  gossipDigest(hash, key, bytes, originAt, rootAt, digest);
  bundleDigest(hash, digest, 0, root, 0, digest);
  const flags = drafts.reduce((flags, draft) => flags | draft.flags, 0);
  return { digest, bytes, originAt, seq, payloadAt, flags, depth };
}

/** A bundle that is taken apart; what that takes is done when it is asked for. */
export class BundleParts {
  /** Messages in it. */
  readonly count: number;
  readonly #hash: Hash;
  readonly #key: Uint8Array;
  readonly #body: Uint8Array;
  readonly #shape: GossipShape = gossipShape();
  readonly #places: [start: number, end: number][] = [];
  readonly #digests: (Uint8Array | undefined)[];
  #tree: Batch | undefined;
  #packed: Uint8Array | undefined;

  /** Takes a body that was read and counted before. */
  constructor(hash: Hash, key: Uint8Array, body: Uint8Array) {
    readGossip(this.#shape, body, 0, body.length, body.length);
    const { payloadAt, payloadEnd } = this.#shape;
    this.#hash = hash;
    this.#key = key;
    this.#body = body;
    eachBundled(body, payloadAt, payloadEnd, (start, end) => this.#places.push([start, end]));
    this.count = this.#places.length;
    this.#digests = new Array(this.count).fill(undefined);
  }

  /** Where the origin begins; before it is what parts have of the bundle. */
  get originAt(): number {
    return this.#shape.originAt;
  }

  /** True where the message with that counter is in it, and has that hash. */
  holds(seq: number, digest: Uint8Array): boolean {
    const index = seq - this.#shape.seq;
    return index >= 0 && index < this.count && sameBytes(this.digest(index), digest);
  }

  /** True where the root at its end is that of its messages; nobody could check a part of it otherwise. */
  get sound(): boolean {
    const { payloadEnd } = this.#shape;
    return sameBytes(this.#tied().root, this.#body.subarray(payloadEnd));
  }

  /** The hash of its `index`th message, 32 bytes. */
  digest(index: number): Uint8Array {
    const known = this.#digests[index];
    if (known !== undefined) return known;
    const digest = new Uint8Array(HASH_BYTES), single = this.#single(index);
    gossipDigest(this.#hash, this.#key, single, 0, single.length, digest);
    return this.#digests[index] = digest;
  }

  /** The body of its `index`th message, by itself. */
  part(index: number): Uint8Array {
    const { originAt, seqAt, payloadEnd } = this.#shape, body = this.#body;
    const tree = this.#tied(), single = this.#single(index), markAt = seqAt - MARK_BYTES;
    const packedAt = markAt + MARK_BYTES, wayAt = packedAt + HASH_BYTES;
    const way = wayBytes(tree.height), originBytes = markAt - originAt;
    const part = new Uint8Array(wayAt + way + single.length - originBytes);
    part.set(body.subarray(0, markAt));
    part[markAt] = PART_MARK;
    if (this.#packed === undefined) {
      this.#packed = new Uint8Array(HASH_BYTES);
      gossipDigest(this.#hash, this.#key, body, originAt, payloadEnd, this.#packed);
    }
    part.set(this.#packed, packedAt);
    tree.writeWay(index, part, wayAt);
    part.set(single.subarray(originBytes), wayAt + way);
    return part;
  }

  #tied(): Batch {
    return this.#tree ??= new Batch(
      this.#hash,
      this.#places.map((_, i) => this.digest(i)),
      MOST_BUNDLE_HEIGHT,
    );
  }

  /** Origin, counter and payload: what a message's hash is of. */
  #single(index: number): Uint8Array {
    const { originAt, seqAt, seq } = this.#shape;
    const [start, end] = this.#places[index]!;
    const origin = this.#body.subarray(originAt, seqAt - MARK_BYTES);
    const single = new Uint8Array(origin.length + varintSize(seq + index) + end - start);
    single.set(origin);
    const at = writeVarint(single, origin.length, seq + index);
    single.set(this.#body.subarray(start, end), at);
    return single;
  }
}
