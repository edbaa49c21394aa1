/**
 * The counters of an author: receivers take a message for a replay where its counter fell, so a topic that is left and
 * joined again, or published on from outside, goes on where it was.
 *
 * @module
 */

/** Incarnation and sequence numbers of one node. */
export class Authorship {
  /** The start of the node, ms since 1970: orders its lives. */
  readonly incarnation: number;
  readonly #seqs = new Map<string, number>();

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }

  /** The next sequence number on a topic, from 1. */
  next(topic: string): number {
    const seq = (this.#seqs.get(topic) ?? 0) + 1;
    this.#seqs.set(topic, seq);
    return seq;
  }
}
