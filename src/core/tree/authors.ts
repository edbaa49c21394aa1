/**
 * What is remembered of authors on signed topics, so that a recorded message cannot be played again once its id was
 * forgotten.
 *
 * The promise: as long as an author is among the last `limits.authors` whose messages were accepted here, no message of it
 * is delivered twice. Per incarnation a floor is kept: the highest counter of a message whose id was forgotten. What is not
 * above the floor is refused; what is above it is still in the seen set if it ever came. A message of an older incarnation
 * is taken only within a grace time after the newest one was met (it may have been overtaken), and never one older than
 * the last four. So the price is: a message that comes for the first time later than `limits.seenIds` others can be refused.
 *
 * @module
 */

import type { PeerId } from "../host.ts";
import { toHex } from "../../wire/bytes.ts";

/** One run of an author's process. */
export interface Incarnation {
  /** When it began, by the author's clock. */
  readonly number: number;
  /** The highest counter whose id was forgotten; -1 before that. */
  floor: number;
}

interface Author {
  readonly key: Uint8Array;
  readonly id: PeerId;
  /** The latest, newest first. */
  incarnations: Incarnation[];
  /** When the newest was met. */
  since: number;
}

/** Incarnations remembered of one author: more lives within one grace time are no honest node's. */
const MOST_INCARNATIONS = 4;

/** A bounded memory of authors, least recently accepted out first. */
export class Authors {
  readonly #most: number;
  readonly #graceMs: number;
  #byKey: Map<number, Author> | undefined;
  #last: Author | undefined;

  /** Remembers `most` authors; an older incarnation is taken for `graceMs`. */
  constructor(most: number, graceMs: number) {
    this.#most = most;
    this.#graceMs = graceMs;
  }

  /** Authors remembered. */
  get size(): number {
    return this.#byKey?.size ?? 0;
  }

  /** The author's id in hex, remembered where it is known. */
  idOf(bytes: Uint8Array, at: number): PeerId {
    return this.#find(bytes, at)?.id ?? toHex(bytes, at, at + 32);
  }

  /** True where the message may be a recorded old one. */
  stale(bytes: Uint8Array, at: number, incarnation: number, seq: number, now: number): boolean {
    const author = this.#find(bytes, at);
    if (author === undefined) return false;
    const { incarnations, since } = author;
    const newest = incarnations[0]!, oldest = incarnations.at(-1)!;
    if (incarnation > newest.number) return false;
    if (incarnation < newest.number && now - since > this.#graceMs) return true;
    const known = incarnations.find(({ number }) => number === incarnation);
    if (known !== undefined) return seq <= known.floor;
    return incarnations.length === MOST_INCARNATIONS && incarnation < oldest.number;
  }

  /** Notes an accepted message; undefined where its incarnation is not worth remembering. */
  accept(
    bytes: Uint8Array,
    at: number,
    incarnation: number,
    now: number,
  ): Incarnation | undefined {
    const authors = this.#byKey ??= new Map();
    const key = shortKey(bytes, at);
    let author = this.#find(bytes, at);
    // One author after another is the common case; its place at the end need not change.
    if (author !== undefined && author === this.#last) {
      return this.#incarnation(author, incarnation, now);
    }
    if (author === undefined) {
      author = {
        key: bytes.slice(at, at + 32),
        id: toHex(bytes, at, at + 32),
        incarnations: [{ number: incarnation, floor: -1 }],
        since: now,
      };
    } else {
      authors.delete(key);
    }
    authors.set(key, author);
    this.#last = author;
    if (authors.size > this.#most) {
      for (const oldest of authors.keys()) {
        authors.delete(oldest);
        break;
      }
    }
    return this.#incarnation(author, incarnation, now);
  }

  #incarnation(author: Author, number: number, now: number): Incarnation | undefined {
    const { incarnations } = author;
    if (number === incarnations[0]!.number) return incarnations[0];
    const known = incarnations.find((incarnation) => incarnation.number === number);
    if (known !== undefined) return known;
    const added = { number, floor: -1 };
    incarnations.push(added);
    incarnations.sort((a, b) => b.number - a.number);
    if (incarnations[0] === added) author.since = now;
    if (incarnations.length > MOST_INCARNATIONS) incarnations.pop();
    return incarnations.includes(added) ? added : undefined;
  }

  #find(bytes: Uint8Array, at: number): Author | undefined {
    const author = this.#byKey?.get(shortKey(bytes, at));
    if (author === undefined) return undefined;
    for (let i = 4; i < 32; i++) if (author.key[i] !== bytes[at + i]) return undefined;
    return author;
  }
}

/** 53 bits of the key: exact as a number, and nobody makes another key with the same. */
function shortKey(bytes: Uint8Array, at: number): number {
  const low = (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>>
    0;
  const high = (bytes[at + 4]! << 16 | bytes[at + 5]! << 8 | bytes[at + 6]!) & 0x1f_ffff;
  return high * 0x1_0000_0000 + low;
}
