/**
 * The receiving half of a connection: one read at a time, until the stream ends or nobody wants more.
 *
 * @module
 */

import type { Duplex } from "./duplex.ts";
import type { RecordReader } from "./records.ts";
import { readAtEndOfTurn, takeInTurn } from "./turn.ts";

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
  readonly #begin = (): void => this.read();
  readonly #took = (read: number | null): void => {
    this.#read = read;
    takeInTurn(this.#take);
  };
  readonly #stopped = (): void => this.#options.ended();
  /** What the last read gave. */
  #read: number | null = null;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Reads on. */
  read(): void {
    const { duplex, reader } = this.#options;
    duplex.read(reader.room()).then(this.#took, this.#stopped);
  }

  readonly #take = (): void => {
    const { reader, came, ended } = this.#options, read = this.#read;
    let more = false;
    try {
      if (read !== null) {
        reader.took(read);
        more = came(read);
      }
    } catch {
      // Whatever it was, this stream is of no more use.
    }
    if (more) readAtEndOfTurn(this.#begin);
    else ended();
  };
}
