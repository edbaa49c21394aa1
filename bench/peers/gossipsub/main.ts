/**
 * js-libp2p's gossipsub under the workload of `bench:compare`: TCP, noise, yamux, identify; StrictNoSign, or StrictSign with `--sign 1`.
 *
 * @module
 */

import { Socket } from "node:net";
import { runContender } from "../../contender.ts";
import type { Cluster } from "../../workload.ts";
import { type Peer, startPeer } from "./peer.ts";

const TOPIC = "bench";
/** Every node dials those so many places on: a degree of 6, which is gossipsub's D. */
const SIX_LINKS = [1, 2, 5];

let wireBytes = 0;
const write = Socket.prototype.write;
// deno-lint-ignore no-explicit-any -- one of several overloads
Socket.prototype.write = function (this: Socket, chunk: any, ...rest: any[]): boolean {
  wireBytes += chunk.length;
  // deno-lint-ignore no-explicit-any
  return (write as any).call(this, chunk, ...rest);
};

/** Nodes in this process, all on one topic. */
export class GossipsubCluster implements Cluster {
  readonly nodes: number;
  onDelivery: (node: number, payload: Uint8Array) => void = () => {};
  readonly #peers: Peer[];
  #published = 0;
  #delivered = 0;
  #received = 0;

  private constructor(peers: Peer[]) {
    this.nodes = peers.length;
    this.#peers = peers;
    peers.forEach(({ services: { pubsub } }, node) => {
      // Asked once for each message that is published or comes in, copies included.
      const counted = pubsub as unknown as { msgIdFn: (message: unknown) => unknown };
      const idOf = counted.msgIdFn;
      counted.msgIdFn = (message) => {
        this.#received++;
        return idOf(message);
      };
      pubsub.subscribe(TOPIC);
      pubsub.addEventListener("message", ({ detail }) => {
        if (detail.topic !== TOPIC) return;
        this.#delivered++;
        this.onDelivery(node, detail.data);
      });
    });
  }

  /** Starts nodes that each dial those `steps` places on, and waits for their meshes. */
  static async start(
    nodes: number,
    sign: boolean,
    steps: readonly number[] = SIX_LINKS,
  ): Promise<GossipsubCluster> {
    const peers: Peer[] = [];
    for (let i = 0; i < nodes; i++) peers.push(await startPeer(sign));
    for (let i = 0; i < nodes; i++) {
      for (const step of steps) {
        const other = peers[(i + step) % nodes]!;
        if (other !== peers[i]) await peers[i]!.dial(other.getMultiaddrs());
      }
    }
    const cluster = new GossipsubCluster(peers);
    const wanted = Math.min(4, nodes - 1), deadline = performance.now() + 30_000;
    const meshed = () =>
      peers.every(({ services: { pubsub } }) => pubsub.getMeshPeers(TOPIC).length >= wanted);
    while (!meshed() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return cluster;
  }

  async publish(node: number, payload: Uint8Array): Promise<void> {
    this.#published++;
    await this.#peers[node]!.services.pubsub.publish(TOPIC, payload);
  }

  counters(): { duplicates: number; wireBytes: number } {
    return { duplicates: this.#received - this.#published - this.#delivered, wireBytes };
  }

  /** Nothing to wait for: stopping the nodes takes minutes, and the process ends. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

if (import.meta.main) {
  await runContender((nodes, sign) => GossipsubCluster.start(nodes, sign));
  Deno.exit();
}
