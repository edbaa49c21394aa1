/**
 * Many overlays over one event queue in virtual time: every link keeps the order of its messages, connections are
 * dialled on demand and break at both ends.
 *
 * @module
 */

import type { DownReason, PeerId } from "../../../src/core/host.ts";
import type { BaseOverlay, OverlayPort } from "../../../src/core/overlay/port.ts";
import type { SignedRecord } from "../../../src/wire/record.ts";
import type { OverlayMessage } from "../../../src/wire/overlay_messages.ts";
import { Rounds } from "../../../src/core/overlay/pace.ts";
import { HyParView } from "../../../src/core/overlay/hyparview.ts";
import { overlayDefaults, type OverlayOptions } from "../../../src/options.ts";
import { DEFAULT_LIMITS } from "../../../src/limits.ts";

/** A generator of numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The id of node `n`. */
export function peerId(n: number): PeerId {
  return n.toString(16).padStart(64, "0");
}

/** A record whose signature `FakePort.accept` takes for good. */
export function recordFor(
  id: PeerId,
  seq = 1,
  addresses = [`${parseInt(id, 16)}:1`],
): SignedRecord {
  return {
    id,
    addresses,
    seq,
    ttlSeconds: 60,
    topics: [],
    shards: new Map(),
    encoded: new Uint8Array(0),
  };
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: a binary heap of events, in order of time and then of making. */
export class EventQueue {
  now = 0;
  #heap: Event[] = [];
  #orders = 0;
  #cancelled = new Set<number>();

  get size(): number {
    return this.#heap.length - this.#cancelled.size;
  }

  after(ms: number, run: () => void): number {
    const event = { at: this.now + Math.max(0, ms), order: ++this.#orders, run };
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
    return event.order;
  }

  /** Cancels an event that has not run. */
  cancel(order: number): void {
    this.#cancelled.add(order);
  }

  /** Runs everything that is due up to `ms` from now. */
  run(ms: number): void {
    const until = this.now + ms;
    while (this.#heap.length > 0 && this.#heap[0]!.at <= until) {
      const event = this.#pop();
      if (this.#cancelled.delete(event.order)) continue;
      this.now = event.at;
      event.run();
    }
    this.now = until;
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    while (true) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** One connection; a message that is on its way when it breaks is lost. */
interface Connection {
  open: boolean;
  /** When the last message in either direction arrives, so that order is kept. */
  readonly arrival: [number, number];
}

/** What a world is made with. */
export interface WorldOptions {
  readonly seed?: number;
  readonly overlay?: Partial<OverlayOptions>;
  /** Milliseconds from one node to the other, drawn per message. */
  readonly delay?: (random: () => number) => number;
  /** What the directory of every node knows. */
  readonly members?: (self: PeerId, most: number) => PeerId[];
  /** Round trips as nodes measure them over a connection, by the nodes' numbers. Default: never measured. */
  readonly cost?: (a: number, b: number) => number;
}

/** All nodes and the links between them. */
export class World {
  readonly queue = new EventQueue();
  readonly random: () => number;
  readonly nodes = new Map<PeerId, FakePort>();
  readonly overlay: OverlayOptions;
  readonly members: (self: PeerId, most: number) => PeerId[];
  cost: ((a: number, b: number) => number) | undefined;
  messages = 0;
  /** Messages by type. */
  readonly sent: Record<string, number> = {};
  /** True where nothing passes between two nodes; connections over the cut break. */
  cut: (a: PeerId, b: PeerId) => boolean = () => false;
  readonly #delay: (random: () => number) => number;
  readonly #connections = new Map<string, Connection>();

  constructor(options: WorldOptions = {}) {
    this.random = seeded(options.seed ?? 1);
    this.overlay = { ...overlayDefaults("lan"), ...options.overlay };
    this.#delay = options.delay ?? ((random) => 1 + 4 * random());
    this.members = options.members ?? (() => []);
    this.cost = options.cost;
  }

  /** Adds node `n`. */
  add(n: number, dialOnly = false): FakePort {
    const port = new FakePort(this, peerId(n), dialOnly);
    this.nodes.set(port.self, port);
    return port;
  }

  /** The overlay of node `n`. */
  view(n: number): HyParView {
    return this.nodes.get(peerId(n))!.overlay;
  }

  /** All nodes that are alive. */
  alive(): FakePort[] {
    return [...this.nodes.values()].filter((node) => node.alive);
  }

  connection(a: PeerId, b: PeerId): Connection | undefined {
    return this.#connections.get(a < b ? a + b : b + a);
  }

  /** Breaks a connection; both ends are told after a while. */
  breakLink(a: PeerId, b: PeerId, reason: DownReason = "lost"): void {
    const connection = this.connection(a, b);
    if (connection === undefined) return;
    connection.open = false;
    this.#connections.delete(a < b ? a + b : b + a);
    for (const [at, peer] of [[a, b], [b, a]] as const) {
      const node = this.nodes.get(at)!;
      if (node.alive) node.down(peer, reason);
    }
  }

  /** Ends a node without a goodbye. */
  crash(node: FakePort): void {
    node.alive = false;
    for (const other of this.nodes.values()) this.breakLink(node.self, other.self);
  }

  /** Applies the cut: connections over it break. */
  applyCut(): void {
    const nodes = this.alive();
    for (const a of nodes) {
      for (const b of nodes) {
        if (a.self < b.self && this.cut(a.self, b.self)) this.breakLink(a.self, b.self);
      }
    }
  }

  /** The connection between two nodes, dialled where there is none; undefined where that fails. */
  connect(from: FakePort, to: PeerId, delay = this.#delay(this.random)): Connection | undefined {
    const known = this.connection(from.self, to);
    if (known !== undefined) return known;
    const node = this.nodes.get(to);
    if (node === undefined || !node.alive || node.dialOnly || this.cut(from.self, to)) {
      this.queue.after(2 * delay, () => {
        if (from.alive) from.overlay.unreachable(to);
      });
      return undefined;
    }
    const connection: Connection = { open: true, arrival: [0, 0] };
    this.#connections.set(from.self < to ? from.self + to : to + from.self, connection);
    return connection;
  }

  /** Brings a message over, dialling first where need be. */
  send(from: FakePort, to: PeerId, message: OverlayMessage): void {
    this.messages++;
    this.sent[message.type] = (this.sent[message.type] ?? 0) + 1;
    const delay = this.#delay(this.random);
    const connection = this.connect(from, to, delay);
    if (connection === undefined) return;
    const way = from.self < to ? 0 : 1;
    const at = Math.max(connection.arrival[way], this.queue.now + delay);
    connection.arrival[way] = at;
    const link = connection;
    this.queue.after(at - this.queue.now, () => {
      const node = this.nodes.get(to)!;
      if (link.open && node.alive) node.overlay.receive(from.self, message);
    });
  }
}

/** The port of one node, with the overlay on it. */
export class FakePort implements OverlayPort {
  readonly self: PeerId;
  readonly overlay: HyParView;
  readonly dialOnly: boolean;
  readonly blamed: [PeerId, number, string][] = [];
  readonly events: string[] = [];
  readonly held = new Set<PeerId>();
  readonly up = new Set<PeerId>();
  readonly timers = new Set<number>();
  readonly sentTo: [PeerId, OverlayMessage][] = [];
  readonly records = new Map<PeerId, SignedRecord>();
  /** Where false, messages are kept in `sentTo` and not brought over. */
  wired = true;
  alive = true;
  readonly #world: World;

  constructor(world: World, self: PeerId, dialOnly: boolean) {
    this.#world = world;
    this.self = self;
    this.dialOnly = dialOnly;
    this.overlay = new HyParView(this, world.overlay, DEFAULT_LIMITS);
  }

  readonly #rounds = new Rounds(this);
  every(ms: number, fire: (lateMs: number) => void): () => void {
    return this.#rounds.join(ms, fire);
  }
  now(): number {
    return this.#world.queue.now;
  }
  random(): number {
    return this.#world.random();
  }
  after(ms: number, fire: () => void): number {
    const id = this.#world.queue.after(ms, () => {
      this.timers.delete(id);
      if (this.alive) fire();
    });
    this.timers.add(id);
    return id;
  }
  cancel(timer: number): void {
    if (this.timers.delete(timer)) this.#world.queue.cancel(timer);
  }
  record(): SignedRecord {
    return recordFor(this.self, 1, this.dialOnly ? [] : undefined);
  }
  recordOf(peer: PeerId): SignedRecord | undefined {
    return this.records.get(peer) ??
      (this.connected(peer) ? this.#world.nodes.get(peer)?.record() : undefined);
  }
  accept(record: SignedRecord): boolean {
    return record.addresses[0] !== "forged";
  }
  near = (peer: PeerId): boolean => this.connected(peer);
  /** Peers to which a dial has not begun. */
  readonly queuedDials = new Set<PeerId>();
  queued = (peer: PeerId): boolean => this.queuedDials.has(peer);
  /** Neighbours on other topics. */
  base = (): BaseOverlay | undefined => undefined;
  readonly sharedPeers: PeerId[] = [];
  shared = (): PeerId[] => [...this.sharedPeers];
  present = 1;
  messages = 0;
  carried = (): number => this.messages;
  presence = (): number => this.present;
  members(most: number): PeerId[] {
    return this.#world.members(this.self, most);
  }
  connected(peer: PeerId): boolean {
    return this.#world.connection(this.self, peer)?.open ?? this.fakeConnected.has(peer);
  }
  /** Peers that count as connected without a connection. */
  readonly fakeConnected = new Set<PeerId>();
  rtt(peer: PeerId): number | undefined {
    if (!this.connected(peer)) return undefined;
    return this.#world.cost?.(parseInt(this.self, 16), parseInt(peer, 16));
  }
  cost(peer: PeerId): number | undefined {
    return this.rtt(peer);
  }
  connect(peer: PeerId): void {
    if (this.wired) this.#world.connect(this, peer);
    else this.dialed.push(peer);
  }
  /** Peers that were to be dialled while not wired. */
  readonly dialed: PeerId[] = [];
  /** Swaps told: from, to, gain. */
  readonly swaps: [PeerId, PeerId, number][] = [];
  swapped(from: PeerId, to: PeerId, gainMs: number): void {
    this.swaps.push([from, to, gainMs]);
  }
  send(peer: PeerId, message: OverlayMessage): void {
    if (!this.wired) this.sentTo.push([peer, message]);
    else this.#world.send(this, peer, message);
  }
  hold(peer: PeerId): void {
    if (this.held.has(peer)) throw new Error("held twice");
    this.held.add(peer);
  }
  release(peer: PeerId): void {
    if (!this.held.delete(peer)) throw new Error("released without hold");
  }
  neighborUp(peer: PeerId): void {
    if (this.up.has(peer)) throw new Error("up twice");
    this.up.add(peer);
    this.events.push("up");
  }
  neighborDown(peer: PeerId, reason: DownReason): void {
    if (!this.up.delete(peer)) throw new Error("down without up");
    this.events.push(`down ${reason}`);
  }
  isolated(): void {
    this.events.push("isolated");
  }
  rejoined(): void {
    this.events.push("rejoined");
  }
  misbehaved(peer: PeerId, points: number, what: string): void {
    this.blamed.push([peer, points, what]);
  }
  /** Tells the overlay that a connection ended. */
  down(peer: PeerId, reason: DownReason): void {
    this.overlay.peerDown(peer, reason);
  }
}

/** Members of the part of the overlay that holds most nodes. */
export function largestPart(nodes: readonly FakePort[]): number {
  const seen = new Set<PeerId>();
  const byId = new Map(nodes.map((node) => [node.self, node]));
  let largest = 0;
  for (const start of nodes) {
    if (seen.has(start.self)) continue;
    const stack = [start.self];
    seen.add(start.self);
    let size = 0;
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      size++;
      for (const peer of byId.get(id)!.overlay.active) {
        if (!seen.has(peer) && byId.has(peer)) {
          seen.add(peer);
          stack.push(peer);
        }
      }
    }
    largest = Math.max(largest, size);
  }
  return largest;
}

/** Half links: pairs of which only one has the other in its active view. */
export function halfLinks(nodes: readonly FakePort[]): string[] {
  const byId = new Map(nodes.map((node) => [node.self, node]));
  const found: string[] = [];
  for (const node of nodes) {
    for (const peer of node.overlay.active) {
      if (!byId.get(peer)?.overlay.isActive(node.self)) {
        found.push(`${parseInt(node.self, 16)}->${parseInt(peer, 16)}`);
      }
    }
  }
  return found;
}
