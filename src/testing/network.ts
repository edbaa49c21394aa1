/**
 * A simulated network: the same nodes as over TCP, under virtual time.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { abortNode, type Gossip, startOn } from "../gossip.ts";
import { fillOptions } from "../gossip_options.ts";
import {
  checkSpawn,
  isNew,
  listOf,
  milliseconds,
  type Sides,
  sidesOf,
  type Simulated,
  skewOf,
  type SpawnOptions,
} from "./network_options.ts";
import type { Rng } from "./rng.ts";
import { shareRecords } from "./shared_records.ts";
import { simCrypto, simPeerId, simSign } from "./sim_crypto.ts";
import { SimFabric, type SimFabricMetrics, type SimFabricOptions } from "./sim_fabric.ts";
import type { SimNodeOptions } from "./sim_node.ts";
import type { TraceEvent } from "./sim_trace.ts";
import type { SimTransport } from "./sim_transport.ts";

/** How many earlier nodes a spawned node has as contacts. */
const CONTACTS = 2;

/**
 * A network of nodes without sockets. Nothing moves but in {@linkcode Network.run} and {@linkcode Network.until}; one seed
 * gives one run, bit for bit. The nodes are those of the library over simulated connections: no sockets, no encryption, and signatures
 * that are hashes, fast and worth nothing outside.
 *
 * @example
 * ```ts
 * import { Network } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using net = new Network({ seed: 42, latencyMs: [10, 50] });
 * const nodes = await net.spawn(20, { join: ["blocks"] });
 * await net.run({ seconds: 10 });
 * await nodes[0]!.topic("blocks")!.publish("hello");
 * await net.run({ seconds: 2 });
 * for (const node of nodes.slice(1)) {
 *   assertEquals(node.topic("blocks")!.metrics().delivered, 1);
 * }
 * ```
 */
export class Network implements AsyncDisposable {
  readonly #fabric: SimFabric;
  readonly #seed: number | string;
  readonly #nodes = new Map<PeerId, Simulated>();
  readonly #own = new WeakSet<Gossip>();
  readonly #chance: Rng;
  #spawned = 0;

  /**
   * Makes an empty network at virtual time 0.
   *
   * @param options Seed, latency, loss and the times of links; see `NetworkOptions`.
   */
  constructor(options: SimFabricOptions = {}) {
    this.#fabric = new SimFabric(options);
    this.#seed = options.seed ?? 1;
    this.#chance = this.#fabric.rng("faults");
  }

  /** Milliseconds of virtual time so far. */
  get now(): number {
    return this.#fabric.clock.now();
  }

  /** The nodes that run: without those that were killed or closed. */
  get nodes(): Gossip[] {
    return this.#fabric.ids().map((id) => this.#nodes.get(id)!.gossip);
  }

  /**
   * A hash over everything that has happened: the same seed and the same calls give the same one.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * async function run(seed: number): Promise<string> {
   *   await using net = new Network({ seed });
   *   await net.spawn(3, { join: ["news"] });
   *   await net.run({ seconds: 2 });
   *   return net.traceHash;
   * }
   * assertEquals(await run(7), await run(7));
   * ```
   */
  get traceHash(): string {
    return this.#fabric.traceHash;
  }

  /**
   * Is told every frame that arrives, every link that comes up or ends, and every fault, as they happen: what
   * {@linkcode Network.traceHash} takes in, in words. Costs time while it is set.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1, latencyMs: 10 });
   * const seen: string[] = [];
   * net.trace = (event) => seen.push(`${event.time} ${event.type}`);
   * const [a, b] = await net.spawn(2);
   * await net.until(a!.connect(b!.address));
   * net.trace = undefined;
   * assertEquals(seen[0], "40 up");
   * ```
   */
  get trace(): ((event: TraceEvent) => void) | undefined {
    return this.#fabric.trace;
  }

  /** Sets who is told; undefined ends it. */
  set trace(listener: ((event: TraceEvent) => void) | undefined) {
    this.#fabric.trace = listener;
  }

  /**
   * Starts `count` nodes. Without `bootstrap` each knows up to two random earlier nodes. They find one another when time
   * moves on. Rejects with TypeError or RangeError for a count or options that are none.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1 });
   * const [hub] = await net.spawn(1, { join: ["news"] });
   * await net.spawn(4, { join: ["news"], bootstrap: [hub!.address] });
   * assertEquals(await net.until(() => hub!.topic("news")!.neighbors.length === 4), true);
   * ```
   */
  spawn(count: number, options: SpawnOptions = {}): Promise<Gossip[]> {
    // What it throws rejects.
    return new Promise((resolve) => resolve(this.#spawn(count, options)));
  }

  /**
   * Starts a node that was killed again, with its address and the topics that {@linkcode SpawnOptions.join} named; what it joined or handled
   * otherwise is its program's to repeat. The object is a new one. A running node is closed first.
   *
   * @param node The node.
   * @param options `identity`: "same" (default) keeps the id, "new" makes another one, as where a disk was lost.
   * @throws {RangeError} for a node of another network.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals, assertNotEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1 });
   * const [a, b] = await net.spawn(2, { join: ["news"] });
   * net.kill([b!]);
   * await net.run({ seconds: 10 });
   * const again = await net.restart(b!);
   * await net.until(again.topic("news")!.ready());
   * assertEquals(again.topic("news")!.neighbors, [a!.id]);
   * const other = await net.restart(again, { identity: "new" });
   * assertNotEquals(other.id, b!.id);
   * assertEquals(other.address, b!.address);
   * ```
   */
  async restart(node: Gossip, options: { identity?: "same" | "new" } = {}): Promise<Gossip> {
    const { options: spawn, manners } = this.#known(node), fresh = isNew(options);
    await node.close();
    const id = fresh ? simPeerId(this.#seed, this.#spawned++) : node.id;
    return this.#start(id, this.#fabric.restart(node.id, manners, id), spawn, manners);
  }

  /**
   * Lets virtual time pass. What nodes and their users do in it takes no time.
   *
   * @throws {RangeError} for seconds that are none.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network();
   * await net.run({ seconds: 3_600 });
   * assertEquals(net.now, 3_600_000);
   * ```
   */
  async run(time: { seconds: number }): Promise<void> {
    await this.#fabric.clock.run(this.now + milliseconds(time));
  }

  /**
   * Lets virtual time pass until a condition holds or a promise settles, at most `seconds` (default 60). To await a promise that
   * only settles as time passes, without this or {@linkcode Network.run}, waits for ever.
   *
   * @returns What the promise resolved with; true where the condition held, false where time was up.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1 });
   * const [a, b] = await net.spawn(2, { join: ["news"] });
   * await net.until(a!.topic("news")!.ready());
   * assertEquals(await net.until(() => a!.directory.size === 2, { seconds: 10 }), true);
   * assertEquals(await net.until(() => b!.peers().length > 1, { seconds: 1 }), false);
   * ```
   */
  async until<T>(
    goal: Promise<T> | (() => boolean),
    time: { seconds?: number } = {},
  ): Promise<T | boolean> {
    const deadline = this.now + milliseconds({ ...time, seconds: time.seconds ?? 60 }, Infinity);
    if (typeof goal === "function") return await this.#fabric.clock.runUntil(goal, deadline);
    if (!(goal instanceof Promise)) throw new TypeError("goal is a function or a promise");
    let settled = false;
    const mark = () => void (settled = true);
    goal.then(mark, mark);
    return await this.#fabric.clock.runUntil(() => settled, deadline) ? await goal : false;
  }

  /**
   * Cuts the network; replaces the cut that held. Connections across it go silent and are given up after `detectMs`.
   *
   * @param sides Nodes, cut off from all others; or several groups, each cut off from the rest; or the share of nodes, drawn by chance, that
   *   is cut off from the others.
   * @param options `oneWay`: only what the (first) side sends is held back, it still hears the others.
   * @returns The nodes of the (first) side.
   * @throws {RangeError} for a share that is not between 0 and 1.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1 });
   * const [a, b] = await net.spawn(2, { join: ["news"] });
   * await net.until(a!.topic("news")!.ready());
   * net.partition([a!]);
   * await net.run({ seconds: 10 });
   * assertEquals(b!.topic("news")!.neighbors, []);
   * net.heal();
   * assertEquals(await net.until(() => b!.topic("news")!.neighbors.length === 1), true);
   * assertEquals(net.partition(0.5).length, 1);
   * ```
   */
  partition(sides: Sides, options: { oneWay?: boolean } = {}): Gossip[] {
    const groups = sidesOf(sides, this.nodes, this.#chance);
    this.#fabric.partition(
      groups.map((nodes) => nodes.map((node) => this.#known(node).gossip.id)),
      options,
    );
    return groups[0] ?? [];
  }

  /**
   * Breaks connections, as a cable that is pulled out: both ends notice by the silence, after `detectMs` at most, and may dial again.
   *
   * @param which Two nodes, or the share of all connections, each with this chance.
   * @returns How many broke.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1 });
   * const [a, b] = await net.spawn(2, { join: ["news"] });
   * await net.until(a!.topic("news")!.ready());
   * assertEquals(net.breakLinks([a!, b!]), 1);
   * assertEquals(await net.until(() => a!.topic("news")!.neighbors.length === 0), true);
   * ```
   */
  breakLinks(which: readonly [Gossip, Gossip] | number): number {
    if (typeof which !== "number") {
      const [a, b] = which.map((node) => this.#known(node).gossip.id);
      return this.#fabric.breakLink(a!, b!) ? 1 : 0;
    }
    return this.#fabric.breakLinks(which, this.#chance);
  }

  /** Ends the cut: nodes find one another again as they would in a real network. */
  heal(): void {
    this.#fabric.heal();
  }

  /** Crashes nodes: their peers notice by silence, after `detectMs` at most; their iterations end. */
  kill(nodes: readonly Gossip[]): void {
    for (const gossip of listOf(nodes).map((node) => this.#known(node).gossip)) {
      this.#fabric.kill(gossip.id);
      void abortNode(gossip);
    }
  }

  /** Delays everything that a node sends and receives by `ms` milliseconds; 0 ends it. RangeError for a time that is none. */
  slow(node: Gossip, ms: number): void {
    this.#fabric.slow(this.#known(node).gossip.id, ms);
  }

  /**
   * Blocks a node's event loop for `ms` milliseconds: its timers and what it receives are handled late, in order, and it knows that it was
   * late. Nodes that hear nothing from it for long (`detectMs`) give their links to it up.
   *
   * @throws {RangeError} for a time that is none.
   *
   * @example
   * ```ts
   * import { Network } from "@x/plumtree/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using net = new Network({ seed: 1, latencyMs: 10 });
   * const [a, b] = await net.spawn(2, { join: ["news"] });
   * await net.run({ seconds: 5 });
   * net.stall(b!, 1_000);
   * await a!.topic("news")!.publish("late");
   * await net.run({ seconds: 0.9 });
   * assertEquals(b!.topic("news")!.metrics().delivered, 0);
   * await net.run({ seconds: 0.2 });
   * assertEquals(b!.topic("news")!.metrics().delivered, 1);
   * ```
   */
  stall(node: Gossip, ms: number): void {
    this.#fabric.stall(this.#known(node).gossip.id, ms);
  }

  /** What the whole network has counted so far. */
  metrics(): SimFabricMetrics {
    return this.#fabric.metrics();
  }

  /** The name of the place where a node is; undefined where the network has no matrix of latencies. */
  region(node: Gossip): string | undefined {
    return this.#fabric.regionOf(this.#known(node).gossip.id);
  }

  /** Closes every node, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#nodes.values()].map(({ gossip }) => gossip.close()));
  }

  #spawn(count: number, options: SpawnOptions): Gossip[] {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new RangeError(`count must be a whole number of at least 1, not ${count}`);
    }
    checkSpawn(options);
    shareRecords(this.#spawned + count);
    const random = this.#fabric.rng(`spawn ${this.#spawned}`);
    const nodes: Gossip[] = [];
    const addresses = this.nodes.map(({ address }) => address).filter((address) => address !== "");
    const skews = this.#fabric.rng(`skew ${this.#spawned}`);
    const { listen, bandwidth } = options, { limits } = fillOptions({ limits: options.limits });
    for (let i = 0; i < count; i++) {
      const id = simPeerId(this.#seed, this.#spawned++);
      const skewMs = skewOf(options.skewMs, skews);
      const manners: SimNodeOptions = { listen, limits, bandwidth, skewMs };
      const transport = this.#fabric.createTransport(id, manners);
      const bootstrap = options.bootstrap ??
        Array.from(
          { length: Math.min(CONTACTS, addresses.length) },
          () => addresses[random.int(addresses.length)]!,
        );
      const node = this.#start(id, transport, { ...options, bootstrap }, manners);
      nodes.push(node);
      if (node.address !== "") addresses.push(node.address);
    }
    return nodes;
  }

  #start(
    id: PeerId,
    transport: SimTransport,
    options: SpawnOptions,
    manners: SimNodeOptions,
  ): Gossip {
    const { join = [], topic, directory, listen: _, skewMs: _s, bandwidth: _b, ...rest } = options;
    const identity = { id, sign: (message: Uint8Array) => simSign(id, message) };
    const parts = { transport, identity, crypto: simCrypto, directory, paced: false };
    const gossip = startOn(parts, rest);
    this.#nodes.set(id, { gossip, transport, options, manners });
    this.#own.add(gossip);
    for (const name of join) gossip.join(name, { ...topic });
    return gossip;
  }

  #known(node: Gossip): Simulated {
    const known = this.#own.has(node) ? this.#nodes.get(node.id) : undefined;
    if (known !== undefined) return known;
    throw new RangeError("the node is not of this network");
  }
}
