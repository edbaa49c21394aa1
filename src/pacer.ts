/**
 * Back-pressure for publishers: a loop of `await publish()` must leave the event loop its turns and the send lanes their
 * bounds.
 *
 * @module
 */

import type { Transport } from "./transport.ts";
import type { PeerId } from "./core/host.ts";
import type { TopicCore } from "./core/topic_core.ts";

/** Publishes and bytes after which the event loop gets a turn. */
const TURN_COUNT = 64;
const TURN_BYTES = 256 * 1024;
/** How often a publisher that waits for lanes looks again, and how long it waits at most for a slow neighbour. */
const LOOK_MS = 2;
const MOST_WAIT_MS = 2_000;
/** The same when the topic is being left: time for the others is short. */
const LAST_WAIT_MS = 500;
/** What may wait in a lane when a topic is left: less than goes before a lane's goodbye, however long that has waited. */
const LAST_BYTES = 64 * 1024;

/** A message that waits for its turn. */
interface Waiting {
  readonly payload: Uint8Array;
  readonly send: (payload: Uint8Array) => string;
  readonly resolve: (id: string) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Decides when the publisher on one topic may go on. Who does not await gets no further: what he publishes meanwhile waits here, in order, and
 * does not push what neighbours have not got yet out of what is retained.
 */
export class Pacer {
  readonly #transport: Transport;
  readonly #laneBytes: number;
  #topic: TopicCore | undefined;
  #lastAt = 0;
  #count = 0;
  #bytes = 0;
  /** Resolves at the end of the turn that is waited for. */
  #turn: Promise<void> | undefined;
  #end: () => void = () => {};
  #closed = false;
  #draining = false;
  #waiting: (Waiting | undefined)[] = [];
  #next = 0;
  /** Neighbours that were waited for in vain and have not drained since. */
  #slow = new Set<PeerId>();

  constructor(transport: Transport, laneBytes: number) {
    this.#transport = transport;
    this.#laneBytes = laneBytes;
  }

  /** Sends a payload now, or when those before it are sent; resolves with the id when the publisher may go on. Throws and rejects with what `send` throws. */
  publish(
    topic: TopicCore,
    payload: Uint8Array,
    send: (payload: Uint8Array) => string,
  ): string | Promise<string> {
    this.#topic = topic;
    if (this.#turn !== undefined) {
      // The caller may change its bytes while they wait. A Buffer's `slice` would not copy them.
      const copy = new Uint8Array(payload);
      return new Promise((resolve, reject) => {
        this.#waiting.push({ payload: copy, send, resolve, reject });
      });
    }
    const id = send(payload);
    return this.#counted(payload.length)?.then(() => id) ?? id;
  }

  /** Resolves when all is on its way to those neighbours that read, or after 2 s; undefined where it is. */
  drain(): Promise<void> | undefined {
    if (!this.#loaded()) return undefined;
    this.#draining = true;
    const deadline = this.#transport.now() + MOST_WAIT_MS;
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#loaded() || this.#transport.now() >= deadline) resolve();
        else this.#transport.after(LOOK_MS, look);
      };
      this.#transport.after(LOOK_MS, look);
    });
  }

  #loaded(): boolean {
    if (this.#topic === undefined || this.#topic.closed) return false;
    if (this.#next < this.#waiting.length) return true;
    // What waits in the lanes is of other topics, or relayed.
    if (this.#transport.now() - this.#lastAt >= MOST_WAIT_MS) return false;
    return this.#over(LAST_BYTES).some((peer) => !this.#slow.has(peer));
  }

  /** Sends everything that waits, at once: the topic is being left. */
  close(): void {
    this.#closed = true;
    this.#end();
  }

  /** Counts one message; the turn to wait for where it was one too many. */
  #counted(bytes: number): Promise<void> | undefined {
    this.#bytes += bytes;
    this.#lastAt = this.#transport.now();
    if (this.#closed || ++this.#count < TURN_COUNT && this.#bytes < TURN_BYTES) return undefined;
    return this.#turn = this.#nextTurn(this.#lastAt);
  }

  #nextTurn(begun: number): Promise<void> {
    const written = new Map(
      this.#over(this.#laneBytes / 4).map((peer) => [peer, this.#written(peer)]),
    );
    return new Promise((resolve) => {
      this.#end = () => {
        this.#end = () => {};
        this.#count = this.#bytes = 0;
        this.#turn = undefined;
        resolve();
        this.#sendOn();
      };
      const end = this.#end;
      const look = () => {
        // It was ended by `close`.
        if (this.#end !== end) return;
        if (!this.#crowded()) return end();
        const most = this.#draining ? LAST_WAIT_MS : MOST_WAIT_MS;
        if (this.#transport.now() - begun < most) return void this.#transport.after(LOOK_MS, look);
        const slow = [...written].filter(([peer, bytes]) =>
          this.#written(peer) <= bytes + LAST_BYTES
        );
        this.#slow = new Set(slow.map(([peer]) => peer));
        end();
      };
      this.#transport.after(0, look);
    });
  }

  /** Sends those that wait, as far as this turn goes. */
  #sendOn(): void {
    while (this.#turn === undefined && this.#next < this.#waiting.length) {
      const { payload, send, resolve, reject } = this.#waiting[this.#next]!;
      this.#waiting[this.#next++] = undefined;
      try {
        const id = send(payload);
        this.#counted(payload.length);
        resolve(id);
      } catch (error) {
        reject(error);
      }
    }
    if (this.#next < this.#waiting.length / 2) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }

  /** True where an eager neighbour has a quarter of a lane waiting. One that was waited for in vain holds up nobody, as long as there is another. */
  #crowded(): boolean {
    const crowded = this.#over(this.#laneBytes / 4);
    for (const peer of this.#slow) if (!crowded.includes(peer)) this.#slow.delete(peer);
    return crowded.some((peer) => !this.#slow.has(peer)) ||
      crowded.length > 0 && crowded.length === this.#topic!.tree.eagerPeers.length;
  }

  #written(peer: PeerId): number {
    return this.#transport.link(peer)?.bytesOut ?? 0;
  }

  /** Eager neighbours for which more bytes than that wait. */
  #over(bytes: number): PeerId[] {
    return this.#topic!.tree.eagerPeers.filter((peer) =>
      (this.#transport.link(peer)?.queuedBytes ?? 0) > bytes
    );
  }
}
