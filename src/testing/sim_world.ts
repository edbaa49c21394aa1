/**
 * What all nodes of a simulated network share: time, chance, delays, the cut between them, and the trace. Internal; `SimFabric` is its door.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../checks.ts";
import type { DownReason, PeerId } from "../core/host.ts";
import { type Bandwidth, checkBandwidth } from "./bandwidth.ts";
import { type Latency, LatencyModel } from "./latency.ts";
import { Rng } from "./rng.ts";
import { reasonCode, type TraceEvent, TraceHash } from "./sim_trace.ts";
import type { SimNode } from "./sim_node.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/**
 * How a simulated network behaves.
 *
 * @example
 * ```ts
 * import { Network, type NetworkOptions } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const options: NetworkOptions = { seed: "lossy", latencyMs: [10, 50], loss: 0.01 };
 * await using net = new Network(options);
 * assertEquals(net.nodes, []);
 * ```
 */
export interface SimFabricOptions {
  /** One seed gives one run. Default 1. */
  seed?: number | string;
  /**
   * One-way delay in ms. A number holds everywhere; `[min, max]` gives each pair of nodes its own delay in that range, the same both
   * ways, `{ kind: "normal" }` one from a normal distribution; `{ kind: "matrix" }` and `regions()` go by the places of both; a function
   * is asked once per link and direction. Default 10.
   */
  latencyMs?: Latency;
  /**
   * Random delay per frame on top, as a share of the link's own; never beyond `max` of a range. Default 0.1 for a range and
   * a normal distribution, else 0.
   */
  jitter?: number;
  /**
   * Probability that a segment of 1,400 bytes is lost. Below a link there is TCP: the frame, and everything behind it, comes later by a
   * retransmission timeout of max(200 ms, two round trips), doubled for each further loss. Default 0.
   */
  loss?: number;
  /** Probability, per frame, that the connection breaks instead. Default `loss / 1000`. */
  linkLoss?: number;
  /**
   * What each node can send and take. A message then leaves when the uplink is free, control first, in chunks as over TCP, and arrives
   * when the receiver's downlink is through with it. Default: no bound.
   */
  bandwidth?: Bandwidth;
  /** Milliseconds after which silence ends a link; each end notices after a random part, between half and all of it. Default 5000. */
  detectMs?: number;
  /** Milliseconds after which a dial that nobody answers is given up. Default 10_000. */
  dialTimeoutMs?: number;
  /** Milliseconds without a hold and without a frame after which a node closes a link. Default 30_000. */
  idleMs?: number;
  /** Milliseconds since 1970 at virtual time 0. Default 2025-01-01. */
  epochMs?: number;
  /**
   * How far, in virtual ms, time may move on before asynchronous user code that has something to do gets its turn. More runs faster
   * and makes that code late by as much. Default 0: it runs before anything of a later time.
   */
  asyncSlackMs?: number;
}

const FABRIC_OPTIONS: OptionNames<SimFabricOptions> = {
  seed: true,
  latencyMs: true,
  jitter: true,
  loss: true,
  linkLoss: true,
  bandwidth: true,
  detectMs: true,
  dialTimeoutMs: true,
  idleMs: true,
  epochMs: true,
  asyncSlackMs: true,
};

/** Refuses what are no options, no probabilities and no times. */
export function checkFabric(options: SimFabricOptions): void {
  checkOptions(options, FABRIC_OPTIONS);
  const demand = (name: keyof SimFabricOptions, most: number, positive = false) => {
    const value = options[name];
    if (value === undefined) return;
    if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
    if (!(value >= 0 && value <= most) || (positive && value === 0)) {
      throw new RangeError(`${name} out of range: ${value}`);
    }
  };
  demand("jitter", Number.MAX_VALUE);
  demand("loss", 1);
  demand("linkLoss", 1);
  demand("detectMs", Infinity, true);
  demand("dialTimeoutMs", Infinity, true);
  demand("idleMs", Infinity, true);
  demand("epochMs", Number.MAX_SAFE_INTEGER);
  demand("asyncSlackMs", Infinity);
}

/** Joined frames up to a quarter of this share an allocation, which costs Deno more than a microsecond each. */
const SLAB_BYTES = 16_384;
const SEGMENT_BYTES = 1_400;
const LEAST_RTO_MS = 200;
const MOST_RETRANSMISSIONS = 8;

/** See the module. */
export class SimWorld {
  readonly clock: VirtualClock;
  readonly rng: Rng;
  readonly hash: TraceHash = new TraceHash();
  readonly detectMs: number;
  readonly dialTimeoutMs: number;
  readonly idleMs: number;
  readonly epochMs: number;
  readonly nodes: Map<PeerId, SimNode> = new Map();
  readonly places: Map<string, SimNode> = new Map();
  trace: ((event: TraceEvent) => void) | undefined;
  frames = 0;
  bytes = 0;
  lost = 0;
  retransmitted = 0;
  broken = 0;
  /** True while a partition holds; spares every frame the look at groups. */
  divided = false;
  oneWay = false;
  readonly latency: LatencyModel;
  readonly bandwidth: Bandwidth | undefined;
  readonly #chance: Rng;
  readonly #jitter: number;
  readonly #loss: number;
  readonly #linkLoss: number;
  // The pair of a fan-out, joined once: receivers never write to what they get.
  #head: Uint8Array | undefined;
  #body: Uint8Array | undefined;
  #slab: Uint8Array = new Uint8Array(0);
  #slabUsed = 0;
  /** The frame that {@linkcode join} made: `joined[joinedStart, joinedEnd)`. */
  joined: Uint8Array = this.#slab;
  joinedStart = 0;
  joinedEnd = 0;

  constructor(clock: VirtualClock, options: SimFabricOptions) {
    this.clock = clock;
    this.rng = new Rng(options.seed ?? 1);
    this.#chance = this.rng.fork("links");
    this.latency = new LatencyModel(options.latencyMs ?? 10, this.rng.fork("pairs").uint32());
    this.#jitter = options.jitter ?? this.latency.jitter;
    this.bandwidth = options.bandwidth;
    if (this.bandwidth !== undefined) checkBandwidth(this.bandwidth);
    this.#loss = options.loss ?? 0;
    this.#linkLoss = options.linkLoss ?? this.#loss / 1_000;
    this.detectMs = options.detectMs ?? 5_000;
    this.dialTimeoutMs = options.dialTimeoutMs ?? 10_000;
    this.idleMs = options.idleMs ?? 30_000;
    this.epochMs = options.epochMs ?? 1_735_689_600_000;
  }

  /** The link's own one-way delay, without jitter and slowness. */
  baseLatency(from: SimNode, to: SimNode): number {
    return this.latency.between(from, to);
  }

  /** A round trip as a ping would measure it, without jitter. */
  rtt(a: SimNode, b: SimNode): number {
    return this.baseLatency(a, b) + this.baseLatency(b, a) + 2 * (a.extraMs + b.extraMs);
  }

  /** The delay of one frame of `bytes`, or -1 where the connection breaks under it. */
  frameDelay(base: number, extra: number, bytes: number): number {
    let delay = base;
    if (this.#jitter > 0) {
      delay += base * this.#jitter * this.#chance.next();
      if (delay > this.latency.most) delay = this.latency.most;
    }
    delay += extra;
    if (this.#linkLoss > 0 && this.#chance.next() < this.#linkLoss) {
      this.broken++;
      return -1;
    }
    if (this.#loss > 0) delay += this.lossDelay(2 * (base + extra), bytes);
    return delay;
  }

  /** What lost segments cost a frame of `bytes`. */
  lossDelay(rtt: number, bytes: number): number {
    const share = Math.min(0.9, this.#loss * Math.ceil(bytes / SEGMENT_BYTES));
    if (this.#loss === 0 || this.#chance.next() >= share) return 0;
    let wait = Math.max(LEAST_RTO_MS, 2 * rtt), sum = wait;
    this.retransmitted++;
    for (let i = 1; i < MOST_RETRANSMISSIONS && this.#chance.next() < this.#loss; i++) {
      wait *= 2;
      sum += wait;
    }
    return sum;
  }

  /** When silence that begins now is noticed. */
  detectionDelay(): number {
    return this.detectMs * (0.5 + 0.5 * this.#chance.next());
  }

  /** A random wait below `ms`. */
  someOf(ms: number): number {
    return ms * this.#chance.next();
  }

  /** True where nothing gets from one node to the other. */
  blocked(from: SimNode, to: SimNode): boolean {
    return this.divided && from.group !== to.group && (!this.oneWay || from.group === 1);
  }

  /** Brings head and body into one piece. */
  join(head: Uint8Array, body: Uint8Array | undefined): void {
    if (head === this.#head && body === this.#body) return;
    this.#head = head;
    this.#body = body;
    if (body === undefined || body.length === 0) {
      this.joined = head;
      this.joinedStart = 0;
      this.joinedEnd = head.length;
      return;
    }
    const length = head.length + body.length;
    if (length > SLAB_BYTES / 4) {
      this.joined = new Uint8Array(length);
      this.joinedStart = 0;
    } else {
      if (this.#slabUsed + length > this.#slab.length) {
        this.#slab = new Uint8Array(SLAB_BYTES);
        this.#slabUsed = 0;
      }
      this.joined = this.#slab;
      this.joinedStart = this.#slabUsed;
      this.#slabUsed += length;
    }
    this.joinedEnd = this.joinedStart + length;
    this.joined.set(head, this.joinedStart);
    this.joined.set(body, this.joinedStart + head.length);
  }

  traceFrame(from: SimNode, to: SimNode, kind: number, length: number): void {
    this.frames++;
    this.bytes += length;
    this.#record(1, from, to, kind, length);
    if (this.trace !== undefined) {
      const time = this.clock.now();
      this.trace({ type: "frame", time, from: from.id, to: to.id, kind, length });
    }
  }

  traceUp(from: SimNode, to: SimNode, direction: "in" | "out"): void {
    this.#record(2, from, to, direction === "in" ? 0 : 1, 0);
    this.trace?.({ type: "up", time: this.clock.now(), from: from.id, to: to.id, direction });
  }

  traceDown(from: SimNode, to: SimNode, reason: DownReason): void {
    this.#record(3, from, to, reasonCode(reason), 0);
    this.trace?.({ type: "down", time: this.clock.now(), from: from.id, to: to.id, reason });
  }

  traceFault(what: (TraceEvent & { type: "fault" })["what"], nodes: readonly SimNode[]): void {
    this.hash.time(this.clock.now());
    this.hash.word(what.length << 8 | 4);
    for (const node of nodes) this.hash.word(node.key);
    this.trace?.({ type: "fault", time: this.clock.now(), what, nodes: nodes.length });
  }

  #record(type: number, from: SimNode, to: SimNode, kind: number, length: number): void {
    const hash = this.hash;
    hash.time(this.clock.now());
    hash.word(from.key);
    hash.word(to.key);
    hash.word(type | kind << 8);
    hash.word(length);
  }
}
