/**
 * The message log of a topic: the ids seen, and the bodies retained for repair.
 *
 * @module
 */

import type { Incarnation } from "./authors.ts";
import { BodyArena } from "./body_arena.ts";
import { IdTable } from "./id_table.ts";
import { NumberRing } from "./number_ring.ts";

/** What became of a seen id. */
export const Seen = {
  /** Its verdict is awaited. */
  VALIDATING: 1,
  /** Delivered, or published here. */
  DELIVERED: 2,
  /** Dropped without blame. */
  IGNORED: 3,
  /** Dropped with blame. */
  REJECTED: 4,
  /** A bundle whose messages stand for themselves. */
  APART: 5,
} as const;

/** The bounds of a {@linkcode MessageLog}. */
export interface MessageLogOptions {
  /** Ids remembered. */
  readonly seenIds: number;
  /** Bodies retained. */
  readonly retainMessages: number;
  /** Their bytes. */
  readonly retainBytes: number;
  /** Their age in seconds. */
  readonly retainSeconds: number;
}

const FIRST = 16;
/** Shared by all logs that hold nothing: an empty array costs a few hundred bytes, too. */
const NO_U8 = new Uint8Array(0), NO_I32 = new Int32Array(0), NO_F64 = new Float64Array(0);

/**
 * Seen ids in typed arrays, first in first out. An entry is named by its number, which counts up and is never used twice;
 * its place in the arrays is the number modulo the capacity. A log that was never used holds no arrays.
 */
export class MessageLog {
  readonly #table: IdTable;
  readonly #options: Readonly<MessageLogOptions>;
  #arena: BodyArena | undefined;
  readonly #retained = new NumberRing();
  #retainedMessages = 0;
  #mask = -1;
  #next = 0;
  #oldest = 0;
  /** The tree in the upper four bits. */
  #state = NO_U8;
  #hops = NO_U8;
  #path = NO_U8;
  #via = NO_U8;
  #has = NO_I32;
  #at = NO_F64;
  #seq: Float64Array | undefined;
  /** Where the body lies: the number of its buffer plus one (zero where there is none), offset and size. */
  #slab = NO_I32;
  #bodyAt = NO_I32;
  #bodySize = NO_I32;
  /** Messages in the body. */
  #count = NO_U8;
  #incarnations: (Incarnation | undefined)[] | undefined;

  /** Makes an empty log. */
  constructor(options: MessageLogOptions, random: () => number) {
    this.#options = options;
    this.#table = new IdTable(random);
  }

  /** Ids remembered. */
  get seen(): number {
    return this.#next - this.#oldest;
  }

  /** Messages retained, those in bundles among them. */
  get retainedMessages(): number {
    return this.#retainedMessages;
  }

  /** Bodies retained. */
  get retainedBodies(): number {
    return this.#retained.size;
  }

  /** Bytes that the retained bodies hold. */
  get retainedBytes(): number {
    return this.#arena?.bytes ?? 0;
  }

  /** The entry of the id at `bytes[at]`, or -1. */
  find(bytes: Uint8Array, at: number): number {
    const handle = this.#table.find(bytes, at);
    if (handle < 0) return -1;
    const newest = this.#next - 1;
    return newest - ((newest - handle) & this.#mask);
  }

  /** Adds the id at `bytes[at]`, which must not be there; the oldest id goes where the bound is reached. */
  add(
    bytes: Uint8Array,
    at: number,
    state: number,
    tree: number,
    via: number,
    hops: number,
    now: number,
  ): number {
    if (this.seen >= this.#options.seenIds) this.#evict();
    if (this.seen > this.#mask) this.#grow();
    const entry = this.#next++, i = entry & this.#mask;
    this.#table.put(i, bytes, at);
    this.#state[i] = tree << 4 | state;
    this.#hops[i] = hops;
    this.#path[i] = 0;
    this.#via[i] = via;
    this.#has[i] = 0;
    this.#at[i] = now;
    this.#count[i] = 1;
    return entry;
  }

  /** True while the entry is remembered. */
  holds(entry: number): boolean {
    return entry >= this.#oldest && entry < this.#next;
  }

  /** One of {@linkcode Seen}. */
  state(entry: number): number {
    return this.#state[entry & this.#mask]! & 15;
  }

  /** The tree that it travels. */
  tree(entry: number): number {
    return this.#state[entry & this.#mask]! >> 4;
  }

  /** Changes the state. */
  setState(entry: number, state: number): void {
    const i = entry & this.#mask;
    this.#state[i] = this.#state[i]! & 0xf0 | state;
  }

  /** Hops to this node; 0 for own messages. */
  hops(entry: number): number {
    return this.#hops[entry & this.#mask]!;
  }

  /** What its way to this node cost, see tree_choice.ts; 0 for own messages. */
  path(entry: number): number {
    return this.#path[entry & this.#mask]!;
  }

  /** Notes what its way cost. */
  setPath(entry: number, path: number): void {
    this.#path[entry & this.#mask] = path;
  }

  /** The slot of the link that the first copy came through. */
  via(entry: number): number {
    return this.#via[entry & this.#mask]!;
  }

  /** When it was seen first. */
  at(entry: number): number {
    return this.#at[entry & this.#mask]!;
  }

  /** True where the neighbour of that bit is known to have it. */
  has(entry: number, bit: number): boolean {
    return (this.#has[entry & this.#mask]! & bit) !== 0;
  }

  /** Notes that the neighbour of that bit has it. */
  setHas(entry: number, bit: number): void {
    this.#has[entry & this.#mask]! |= bit;
  }

  /** Forgets everything known about the neighbour of that bit. */
  clearBit(bit: number): void {
    const has = this.#has;
    for (let i = 0; i < has.length; i++) has[i]! &= ~bit;
  }

  /** Names the author's incarnation and counter of an entry, for its replay floor once the id is forgotten. */
  setAuthor(entry: number, incarnation: Incarnation, seq: number): void {
    this.#seq ??= new Float64Array(this.#mask + 1);
    this.#incarnations ??= new Array(this.#mask + 1).fill(undefined);
    this.#seq[entry & this.#mask] = seq;
    this.#incarnations[entry & this.#mask] = incarnation;
  }

  /** Writes the id; returns the offset behind it. */
  writeId(entry: number, out: Uint8Array, at: number): number {
    return this.#table.write(entry & this.#mask, out, at);
  }

  /** The first 32 bits of the id. */
  idHead(entry: number): number {
    return this.#table.head(entry & this.#mask);
  }

  /** 32 salted bits of the id. */
  idMix(entry: number, salt: number): number {
    return this.#table.mix(entry & this.#mask, salt);
  }

  /** Retains the body `bytes[start, end)` of an entry, which is `count` messages; returns it as {@linkcode BodyArena.keep} does. */
  retain(
    entry: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    now: number,
    count = 1,
  ): Uint8Array {
    const arena = this.#arena ??= new BodyArena(this.#options.retainBytes);
    const body = arena.keep(bytes, start, end), i = entry & this.#mask;
    this.#slab[i] = arena.slab + 1;
    this.#bodyAt[i] = arena.at;
    this.#bodySize[i] = body.length;
    this.#count[i] = count;
    this.#retained.push(entry);
    this.#retainedMessages += count;
    this.expire(now);
    return body;
  }

  /** Messages in its body: 1, or those of a bundle that was retained. */
  messages(entry: number): number {
    return this.#count[entry & this.#mask]!;
  }

  /** True where the body is still there. */
  retains(entry: number): boolean {
    return this.#slab[entry & this.#mask]! > 0;
  }

  /** The retained body, if it is still there; a new view or copy each time. */
  body(entry: number): Uint8Array | undefined {
    const i = entry & this.#mask, slab = this.#slab[i]! - 1;
    return slab < 0 ? undefined : this.#arena!.body(slab, this.#bodyAt[i]!, this.#bodySize[i]!);
  }

  /** The `index`th oldest retained entry, below {@linkcode retainedBodies}. */
  retainedAt(index: number): number {
    return this.#retained.at(index);
  }

  /** For how long bodies are retained at the present rate, in ms; infinite while there is room for twice what is held. */
  turnover(now: number): number {
    const { retainMessages, retainBytes } = this.#options;
    const size = this.#retainedMessages;
    if (size === 0 || size < retainMessages / 2 && this.retainedBytes < retainBytes / 2) {
      return Infinity;
    }
    return now - this.at(this.#retained.at(0));
  }

  /** Drops bodies beyond the bounds of count, bytes and age. */
  expire(now: number): void {
    const { retainMessages, retainBytes, retainSeconds } = this.#options;
    while (
      this.#retained.size > 0 &&
      (this.#retainedMessages > retainMessages || this.retainedBytes > retainBytes ||
        this.at(this.#retained.at(0)) < now - retainSeconds * 1_000)
    ) this.#dropBody();
  }

  #dropBody(): void {
    const i = this.#retained.shift()! & this.#mask;
    this.#arena!.release(this.#slab[i]! - 1, this.#bodySize[i]!);
    this.#slab[i] = 0;
    this.#retainedMessages -= this.#count[i]!;
  }

  #evict(): void {
    const i = this.#oldest & this.#mask;
    // Bodies go in the order in which they were accepted, which is nearly that of the ids.
    while (this.#slab[i]! > 0) this.#dropBody();
    this.#table.delete(i);
    const incarnation = this.#incarnations?.[i];
    if (incarnation !== undefined) {
      incarnation.floor = Math.max(incarnation.floor, this.#seq![i]!);
      this.#incarnations![i] = undefined;
    }
    this.#oldest++;
  }

  #grow(): void {
    const size = Math.max(FIRST, (this.#mask + 1) * 2);
    this.#mask = size - 1;
    // Nothing was evicted yet, or there would be room: every number keeps its place.
    const move = <A extends Uint8Array | Int32Array | Float64Array>(from: A, to: A): A => {
      to.set(from);
      return to;
    };
    this.#state = move(this.#state, new Uint8Array(size));
    this.#hops = move(this.#hops, new Uint8Array(size));
    this.#path = move(this.#path, new Uint8Array(size));
    this.#via = move(this.#via, new Uint8Array(size));
    this.#has = move(this.#has, new Int32Array(size));
    this.#at = move(this.#at, new Float64Array(size));
    if (this.#seq !== undefined) this.#seq = move(this.#seq, new Float64Array(size));
    this.#slab = move(this.#slab, new Int32Array(size));
    this.#bodyAt = move(this.#bodyAt, new Int32Array(size));
    this.#bodySize = move(this.#bodySize, new Int32Array(size));
    this.#count = move(this.#count, new Uint8Array(size));
    const incarnations = this.#incarnations;
    while (incarnations !== undefined && incarnations.length < size) incarnations.push(undefined);
    this.#table.reserve(size, (handle) => handle < this.#next);
  }
}
