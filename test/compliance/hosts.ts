/**
 * The three hosts.
 *
 * @module
 */

import { fail } from "@std/assert";
import { Gossip, type GossipOptions } from "@x/plumtree";
import { abortNode, listenOn, startOn } from "../../src/gossip.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import { simPeerId, simSha256, simSign, simVerify } from "../../src/testing/sim_crypto.ts";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import type { Harness } from "./harness.ts";

/** Looks at a condition on every event, and now and then, until it holds. */
async function poll(what: string, condition: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) fail(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

abstract class RealTime implements Harness {
  abstract readonly name: string;
  readonly many: number = 30;
  readonly #nodes = new Set<Gossip>();

  protected abstract listen(options: GossipOptions): Promise<Gossip>;

  async start(options: GossipOptions = {}): Promise<Gossip> {
    const node = await this.listen({ preset: "local", ...options });
    this.#nodes.add(node);
    return node;
  }
  async kill(node: Gossip): Promise<void> {
    this.#nodes.delete(node);
    await abortNode(node);
  }
  now(): number {
    return performance.now();
  }
  until(what: string, condition: () => boolean, ms = 15_000): Promise<void> {
    return poll(what, condition, ms);
  }
  async wait<T>(promise: Promise<T>, ms = 15_000): Promise<T> {
    let settled = false;
    const mark = () => void (settled = true);
    promise.then(mark, mark);
    await poll("a promise settles", () => settled, ms);
    return await promise;
  }
  async close(): Promise<void> {
    await Promise.all([...this.#nodes].map((node) => node.close()));
  }
}

/** Real sockets. */
export class TcpHost extends RealTime {
  readonly name = "TCP";
  protected listen(options: GossipOptions): Promise<Gossip> {
    return Gossip.listen({ hostname: "127.0.0.1", ...options });
  }
}

/** Sealed channels over pipes in memory. */
export class MemoryHost extends RealTime {
  readonly name = "memory";
  readonly #net = new MemoryNetwork();
  protected listen(options: GossipOptions): Promise<Gossip> {
    return listenOn(this.#net, { hostname: "127.0.0.1", ...options });
  }
}

/** Virtual time. */
export class SimHost implements Harness {
  readonly name = "simulation";
  readonly many = 100;
  readonly #fabric = new SimFabric({ seed: 7, latencyMs: [2, 20] });
  readonly #nodes = new Set<Gossip>();
  #count = 0;

  start(options: GossipOptions = {}): Promise<Gossip> {
    const { identity, ...rest } = options;
    const id = identity?.id ?? simPeerId("compliance", this.#count++);
    const parts = {
      transport: this.#fabric.createTransport(id),
      identity: { id, sign: (message: Uint8Array) => simSign(id, message) },
      crypto: { sha256: simSha256, verify: simVerify },
      paced: false,
    };
    const node = startOn(parts, { preset: "local", ...rest });
    this.#nodes.add(node);
    return Promise.resolve(node);
  }
  async kill(node: Gossip): Promise<void> {
    this.#nodes.delete(node);
    await abortNode(node);
  }
  now(): number {
    return this.#fabric.clock.now();
  }
  async until(what: string, condition: () => boolean, ms = 15_000): Promise<void> {
    const deadline = this.#fabric.clock.now() + ms;
    if (!await this.#fabric.clock.runUntil(condition, deadline)) {
      fail(`not within ${ms} ms of virtual time: ${what}`);
    }
  }
  async wait<T>(promise: Promise<T>, ms = 15_000): Promise<T> {
    let settled = false;
    const mark = () => void (settled = true);
    promise.then(mark, mark);
    await this.until("a promise settles", () => settled, ms);
    return await promise;
  }
  async close(): Promise<void> {
    await Promise.all([...this.#nodes].map((node) => node.close()));
  }
}
