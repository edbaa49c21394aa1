/**
 * A first-in-first-out queue of numbers in one growing array.
 *
 * @module
 */

/** Holds numbers in order of arrival without an object for each; takes no memory while nothing was pushed. */
export class NumberRing {
  #items: Float64Array | undefined;
  #head = 0;
  /** How many it holds. */
  size = 0;

  /** Adds at the end. */
  push(value: number): void {
    let items = this.#items;
    if (items === undefined || this.size === items.length) items = this.#grow();
    items[(this.#head + this.size++) & (items.length - 1)] = value;
  }

  /** The one at `index` from the front; the caller stays below {@linkcode size}. */
  at(index: number): number {
    const items = this.#items!;
    return items[(this.#head + index) & (items.length - 1)]!;
  }

  /** Removes the first one; undefined where there is none. */
  shift(): number | undefined {
    if (this.size === 0) return undefined;
    const value = this.at(0);
    this.#head = (this.#head + 1) & (this.#items!.length - 1);
    this.size--;
    return value;
  }

  /** Empties it and gives the memory back. */
  clear(): void {
    this.#items = undefined;
    this.#head = this.size = 0;
  }

  #grow(): Float64Array {
    const grown = new Float64Array(Math.max(8, this.size * 2));
    for (let i = 0; i < this.size; i++) grown[i] = this.at(i);
    this.#items = grown;
    this.#head = 0;
    return grown;
  }
}
