/**
 * The receiving half of a connection: one read at a time, until the stream ends or nobody wants more.
 *
 * @module
 */

import type { Duplex } from "./duplex.ts";
import type { RecordReader } from "./records.ts";

/** What an {@linkcode Inbox} works with. */
export interface InboxOptions {
  readonly duplex: Duplex;
  /** Where what was read goes. */
  readonly reader: RecordReader;
  /** So many bytes came; false where no more are wanted. */
  readonly came: (bytes: number) => boolean;
  /** Nothing more will come. Called once. */
  readonly ended: () => void;
}

/** Reads without an async function: with those a record's way out and in made a third more garbage. */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #took = (read: number | null): void => this.#take(read);
  readonly #stopped = (): void => this.#options.ended();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Reads on. */
  read(): void {
    const { duplex, reader } = this.#options;
    duplex.read(reader.room()).then(this.#took, this.#stopped);
  }

  #take(read: number | null): void {
    const { reader, came, ended } = this.#options;
    let more = false;
    try {
      if (read !== null) {
        reader.took(read);
        more = came(read);
      }
    } catch {
      // Whatever it was, this stream is of no more use.
    }
    if (more) this.read();
    else ended();
  }
}
