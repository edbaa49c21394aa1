/**
 * The network between simulated nodes: makes their transports, moves their time, injects faults.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import type { Rng } from "./rng.ts";
import { SimNode, type SimNodeOptions } from "./sim_node.ts";
import type { TraceEvent } from "./sim_trace.ts";
import { SimTransport } from "./sim_transport.ts";
import { checkFabric, type SimFabricOptions, SimWorld } from "./sim_world.ts";
import { checkOptions } from "../checks.ts";
import { VirtualClock } from "./virtual_clock.ts";

export type { Latency, MatrixLatency, NormalLatency } from "./latency.ts";
export type { Bandwidth } from "./bandwidth.ts";
export type { SimFabricOptions } from "./sim_world.ts";

/**
 * What a whole simulated network has counted; a frozen snapshot.
 *
 * @example
 * ```ts
 * import { Network, type NetworkMetrics } from "@x/plumtree/testing";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using net = new Network({ seed: 1 });
 * await net.spawn(3, { join: ["news"] });
 * await net.run({ seconds: 2 });
 * const counted: NetworkMetrics = net.metrics();
 * assertEquals([counted.nodes, counted.linkEnds], [3, 6]);
 * assert(counted.bytes > counted.frames);
 * ```
 */
export interface SimFabricMetrics {
  /** Nodes that are running. */
  readonly nodes: number;
  /** Link ends that are up. */
  readonly linkEnds: number;
  /** Events of virtual time, timers included. */
  readonly events: number;
  /** Frames delivered. */
  readonly frames: number;
  /** Bytes of these frames. */
  readonly bytes: number;
  /** Frames that were under way when their link ended. */
  readonly framesLost: number;
  /** Frames that a lost segment made late. */
  readonly retransmitted: number;
  /** Links that broke by chance. */
  readonly linksBroken: number;
}

/**
 * A simulated network. One seed and one order of calls give one {@linkcode SimFabric.traceHash}.
 */
export class SimFabric {
  /** Virtual time; {@linkcode VirtualClock.run} moves it. */
  readonly clock: VirtualClock;
  readonly #world: SimWorld;
  #places = 0;

  /** Makes an empty network at virtual time 0. */
  constructor(options: SimFabricOptions = {}) {
    checkFabric(options);
    this.clock = new VirtualClock({ asyncSlackMs: options.asyncSlackMs });
    this.#world = new SimWorld(this.clock, options);
  }

  /**
   * Makes the transport of a node. The id may be one that was killed or closed (a restart with its identity), the address likewise;
   * peers learn within about a second that what they had with the old one is gone.
   *
   * @param id The node's id; `simPeerId` makes one.
   * @param options Its address, bounds and manners.
   * @returns The transport; it takes part once it is started.
   */
  createTransport(id: PeerId, options: SimNodeOptions = {}): SimTransport {
    const world = this.#world;
    const before = world.nodes.get(id);
    if (before !== undefined && !before.crashed && !before.closed) {
      throw new RangeError(`the id is in use: ${id}`);
    }
    const address = options.listen === false ? "" : options.address ?? this.#freeAddress();
    const there = world.places.get(address);
    if (there !== undefined && !there.crashed && !there.closed) {
      throw new RangeError(`the address is in use: ${address}`);
    }
    const node = new SimNode(world, id, address, options);
    world.nodes.set(id, node);
    if (address !== "") world.places.set(address, node);
    for (const old of new Set([before, there])) {
      if (old === undefined) continue;
      node.group = old.group;
      if (old.crashed) { for (const end of old.links.values()) end.other.resetSoon(); }
    }
    return new SimTransport(node);
  }

  /**
   * Makes a new transport with the id and the address of a node that was killed or closed.
   *
   * @param id The node.
   * @param options As for {@linkcode createTransport}.
   * @param as Another id in its place.
   */
  restart(id: PeerId, options: SimNodeOptions = {}, as: PeerId = id): SimTransport {
    const old = this.#node(id);
    const transport = this.createTransport(as, {
      ...options,
      address: options.address ?? (old.address === "" ? undefined : old.address),
      listen: options.listen ?? old.address !== "",
    });
    this.#world.traceFault("restart", [this.#node(as)]);
    return transport;
  }

  /**
   * Cuts the network: nothing passes between nodes of different groups; nodes in no group are one more group together. Replaces the cut
   * that held. Links across it end at each end when the silence is noticed; frames that were under way wait for {@linkcode heal} as
   * TCP's would.
   *
   * @param groups The sides; with two, the nodes of both should be all.
   * @param options `oneWay`: only what the first group sends is held back.
   */
  partition(groups: readonly (readonly PeerId[])[], options: { oneWay?: boolean } = {}): void {
    checkOptions(options, { oneWay: true });
    const world = this.#world;
    for (const node of world.nodes.values()) node.group = 0;
    const listed: SimNode[] = [];
    groups.forEach((ids, index) => {
      for (const id of ids) {
        const node = this.#node(id);
        node.group = index + 1;
        listed.push(node);
      }
    });
    world.divided = true;
    world.oneWay = options.oneWay ?? false;
    world.traceFault("partition", listed);
    this.#reconsider();
  }

  /** Ends the cut. */
  heal(): void {
    const world = this.#world;
    for (const node of world.nodes.values()) node.group = 0;
    world.divided = false;
    world.oneWay = false;
    world.traceFault("heal", []);
    this.#reconsider();
  }

  /**
   * Crashes a node: no goodbye, nothing that it had under way arrives, none of its timers fires, its sink is never called again. Peers
   * notice by silence (`detectMs`).
   */
  kill(id: PeerId): void {
    const node = this.#node(id);
    if (node.crashed || node.closed) return;
    this.#world.traceFault("kill", [node]);
    node.crash();
  }

  /** Breaks the connection between two nodes, as a cable that is pulled out: each end notices by the silence. False where there is none. */
  breakLink(a: PeerId, b: PeerId): boolean {
    const end = this.#node(a).live(b);
    if (end === undefined) return false;
    end.sever();
    end.other.sever();
    this.#world.traceFault("break", [end.owner, end.peer]);
    return true;
  }

  /** Breaks each link with a chance of `share`; returns how many. */
  breakLinks(share: number, chance: Rng): number {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`no share from 0 to 1: ${share}`);
    let broken = 0;
    for (const id of this.ids()) {
      for (const end of this.#node(id).links.values()) {
        if (id < end.peer.id && chance.next() < share && this.breakLink(id, end.peer.id)) broken++;
      }
    }
    return broken;
  }

  /** Delays everything that a node sends and receives by `ms`; 0 ends it. */
  slow(id: PeerId, ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) {
      throw new RangeError(`ms must be a number of at least 0, not ${ms}`);
    }
    const node = this.#node(id);
    node.extraMs = ms;
    this.#world.traceFault("slow", [node]);
  }

  /**
   * Blocks a node's event loop for `ms` from now: its timers and what it receives are handled late, in order, and its transport's
   * `lag` says so. What its user calls meanwhile happens at once. Peers give up the links to one that is silent for too long
   * (`detectMs`).
   */
  stall(id: PeerId, ms: number): void {
    if (!(ms > 0 && ms < Infinity)) throw new RangeError(`ms must be a number above 0, not ${ms}`);
    const node = this.#node(id);
    this.#world.traceFault("stall", [node]);
    if (node.running) node.stall(ms);
  }

  /** The round trip between two nodes as a ping would measure it now, without jitter. */
  rtt(a: PeerId, b: PeerId): number {
    return this.#world.rtt(this.#node(a), this.#node(b));
  }

  /** The running node at an address, with or without "id@" before it. */
  resolve(address: string): PeerId | undefined {
    const node = this.#world.places.get(address.slice(address.indexOf("@") + 1));
    return node?.running ? node.id : undefined;
  }

  /** Ids of the nodes that are running, in the order in which their ids were first used. */
  ids(): PeerId[] {
    const ids: PeerId[] = [];
    for (const node of this.#world.nodes.values()) if (node.running) ids.push(node.id);
    return ids;
  }

  /** Where a node is, an index into the matrix of latencies; undefined where the model has no places. */
  placeOf(id: PeerId): number | undefined {
    return this.#world.latency.placeOf(this.#node(id));
  }

  /** The name of the place where a node is. */
  regionOf(id: PeerId): string | undefined {
    return this.#world.latency.nameOf(this.#node(id));
  }

  /** Seeded chance of its own for a user of the fabric; the same label gives the same numbers. */
  rng(label: string): Rng {
    return this.#world.rng.fork(`user ${label}`);
  }

  /** A hash over time, ends, kind and length of every delivered frame, every link event and every fault so far; 16 hex digits. */
  get traceHash(): string {
    return this.#world.hash.hex();
  }

  /** Is told everything that the hash takes in; for readable traces. Costs time while it is set. */
  get trace(): ((event: TraceEvent) => void) | undefined {
    return this.#world.trace;
  }

  set trace(listener: ((event: TraceEvent) => void) | undefined) {
    this.#world.trace = listener;
  }

  /** Counters of the whole network. */
  metrics(): SimFabricMetrics {
    const world = this.#world;
    let nodes = 0, linkEnds = 0;
    for (const node of world.nodes.values()) {
      if (!node.running) continue;
      nodes++;
      linkEnds += node.connections;
    }
    return Object.freeze({
      nodes,
      linkEnds,
      events: this.clock.events,
      frames: world.frames,
      bytes: world.bytes,
      framesLost: world.lost,
      retransmitted: world.retransmitted,
      linksBroken: world.broken,
    });
  }

  #node(id: PeerId): SimNode {
    const node = this.#world.nodes.get(id);
    if (node === undefined) throw new RangeError(`no such node: ${id}`);
    return node;
  }

  #reconsider(): void {
    for (const node of this.#world.nodes.values()) {
      if (!node.running) continue;
      for (const end of node.links.values()) {
        end.reconsider();
        // An end that is still opening is in no node's table.
        if (!end.other.up && end.other.owner.running) end.other.reconsider();
      }
    }
  }

  #freeAddress(): string {
    let address: string;
    do {
      const n = ++this.#places;
      address = `10.${n >> 16 & 255}.${n >> 8 & 255}.${n & 255}:7946`;
    } while (this.#world.places.has(address));
    return address;
  }
}
