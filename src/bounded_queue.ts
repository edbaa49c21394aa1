/**
 * A queue between the node, which never waits, and a reader, who may be slow: bounded in count and bytes, the oldest go
 * first. A reader that waited when a burst began gets its chance, until the end of the turn of the event loop, before anything of it is dropped: what
 * comes in one turn is bounded by what sockets give.
 *
 * @module
 */

/** Items that a queue may be asked to hold at most. */
export const MOST_BUFFERED = 1_000_000_000;

/** Bounds and hooks of a {@linkcode BoundedQueue}. */
export interface BoundedQueueOptions<T> {
  /** Most items held. */
  count: number;
  /** Most bytes held, as {@linkcode BoundedQueueOptions.sizeOf} counts them. */
  bytes?: number;
  /** Bytes of one item. Default 0. */
  sizeOf?: (item: T) => number;
  /** Calls `fire` at the end of this turn of the event loop, when a reader that keeps up has taken what it can. Without it the bounds hold at once, and every loss is told by itself. */
  soon?: ((fire: () => void) => void) | undefined;
  /** Told how many items were dropped just now. */
  onLag?: (count: number) => void;
  /** Asked before an item is given: something to give first, once. */
  onTake?: () => T | undefined;
  /** Told when a reader that waited gets something. */
  onWake?: () => void;
  /** Told once when the queue is closed, by whomever. */
  onClose?: () => void;
  /** Ends the iteration by throwing `signal.reason`. */
  signal?: AbortSignal;
}

/** The queue; iterating takes items out. One reader at a time. */
export class BoundedQueue<T> implements AsyncIterableIterator<T> {
  readonly #options: BoundedQueueOptions<T>;
  #items: (T | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #closed = false;
  /** The end of the turn is waited for. */
  #trimming = false;
  /** The reader waited for the first of what came in this turn. */
  #keepsUp = false;
  /** Dropped, and not yet told. */
  #lost = 0;
  #failed: { reason: unknown } | undefined;
  #waiting: { resolve: (r: IteratorResult<T>) => void; reject: (e: unknown) => void }[] = [];
  readonly #abort = () => this.#fail(this.#options.signal!.reason);

  /** Makes an empty queue. */
  constructor(options: BoundedQueueOptions<T>) {
    this.#options = options;
    if (options.signal?.aborted) {
      // Closed from the start: nobody holds it yet who could be told.
      this.#closed = true;
      this.#failed = { reason: options.signal.reason };
    } else {
      options.signal?.addEventListener("abort", this.#abort);
    }
  }

  /** True where nothing is taken in any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Items held. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Gives an item to a waiting reader or holds it; the oldest beyond the bounds are dropped, now or at the end of the turn. */
  push(item: T): void {
    if (this.#closed) return;
    const reader = this.#waiting.shift();
    if (reader) {
      this.#keepsUp = true;
      reader.resolve({ done: false, value: item });
      this.#options.onWake?.();
      return;
    }
    this.#items.push(item);
    this.#bytes += this.#sizeOf(item);
    if (!this.#over) return;
    const { soon } = this.#options;
    if (soon === undefined || !this.#keepsUp) this.#trim();
    if (soon === undefined) return this.#tell();
    if (this.#trimming) return;
    this.#trimming = true;
    soon(() => {
      this.#trimming = this.#keepsUp = false;
      this.#trim();
      this.#tell();
    });
  }

  /** Moves everything that another queue holds into this one. */
  takeFrom(other: BoundedQueue<T>): void {
    while (other.length > 0) this.push(other.#take());
  }

  /** Ends the iteration after what is held. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    for (const reader of this.#waiting.splice(0)) reader.resolve({ done: true, value: undefined });
    this.#options.onClose?.();
  }

  /** The next item; `done` once the queue is closed and empty. */
  next(): Promise<IteratorResult<T>> {
    if (this.length > 0) {
      const first = this.#options.onTake?.();
      if (first !== undefined) return Promise.resolve({ done: false, value: first });
      return Promise.resolve({ done: false, value: this.#take() });
    }
    if (this.#failed) {
      const { reason } = this.#failed;
      this.#failed = undefined;
      return Promise.reject(reason);
    }
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the iteration at once; what is held is dropped. */
  return(): Promise<IteratorResult<T>> {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #fail(reason: unknown): void {
    if (this.#closed) return;
    const reader = this.#waiting.shift();
    if (reader) reader.reject(reason);
    else this.#failed = { reason };
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    this.close();
  }

  get #over(): boolean {
    const { count, bytes = Infinity } = this.#options;
    return this.length > count || (this.#bytes > bytes && this.length > 1);
  }

  /** Drops the oldest beyond the bounds. */
  #trim(): void {
    for (; this.#over; this.#lost++) this.#take();
  }

  #tell(): void {
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#options.onLag?.(lost);
  }

  #sizeOf(item: T): number {
    return this.#options.sizeOf?.(item) ?? 0;
  }

  #take(): T {
    const item = this.#items[this.#head]!;
    this.#items[this.#head++] = undefined;
    this.#bytes -= this.#sizeOf(item);
    // Compacted now and then, so that taking stays constant on average.
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
