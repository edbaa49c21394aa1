/**
 * Plain flooding over our own encrypted links: every link is eager, no tree, no repair. A message that is new to a node goes on to all links
 * but the one it came by; what is known is dropped. Each node dials two others, so that links are about as many as in the overlay.
 *
 * @module
 */

import crypto from "node:crypto";
import { Identity } from "@x/plumtree";
import { StreamTransport } from "../src/net/transport.ts";
import { Frame, Lane } from "../src/wire/frames.ts";
import { runContender } from "./contender.ts";
import type { Cluster } from "./workload.ts";

const HEAD = new Uint8Array([Frame.GOSSIP]);
/** Every node dials those so many places on. */
const STEPS = [1, 4];
/** Ids kept per node, in two generations. */
const SEEN_IDS = 32_768;

/** One flooding node. */
class FloodNode {
  readonly transport: StreamTransport;
  readonly #links: string[] = [];
  #seen = new Set<string>();
  #older = new Set<string>();
  duplicates = 0;

  constructor(deliver: (payload: Uint8Array) => void) {
    this.transport = new StreamTransport({
      identity: Identity.generate(),
      hostname: "127.0.0.1",
      // Nobody holds links here by topic.
      timing: { idleMs: 1e9 },
    });
    this.transport.start({
      up: (peer) => {
        this.transport.hold(peer);
        this.#links.push(peer);
      },
      down: (peer) => void this.#links.splice(this.#links.indexOf(peer), 1),
      unreachable() {},
      receive: (from, bytes, start, end) => {
        const payload = bytes.subarray(start + HEAD.length, end);
        if (this.#isNew(payload)) {
          deliver(payload);
          this.#forward(payload, from);
        } else this.duplicates++;
      },
      dialFailed() {},
      refused() {},
      addressChanged() {},
    });
  }

  publish(payload: Uint8Array): void {
    this.#isNew(payload);
    this.#forward(payload, "");
  }

  #forward(payload: Uint8Array, from: string): void {
    for (const peer of this.#links) {
      if (peer !== from) this.transport.send(peer, Lane.NORMAL, HEAD, payload);
    }
  }

  #isNew(payload: Uint8Array): boolean {
    const id = crypto.hash("sha256", payload, "hex");
    if (this.#seen.has(id) || this.#older.has(id)) return false;
    if (this.#seen.size >= SEEN_IDS) {
      this.#older = this.#seen;
      this.#seen = new Set();
    }
    this.#seen.add(id);
    return true;
  }
}

/** Flooding nodes in this process. */
class FloodCluster implements Cluster {
  readonly nodes: number;
  onDelivery: (node: number, payload: Uint8Array) => void = () => {};
  readonly #flooders: FloodNode[];

  private constructor(nodes: number) {
    this.nodes = nodes;
    this.#flooders = Array.from(
      { length: nodes },
      (_, node) => new FloodNode((payload) => this.onDelivery(node, payload)),
    );
  }

  static async start(nodes: number): Promise<FloodCluster> {
    const cluster = new FloodCluster(nodes), flooders = cluster.#flooders;
    for (const [i, { transport }] of flooders.entries()) {
      for (const step of STEPS) {
        const other = flooders[(i + step) % nodes]!.transport;
        if (other !== transport) await transport.dial(other.address);
      }
    }
    return cluster;
  }

  publish(node: number, payload: Uint8Array): void {
    this.#flooders[node]!.publish(payload);
  }

  counters(): { duplicates: number; wireBytes: number } {
    let duplicates = 0, wireBytes = 0;
    for (const flooder of this.#flooders) {
      duplicates += flooder.duplicates;
      wireBytes += flooder.transport.metrics().bytesOut;
    }
    return { duplicates, wireBytes };
  }

  async close(): Promise<void> {
    await Promise.all(this.#flooders.map(({ transport }) => transport.close()));
  }
}

if (import.meta.main) await runContender((nodes) => FloodCluster.start(nodes));
