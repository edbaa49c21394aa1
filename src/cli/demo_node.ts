/**
 * One node of the demo, and the messages that the demo exchanges with it; runs in the demo's process or in its own.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { abortNode, Gossip } from "../gossip.ts";
import { Identity } from "../secure/identity.ts";
import type { Shards } from "../shards.ts";
import type { Topic } from "../topic.ts";

/** How a demo node is started. */
export interface DemoNodeOptions {
  readonly index: number;
  readonly shard: number;
  readonly shards: number;
  readonly bootstrap: string[];
  /** 0: any. A node that starts again takes its old port. */
  readonly port: number;
}

/** One received message, as a node reports it. */
export interface DemoReceipt {
  readonly node: number;
  /** Number of the message, from its first four bytes. */
  readonly message: number;
  /** SHA-256 of the payload, hex. */
  readonly hash: string;
  readonly ms: number;
}

/** What a node counted. */
export interface DemoCounters {
  readonly delivered: number;
  readonly duplicates: number;
  readonly missed: number;
}

/** A node of the demo, in this process or another. */
export interface DemoPeer {
  /** Where others dial it. */
  readonly address: string;
  /** Resolves when the node has so many neighbours in its shard. */
  ready(neighbors: number): Promise<void>;
  /** Publishes message number `message` with `size` bytes; resolves with its hash. */
  publish(message: number, size: number): Promise<string>;
  /** What the node counted in its shard. */
  counters(): Promise<DemoCounters>;
  /** Closes the node; with `goodbye` false as a crash would: sockets end, nobody is told. */
  stop(goodbye: boolean): Promise<void>;
}

/** How long a node may take to find its neighbours. */
const READY_MS = 10_000;

/** Bytes at the head of every payload: number of the message (u32), time of the publish (f64). */
export const DEMO_HEAD_BYTES = 12;

/** A wall clock with fractions of a millisecond, comparable between processes of one machine. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

/** A payload of `size` bytes with message number `message`. */
export function demoPayload(message: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = DEMO_HEAD_BYTES; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  }
  new DataView(bytes.buffer).setUint32(0, message);
  return bytes;
}

/** SHA-256 in hex of a payload without its time of publish, which the publisher writes last. */
export function demoHash(payload: Uint8Array): string {
  return createHash("sha256").update(payload.subarray(0, 4)).update(
    payload.subarray(DEMO_HEAD_BYTES),
  ).digest("hex");
}

/** A node that takes part in one shard and reports what it gets. */
export class DemoNode implements DemoPeer {
  readonly gossip: Gossip;
  readonly #shards: Shards;
  readonly #topic: Topic;
  readonly #reading: Promise<void>;

  private constructor(
    gossip: Gossip,
    options: DemoNodeOptions,
    onReceipt: (receipt: DemoReceipt) => void,
  ) {
    this.gossip = gossip;
    this.#shards = gossip.shards("demo", { count: options.shards });
    this.#topic = this.#shards.join(options.shard);
    this.#reading = this.#read(options.index, onReceipt);
  }

  get address(): string {
    return this.gossip.address;
  }

  /** Starts a node. */
  static async start(
    options: DemoNodeOptions,
    onReceipt: (receipt: DemoReceipt) => void,
  ): Promise<DemoNode> {
    const gossip = await Gossip.listen({
      hostname: "127.0.0.1",
      port: options.port,
      identity: Identity.fromSeed(`demo ${options.index}`),
      bootstrap: options.bootstrap,
      network: "demo",
      preset: "local",
    });
    return new DemoNode(gossip, options, onReceipt);
  }

  async ready(neighbors: number): Promise<void> {
    await this.#topic.ready({ neighbors, signal: AbortSignal.timeout(READY_MS) });
  }

  /** Publishes message number `message` with `size` bytes; resolves with its hash. */
  async publish(message: number, size: number): Promise<string> {
    const payload = demoPayload(message, size);
    new DataView(payload.buffer).setFloat64(4, preciseNow());
    await this.#topic.publish(payload);
    return demoHash(payload);
  }

  /** What the node counted in its shard. */
  counters(): Promise<DemoCounters> {
    const { delivered, duplicates, missed } = this.#topic.metrics();
    return Promise.resolve({ delivered, duplicates, missed });
  }

  /** Closes the node; with `goodbye` false as a crash would: sockets end, nobody is told. */
  async stop(goodbye: boolean): Promise<void> {
    if (goodbye) await this.gossip.close();
    else await abortNode(this.gossip);
    await this.#reading;
  }

  async #read(node: number, onReceipt: (receipt: DemoReceipt) => void): Promise<void> {
    for await (const { data } of this.#topic.messages({ buffer: 1_000_000 })) {
      const now = preciseNow();
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      if (data.length < DEMO_HEAD_BYTES) {
        onReceipt({ node, message: -1, hash: "", ms: 0 });
        continue;
      }
      onReceipt({
        node,
        message: view.getUint32(0),
        hash: demoHash(data),
        ms: now - view.getFloat64(4),
      });
    }
  }
}
