/**
 * What a transport has to tell its node, in order and never inside a call of the node's.
 *
 * @module
 */

/** A queue of notices: told in the next microtask, or earlier from a socket's callback. */
export class Notices {
  readonly #waiting: (() => void)[] = [];
  readonly #onFault: (error: unknown) => void;
  #scheduled = false;
  #telling = false;

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault;
  }

  /** Adds one. */
  add(notice: () => void): void {
    this.#waiting.push(notice);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.tell();
    });
  }

  /** Tells all that wait; what one throws does not stop the others. */
  tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    for (let i = 0; i < this.#waiting.length; i++) {
      try {
        this.#waiting[i]!();
      } catch (error) {
        this.#onFault(error);
      }
    }
    this.#waiting.length = 0;
    this.#telling = false;
  }

  /** True where something waits. */
  get pending(): boolean {
    return this.#waiting.length > 0;
  }
}
