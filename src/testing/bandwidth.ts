/**
 * How many bytes per second a simulated node can send and take, and what waits meanwhile.
 *
 * A node has one uplink for all its links. It sends in pieces of at most one chunk: control before normal before bulk over all links, and
 * within a lane one piece of each link in turn. At the other end one downlink takes what arrives, in the order of arrival. Handshakes and
 * pings cost nothing.
 *
 * @module
 */

import { CHUNK_BYTES, FRAME_OVERHEAD as QUEUE_OVERHEAD, PATIENCE } from "../net/lanes.ts";
import type { Lane } from "../wire/frames.ts";
import { FRAME_OVERHEAD, type InFlight, type LinkEnd } from "./sim_link.ts";
import type { SimEvent, VirtualClock } from "./virtual_clock.ts";

/**
 * What a node can send and take, in bytes per second; Infinity is no bound.
 *
 * @example
 * ```ts
 * import { type Bandwidth, Network } from "@x/plumtree/testing";
 * import { assert } from "@std/assert";
 *
 * const home: Bandwidth = { up: 1_000_000, down: 5_000_000 };
 * await using net = new Network({ seed: 1, bandwidth: home });
 * const [a, b] = await net.spawn(2, { join: ["news"] });
 * await net.until(a!.topic("news")!.ready());
 * const start = net.now;
 * await a!.topic("news")!.publish(new Uint8Array(500_000));
 * await net.until(() => b!.topic("news")!.metrics().delivered === 1);
 * assert(net.now - start > 500);
 * ```
 */
export interface Bandwidth {
  /** Bytes per second that it sends. */
  readonly up: number;
  /** Bytes per second that it takes. */
  readonly down: number;
}

/** Refuses what is no bandwidth. */
export function checkBandwidth({ up, down }: Bandwidth): void {
  for (const rate of [up, down]) {
    if (!(rate > 0)) throw new RangeError(`no bandwidth: ${rate} bytes per second`);
  }
}

/** Frames of one lane of one link that wait for the uplink. */
class Queue {
  readonly end: LinkEnd;
  /** What they count in `limits.laneBytes`. */
  cost = 0;
  /** True while it is in its lane's round or sends. */
  listed = false;
  readonly #items: InFlight[] = [];
  #first = 0;
  /** Bytes of the first frame that have left. */
  #offset = 0;

  constructor(end: LinkEnd) {
    this.end = end;
  }

  get empty(): boolean {
    return this.#first === this.#items.length;
  }

  push(item: InFlight): void {
    this.#items.push(item);
    this.cost += cost(item);
  }

  /** Bytes of the next piece. */
  get next(): number {
    const item = this.#items[this.#first]!;
    return Math.min(CHUNK_BYTES, item.to - item.from - this.#offset);
  }

  /** Takes out the next piece; gives the frame if that was its last. */
  take(): InFlight | undefined {
    const item = this.#items[this.#first]!;
    this.#offset += this.next;
    if (this.#offset < item.to - item.from) return undefined;
    this.#offset = 0;
    this.#first++;
    this.cost -= cost(item);
    if (this.empty || this.#first >= 256) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Forgets everything; returns how many frames that were. */
  clear(): number {
    const count = this.#items.length - this.#first;
    this.#items.length =
      this.#first =
      this.#offset =
      this.cost =
        0;
    return count;
  }
}

function cost(item: InFlight): number {
  return item.to - item.from + QUEUE_OVERHEAD;
}

/** What one link has waiting for the uplink. */
export class SendQueues {
  readonly lanes: readonly [Queue, Queue, Queue];
  /** Runs when everything before it has left. */
  last: (() => void) | undefined;

  constructor(end: LinkEnd) {
    this.lanes = [new Queue(end), new Queue(end), new Queue(end)];
  }

  /** Bytes that wait, counted as in `limits.laneBytes`. */
  get bytes(): number {
    return this.lanes[0].cost + this.lanes[1].cost + this.lanes[2].cost;
  }

  get empty(): boolean {
    return this.lanes[0].empty && this.lanes[1].empty && this.lanes[2].empty;
  }

  /** Forgets everything; returns how many frames that were. */
  clear(): number {
    this.last = undefined;
    return this.lanes[0].clear() + this.lanes[1].clear() + this.lanes[2].clear();
  }
}

/** The way out of one node. */
export class Uplink implements SimEvent {
  readonly #clock: VirtualClock;
  readonly #rate: number;
  /** By lane: the queues that wait, the next one first. */
  readonly #rounds: readonly [Queue[], Queue[], Queue[]] = [[], [], []];
  /** By lane: pieces of others that went before, while it waited. */
  readonly #waited: number[] = [0, 0, 0];
  #sending: Queue | undefined;
  #lane = 0;

  constructor(clock: VirtualClock, rate: number) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Queues a frame for the other end of `end`'s link; false where its lane is full. */
  push(end: LinkEnd, lane: Lane, item: InFlight, bound: number): boolean {
    const queues = end.queues ??= new SendQueues(end);
    const queue = queues.lanes[lane];
    if (queue.cost + cost(item) > bound) return false;
    queue.push(item);
    if (!queue.listed) {
      queue.listed = true;
      this.#rounds[lane].push(queue);
    }
    if (this.#sending === undefined) this.#begin();
    return true;
  }

  /** A piece has left. */
  fire(): void {
    const queue = this.#sending!, { end } = queue;
    this.#sending = undefined;
    // The link may have ended meanwhile.
    if (queue.empty) {
      queue.listed = false;
    } else {
      const size = queue.next;
      end.other.depart(size + FRAME_OVERHEAD, queue.take());
      queue.listed = !queue.empty;
      if (queue.listed) this.#rounds[this.#lane]!.push(queue);
      const queues = end.queues!;
      if (queues.empty && queues.last !== undefined) {
        queues.last();
        queues.last = undefined;
      }
    }
    this.#begin();
  }

  #begin(): void {
    for (let lane = this.#nextLane(); lane >= 0; lane = this.#nextLane()) {
      const round = this.#rounds[lane]!, queue = round.shift()!;
      if (queue.empty) {
        queue.listed = false;
        continue;
      }
      this.#sending = queue;
      this.#lane = lane;
      for (let other = 0; other < 3; other++) {
        const waits = other !== lane && this.#rounds[other]!.length > 0;
        this.#waited[other] = waits ? this.#waited[other]! + 1 : 0;
      }
      const ms = (queue.next + FRAME_OVERHEAD) * 1_000 / this.#rate;
      this.#clock.schedule(this.#clock.now() + ms, this);
      return;
    }
  }

  #nextLane(): number {
    for (let lane = 1; lane < 3; lane++) {
      if (this.#waited[lane]! >= PATIENCE && this.#rounds[lane]!.length > 0) return lane;
    }
    return this.#rounds.findIndex((round) => round.length > 0);
  }
}

/** A piece on its way to a node whose downlink is modelled. */
export class Landing implements SimEvent {
  readonly #downlink: Downlink;
  readonly #bytes: number;
  readonly #item: InFlight | undefined;

  constructor(downlink: Downlink, bytes: number, item: InFlight | undefined) {
    this.#downlink = downlink;
    this.#bytes = bytes;
    this.#item = item;
  }

  fire(): void {
    this.#downlink.take(this.#bytes, this.#item);
  }
}

/** The way into one node: a queue, in the order of arrival. */
export class Downlink {
  readonly #clock: VirtualClock;
  readonly #rate: number;
  #freeAt = 0;

  constructor(clock: VirtualClock, rate: number) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Takes in a piece; what it completes is handed on when it is through. */
  take(bytes: number, item: InFlight | undefined): void {
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now()) + bytes * 1_000 / this.#rate;
    if (item !== undefined) this.#clock.schedule(this.#freeAt, item);
  }
}
