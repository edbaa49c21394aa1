import type { DownReason, PeerId, TimerId } from "../../src/core/host.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/limits.ts";
import type { RequestPort } from "../../src/request/port.ts";
import { Requests } from "../../src/request/requests.ts";
import type { Lane } from "../../src/wire/frames.ts";
import { VirtualTime } from "../support/virtual_time.ts";

/** An id that ends with a number. */
export function idOf(index: number): PeerId {
  return index.toString(16).padStart(64, "0");
}

function join(head: Uint8Array, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** A frame that was handed to the transport. */
export interface SentFrame {
  readonly to: PeerId;
  readonly lane: Lane;
  readonly bytes: Uint8Array;
}

/** A node with a request layer and nothing else. */
export class FakeNode implements RequestPort {
  readonly self: PeerId;
  readonly net: FakeNet;
  readonly requests: Requests;
  readonly links = new Set<PeerId>();
  readonly sent: SentFrame[] = [];
  readonly accused: { peer: PeerId; points: number; what: string }[] = [];
  readonly faults: unknown[] = [];
  readonly holds = new Map<PeerId, number>();
  /** Peers whose address is known. */
  readonly known = new Set<PeerId>();
  readonly dialled: PeerId[] = [];
  /** Bytes that each lane takes before it is full; they leave at `bytesPerMs`. */
  laneBytes = Infinity;
  bytesPerMs = Infinity;
  readonly #queued = new Map<string, number>();

  constructor(net: FakeNet, index: number, limits: Partial<Limits>) {
    this.net = net;
    this.self = idOf(index);
    this.requests = new Requests(this, { ...DEFAULT_LIMITS, ...limits });
  }

  now(): number {
    return this.net.time.now();
  }
  random(): number {
    return this.net.time.random();
  }
  after(ms: number, fire: () => void): TimerId {
    return this.net.time.after(ms, fire);
  }
  cancel(timer: TimerId): void {
    this.net.time.cancel(timer);
  }
  connected(peer: PeerId): boolean {
    return this.links.has(peer);
  }
  connect(peer: PeerId): boolean {
    if (!this.known.has(peer)) return false;
    this.dialled.push(peer);
    return true;
  }
  hold(peer: PeerId): void {
    if (!this.links.has(peer)) throw new Error("held without a connection");
    this.holds.set(peer, (this.holds.get(peer) ?? 0) + 1);
  }
  release(peer: PeerId): void {
    const count = this.holds.get(peer) ?? 0;
    if (count === 0) throw new Error("released more often than held");
    this.holds.set(peer, count - 1);
  }
  misbehaved(peer: PeerId, points: number, what: string): void {
    this.accused.push({ peer, points, what });
  }
  handlerFailed(_peer: PeerId, _protocol: string, cause: unknown): void {
    this.faults.push(cause);
  }

  send(to: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    if (!this.links.has(to)) return false;
    const key = `${to} ${lane}`;
    const size = head.length + (body?.length ?? 0);
    const queued = this.#queued.get(key) ?? 0;
    if (queued + size > this.laneBytes) return false;
    this.#queued.set(key, queued + size);
    const bytes = join(head, body);
    this.sent.push({ to, lane, bytes });
    const wait = this.net.latencyMs + (queued + size) / this.bytesPerMs;
    this.after(wait, () => {
      this.#queued.set(key, this.#queued.get(key)! - size);
      // Read only now, as a transport may: whoever changed them meanwhile is found out.
      const arrived = join(head, body);
      if (this.links.has(to)) this.net.nodes.get(to)?.requests.receive(this.self, arrived);
    });
    return true;
  }

  /** Frames of a kind that were sent. */
  kinds(kind: number): SentFrame[] {
    return this.sent.filter(({ bytes }) => bytes[0] === kind);
  }
}

/** Nodes, the links between them, and time. */
export class FakeNet {
  readonly time = new VirtualTime();
  readonly nodes = new Map<PeerId, FakeNode>();
  latencyMs = 5;

  add(limits: Partial<Limits> = {}): FakeNode {
    const node = new FakeNode(this, this.nodes.size + 1, limits);
    this.nodes.set(node.self, node);
    return node;
  }

  /** Two connected nodes: the one that asks and the one that answers. */
  pair(asks: Partial<Limits> = {}, answers: Partial<Limits> = {}): [FakeNode, FakeNode] {
    const a = this.add(asks), b = this.add(answers);
    this.link(a, b);
    return [a, b];
  }

  link(a: FakeNode, b: FakeNode): void {
    a.links.add(b.self);
    b.links.add(a.self);
    a.requests.peerUp(b.self);
    b.requests.peerUp(a.self);
  }

  cut(a: FakeNode, b: FakeNode, reason: DownReason = "lost"): void {
    a.links.delete(b.self);
    b.links.delete(a.self);
    a.requests.peerDown(b.self, reason);
    b.requests.peerDown(a.self, reason);
  }

  /** Closes all nodes; true where nothing is left behind: no timer of theirs, no hold. */
  close(): boolean {
    for (const node of this.nodes.values()) node.requests.close();
    return [...this.nodes.values()].every(({ holds }) =>
      [...holds.values()].every((count) => count === 0)
    );
  }
}

/** Bytes that tell where they are. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255);
}
