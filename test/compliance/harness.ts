/**
 * One way to run a scenario on each of the three hosts: TCP, sealed channels over memory, and the simulator.
 *
 * @module
 */

import { fail } from "@std/assert";
import type { Gossip, GossipOptions, Message, Topic } from "@x/plumtree";
import { coreOf } from "../../src/gossip.ts";

/** What a scenario needs of a host. */
export interface Harness {
  /** For test names. */
  readonly name: string;
  /** How many nodes "many" is here. */
  readonly many: number;
  /** Starts a node. */
  start(options?: GossipOptions): Promise<Gossip>;
  /** Ends a node as a crash would. */
  kill(node: Gossip): Promise<void>;
  /** Milliseconds of the host's time. */
  now(): number;
  /** Lets time pass until the condition holds; fails after `ms` of the host's time. */
  until(what: string, condition: () => boolean, ms?: number): Promise<void>;
  /** Lets time pass until a promise settles. */
  wait<T>(promise: Promise<T>, ms?: number): Promise<T>;
  /** Closes whatever is left. */
  close(): Promise<void>;
}

/** Everything that a topic has delivered, read in the background. */
export class Inbox {
  readonly messages: Message[] = [];
  readonly #done: Promise<void>;

  constructor(topic: Topic) {
    this.#done = this.#read(topic);
  }

  async #read(topic: Topic): Promise<void> {
    for await (const message of topic.messages({ buffer: 100_000 })) this.messages.push(message);
  }

  /** The texts, in the order of arrival. */
  get texts(): string[] {
    return this.messages.map((message) => message.text());
  }

  /** Resolves when the topic was left. */
  get done(): Promise<void> {
    return this.#done;
  }
}

/** Nodes that all join through the first one, on one topic, each with an inbox. */
export async function group(
  host: Harness,
  count: number,
  topic: string,
  options: GossipOptions = {},
): Promise<{ nodes: Gossip[]; topics: Topic[]; inboxes: Inbox[] }> {
  const nodes: Gossip[] = [];
  for (let i = 0; i < count; i++) {
    nodes.push(
      await host.start({ bootstrap: nodes.slice(0, 1).map((n) => n.address), ...options }),
    );
  }
  const topics = nodes.map((node) => node.join(topic));
  const inboxes = topics.map((joined) => new Inbox(joined));
  await host.until("everybody has a neighbour", () => topics.every((t) => t.neighbors.length > 0));
  return { nodes, topics, inboxes };
}

/** True where a topic's active views are symmetric and connect all the nodes. */
export function wellFormed(nodes: readonly Gossip[], topic: string): boolean {
  const views = new Map(nodes.map((node) => [node.id, node.topic(topic)?.neighbors ?? []]));
  for (const [id, view] of views) {
    for (const peer of view) if (!views.get(peer)?.includes(id)) return false;
  }
  const reached = new Set([nodes[0]!.id]);
  for (const id of reached) for (const peer of views.get(id)!) reached.add(peer);
  return reached.size === nodes.length;
}

/** Lets time pass until no active view has changed for so long. */
export async function quiet(host: Harness, topics: readonly Topic[], ms: number): Promise<void> {
  let seen = "", since = host.now();
  await host.until("the overlay is quiet", () => {
    const views = topics.map(({ neighbors }) => neighbors.toSorted().join()).join(";");
    if (views !== seen) since = host.now();
    seen = views;
    return host.now() - since >= ms;
  }, 60_000);
}

/** True where the eager relation of a topic is symmetric and connects all the nodes. */
export function eagerWellFormed(nodes: readonly Gossip[], topic: string): boolean {
  const eager = new Map(nodes.map((node) => [node.id, eagerOf(node, topic)]));
  for (const [id, peers] of eager) {
    for (const peer of peers) if (!eager.get(peer)?.includes(id)) return false;
  }
  const reached = new Set([nodes[0]!.id]);
  for (const id of reached) for (const peer of eager.get(id)!) reached.add(peer);
  return reached.size === nodes.length;
}

/** True where the eager links of a topic are a spanning tree. */
export function isTree(nodes: readonly Gossip[], topic: string): boolean {
  const ends = nodes.reduce((sum, node) => sum + eagerOf(node, topic).length, 0);
  return ends === 2 * (nodes.length - 1) && eagerWellFormed(nodes, topic);
}

function eagerOf(node: Gossip, topic: string): readonly string[] {
  for (const core of coreOf(node).topics) if (core.name === topic) return core.tree.eagerPeers;
  return fail(`${node.id} is not on ${topic}`);
}

/** Sum of a counter over topics. */
export function total(
  topics: readonly Topic[],
  counter: "delivered" | "duplicates" | "missed",
): number {
  return topics.reduce((sum, topic) => sum + topic.metrics()[counter], 0);
}
