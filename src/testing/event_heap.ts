/**
 * The queue of a discrete-event simulation: a 4-ary heap ordered by (time, sequence), so that events of one time come out
 * in the order in which they were put in.
 *
 * @module
 */

const ARITY_BITS = 2;
const SLOT_LIMIT = 2 ** 26;
const GENERATIONS = 2 ** 26;

/** Names one entry of an {@linkcode EventHeap}; never 0, and not used again for a very long time. */
export type EventId = number;

/** A heap of events; cancelling is O(1), cancelled entries leave the heap when they are most of it or their time comes. */
export class EventHeap<T> {
  // Parallel arrays by heap position: the key is compared without a look at the entry.
  #times = new Float64Array(1024);
  #sequences = new Float64Array(1024);
  #slots = new Int32Array(1024);
  #length = 0;
  #dead = 0;
  #sequence = 0;
  // By slot: `undefined` marks a free or cancelled one.
  readonly #items: (T | undefined)[] = [];
  #generations = new Int32Array(1024);
  readonly #free: number[] = [];
  #poppedTime = 0;
  #poppedSlot = 0;
  #poppedGeneration = 0;

  /** Entries that wait. */
  get size(): number {
    return this.#length - this.#dead;
  }

  /** Time of the entry that the last {@linkcode pop} returned. */
  get poppedTime(): number {
    return this.#poppedTime;
  }

  /** What {@linkcode push} gave for the entry that the last {@linkcode pop} returned. */
  get poppedId(): EventId {
    return this.#poppedGeneration * SLOT_LIMIT + this.#poppedSlot;
  }

  /** Puts in `item`; `time` is any finite number. */
  push(time: number, item: T): EventId {
    const slot = this.#takeSlot();
    this.#items[slot] = item;
    if (this.#length === this.#times.length) this.#grow();
    this.#siftUp(this.#length++, time, this.#sequence++, slot);
    return this.#generations[slot]! * SLOT_LIMIT + slot;
  }

  /** Takes out the entry; false where it is gone already. */
  cancel(id: EventId): boolean {
    const slot = id % SLOT_LIMIT;
    if (slot >= this.#items.length || this.#generations[slot] !== Math.floor(id / SLOT_LIMIT)) {
      return false;
    }
    if (this.#items[slot] === undefined) return false;
    this.#items[slot] = undefined;
    this.#dead++;
    if (this.#dead > 1024 && this.#dead > this.#length >> 1) this.#compact();
    return true;
  }

  /** Time of the first entry; Infinity where there is none. */
  peekTime(): number {
    this.#dropDead();
    return this.#length === 0 ? Infinity : this.#times[0]!;
  }

  /** Takes out the first entry; undefined where there is none. */
  pop(): T | undefined {
    this.#dropDead();
    if (this.#length === 0) return undefined;
    const slot = this.#slots[0]!;
    const item = this.#items[slot];
    this.#poppedTime = this.#times[0]!;
    this.#poppedSlot = slot;
    this.#poppedGeneration = this.#generations[slot]!;
    this.#removeFirst();
    this.#freeSlot(slot);
    return item;
  }

  /** Forgets everything. */
  clear(): void {
    for (let i = 0; i < this.#length; i++) this.#freeSlot(this.#slots[i]!);
    this.#length = 0;
    this.#dead = 0;
  }

  #dropDead(): void {
    while (this.#length > 0) {
      const slot = this.#slots[0]!;
      if (this.#items[slot] !== undefined) return;
      this.#removeFirst();
      this.#freeSlot(slot);
      this.#dead--;
    }
  }

  #removeFirst(): void {
    const last = --this.#length;
    if (last === 0) return;
    this.#siftDown(0, this.#times[last]!, this.#sequences[last]!, this.#slots[last]!);
  }

  #takeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const slot = this.#items.length;
    if (slot >= SLOT_LIMIT) throw new RangeError("too many events");
    this.#items.push(undefined);
    if (slot === this.#generations.length) {
      const generations = new Int32Array(slot * 2);
      generations.set(this.#generations);
      this.#generations = generations;
    }
    this.#generations[slot] = 1;
    return slot;
  }

  #freeSlot(slot: number): void {
    this.#items[slot] = undefined;
    const generation = this.#generations[slot]! + 1;
    this.#generations[slot] = generation === GENERATIONS ? 1 : generation;
    this.#free.push(slot);
  }

  #grow(): void {
    const size = this.#times.length * 2;
    const times = new Float64Array(size);
    times.set(this.#times);
    this.#times = times;
    const sequences = new Float64Array(size);
    sequences.set(this.#sequences);
    this.#sequences = sequences;
    const slots = new Int32Array(size);
    slots.set(this.#slots);
    this.#slots = slots;
  }

  /** Rebuilds the heap of what is alive; keys are unique, so the order of what comes out is the same. */
  #compact(): void {
    let kept = 0;
    for (let i = 0; i < this.#length; i++) {
      const slot = this.#slots[i]!;
      if (this.#items[slot] === undefined) {
        this.#freeSlot(slot);
        continue;
      }
      this.#times[kept] = this.#times[i]!;
      this.#sequences[kept] = this.#sequences[i]!;
      this.#slots[kept] = slot;
      kept++;
    }
    this.#length = kept;
    this.#dead = 0;
    for (let i = (kept - 2) >> ARITY_BITS; i >= 0; i--) {
      this.#siftDown(i, this.#times[i]!, this.#sequences[i]!, this.#slots[i]!);
    }
  }

  #siftUp(at: number, time: number, sequence: number, slot: number): void {
    const times = this.#times, sequences = this.#sequences, slots = this.#slots;
    while (at > 0) {
      const parent = (at - 1) >> ARITY_BITS;
      const parentTime = times[parent]!;
      // A new entry has the highest sequence: at equal times it stays below.
      if (parentTime <= time) break;
      times[at] = parentTime;
      sequences[at] = sequences[parent]!;
      slots[at] = slots[parent]!;
      at = parent;
    }
    times[at] = time;
    sequences[at] = sequence;
    slots[at] = slot;
  }

  #siftDown(at: number, time: number, sequence: number, slot: number): void {
    const times = this.#times, sequences = this.#sequences, slots = this.#slots;
    const length = this.#length;
    while (true) {
      const first = (at << ARITY_BITS) + 1;
      if (first >= length) break;
      const end = Math.min(first + 4, length);
      let best = first, bestTime = times[first]!, bestSequence = sequences[first]!;
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child]!;
        if (childTime > bestTime) continue;
        const childSequence = sequences[child]!;
        if (childTime < bestTime || childSequence < bestSequence) {
          best = child;
          bestTime = childTime;
          bestSequence = childSequence;
        }
      }
      if (time < bestTime || (time === bestTime && sequence < bestSequence)) break;
      times[at] = bestTime;
      sequences[at] = bestSequence;
      slots[at] = slots[best]!;
      at = best;
    }
    times[at] = time;
    sequences[at] = sequence;
    slots[at] = slot;
  }
}
