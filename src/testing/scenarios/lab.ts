/**
 * A laboratory: simulated nodes of one topic, broadcasts that are measured one by one, and a look at what is inside. The nodes are
 * those of `Network`; what they are asked here beyond its API (views, tree links) only observes.
 *
 * @module
 */

import { abortNode, coreOf, type Gossip, startOn } from "../../gossip.ts";
import type { PeerId } from "../../core/host.ts";
import type { TopicCore } from "../../core/topic_core.ts";
import type { OverlayOptions, Preset, TreeOptions } from "../../options.ts";
import type { Limits } from "../../limits.ts";
import type { Rng } from "../rng.ts";
import { simCrypto, simPeerId, simSign } from "../sim_crypto.ts";
import { SimFabric, type SimFabricOptions } from "../sim_fabric.ts";
import { rememberRecords } from "../../wire/record.ts";
import type { SimTransport } from "../sim_transport.ts";
import { Graph } from "./graph.ts";

/** What a laboratory is made of. */
export interface LabOptions extends SimFabricOptions {
  /** Seed of everything. */
  seed: number | string;
  preset?: Preset;
  overlay?: Partial<OverlayOptions>;
  tree?: Partial<TreeOptions>;
  limits?: Partial<Limits>;
}

/** One node. */
export interface LabNode {
  readonly index: number;
  readonly id: PeerId;
  readonly gossip: Gossip;
  readonly core: TopicCore;
  alive: boolean;
}

/** Sums of the counters of all living nodes. */
export interface Totals {
  delivered: number;
  duplicates: number;
  ihaves: number;
  ihaveFrames: number;
  grafts: number;
  prunes: number;
  swaps: number;
}

/** One delivery. */
export interface Receipt {
  readonly node: PeerId;
  readonly hops: number;
  /** Since it was published. */
  readonly ms: number;
}

/** One broadcast as it was measured. */
export interface Broadcast {
  /** The author. */
  readonly from: PeerId;
  /** Nodes that were to get it, the author not counted. */
  readonly expected: number;
  /** Those that did within the time. */
  readonly delivered: number;
  /** Payload frames that reached somebody. */
  readonly payloads: number;
  /** Relative message redundancy: payloads / deliveries - 1. */
  readonly rmr: number;
  /** Hops of the last delivery. */
  readonly ldh: number;
  /** Hops and virtual milliseconds of every delivery, each sorted. */
  readonly hops: Uint16Array;
  readonly ms: Float64Array;
  /** Who got it when, in order of time. */
  readonly receipts: readonly Receipt[];
  /** Ids announced, and frames that they took. */
  readonly ihaves: number;
  readonly ihaveFrames: number;
  readonly grafts: number;
  readonly prunes: number;
}

/** What a stream of messages cost per message. */
export interface Stream {
  readonly messages: number;
  /** Share of the deliveries that were due. */
  readonly reliability: number;
  readonly rmr: number;
  /** Mean of the hops of each message's last delivery, and of all deliveries. */
  readonly ldh: number;
  readonly hops: number;
  readonly ihaves: number;
  readonly ihaveFrames: number;
  readonly grafts: number;
  readonly prunes: number;
}

/** The one topic. */
const TOPIC = "lab";
/** How a message tells which broadcast it is: a number before the filling. */
const STAMP_BYTES = 8;
/** A broadcast is over when nothing was delivered for so long. */
const QUIET_MS = 500;
/** Records that nodes keep: those of their views, and few more, so that ten thousand nodes fit in memory. */
const ADDRESS_BOOK = 64;
/** Decoded records that all nodes share. */
const SHARED_RECORDS = 2 ** 17;

/** See the module. */
export class Lab {
  readonly fabric: SimFabric;
  readonly rng: Rng;
  /** The nodes that were not killed, oldest first. */
  readonly nodes: LabNode[] = [];
  readonly #options: LabOptions;
  readonly #transports = new Map<PeerId, SimTransport>();
  #started = 0;
  #stamp = 0;
  #publishedAt = 0;
  #lastAt = 0;
  #receipts: Receipt[] = [];
  /** Most hops of each message of a stream, by its stamp. */
  #stream: Map<number, number> | undefined;

  /** Makes an empty laboratory at virtual time 0. */
  constructor(options: LabOptions) {
    const limits = { addressBook: ADDRESS_BOOK, ...options.limits };
    this.#options = { ...options, limits };
    const { preset: _, overlay: _o, tree: _t, limits: _l, ...fabric } = options;
    this.fabric = new SimFabric({ idleMs: 1_000, ...fabric });
    rememberRecords(SHARED_RECORDS);
    this.rng = this.fabric.rng("lab");
  }

  /** Virtual milliseconds so far. */
  get now(): number {
    return this.fabric.clock.now();
  }

  /** The nodes that were not killed. */
  get living(): LabNode[] {
    return this.nodes.filter((node) => node.alive);
  }

  /** Starts one node; it joins through the given one. */
  start(through?: LabNode): LabNode {
    const { preset, overlay, tree, limits, seed } = this.#options;
    const index = this.#started++, id = simPeerId(seed, index);
    const transport = this.fabric.createTransport(id, { limits });
    this.#transports.set(id, transport);
    const identity = { id, sign: (message: Uint8Array) => simSign(id, message) };
    const bootstrap = through === undefined ? [] : [through.gossip.address];
    const gossip = startOn(
      { transport, identity, crypto: simCrypto, directory: false, paced: false },
      { preset, overlay, tree, limits, bootstrap },
    );
    gossip.join(TOPIC, {
      sign: false,
      buffer: 1,
      validate: (message) => {
        this.#receive(id, message.data, message.hops);
        return "accept";
      },
    });
    const [core] = coreOf(gossip).topics;
    const node: LabNode = { index, id, gossip, core: core!, alive: true };
    this.nodes.push(node);
    return node;
  }

  /** Starts `count` nodes, one every `everyMs`, each joining through the first one. */
  joinOneByOne(count: number, everyMs: number, show?: (done: number) => void): Promise<void> {
    return this.#join(count, everyMs, () => this.nodes[0], show);
  }

  /** The same, each joining through a random living one. */
  joinThroughAnybody(count: number, everyMs: number, show?: (done: number) => void): Promise<void> {
    return this.#join(
      count,
      everyMs,
      () => this.nodes.length > 0 ? this.someone() : undefined,
      show,
    );
  }

  async #join(
    count: number,
    everyMs: number,
    through: () => LabNode | undefined,
    show?: (done: number) => void,
  ): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.start(through());
      await this.run(everyMs);
      if (i % 100 === 99) show?.(i + 1);
    }
  }

  /** Lets `ms` of virtual time pass. */
  async run(ms: number): Promise<void> {
    await this.fabric.clock.run(this.now + ms);
  }

  /** A living node by chance. */
  someone(): LabNode {
    const living = this.living;
    return living[this.rng.int(living.length)]!;
  }

  /** Crashes nodes, and forgets them. */
  kill(nodes: readonly LabNode[]): void {
    for (const node of nodes) {
      node.alive = false;
      this.fabric.kill(node.id);
      this.#transports.delete(node.id);
      void abortNode(node.gossip);
    }
    const { living } = this;
    for (const [i, node] of living.entries()) this.nodes[i] = node;
    this.nodes.length = living.length;
  }

  /** A random `count` of the living. */
  pick(count: number): LabNode[] {
    const living = this.living;
    for (let i = 0; i < count; i++) {
      const j = i + this.rng.int(living.length - i);
      [living[i], living[j]] = [living[j]!, living[i]!];
    }
    return living.slice(0, count);
  }

  /** The overlay of the living: links that both ends have. */
  graph(): Graph {
    return new Graph(this.living.map(({ id, core }) => ({ id, links: core.overlay.active })));
  }

  /** The overlay's links with their round trips, each once. */
  links(): { from: PeerId; to: PeerId; rttMs: number }[] {
    const links: { from: PeerId; to: PeerId; rttMs: number }[] = [];
    const cores = new Map(this.living.map(({ id, core }) => [id, core]));
    for (const [from, core] of cores) {
      const transport = this.#transports.get(from)!;
      for (const to of core.overlay.active) {
        if (from > to || !cores.get(to)?.overlay.isActive(from)) continue;
        const rttMs = transport.rtt(to);
        if (rttMs !== undefined) links.push({ from, to, rttMs });
      }
    }
    return links;
  }

  /** Sums over the living. */
  totals(): Totals {
    const sum = { delivered: 0, duplicates: 0, ihaves: 0, ihaveFrames: 0, grafts: 0, prunes: 0 };
    let swaps = 0;
    for (const { alive, core } of this.nodes) {
      if (!alive) continue;
      const metrics = core.tree.metrics();
      sum.delivered += metrics.delivered;
      sum.duplicates += metrics.duplicates;
      sum.ihaves += metrics.ihaveSent;
      sum.ihaveFrames += metrics.ihaveFramesSent;
      sum.grafts += metrics.grafts;
      sum.prunes += metrics.prunes;
      swaps += metrics.swaps;
    }
    return { ...sum, swaps };
  }

  /**
   * Publishes from a node and waits until the message is everywhere and nothing more happens because of it, or until nobody got it for
   * half a second (`quietMs`), or for `mostMs`.
   */
  async broadcast(
    from: LabNode,
    options: { mostMs?: number; quietMs?: number; size?: number } = {},
  ): Promise<Broadcast> {
    const { mostMs = 60_000, quietMs = QUIET_MS, size = 100 } = options;
    const before = this.totals();
    const expected = this.living.length - 1;
    const payload = this.#payload(size);
    const receipts: Receipt[] = this.#receipts = [];
    this.#publishedAt = this.#lastAt = this.now;
    const deadline = this.now + mostMs;
    await from.gossip.topic(TOPIC)!.publish(payload);
    while (this.now < deadline && this.now < this.#lastAt + quietMs) {
      await this.run(Math.min(deadline, this.#lastAt + quietMs) - this.now);
    }
    const after = this.totals();
    const delivered = receipts.length;
    const payloads = delivered + after.duplicates - before.duplicates;
    const hops = Uint16Array.from(receipts, ({ hops }) => hops).sort();
    return {
      from: from.id,
      expected,
      delivered,
      payloads,
      rmr: delivered === 0 ? NaN : payloads / delivered - 1,
      ldh: hops.at(-1) ?? 0,
      hops,
      ms: Float64Array.from(receipts, ({ ms }) => ms),
      receipts,
      ihaves: after.ihaves - before.ihaves,
      ihaveFrames: after.ihaveFrames - before.ihaveFrames,
      grafts: after.grafts - before.grafts,
      prunes: after.prunes - before.prunes,
    };
  }

  /** Publishes `count` messages of random nodes, one every `everyMs`, and waits until all of it is over. */
  async stream(count: number, everyMs: number, size = 100): Promise<Stream> {
    const before = this.totals(), due = count * (this.living.length - 1);
    const stream = this.#stream = new Map<number, number>();
    const receipts: Receipt[] = this.#receipts = [];
    for (let i = 0; i < count; i++) {
      const payload = this.#payload(size);
      stream.set(this.#stamp, 0);
      await this.someone().gossip.topic(TOPIC)!.publish(payload);
      await this.run(everyMs);
    }
    while (this.now < this.#lastAt + QUIET_MS) await this.run(this.#lastAt + QUIET_MS - this.now);
    this.#stream = undefined;
    const after = this.totals(), delivered = receipts.length;
    let ldh = 0, hops = 0;
    for (const most of stream.values()) ldh += most / count;
    for (const receipt of receipts) hops += receipt.hops / delivered;
    return {
      messages: count,
      reliability: delivered / due,
      rmr: (after.duplicates - before.duplicates) / delivered,
      ldh,
      hops,
      ihaves: (after.ihaves - before.ihaves) / count,
      ihaveFrames: (after.ihaveFrames - before.ihaveFrames) / count,
      grafts: (after.grafts - before.grafts) / count,
      prunes: (after.prunes - before.prunes) / count,
    };
  }

  /** Ends every node. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ gossip }) => gossip.close()));
  }

  #payload(size: number): Uint8Array {
    const payload = new Uint8Array(Math.max(size, STAMP_BYTES));
    new DataView(payload.buffer).setFloat64(0, ++this.#stamp);
    return payload;
  }

  #receive(node: PeerId, data: Uint8Array, hops: number): void {
    const stamp = new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat64(0);
    const stream = this.#stream, most = stream?.get(stamp);
    if (most !== undefined) {
      if (hops > most) stream!.set(stamp, hops);
    } else if (stamp !== this.#stamp) {
      return;
    }
    this.#lastAt = this.now;
    this.#receipts.push({ node, hops, ms: this.now - this.#publishedAt });
  }
}
