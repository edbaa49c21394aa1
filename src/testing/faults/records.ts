/**
 * What a run remembers of messages and memberships, to judge by.
 *
 * @module
 */

import type { TopicCore } from "../../core/topic_core.ts";
import type { Priority, Topic, Verdict } from "../../topic.ts";
import type { TopicPlan } from "./setup.ts";
import type { SimHost } from "./sim_host.ts";

/** What members make of a message: a verdict, an error thrown, or no answer at all. */
export type Fate = Verdict | "throw" | "never";

/** One published message. */
export interface Post {
  readonly id: string;
  readonly number: number;
  readonly topic: TopicPlan;
  readonly payload: Uint8Array;
  readonly author: Membership;
  readonly authorId: string;
  readonly seq: number;
  readonly priority: Priority;
  readonly fate: Fate;
  /** Virtual ms. */
  readonly at: number;
}

/** How a membership stands to a message of others. */
export type Judged = "pending" | Fate;

/** One node on one topic, from join to leave or to the node's end. */
export class Membership {
  readonly host: SimHost;
  readonly topic: TopicPlan;
  readonly handle: Topic<unknown>;
  readonly core: TopicCore;
  readonly history: "none" | "retained";
  readonly echo: boolean;
  /** Whether it judges what it gets. */
  readonly judges: boolean;
  /** When it joined, in virtual ms. */
  readonly since: number;
  /** False once it was left, or its node is gone. */
  alive = true;
  /** What each of its iterators got, by id, and when. */
  readonly got: Map<string, number>[] = [];
  readonly judged: Map<string, Judged> = new Map();
  /** Ids that it may pass on: its own and those that were accepted. */
  readonly cleared: Set<string> = new Set();
  readonly missed: Map<string, string> = new Map();
  missedEvents = 0;
  /** The view that was looked at last. */
  seenView: readonly string[] | undefined;

  constructor(
    parts: Pick<
      Membership,
      "host" | "topic" | "handle" | "core" | "history" | "echo" | "judges" | "since"
    >,
  ) {
    this.host = parts.host;
    this.topic = parts.topic;
    this.handle = parts.handle;
    this.core = parts.core;
    this.history = parts.history;
    this.echo = parts.echo;
    this.judges = parts.judges;
    this.since = parts.since;
  }

  /** Its name in traces. */
  get name(): string {
    return `${this.host.name} on ${this.topic.name}`;
  }

  /** True where the first iterator got it, or it published it itself. */
  has(post: Post): boolean {
    return post.author === this || this.got[0]!.has(post.id);
  }
}

/** Everything published in a run, and what went wrong. */
export class Records {
  readonly posts: Map<string, Post> = new Map();
  /** The ids of the messages of every bundle that was sent, by topic and id of the bundle. */
  readonly bundles: Map<string, readonly string[]> = new Map();
  readonly violations: string[] = [];
  /** Nodes of which something is wrong. */
  readonly blamed: Set<string> = new Set();
  readonly faults: Record<string, number> = {};
  delivered = 0;
  missed = 0;
  requests = 0;
  swaps = 0;
  checks = 0;

  /** Called at every violation. */
  onViolation: () => void = () => {};

  /** Notes a violation of a check, by its name, at some nodes. */
  bad(check: string, what: string, ...nodes: string[]): void {
    for (const node of nodes) this.blamed.add(node);
    const line = `${check}: ${what}`;
    this.onViolation();
    if (this.violations.length < 12 && !this.violations.includes(line)) this.violations.push(line);
  }

  /** Counts an injected fault. */
  count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  /** The messages behind an id on a topic: itself, or those of the bundle. */
  idsOf(topic: TopicPlan, id: string): readonly string[] {
    return this.bundles.get(`${topic.name} ${id}`) ?? [id];
  }

  /** The post of an id on a topic. */
  post(topic: TopicPlan, id: string): Post | undefined {
    return this.posts.get(`${topic.name} ${id}`);
  }
}
