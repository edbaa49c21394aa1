/**
 * Ids that were announced and whose payload is not here: who announced them, who was asked, when to act next.
 *
 * @module
 */

import { IdTable } from "./id_table.ts";
import { NO_SLOT } from "./links.ts";

/** What is being done about a missing id. */
export const Chase = {
  /** The payload may still come by itself; T1 runs. */
  WAITING: 1,
  /** A GRAFT is out; T2 runs. */
  ASKED: 2,
  /** Nobody is left to ask; a later announcement may change that. */
  IDLE: 3,
  /** Given up and reported. */
  GIVEN_UP: 4,
} as const;

/** Hears of an entry that is pushed out by newer ones, while its id can still be read. */
export type Overflow = (handle: number) => void;

/** Announcements after giving up that start a new chase, per id: the lowest bits of a byte, up to all ones. */
const RESTARTS = 3;
/** The rest of it: how often a chase began again because links came and went, and that the id was reported as missed. */
const IDLES = 124, REPORTED = 128;
const FIRST = 16;
/** Shared by all that hold nothing: an empty array costs a few hundred bytes, too. */
const NO_U8 = new Uint8Array(0), NO_U16 = new Uint16Array(0), NO_I32 = new Int32Array(0);
const NO_F64 = new Float64Array(0);

/**
 * A bounded set of missing ids in typed arrays. Every entry is charged to its first announcer; when the set is full the oldest
 * entry of the announcer with most of them goes, so that one that floods pushes out its own.
 */
export class Missing {
  readonly #table: IdTable;
  readonly #most: number;
  readonly #width: number;
  readonly #overflow: Overflow;
  #size = 0;
  /** Handles below this one may be in use. */
  high = 0;
  #free = -1;
  #state = NO_U8;
  #tree = NO_U8;
  #firstAt = NO_F64;
  #bornAt = NO_F64;
  #deadline = NO_F64;
  #count = NO_U8;
  #turn = NO_U8;
  #tries = NO_U16;
  #askedAt = NO_F64;
  #restarts = NO_U8;
  #quiet = NO_U16;
  #asked = NO_U8;
  #owner = NO_U8;
  #before = NO_I32;
  #after = NO_I32;
  #slots = NO_U8;
  #learned = NO_F64;
  /** Per slot, one up: oldest and newest entry charged to it, and how many. */
  readonly #heads: number[] = [];
  readonly #tails: number[] = [];
  readonly #charges: number[] = [];
  /** Per slot: how many were asked of it. */
  readonly #outstanding: number[] = [];

  /** Holds at most `most` ids with at most `announcers` announcers each. */
  constructor(most: number, announcers: number, random: () => number, overflow: Overflow) {
    this.#table = new IdTable(random);
    this.#most = Math.max(1, most);
    this.#width = Math.max(1, Math.min(16, announcers));
    this.#overflow = overflow;
  }

  /** Ids held. */
  get size(): number {
    return this.#size;
  }

  /** Those of them that somebody may still be asked for. */
  get open(): number {
    return this.#size - (this.#charges[0] ?? 0);
  }

  /** The handle of the id at `bytes[at]`, or -1. */
  find(bytes: Uint8Array, at: number): number {
    return this.#size === 0 ? -1 : this.#table.find(bytes, at);
  }

  /** One of {@linkcode Chase}; zero where the handle is free. */
  state(handle: number): number {
    return this.#state[handle]!;
  }

  /** The tree that it travels, as its first announcer said. */
  tree(handle: number): number {
    return this.#tree[handle]!;
  }

  /** When something is to be done. */
  deadline(handle: number): number {
    return this.#deadline[handle]!;
  }

  /** When it was announced first. */
  firstAt(handle: number): number {
    return this.#firstAt[handle]!;
  }

  /** When others had it, where only comparisons told of it; infinite for a message that is being spread. */
  bornAt(handle: number): number {
    return this.#bornAt[handle]!;
  }

  /** GRAFTs sent for it. */
  tries(handle: number): number {
    return this.#tries[handle]!;
  }

  /** When the first of them was sent. */
  askedAt(handle: number): number {
    return this.#askedAt[handle]!;
  }

  /** True where the announcer of that slot is among those that were asked. */
  wasAsked(handle: number, slot: number): boolean {
    const count = this.#count[handle]!, tries = this.#tries[handle]!, turn = this.#turn[handle]!;
    for (let index = 0; index < count; index++) {
      if (this.announcer(handle, index) !== slot) continue;
      return tries >= count || (turn - 1 - index + count) % count < tries;
    }
    return false;
  }

  /** Announcers known. */
  announcers(handle: number): number {
    return this.#count[handle]!;
  }

  /** Slot of the `index`th announcer. */
  announcer(handle: number, index: number): number {
    return this.#slots[handle * this.#width + index]!;
  }

  /** When the `index`th announcer is thought to have got it; infinite where it told so in a comparison. */
  learnedAt(handle: number, index: number): number {
    return this.isQuiet(handle, index) ? Infinity : this.#learned[handle * this.#width + index]!;
  }

  /** Slot of the one that was asked last, or {@linkcode NO_SLOT}. */
  asked(handle: number): number {
    return this.#asked[handle]!;
  }

  /** Entries asked of the link of that slot and not answered. */
  outstanding(slot: number): number {
    return this.#outstanding[slot] ?? 0;
  }

  /** Writes the id; returns the offset behind it. */
  writeId(handle: number, out: Uint8Array, at: number): number {
    return this.#table.write(handle, out, at);
  }

  /** Adds an id with its first announcer; nothing is to be done before `deadline`. */
  add(
    bytes: Uint8Array,
    at: number,
    tree: number,
    slot: number,
    now: number,
    deadline: number,
  ): number {
    if (this.#size >= this.#most) this.#makeRoom();
    let handle = this.#free;
    if (handle >= 0) this.#free = this.#after[handle]!;
    else {
      if (this.high === this.#state.length) this.#grow();
      handle = this.high++;
    }
    this.#size++;
    this.#table.put(handle, bytes, at);
    this.#state[handle] = Chase.WAITING;
    this.#tree[handle] = tree;
    this.#firstAt[handle] = now;
    this.#bornAt[handle] = -Infinity;
    this.#deadline[handle] = deadline;
    this.#count[handle] = this.#turn[handle] = this.#restarts[handle] = 0;
    this.#tries[handle] = this.#quiet[handle] = 0;
    this.#asked[handle] = NO_SLOT;
    this.#charge(handle, slot);
    return handle;
  }

  /**
   * Notes an announcer, `learnedAt` as it is thought to have got the message; `quiet`: it told so in a comparison, and fetching
   * from it leaves the link as it is; `learnedAt` is then when the announcer received it. Starts a chase that had stopped.
   */
  announce(
    handle: number,
    slot: number,
    learnedAt: number,
    quiet: boolean,
    deadline: number,
  ): void {
    const first = handle * this.#width;
    let index = 0;
    while (index < this.#count[handle]! && this.#slots[first + index] !== slot) index++;
    if (index === this.#width) return;
    const fresh = index === this.#count[handle]!;
    if (fresh) {
      this.#count[handle]!++;
      this.#slots[first + index] = slot;
    }
    if (!quiet && (fresh || this.isQuiet(handle, index))) this.#learned[first + index] = learnedAt;
    if (!quiet) this.#quiet[handle]! &= ~(1 << index);
    else if (fresh) this.#quiet[handle]! |= 1 << index;
    // Begins as "nobody told"; the oldest of comparisons counts, and any announcement makes the message a new one.
    const born = this.#bornAt[handle]!;
    if (!quiet) this.#bornAt[handle] = Infinity;
    else if (born === -Infinity || learnedAt < born && born < Infinity) {
      this.#bornAt[handle] = learnedAt;
    }
    if (this.#restart(handle)) {
      this.#uncharge(handle);
      this.#charge(handle, slot);
      this.#state[handle] = Chase.WAITING;
      this.#tries[handle] = 0;
      this.#deadline[handle] = deadline;
    }
  }

  /** True where the chase of an id that is not being chased may begin again; counts that. */
  #restart(handle: number): boolean {
    const state = this.#state[handle]!, count = this.#restarts[handle]!;
    if (state === Chase.GIVEN_UP && (count & RESTARTS) < RESTARTS) {
      this.#restarts[handle] = (count & REPORTED) | (count & RESTARTS) + 1;
      return true;
    }
    if (state !== Chase.IDLE || (count & IDLES) === IDLES) return false;
    this.#restarts[handle] = count + RESTARTS + 1;
    return true;
  }

  /** Takes the next announcer in turn for a GRAFT; returns its index. There is at least one. */
  ask(handle: number, now: number): number {
    const index = this.#turn[handle]! % this.#count[handle]!;
    this.#turn[handle] = index + 1;
    if (this.#tries[handle]!++ === 0) this.#askedAt[handle] = now;
    this.#state[handle] = Chase.ASKED;
    this.#setAsked(handle, this.announcer(handle, index));
    return index;
  }

  /** The announcer that {@linkcode ask} would take. */
  next(handle: number): number {
    return this.#turn[handle]! % this.#count[handle]!;
  }

  /** True where fetching from the `index`th announcer leaves the link as it is. */
  isQuiet(handle: number, index: number): boolean {
    return (this.#quiet[handle]! & (1 << index)) !== 0;
  }

  /** Sets when something is to be done next. */
  setDeadline(handle: number, deadline: number): void {
    this.#deadline[handle] = deadline;
  }

  /** Stops the chase: {@linkcode Chase.IDLE} or {@linkcode Chase.GIVEN_UP}. Returns true where it had never been given up. */
  stop(handle: number, state: number, deadline: number): boolean {
    this.#setAsked(handle, NO_SLOT);
    const first = state === Chase.GIVEN_UP && this.#restarts[handle]! < REPORTED;
    if (state === Chase.GIVEN_UP) {
      this.#restarts[handle]! |= REPORTED;
      this.#uncharge(handle);
      this.#charge(handle, NO_SLOT);
    }
    this.#state[handle] = state;
    this.#deadline[handle] = deadline;
    return first;
  }

  /** Forgets an announcer of an id. True where it was the one that had been asked. */
  forget(handle: number, slot: number): boolean {
    const first = handle * this.#width, count = this.#count[handle]!;
    for (let index = 0; index < count; index++) {
      if (this.#slots[first + index] !== slot) continue;
      const last = count - 1;
      for (let i = index; i < last; i++) {
        this.#slots[first + i] = this.#slots[first + i + 1]!;
        this.#learned[first + i] = this.#learned[first + i + 1]!;
      }
      const low = this.#quiet[handle]! & ((1 << index) - 1);
      this.#quiet[handle] = low | ((this.#quiet[handle]! >> (index + 1)) << index);
      this.#count[handle] = last;
      if (index < this.#turn[handle]!) this.#turn[handle]!--;
      break;
    }
    const was = this.#asked[handle] === slot;
    if (was) this.#setAsked(handle, NO_SLOT);
    if (this.#owner[handle] === slot) {
      this.#uncharge(handle);
      this.#charge(handle, this.#count[handle]! > 0 ? this.#slots[first]! : NO_SLOT);
    }
    return was;
  }

  /** Removes an entry. */
  remove(handle: number): void {
    this.#setAsked(handle, NO_SLOT);
    this.#uncharge(handle);
    this.#table.delete(handle);
    this.#state[handle] = 0;
    this.#deadline[handle] = Infinity;
    this.#after[handle] = this.#free;
    this.#free = handle;
    if (--this.#size === 0) {
      this.high = 0;
      this.#free = -1;
    }
  }

  #setAsked(handle: number, slot: number): void {
    const old = this.#asked[handle]!;
    if (old !== NO_SLOT) this.#outstanding[old]!--;
    if (slot !== NO_SLOT) this.#outstanding[slot] = (this.#outstanding[slot] ?? 0) + 1;
    this.#asked[handle] = slot;
  }

  #charge(handle: number, slot: number): void {
    this.#owner[handle] = slot;
    const list = (slot + 1) & 255;
    while (this.#charges.length <= list) {
      this.#charges.push(0);
      this.#heads.push(-1);
      this.#tails.push(-1);
    }
    const tail = this.#tails[list]!;
    this.#before[handle] = tail;
    this.#after[handle] = -1;
    if (tail >= 0) this.#after[tail] = handle;
    else this.#heads[list] = handle;
    this.#tails[list] = handle;
    this.#charges[list]!++;
  }

  #uncharge(handle: number): void {
    const list = (this.#owner[handle]! + 1) & 255;
    const before = this.#before[handle]!, after = this.#after[handle]!;
    if (before >= 0) this.#after[before] = after;
    else this.#heads[list] = after;
    if (after >= 0) this.#before[after] = before;
    else this.#tails[list] = before;
    this.#charges[list]!--;
  }

  #makeRoom(): void {
    // List 0 holds what nobody is asked for any more.
    let list = 0;
    if (this.#charges[0] === 0) {
      for (let i = 1; i < this.#charges.length; i++) {
        if (this.#charges[i]! > this.#charges[list]!) list = i;
      }
    }
    const handle = this.#heads[list]!;
    if (this.#restarts[handle]! < REPORTED) this.#overflow(handle);
    this.remove(handle);
  }

  #grow(): void {
    const size = Math.max(FIRST, this.#state.length * 2), wide = size * this.#width;
    const move = <A extends { set(from: A): void }>(from: A, to: A): A => {
      to.set(from);
      return to;
    };
    this.#state = move(this.#state, new Uint8Array(size));
    this.#tree = move(this.#tree, new Uint8Array(size));
    this.#firstAt = move(this.#firstAt, new Float64Array(size));
    this.#bornAt = move(this.#bornAt, new Float64Array(size));
    this.#deadline = move(this.#deadline, new Float64Array(size));
    this.#count = move(this.#count, new Uint8Array(size));
    this.#turn = move(this.#turn, new Uint8Array(size));
    this.#tries = move(this.#tries, new Uint16Array(size));
    this.#askedAt = move(this.#askedAt, new Float64Array(size));
    this.#restarts = move(this.#restarts, new Uint8Array(size));
    this.#quiet = move(this.#quiet, new Uint16Array(size));
    this.#asked = move(this.#asked, new Uint8Array(size));
    this.#owner = move(this.#owner, new Uint8Array(size));
    this.#before = move(this.#before, new Int32Array(size));
    this.#after = move(this.#after, new Int32Array(size));
    this.#slots = move(this.#slots, new Uint8Array(wide));
    this.#learned = move(this.#learned, new Float64Array(wide));
    this.#table.reserve(size, (handle) => this.#state[handle] !== 0);
  }
}
