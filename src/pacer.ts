/**
 * Back-pressure for publishers: a loop of `await publish()` must leave the event loop its turns and the send lanes their
 * bounds.
 *
 * @module
 */

import type { Transport } from "./transport.ts";
import type { TopicCore } from "./core/topic_core.ts";

/** Publishes and bytes after which the event loop gets a turn. */
const TURN_COUNT = 64;
const TURN_BYTES = 256 * 1024;
/** How often a publisher that waits for lanes looks again, and how long it waits at most for a slow neighbour. */
const LOOK_MS = 2;
const MOST_WAIT_MS = 2_000;

/** Decides when the publisher on one topic may go on. */
export class Pacer {
  readonly #transport: Transport;
  readonly #laneBytes: number;
  #count = 0;
  #bytes = 0;
  #turn: Promise<void> | undefined;
  #go: (() => void) | undefined;

  constructor(transport: Transport, laneBytes: number) {
    this.#transport = transport;
    this.#laneBytes = laneBytes;
  }

  /** Counts one publish; a promise where the publisher should wait. */
  pace(bytes: number, topic: TopicCore): Promise<void> | undefined {
    this.#bytes += bytes;
    if (++this.#count < TURN_COUNT && this.#bytes < TURN_BYTES) return undefined;
    return this.#turn ??= this.#nextTurn(topic, this.#transport.now() + MOST_WAIT_MS);
  }

  /** Lets a waiting publisher go; the topic is left. */
  close(): void {
    this.#go?.();
  }

  #nextTurn(topic: TopicCore, deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!topic.closed && this.#crowded(topic) && this.#transport.now() < deadline) {
          this.#transport.after(LOOK_MS, look);
          return;
        }
        this.#count = 0;
        this.#bytes = 0;
        this.#turn = undefined;
        resolve();
      };
      this.#go = resolve;
      this.#transport.after(0, look);
    });
  }

  /** True where an eager neighbour has a quarter of a lane waiting. */
  #crowded(topic: TopicCore): boolean {
    return topic.tree.eagerPeers.some((peer) =>
      (this.#transport.link(peer)?.queuedBytes ?? 0) > this.#laneBytes / 4
    );
  }
}
