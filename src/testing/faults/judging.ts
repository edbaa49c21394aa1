/**
 * The users of a run: they validate, iterate and listen, and check everything that they are given.
 *
 * @module
 */

import { GossipError } from "../../errors.ts";
import type { GossipEvent } from "../../events.ts";
import { cbor, type Codec, json, type Message } from "../../message.ts";
import type { TopicOptions } from "../../topic.ts";
import type { Verdict } from "../../core/tree/port.ts";
import type { VirtualClock } from "../virtual_clock.ts";
import type { Rng } from "../rng.ts";
import type { Membership, Post, Records } from "./records.ts";
import type { TopicPlan } from "./setup.ts";
import type { SimHost } from "./sim_host.ts";
import type { Swaps } from "./swaps.ts";
import type { TraceLog } from "./trace_log.ts";

/** What the validators of a run throw where a message says so. */
class Refusal extends Error {}

/** Lets a `publish` that was called in this turn end. */
async function published(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}

/** What users work with. */
export interface UserParts {
  readonly records: Records;
  readonly log: TraceLog;
  readonly clock: VirtualClock;
  readonly rng: Rng;
  /** True while verdicts are to come at once. */
  readonly prompt: () => boolean;
  /** The name of a peer in traces. */
  readonly nameOf: (peer: string) => string;
  /** Where the costs of links never change. */
  readonly swaps: Swaps | undefined;
}

/** The codec of a plan. */
export function codecOf(topic: TopicPlan): Codec<unknown> | undefined {
  if (topic.codec === "json") return json();
  return topic.codec === "cbor" ? cbor() : undefined;
}

/** True where two payloads are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The users of one run. */
export class Users {
  readonly #parts: UserParts;

  constructor(parts: UserParts) {
    this.#parts = parts;
  }

  /** `validate` for a membership that is being made. */
  validator(
    judges: boolean,
    member: () => Membership,
  ): Pick<TopicOptions<unknown>, "validate"> {
    if (!judges) return {};
    return { validate: (message) => this.#validate(member(), message) };
  }

  #validate(member: Membership, message: Message<unknown>): Verdict | Promise<Verdict> {
    const { records, clock, rng, prompt } = this.#parts;
    const { id } = message;
    const post = this.#check(member, message, "validates");
    if (post === undefined) return "ignore";
    if (member.judged.has(id) || post.author === member) {
      const what = `${member.name} is asked twice to validate #${post.number}`;
      records.bad("once", what, member.host.name);
    }
    const { fate } = post;
    const decide = (): Verdict => {
      member.judged.set(id, fate);
      if (fate === "accept") member.cleared.add(id);
      if (fate === "throw" || fate === "never") throw new Refusal("as the message says");
      return fate;
    };
    if (fate === "throw" || member.topic.judging === "sync") return decide();
    member.judged.set(id, "pending");
    const wait = prompt() || rng.int(4) === 0 ? 0 : rng.next() ** 2 * 800;
    return new Promise((resolve, reject) => {
      if (fate === "never") return;
      clock.after(wait, () => {
        clock.touch();
        try {
          resolve(decide());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Lets a user read a membership's messages. */
  read(member: Membership, iterator: AsyncIterable<Message<unknown>>): void {
    const { log } = this.#parts;
    const got = new Map<string, number>();
    member.got.push(got);
    const first = member.got.length === 1;
    (async () => {
      for await (const message of iterator) {
        // An echo may be here before the call that published it has told the id.
        if (message.hops === 0) await published();
        if (log.on && first) {
          const number = this.#parts.records.post(member.topic, message.id)?.number;
          log.add(member.host.name, `gets #${number} on ${member.topic.name}`);
        }
        this.#delivered(member, message, got);
      }
    })().catch((error) => this.#threw(member.host, "an iteration", error));
  }

  #delivered(member: Membership, message: Message<unknown>, got: Map<string, number>): void {
    const { records, clock } = this.#parts;
    const { id } = message;
    const who = member.host.name;
    const post = this.#check(member, message, "gets");
    if (post === undefined) return;
    if (got.has(id)) records.bad("once", `${member.name} gets #${post.number} twice`, who);
    got.set(id, clock.now());
    records.delivered++;
    const own = post.author === member;
    if (own && !member.echo) {
      records.bad("echo", `${member.name} gets its own #${post.number}`, who);
    }
    if (own !== (message.hops === 0)) {
      records.bad("authentic", `${member.name}: #${post.number} took ${message.hops} hops`, who);
    }
    if (own || !member.judges) return void member.cleared.add(id);
    const judged = member.judged.get(id) ?? "unseen";
    if (judged === "accept") return;
    const what = `${member.name} gets #${post.number}, which is ${judged} there`;
    records.bad("validated first", what, who);
  }

  /** What a user is given must be what somebody published on that topic. */
  #check(member: Membership, message: Message<unknown>, does: string): Post | undefined {
    const { records } = this.#parts;
    const who = member.host.name;
    const bad = (what: string) => records.bad("authentic", `${member.name} ${does} ${what}`, who);
    const post = records.post(member.topic, message.id);
    if (post === undefined) {
      bad(`what nobody published: ${message.id.slice(0, 8)}`);
      return undefined;
    }
    const name = `#${post.number}`;
    if (message.topic !== member.topic.name) bad(`${name} as of ${message.topic}`);
    if (!sameBytes(message.data, post.payload)) bad(`${name} corrupted`);
    if (message.size !== post.payload.length) bad(`${name} with a wrong size`);
    if (message.seq !== post.seq) bad(`${name} with counter ${message.seq}, not ${post.seq}`);
    if (message.from !== (member.topic.sign ? post.authorId : undefined)) {
      bad(`${name} with a wrong author`);
    }
    return post;
  }

  /** Lets a user listen to a node's events. */
  listen(host: SimHost): void {
    (async () => {
      for await (const event of host.gossip.events()) this.#event(host, event);
    })().catch((error) => this.#threw(host, "the iteration of events", error));
  }

  #event(host: SimHost, event: GossipEvent): void {
    const { records, log, nameOf, swaps } = this.#parts;
    const who = host.name;
    swaps?.event(host, event);
    switch (event.type) {
      case "missed": {
        const member = host.members.get(event.topic);
        if (member === undefined) return;
        records.missed++;
        member.missedEvents++;
        for (const id of records.idsOf(member.topic, event.id)) {
          const post = records.post(member.topic, id);
          member.missed.set(id, event.reason);
          if (log.on) log.add(who, `misses #${post?.number} on ${event.topic}: ${event.reason}`);
          if (post === undefined) {
            records.bad("authentic", `${member.name} misses what nobody published`, who);
          }
        }
        return;
      }
      case "neighbor-up":
      case "neighbor-down":
        if (log.on) log.add(who, `${event.type} ${nameOf(event.peer)} on ${event.topic}`);
        return;
      case "swap":
        records.swaps++;
        if (log.on) {
          log.add(who, `swaps ${nameOf(event.from)} for ${nameOf(event.to)} on ${event.topic}`);
        }
        return;
      case "fault":
        return this.#fault(host, event.error);
      case "misbehaved":
        if (event.what === "relayed a message that validation rejects") return;
        return records.bad("blame", `${who} blames ${nameOf(event.peer)}: ${event.what}`, who);
      case "lagged":
        return records.bad("lag", `a reader at ${who} lost ${event.count}`, who);
      case "reject":
        if (event.reason === "rejected by validation") return;
        return records.bad("blame", `${who} refuses a message: ${event.reason}`, who);
    }
  }

  #fault(host: SimHost, error: unknown): void {
    if (error instanceof Refusal) return;
    if (error instanceof GossipError && error.code === "timeout") return;
    this.#threw(host, "the library", error);
  }

  #threw(host: SimHost, what: string, error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#parts.records.bad("thrown", `${what} at ${host.name}: ${text}`, host.name);
  }
}
