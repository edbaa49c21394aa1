/**
 * A deterministic world of trees in virtual time: seeded, FIFO per lane and direction, lanes overtake one another.
 *
 * @module
 */

import { hash } from "node:crypto";
import { DEFAULT_LIMITS, type Limits } from "../../../src/limits.ts";
import { treeDefaults } from "../../../src/options.ts";
import { Plumtree, type PlumtreeOptions } from "../../../src/core/tree/plumtree.ts";
import type { TreeMessage, TreePort, Verdict } from "../../../src/core/tree/port.ts";
import { Frame, type Lane } from "../../../src/wire/frames.ts";
import { sha256 as plainSha256 } from "../../wire/sha256.ts";

export const text = new TextEncoder();
const ALIAS = 7;

export function rng(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = (t + Math.imul(t ^ t >>> 7, 61 | t)) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 0x1_0000_0000;
  };
}

export function peerId(index: number): string {
  return hash("sha256", `peer ${index}`, "hex") as string;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer") as Uint8Array;
}

export function seal(author: string, message: Uint8Array): Uint8Array {
  const both = new Uint8Array(64 + message.length);
  both.set(text.encode(author));
  both.set(message, 64);
  const digest = sha256(both), signature = new Uint8Array(64);
  signature.set(digest);
  signature.set(digest, 32);
  return signature;
}

interface Event {
  at: number;
  order: number;
  run: () => void;
  cancelled: boolean;
}

export interface WorldOptions {
  seed?: number;
  /** One way, in ms. */
  latency?: (from: number, to: number, random: () => number, lane: Lane) => number;
  tree?: Partial<PlumtreeOptions>;
  limits?: Partial<Limits>;
  /** Frames for which this is false are refused by the sender's lane. */
  room?: (from: number, to: number, lane: Lane, kind: number) => boolean;
  /** Nodes learn of the end of their turns, which is before anything else happens. */
  turns?: boolean;
}

export class TestNode {
  readonly id: string;
  readonly delivered = new Map<string, number>();
  readonly messages: TreeMessage[] = [];
  readonly missed: [string, string][] = [];
  readonly rejected: [string, string][] = [];
  readonly blamed: [string, number, string][] = [];
  readonly tree: Plumtree;
  validate: (message: TreeMessage) => Verdict | undefined = () => "accept";
  keep = true;
  /** Signatures made and checked. */
  signed = 0;
  checked = 0;

  constructor(readonly world: World, readonly index: number, tree: Partial<PlumtreeOptions>) {
    this.id = peerId(index);
    const options: PlumtreeOptions = {
      ...treeDefaults("lan"),
      sign: false,
      history: "none",
      incarnation: 1_000,
      ...world.options.tree,
      ...tree,
    };
    this.tree = new Plumtree(this.#port(), options, {
      ...DEFAULT_LIMITS,
      ...world.options.limits,
    });
  }

  publish(payload: string | Uint8Array, priority?: "high" | "normal" | "bulk"): string {
    return this.tree.publish(typeof payload === "string" ? text.encode(payload) : payload, priority)
      .id;
  }

  #port(): TreePort {
    const { world } = this;
    return {
      self: this.id,
      alias: ALIAS,
      key: new Uint8Array(32).fill(9),
      now: () => world.now,
      random: world.random,
      after: (ms, fire) => world.after(ms, fire),
      cancel: (timer) => world.cancel(timer),
      send: (peer, lane, head, body) => world.send(this, peer, lane, head, body),
      rtt: (peer) => world.rtt(this.id, peer),
      sha256: plainSha256,
      soon: world.options.turns ? (fire) => void world.after(0, fire) : undefined,
      sign: (message) => {
        this.signed++;
        return seal(this.id, message);
      },
      verify: (author, message, signature) => {
        this.checked++;
        return seal(author, message).every((byte, i) => byte === signature[i]);
      },
      validate: (message) => this.validate(message),
      deliver: (message) => {
        world.deliveries++;
        if (!this.keep) return;
        this.delivered.set(message.id, (this.delivered.get(message.id) ?? 0) + 1);
        this.messages.push(message);
      },
      missed: (id, why) => this.missed.push([id, why]),
      rejected: (id, _via, why) => this.rejected.push([id, why]),
      misbehaved: (peer, points, what) => this.blamed.push([peer, points, what]),
    };
  }
}

export class World {
  now = 1_000;
  deliveries = 0;
  readonly random: () => number;
  readonly nodes: TestNode[] = [];
  readonly frames = new Map<number, number>();
  readonly bytes = new Map<number, number>();
  /** Links by "a>b"; the value changes with every life, and frames of an earlier one are lost. */
  readonly lives = new Map<string, number>();
  readonly options: WorldOptions;
  /** Called for each frame; true drops it although the sender thinks it sent. */
  drop: (from: number, to: number, kind: number) => boolean = () => false;
  #heap: Event[] = [];
  #timers = new Map<number, Event>();
  #order = 0;
  #life = 0;
  #lastAt = new Map<string, number>();
  #byId = new Map<string, TestNode>();

  constructor(options: WorldOptions = {}) {
    this.options = options;
    this.random = rng(options.seed ?? 1);
  }

  add(tree: Partial<PlumtreeOptions> = {}): TestNode {
    const node = new TestNode(this, this.nodes.length, tree);
    this.nodes.push(node);
    this.#byId.set(node.id, node);
    return node;
  }

  spawn(count: number, tree: Partial<PlumtreeOptions> = {}): TestNode[] {
    return Array.from({ length: count }, () => this.add(tree));
  }

  link(a: TestNode, b: TestNode): void {
    const life = ++this.#life;
    this.lives.set(`${a.index}>${b.index}`, life);
    this.lives.set(`${b.index}>${a.index}`, life);
    a.tree.neighborUp(b.id);
    b.tree.neighborUp(a.id);
  }

  cut(a: TestNode, b: TestNode): void {
    this.lives.delete(`${a.index}>${b.index}`);
    this.lives.delete(`${b.index}>${a.index}`);
    a.tree.neighborDown(b.id);
    b.tree.neighborDown(a.id);
  }

  rtt(from: string, to: string): number {
    void from, to;
    return 2;
  }

  after(ms: number, run: () => void): number {
    const event = this.#schedule(this.now + ms, run);
    this.#timers.set(event.order, event);
    return event.order;
  }

  cancel(timer: number): void {
    const event = this.#timers.get(timer);
    if (event) event.cancelled = true;
    this.#timers.delete(timer);
  }

  send(from: TestNode, to: string, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    const target = this.#byId.get(to);
    const key = target && `${from.index}>${target.index}`;
    const life = key && this.lives.get(key);
    if (!target || !key || !life) return false;
    const kind = head[0]!;
    if (this.options.room?.(from.index, target.index, lane, kind) === false) return false;
    this.frames.set(kind, (this.frames.get(kind) ?? 0) + 1);
    const size = head.length + (body?.length ?? 0);
    this.bytes.set(kind, (this.bytes.get(kind) ?? 0) + size);
    if (this.drop(from.index, target.index, kind)) return true;
    const bytes = new Uint8Array(size);
    bytes.set(head);
    if (body) bytes.set(body, head.length);
    const latency = this.options.latency?.(from.index, target.index, this.random, lane) ?? 1;
    const lastKey = `${key}/${lane}`;
    const at = Math.max(this.now + latency, this.#lastAt.get(lastKey) ?? 0);
    this.#lastAt.set(lastKey, at);
    this.#schedule(at, () => {
      if (this.lives.get(key) === life) target.tree.receive(from.id, kind, bytes, 2, size);
    });
    return true;
  }

  /** Delivers a frame as if `from` had sent it. */
  inject(from: TestNode, to: TestNode, frame: Uint8Array): void {
    to.tree.receive(from.id, frame[0]!, frame, 2, frame.length);
  }

  run(ms: number): void {
    const until = this.now + ms;
    for (let event = this.#heap[0]; event && event.at <= until; event = this.#heap[0]) {
      this.#pop();
      this.#timers.delete(event.order);
      if (event.cancelled) continue;
      this.now = Math.max(this.now, event.at);
      event.run();
    }
    this.now = until;
  }

  close(): void {
    for (const node of this.nodes) node.tree.close();
  }

  get timers(): number {
    return this.#timers.size;
  }

  payloads(): number {
    return this.frames.get(Frame.GOSSIP) ?? 0;
  }

  /** Pairs of linked nodes of which only one thinks that the link is eager. */
  asymmetric(): string[] {
    const apart: string[] = [];
    for (const key of this.lives.keys()) {
      const [a, b] = key.split(">").map((i) => this.nodes[Number(i)]!) as [TestNode, TestNode];
      if (a.tree.eagerPeers.includes(b.id) !== b.tree.eagerPeers.includes(a.id)) apart.push(key);
    }
    return apart;
  }

  eagerEdges(): [number, number][] {
    const edges: [number, number][] = [];
    for (const node of this.nodes) {
      for (const peer of node.tree.eagerPeers) {
        const other = this.nodes.findIndex((each) => each.id === peer);
        if (node.index < other) edges.push([node.index, other]);
      }
    }
    return edges;
  }

  #schedule(at: number, run: () => void): Event {
    const event = { at, order: ++this.#order, run, cancelled: false };
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
    return event;
  }

  #pop(): void {
    const heap = this.#heap, last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Links nodes as the edges say. */
export function connect(world: World, edges: readonly (readonly [number, number])[]): void {
  for (const [a, b] of edges) world.link(world.nodes[a]!, world.nodes[b]!);
}

/** Edges of a random connected graph: a random tree and `extra` more. */
export function randomGraph(n: number, extra: number, random: () => number): [number, number][] {
  const edges: [number, number][] = [];
  const seen = new Set<string>();
  for (let i = 1; i < n; i++) edges.push([Math.floor(random() * i), i]);
  for (const [a, b] of edges) seen.add(`${a},${b}`);
  for (let i = 0; i < extra; i++) {
    const a = Math.floor(random() * n), b = Math.floor(random() * n);
    const low = Math.min(a, b), high = Math.max(a, b);
    if (low === high || seen.has(`${low},${high}`)) continue;
    seen.add(`${low},${high}`);
    edges.push([low, high]);
  }
  return edges;
}

/** True where the edges are a spanning tree of `n` nodes. */
export function isSpanningTree(n: number, edges: readonly (readonly [number, number])[]): boolean {
  if (edges.length !== n - 1) return false;
  const root = Array.from({ length: n }, (_, i) => i);
  const find = (i: number): number => root[i] === i ? i : (root[i] = find(root[i]!));
  for (const [a, b] of edges) {
    if (find(a) === find(b)) return false;
    root[find(a)] = find(b);
  }
  return true;
}

/** A world of nodes in a row, settled. */
export function line(n: number, options: WorldOptions = {}): [World, TestNode[]] {
  const world = new World(options);
  const nodes = world.spawn(n);
  connect(world, Array.from({ length: n - 1 }, (_, i) => [i, i + 1]));
  world.run(3_000);
  return [world, nodes];
}
