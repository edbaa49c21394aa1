/**
 * One simulated node as its network sees it: its links, holds and dials. Internal; `SimTransport` is its door.
 *
 * @module
 */

import type { DownReason, PeerId } from "../core/host.ts";
import type { TransportSink } from "../transport.ts";
import { GossipError } from "../errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../limits.ts";
import { Lane } from "../wire/frames.ts";
import {
  type Bandwidth,
  checkBandwidth,
  Downlink,
  QUEUE_OVERHEAD,
  Uplink,
  waitingBytes,
} from "./bandwidth.ts";
import { hashText, type Rng } from "./rng.ts";
import { Dial } from "./sim_dial.ts";
import { FRAME_OVERHEAD, InFlight, type LinkEnd } from "./sim_link.ts";
import { LateLoop } from "./sim_stall.ts";
import type { SimEvent } from "./virtual_clock.ts";
import type { SimWorld } from "./sim_world.ts";

/** What a node of its own says to `SimFabric.createTransport`. */
export interface SimNodeOptions {
  /** "host:port" under which others dial it; it must be free. Default: the next free one of 10.0.0.0/8, port 7946. */
  address?: string;
  /** False: dials out only, has no address. Default true. */
  listen?: boolean;
  /** `laneBytes`, `connections` and `dials` are used. */
  limits?: Partial<Pick<Limits, "laneBytes" | "connections" | "dials">>;
  /** How much its wall clock is ahead of the others', in ms. Default 0. */
  skewMs?: number;
  /** Delay of everything that it sends and receives, in ms. Default 0. */
  slowMs?: number;
  /** Bytes per second that it sends and takes. Default: those of the network. */
  bandwidth?: Bandwidth;
}

/** What the other side is told where this side ends a link for `reason`. */
function toldReason(reason: DownReason): DownReason {
  return reason === "closed" ? "left" : reason;
}

/** A timer of a node: silent once the node is gone. */
export class NodeTimer implements SimEvent {
  readonly #node: SimNode;
  readonly #call: () => void;

  constructor(node: SimNode, run: () => void) {
    this.#node = node;
    this.#call = run;
  }

  fire(): void {
    const { loop } = this.#node;
    if (loop === undefined || !loop.holdTimer(this)) this.run();
  }

  /** Fires, however late. */
  run(): void {
    if (this.#node.running) this.#call();
  }
}

/** See the module. */
export class SimNode {
  readonly world: SimWorld;
  readonly id: PeerId;
  /** 32 bits of the id, for hashes. */
  readonly key: number;
  readonly address: string;
  readonly rng: Rng;
  readonly skewMs: number;
  readonly laneBytes: number;
  readonly mostLinks: number;
  readonly mostDials: number;
  readonly links: Map<PeerId, LinkEnd> = new Map();
  readonly uplink: Uplink | undefined;
  readonly downlink: Downlink | undefined;
  sink!: TransportSink;
  started = false;
  crashed = false;
  closed = false;
  /** Side of a partition. */
  group = 0;
  extraMs: number;
  /** Its event loop, once it was late. */
  loop: LateLoop | undefined;
  connections = 0;
  dials = 0;
  dialsFailed = 0;
  accepted = 0;
  handshakesFailed = 0;
  refused = 0;
  superseded = 0;
  bytesIn = 0;
  bytesOut = 0;
  framesIn = 0;
  framesOut = 0;
  framesRefused = 0;
  // Made when first needed: most of 100,000 nodes dial rarely.
  #holds: Map<PeerId, number> | undefined;
  #dialing: Map<string, Dial> | undefined;
  #waiting: Dial[] | undefined;
  #underWay = 0;

  constructor(world: SimWorld, id: PeerId, address: string, options: SimNodeOptions) {
    this.world = world;
    this.id = id;
    this.key = hashText(id);
    this.address = address;
    this.rng = world.rng.fork(`${id} ${world.clock.now()}`);
    this.skewMs = options.skewMs ?? 0;
    this.extraMs = options.slowMs ?? 0;
    this.laneBytes = options.limits?.laneBytes ?? DEFAULT_LIMITS.laneBytes;
    this.mostLinks = options.limits?.connections ?? DEFAULT_LIMITS.connections;
    this.mostDials = options.limits?.dials ?? DEFAULT_LIMITS.dials;
    const bandwidth = options.bandwidth ?? world.bandwidth;
    if (bandwidth === undefined) return;
    checkBandwidth(bandwidth);
    if (bandwidth.up !== Infinity) this.uplink = new Uplink(world.clock, bandwidth.up);
    if (bandwidth.down !== Infinity) this.downlink = new Downlink(world.clock, bandwidth.down);
  }

  /** True between start and close or crash. */
  get running(): boolean {
    return this.started && !this.crashed && !this.closed;
  }

  /** The link to a peer, if it can be sent on. */
  live(peer: PeerId): LinkEnd | undefined {
    const end = this.links.get(peer);
    return end === undefined || end.closed ? undefined : end;
  }

  /** A link is up at this end; called from an event. */
  opened(end: LinkEnd): void {
    const peer = end.peer.id;
    const old = this.links.get(peer);
    if (old !== undefined) {
      // Half of an older link that the peer has forgotten, or one whose end was not told yet.
      const reason = old.closed ? "closed" : "replaced";
      old.closed = true;
      old.report(reason);
    }
    this.links.set(peer, end);
    end.up = true;
    this.connections++;
    if (end.direction === "in") this.accepted++;
    this.world.traceUp(end.peer, this, end.direction);
    this.sink.up(peer, end.direction);
    this.#dialing?.get(peer)?.succeed();
    if (!end.closed) {
      // A cut that fell between dial and arrival.
      end.reconsider();
      if (!this.held(peer)) end.startIdle();
    }
  }

  /** A link that was up has ended; called once per link. */
  ended(end: LinkEnd, reason: DownReason): void {
    const peer = end.peer.id;
    if (this.links.get(peer) === end) this.links.delete(peer);
    this.connections--;
    if (this.crashed) return;
    this.world.traceDown(end.peer, this, reason);
    this.sink.down(peer, reason);
  }

  send(
    peer: PeerId,
    head: Uint8Array,
    body: Uint8Array | undefined,
    lane: Lane = Lane.NORMAL,
  ): boolean {
    const end = this.links.get(peer);
    if (end === undefined || end.closed || !this.running) return false;
    const other = end.other;
    const { world } = this;
    const length = head.length + (body === undefined ? 0 : body.length);
    if (this.#full(end, lane, length)) {
      this.framesRefused++;
      return false;
    }
    world.join(head, body);
    const { joined, joinedStart, joinedEnd } = world;
    if (this.uplink === undefined) {
      other.enqueue(undefined, lane, joined, joinedStart, joinedEnd);
    } else {
      const item = new InFlight(other, undefined, joined, joinedStart, joinedEnd);
      this.uplink.push(end, lane, item);
    }
    end.bytesOut += length + FRAME_OVERHEAD;
    this.bytesOut += length + FRAME_OVERHEAD;
    this.framesOut++;
    end.lastUsed = world.clock.now();
    return true;
  }

  /** True where a frame of so many bytes has no room in its lane, or in what a cut holds back. */
  #full(end: LinkEnd, lane: Lane, length: number): boolean {
    const stalled = end.other.stalledBytes;
    if (stalled > 0 && stalled + length > this.laneBytes) return true;
    if (this.uplink === undefined && end.other.landing === undefined) return false;
    return waitingBytes(end, lane) + length + QUEUE_OVERHEAD > this.laneBytes;
  }

  disconnect(peer: PeerId, reason: DownReason): void {
    this.live(peer)?.close(reason, toldReason(reason));
  }

  hold(peer: PeerId): void {
    this.#holds ??= new Map();
    this.#holds.set(peer, (this.#holds.get(peer) ?? 0) + 1);
  }

  release(peer: PeerId): void {
    const count = this.#holds?.get(peer);
    if (count === undefined) return;
    if (count > 1) {
      this.#holds!.set(peer, count - 1);
      return;
    }
    this.#holds!.delete(peer);
    const end = this.live(peer);
    if (end === undefined) return;
    end.lastUsed = this.world.clock.now();
    end.startIdle();
  }

  /** True where somebody needs the link to `peer`. */
  held(peer: PeerId): boolean {
    return this.#holds?.has(peer) ?? false;
  }

  connect(peer: PeerId, addresses: readonly string[]): void {
    if (!this.running || this.live(peer) !== undefined) return;
    const dial = this.dialTo(peer);
    if (dial !== undefined) {
      dial.wanted = true;
      return;
    }
    const fresh = new Dial(this, peer, addresses);
    fresh.wanted = true;
    this.#addDial(peer, fresh);
  }

  dial(target: PeerId | undefined, address: string, signal?: AbortSignal): Promise<PeerId> {
    if (!this.running) return Promise.reject(new GossipError("closed", "the node is closed"));
    const known = target ?? this.world.places.get(address)?.id;
    if (known !== undefined && this.live(known) !== undefined) {
      this.world.clock.touch();
      return Promise.resolve(known);
    }
    const key = known ?? address;
    let dial = this.dialTo(key);
    if (dial === undefined) {
      dial = new Dial(this, known, [address]);
      this.#addDial(key, dial);
    }
    return dial.wait(signal);
  }

  /** The dial to a peer (or to an address where nobody is) that is under way. */
  dialTo(key: string): Dial | undefined {
    return this.#dialing?.get(key);
  }

  /** Forgets a dial that has ended. */
  endDial(key: string, dial: Dial): void {
    this.#dialing?.delete(key);
    if (dial.stage === "waiting") {
      this.#waiting?.splice(this.#waiting.indexOf(dial), 1);
      return;
    }
    this.#underWay--;
    const next = this.running ? this.#waiting?.shift() : undefined;
    if (next !== undefined) this.#begin(next);
  }

  /** Its event loop stands still for `ms`: what silence that long means to its peers, they notice. */
  stall(ms: number): void {
    this.loop ??= new LateLoop(this);
    this.loop.block(ms);
    if (ms < this.world.detectMs / 2) return;
    for (const end of this.links.values()) {
      const noticed = this.world.detectionDelay();
      if (noticed < ms) end.other.loseIn(noticed);
    }
  }

  /** The process is gone, without a word to anybody. */
  crash(): void {
    if (this.crashed || this.closed) return;
    this.crashed = true;
    for (const end of this.links.values()) end.abandon();
    this.#stopDials();
    // Nobody is told anything any more, and what hung on it need not stay.
    this.sink = undefined!;
  }

  /** Says goodbye on every link. */
  async close(): Promise<void> {
    if (this.closed || this.crashed) return;
    const ends = [...this.links.values()];
    for (const end of ends) {
      if (end.closed) continue;
      end.closed = true;
      end.farewell("left");
    }
    this.closed = true;
    this.#stopDials();
    this.world.clock.touch();
    // The sink is never called inside a call of its node.
    await Promise.resolve();
    for (const end of ends) end.report("closed");
  }

  #addDial(key: string, dial: Dial): void {
    this.#dialing ??= new Map();
    this.#dialing.set(key, dial);
    if (this.#underWay < this.mostDials) this.#begin(dial);
    else (this.#waiting ??= []).push(dial);
  }

  #begin(dial: Dial): void {
    this.#underWay++;
    dial.begin();
  }

  #stopDials(): void {
    const dials = [...this.#dialing?.values() ?? []];
    this.#dialing = this.#waiting = undefined;
    for (const dial of dials) dial.give(new GossipError("closed", "the node is closed"));
  }
}
