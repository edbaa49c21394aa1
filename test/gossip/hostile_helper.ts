/**
 * Honest nodes that talk while somebody attacks one of them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Gossip, GossipOptions, Topic, TopicOptions } from "@x/plumtree";
import { Events, Inbox, Nodes, until } from "./helper.ts";

/** Three nodes on the topic "news", of which the first is attacked. */
export class Honest implements AsyncDisposable {
  readonly nodes = new Nodes();
  made: Gossip[] = [];
  topics: Topic[] = [];
  inboxes: Inbox[] = [];
  events: Events[] = [];
  #links: string[][] = [];
  #talking = true;
  #talk: Promise<void> = Promise.resolve();
  #sent = 0;

  /** Starts them, waits until all know all, and lets them talk. */
  static async start(
    options: GossipOptions = {},
    topicOptions?: TopicOptions,
  ): Promise<Honest> {
    const honest = new Honest();
    honest.made = await honest.nodes.many(3, options);
    honest.topics = honest.made.map((node) => node.join("news", topicOptions));
    honest.inboxes = honest.topics.map((topic) => new Inbox(topic));
    const met = () => honest.topics.every(({ neighbors }) => neighbors.length === 2);
    await until("the honest nodes have met", met);
    const known = () => honest.made.every(({ directory }) => directory.size === 3);
    await until("the honest nodes know each other", known);
    honest.#links = honest.made.map((node) => honest.#linksOf(node));
    honest.events = honest.made.map((node) => new Events(node));
    honest.#talk = honest.#chat();
    return honest;
  }

  /** The node that is attacked. */
  get victim(): Gossip {
    return this.made[0]!;
  }

  /** What happens there. */
  get seen(): Events {
    return this.events[0]!;
  }

  /** What the topic of the victim counts. */
  get counted(): ReturnType<Topic["metrics"]> {
    return this.topics[0]!.metrics();
  }

  /** Stops talking; everything that was said has arrived, links and scores are what they were. */
  async assertUndisturbed(options: { missed?: boolean } = {}): Promise<void> {
    this.#talking = false;
    await this.#talk;
    for (const [i, topic] of this.topics.entries()) await topic.publish(`last ${i}`);
    const chats = ({ texts }: Inbox) => texts.filter((text) => text.startsWith("chat "));
    const due = (i: number) =>
      Array.from({ length: this.#sent }, (_, n) => n).filter((n) => n % 3 !== i)
        .map((n) => `chat ${n}`);
    // The order among messages is not promised: one that is fetched comes behind later ones.
    const said = (box: Inbox, i: number) =>
      [0, 1, 2].every((j) => i === j || box.texts.includes(`last ${j}`)) &&
      chats(box).length >= due(i).length;
    await until("everything that was said arrives", () => this.inboxes.every(said));
    for (const [i, box] of this.inboxes.entries()) {
      assertEquals(chats(box).toSorted(), due(i).toSorted());
    }
    for (const [i, node] of this.made.entries()) {
      assertEquals(this.#linksOf(node), this.#links[i]);
      for (const peer of node.peers()) {
        if (this.#links[i]!.includes(peer.id)) assertEquals(peer.score, 0);
      }
      assertEquals(this.events[i]!.of("fault"), []);
      assertEquals(node.metrics().core.faults, 0);
      // What nobody has can only be missed.
      if (!options.missed) assertEquals(node.topic("news")!.metrics().missed, 0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#talking = false;
    await this.#talk;
    await this.nodes[Symbol.asyncDispose]();
  }

  #linksOf(node: Gossip): string[] {
    const honest = new Set(this.made.map(({ id }) => id));
    return node.peers().map(({ id }) => id).filter((id) => honest.has(id)).toSorted();
  }

  async #chat(): Promise<void> {
    while (this.#talking) {
      await this.topics[this.#sent % 3]!.publish(`chat ${this.#sent}`);
      this.#sent++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}
