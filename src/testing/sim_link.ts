/**
 * One end of a simulated link. Internal.
 *
 * A link is a TCP connection with a sealed channel on it: FIFO each way, frames late or never, but not lost one by one. Where bandwidth is not
 * modelled the three send lanes of a real connection collapse into one, for nothing waits in them.
 *
 * @module
 */

import type { DownReason } from "../core/host.ts";
import { Lane } from "../wire/frames.ts";
import { Landing, type LinkQueues } from "./bandwidth.ts";
import type { SimNode } from "./sim_node.ts";
import type { SimEvent } from "./virtual_clock.ts";
import type { SimWorld } from "./sim_world.ts";

/** Extra bytes of a frame on a real wire: its share of record header, tag and length. */
export const FRAME_OVERHEAD = 20;
/** Ends whose other end is gone learn it by a reset, when they next send something: a ping at the latest. */
const RESET_MS = 1_000;
const FLUSH_MS = 500;

/** Something under way to one end: a frame, the opening (neither bytes nor reason), or the goodbye. */
export class InFlight implements SimEvent {
  readonly end: LinkEnd;
  readonly bytes: Uint8Array | undefined;
  readonly from: number;
  readonly to: number;
  readonly reason: DownReason | undefined;

  constructor(
    end: LinkEnd,
    reason: DownReason | undefined,
    bytes: Uint8Array | undefined,
    from: number,
    to: number,
  ) {
    this.end = end;
    this.reason = reason;
    this.bytes = bytes;
    this.from = from;
    this.to = to;
  }

  fire(): void {
    this.end.arrive(this);
  }
}

/** A timer of one end. */
class EndTimer implements SimEvent {
  readonly end: LinkEnd;
  readonly what: "lose" | "flush" | DownReason;

  constructor(end: LinkEnd, what: "lose" | "flush" | DownReason) {
    this.end = end;
    this.what = what;
  }

  fire(): void {
    if (this.what === "lose") this.end.lose();
    else if (this.what === "flush") this.end.flush();
    else this.end.report(this.what);
  }
}

/** See the module. As an event it is the end of its idle time: one object less for each of the many links of a large network. */
export class LinkEnd implements SimEvent {
  readonly world: SimWorld;
  readonly owner: SimNode;
  readonly peer: SimNode;
  readonly direction: "in" | "out";
  /** The other end; set by {@linkcode linkPair}. */
  other!: LinkEnd;
  /** The owner was told that it is up. */
  up = false;
  /** Nothing is sent or taken any more. */
  closed = false;
  /** The owner was told that it is down, or never will be. */
  reported = false;
  /** The other end's node crashed or the connection broke: what is under way to here is lost. */
  orphaned = false;
  bytesIn = 0;
  bytesOut = 0;
  /** Bytes that a cut holds back on their way to this end. */
  stalledBytes = 0;
  /** What waits for the owner's uplink. */
  leaving: LinkQueues | undefined;
  /** What arrived and waits for the owner's downlink. */
  landing: LinkQueues | undefined;
  lastUsed: number;
  /** Delay of what comes to this end. */
  readonly #base: number;
  #lastArrival = 0;
  #stalled: InFlight[] | undefined;
  #flushing = false;
  #loseTimer = 0;
  #idle = false;

  constructor(owner: SimNode, peer: SimNode, direction: "in" | "out") {
    this.world = owner.world;
    this.owner = owner;
    this.peer = peer;
    this.direction = direction;
    this.#base = owner.world.baseLatency(peer, owner);
    this.lastUsed = owner.world.clock.now();
  }

  /** Puts something on its way to this end. */
  enqueue(
    reason: DownReason | undefined,
    lane: Lane = Lane.CONTROL,
    bytes?: Uint8Array,
    from = 0,
    to = 0,
  ): void {
    this.depart(lane, to - from + FRAME_OVERHEAD, new InFlight(this, reason, bytes, from, to));
  }

  /** `size` bytes leave for this end, and with them the last of `item`, if any; the one place where delay and loss are added. */
  depart(lane: Lane, size: number, item: InFlight | undefined): void {
    const world = this.world, clock = world.clock;
    if (this.orphaned) {
      if (item !== undefined) world.lost++;
      return;
    }
    const delay = world.frameDelay(this.#base, this.owner.extraMs + this.peer.extraMs, size);
    if (delay < 0) {
      this.sever();
      return;
    }
    let at = clock.now() + delay;
    // FIFO: equal times keep their order in the heap.
    if (at < this.#lastArrival) at = this.#lastArrival;
    this.#lastArrival = at;
    const landing = this.owner.downlink !== undefined;
    if (landing) clock.schedule(at, new Landing(this, lane, size, item));
    else if (item !== undefined) clock.schedule(at, item);
  }

  /** Says goodbye to the other side, after what waits for the uplink. */
  farewell(told: DownReason): void {
    const say = () => this.other.enqueue(told);
    if (this.leaving === undefined || this.leaving.empty) say();
    else this.leaving.last = say;
  }

  /** Something reached this end. */
  arrive(item: InFlight): void {
    if (!this.owner.running) {
      // Nobody is there: a reset comes back, or nothing at all.
      this.closed = true;
      this.world.lost++;
      if (this.owner.crashed) this.other.loseIn(this.world.detectionDelay());
      else this.other.loseIn(this.world.baseLatency(this.owner, this.peer));
      return;
    }
    if (this.closed || this.orphaned) {
      this.world.lost++;
      return;
    }
    if (this.#stalled !== undefined || this.world.blocked(this.peer, this.owner)) {
      (this.#stalled ??= []).push(item);
      this.stalledBytes += item.to - item.from;
      return;
    }
    const { loop } = this.owner;
    if (loop !== undefined && loop.holdFrame(item)) {
      this.stalledBytes += item.to - item.from;
      return;
    }
    this.#take(item);
  }

  /** The owner's event loop goes on and finds what arrived meanwhile. */
  release(item: InFlight): void {
    this.stalledBytes = Math.max(0, this.stalledBytes - (item.to - item.from));
    if (this.closed || !this.owner.running) this.world.lost++;
    else this.#take(item);
  }

  #take(item: InFlight): void {
    const bytes = item.bytes;
    if (bytes !== undefined) {
      const { from, to } = item;
      const length = to - from;
      this.bytesIn += length + FRAME_OVERHEAD;
      this.lastUsed = this.world.clock.now();
      this.world.traceFrame(this.peer, this.owner, length > 0 ? bytes[from]! : 0, length);
      this.owner.framesIn++;
      this.owner.bytesIn += length + FRAME_OVERHEAD;
      this.owner.sink.receive(this.peer.id, bytes, from, to);
    } else if (item.reason !== undefined) {
      this.closed = true;
      this.report(item.reason);
    } else if (this.other.closed) {
      // Given up before it was here: what follows comes from nobody that the owner was told of.
      this.closed = true;
    } else {
      this.owner.opened(this);
    }
  }

  /** Ends the link from this side: the owner hears `reason`, the other side `told`. */
  close(reason: DownReason, told: DownReason): void {
    if (this.closed) return;
    this.closed = true;
    if (this.peer.running) this.farewell(told);
    this.world.clock.schedule(this.world.clock.now(), new EndTimer(this, reason));
  }

  /** The owner notices that the link is gone. */
  lose(): void {
    this.#loseTimer = 0;
    if (this.closed) return;
    const late = this.owner.loop?.blockedUntil;
    if (late !== undefined) {
      this.#loseTimer = this.world.clock.schedule(late, new EndTimer(this, "lose"));
      return;
    }
    this.closed = true;
    const { world, other } = this;
    // A silent end sends a reset; where that can't pass, the other end's own timer runs.
    if (other.owner.running && !world.blocked(this.owner, other.owner)) {
      other.loseIn(world.baseLatency(this.owner, other.owner));
    }
    this.report("lost");
  }

  /** Lets {@linkcode lose} happen after `ms`, or earlier where that was planned. */
  loseIn(ms: number): void {
    if (this.closed || this.#loseTimer !== 0) return;
    const { clock } = this.world;
    this.#loseTimer = clock.schedule(clock.now() + ms, new EndTimer(this, "lose"));
  }

  /** The node at the other end is back, or the way to it: what it knows nothing of ends soon. */
  resetSoon(): void {
    this.#keep();
    this.loseIn(this.world.baseLatency(this.peer, this.owner) + this.world.someOf(RESET_MS));
  }

  /** The connection breaks: what is on its way to this end is lost, and both ends notice when the silence is long enough. */
  sever(): void {
    this.other.loseIn(this.world.detectionDelay());
    this.loseIn(this.world.detectionDelay());
    this.orphaned = true;
  }

  /** Tells the owner, once, that the link is down. */
  report(reason: DownReason): void {
    if (this.reported) return;
    this.reported = true;
    this.#keep();
    this.#stalled = undefined;
    this.stalledBytes = 0;
    // What was sent before a close still leaves.
    this.#drop(this.landing);
    if (this.leaving?.last === undefined) this.#drop(this.leaving);
    if (this.up) this.owner.ended(this, reason);
  }

  /** Silences the end of a node that crashed. */
  abandon(): void {
    this.closed = true;
    this.reported = true;
    this.#keep();
    this.#stalled = undefined;
    this.#drop(this.landing);
    this.#drop(this.leaving);
    this.other.orphaned = true;
    this.other.loseIn(this.world.detectionDelay());
  }

  /** Looks again at who hears whom, after the cut between nodes changed. */
  reconsider(): void {
    if (this.closed) return;
    const { world } = this;
    if (world.blocked(this.peer, this.owner)) {
      this.loseIn(world.detectionDelay());
    } else if (!this.orphaned) {
      if (this.other.closed) this.resetSoon();
      else this.#keep();
      if (this.#stalled !== undefined && !this.#flushing) {
        this.#flushing = true;
        // The sender's retransmission timer has backed off; it fires at some time after the way is free.
        const at = world.clock.now() + this.#base + world.someOf(FLUSH_MS);
        world.clock.schedule(at, new EndTimer(this, "flush"));
      }
    }
  }

  /** Takes what a cut held back, in order. */
  flush(): void {
    this.#flushing = false;
    const items = this.#stalled;
    if (items === undefined || this.world.blocked(this.peer, this.owner)) return;
    this.#stalled = undefined;
    this.stalledBytes = 0;
    for (const item of items) this.arrive(item);
  }

  /** Starts the idle time where it does not run yet. */
  startIdle(): void {
    if (this.#idle || this.closed) return;
    this.#idle = true;
    const { clock, idleMs } = this.world;
    clock.schedule(clock.now() + idleMs, this);
  }

  /** The idle time is over: closes the link where nobody holds it and nothing went over it. */
  fire(): void {
    this.#idle = false;
    if (this.closed || this.owner.held(this.peer.id)) return;
    const { clock, idleMs } = this.world;
    const due = this.owner.loop?.blockedUntil ?? this.lastUsed + idleMs;
    if (due <= clock.now()) {
      this.close("idle", "idle");
      return;
    }
    this.#idle = true;
    clock.schedule(due, this);
  }

  #drop(queues: LinkQueues | undefined): void {
    if (queues !== undefined) this.world.lost += queues.clear();
  }

  #keep(): void {
    if (this.#loseTimer === 0) return;
    this.world.clock.cancel(this.#loseTimer);
    this.#loseTimer = 0;
  }
}

/** Makes both ends of a link that `from` dialled; returns the dialler's. */
export function linkPair(from: SimNode, to: SimNode): LinkEnd {
  const out = new LinkEnd(from, to, "out");
  const inward = new LinkEnd(to, from, "in");
  out.other = inward;
  inward.other = out;
  return out;
}
