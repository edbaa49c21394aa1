/**
 * How many bytes per second a simulated node can send and take, and what waits meanwhile.
 *
 * A node has one uplink for all its links. It sends in pieces of at most {@linkcode PIECE_BYTES}: control before normal before bulk over all links, and
 * within a lane one piece of each link in turn. At the other end one downlink takes what arrives in the same way: over TCP the reader's
 * window leaves what it can't take in the sender's lanes, and there control overtakes it. What waits at either end counts in the sender's
 * lanes. Handshakes and pings cost nothing.
 *
 * @module
 */

import { checkOptions } from "../checks.ts";
import { FRAME_OVERHEAD as QUEUE_OVERHEAD, PATIENCE } from "../net/lanes.ts";
import type { Lane } from "../wire/frames.ts";
import { FRAME_OVERHEAD, type InFlight, type LinkEnd } from "./sim_link.ts";
import type { SimEvent, VirtualClock } from "./virtual_clock.ts";

/** Bytes of a message that leave, or are taken, in one piece: what another lane or link waits for. The transport's largest piece is a record; its size is no matter of this model. */
export const PIECE_BYTES = 16 * 1024;

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
export function checkBandwidth(bandwidth: Bandwidth): void {
  checkOptions(bandwidth, { up: true, down: true }, "bandwidth");
  const { up, down } = bandwidth;
  for (const rate of [up, down]) {
    if (!(rate > 0)) throw new RangeError(`no bandwidth: ${rate} bytes per second`);
  }
}

export { QUEUE_OVERHEAD };

/** Pieces or frames of one lane of one link that wait at one end of it. */
class Queue {
  readonly end: LinkEnd;
  readonly links: LinkQueues;
  /** What they count in `limits.laneBytes`. */
  cost = 0;
  /** True while it is in its lane's round or in service. */
  listed = false;
  readonly #items: (InFlight | undefined)[] = [];
  readonly #sizes: number[] = [];
  #first = 0;
  /** Bytes of the first one that have left. */
  #offset = 0;

  constructor(end: LinkEnd, links: LinkQueues) {
    this.end = end;
    this.links = links;
  }

  get empty(): boolean {
    return this.#first === this.#items.length;
  }

  /** Takes in `size` bytes, and with the last of them `item`, if any. */
  push(item: InFlight | undefined, size: number): void {
    this.#items.push(item);
    this.#sizes.push(size);
    this.cost += size + QUEUE_OVERHEAD;
  }

  /** Bytes of the next piece. */
  get next(): number {
    return Math.min(PIECE_BYTES, this.#sizes[this.#first]! - this.#offset);
  }

  /** Takes out the next piece; gives the frame if that was its last. */
  take(): InFlight | undefined {
    const item = this.#items[this.#first], size = this.#sizes[this.#first]!;
    this.#offset += this.next;
    if (this.#offset < size) return undefined;
    this.#offset = 0;
    this.#first++;
    this.cost -= size + QUEUE_OVERHEAD;
    if (this.empty || this.#first >= 256) {
      this.#items.splice(0, this.#first);
      this.#sizes.splice(0, this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Forgets everything; returns how many frames that were. */
  clear(): number {
    const count = this.#items.slice(this.#first).filter((item) => item !== undefined).length;
    this.#items.length = this.#sizes.length = 0;
    this.#first = this.#offset = this.cost = 0;
    return count;
  }
}

/** What one link has waiting at one of its ends. */
export class LinkQueues {
  readonly lanes: readonly [Queue, Queue, Queue];
  /** Runs when everything before it has left. */
  last: (() => void) | undefined;

  constructor(end: LinkEnd) {
    this.lanes = [new Queue(end, this), new Queue(end, this), new Queue(end, this)];
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

/** One way into or out of a node: serves one piece after another, by lane and in turn. */
abstract class Pipe implements SimEvent {
  readonly #clock: VirtualClock;
  readonly #rate: number;
  /** Bytes that each piece takes beside its own. */
  readonly #overhead: number;
  /** By lane: the queues that wait, the next one first. */
  readonly #rounds: readonly [Queue[], Queue[], Queue[]] = [[], [], []];
  /** By lane: pieces of others that went before, while it waited. */
  readonly #waited: number[] = [0, 0, 0];
  #serving: Queue | undefined;
  #lane: Lane = 0;

  constructor(clock: VirtualClock, rate: number, overhead: number) {
    this.#clock = clock;
    this.#rate = rate;
    this.#overhead = overhead;
  }

  /** `bytes` of a link are through, and with them `item`, if any. */
  protected abstract leave(end: LinkEnd, lane: Lane, bytes: number, item?: InFlight): void;

  /** Queues `size` bytes, and `item` behind them. */
  protected add(queue: Queue, lane: Lane, item: InFlight | undefined, size: number): void {
    queue.push(item, size);
    if (!queue.listed) {
      queue.listed = true;
      this.#rounds[lane].push(queue);
    }
    if (this.#serving === undefined) this.#begin();
  }

  /** A piece is through. */
  fire(): void {
    const queue = this.#serving!, lane = this.#lane;
    this.#serving = undefined;
    // The link may have ended meanwhile.
    if (queue.empty) {
      queue.listed = false;
    } else {
      const bytes = queue.next + this.#overhead, item = queue.take();
      queue.listed = !queue.empty;
      if (queue.listed) this.#rounds[lane].push(queue);
      this.leave(queue.end, lane, bytes, item);
      const { links } = queue;
      if (links.last !== undefined && links.empty) {
        const last = links.last;
        links.last = undefined;
        last();
      }
    }
    if (this.#serving === undefined) this.#begin();
  }

  #begin(): void {
    for (let lane = this.#nextLane(); lane >= 0; lane = this.#nextLane()) {
      const round = this.#rounds[lane]!, queue = round.shift()!;
      if (queue.empty) {
        queue.listed = false;
        continue;
      }
      this.#serving = queue;
      this.#lane = lane as Lane;
      for (let other = 0; other < 3; other++) {
        const waits = other !== lane && this.#rounds[other]!.length > 0;
        this.#waited[other] = waits ? this.#waited[other]! + 1 : 0;
      }
      const ms = (queue.next + this.#overhead) * 1_000 / this.#rate;
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

/** The way out of one node. */
export class Uplink extends Pipe {
  constructor(clock: VirtualClock, rate: number) {
    super(clock, rate, FRAME_OVERHEAD);
  }

  /** Queues a frame for the other end of `end`'s link. */
  push(end: LinkEnd, lane: Lane, item: InFlight): void {
    const queues = end.leaving ??= new LinkQueues(end);
    this.add(queues.lanes[lane], lane, item, item.to - item.from);
  }

  protected override leave(end: LinkEnd, lane: Lane, bytes: number, item?: InFlight): void {
    end.other.depart(lane, bytes, item);
  }
}

/** A piece on its way to a node whose downlink is modelled. */
export class Landing implements SimEvent {
  readonly #end: LinkEnd;
  readonly #lane: Lane;
  readonly #bytes: number;
  readonly #item: InFlight | undefined;

  constructor(end: LinkEnd, lane: Lane, bytes: number, item: InFlight | undefined) {
    this.#end = end;
    this.#lane = lane;
    this.#bytes = bytes;
    this.#item = item;
  }

  fire(): void {
    this.#end.owner.downlink!.push(this.#end, this.#lane, this.#bytes, this.#item);
  }
}

/** The way into one node. */
export class Downlink extends Pipe {
  constructor(clock: VirtualClock, rate: number) {
    super(clock, rate, 0);
  }

  /** Takes in a piece for `end`; what it completes is handed on when it is through. */
  push(end: LinkEnd, lane: Lane, bytes: number, item: InFlight | undefined): void {
    const queues = end.landing ??= new LinkQueues(end);
    if (item === undefined || item.bytes !== undefined) {
      this.add(queues.lanes[lane], lane, item, bytes);
    } else if (queues.empty) {
      // The opening, or a goodbye behind everything else.
      end.arrive(item);
    } else {
      queues.last = () => end.arrive(item);
    }
  }

  protected override leave(end: LinkEnd, _lane: Lane, _bytes: number, item?: InFlight): void {
    if (item !== undefined) end.arrive(item);
  }
}

/** What counts in a lane of the sender at `end`: at its uplink, and at the receiver's downlink. */
export function waitingBytes(end: LinkEnd, lane: Lane): number {
  return (end.leaving?.lanes[lane].cost ?? 0) + (end.other.landing?.lanes[lane].cost ?? 0);
}
