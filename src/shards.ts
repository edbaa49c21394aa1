/**
 * A topic per shard: join, jump, publish by shard or key, and the table of who is where.
 *
 * @module
 */

import { type OptionNames, signalOf } from "./checks.ts";
import type { Clock, PeerId } from "./core/host.ts";
import type { Topic, TopicOptions } from "./topic.ts";
import type { ShardBits } from "./wire/record.ts";
import { shardOf } from "./shard_hash.ts";
import { RECORD_LIMITS } from "./wire/record.ts";
import { TOPIC_OPTIONS } from "./topic_settings.ts";
import { checkPriority, type Priority, wholeNumber } from "./topic.ts";

/**
 * Options of `Gossip.shards`: how many shards there are, and the options of every shard's topic.
 *
 * @example
 * ```ts
 * import { Gossip, json, type ShardOptions } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const options: ShardOptions<{ amount: number }> = { count: 16, codec: json() };
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * assertEquals(node.shards("tx", options).count, 16);
 * ```
 */
export interface ShardOptions<T = Uint8Array> extends TopicOptions<T> {
  /** How many shards there are, 1 to 65,536; all nodes must agree, or they find different shards for one key. */
  count: number;
}

/**
 * Options of {@linkcode Shards.move}.
 *
 * @example
 * ```ts
 * import { Gossip, type MoveOptions } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using shards = node.shards("tx", { count: 16 });
 * const jump: MoveOptions = { join: [3, 4], signal: AbortSignal.timeout(5_000) };
 * await shards.move(jump);
 * assertEquals(shards.joined, [3, 4]);
 * ```
 */
export interface MoveOptions {
  /** Shards to leave; one that is also in `join` is kept. Default none. */
  leave?: readonly number[];
  /** Shards to join first. Default none. */
  join?: readonly number[];
  /** Gives up waiting for neighbours in the joined shards: then nothing is left, and what was joined is left again. */
  signal?: AbortSignal;
}

/** What a set of shards needs of its node. */
export interface ShardsOwner<T> {
  /** Joins a shard's topic; told when it is left, by whomever. */
  join(topic: string, options: TopicOptions<T>, onLeave: () => void): Topic<T>;
  /** Throws what {@linkcode join} would of a name or options that are none. */
  check(topic: string, options: TopicOptions<T>): void;
  /** Members of a topic that the directory knows, without this node. */
  members(topic: string): PeerId[];
  /** Who is on which shard of this set, as the directory knows. */
  table(): Map<number, PeerId[]>;
  /** Publishes on a topic that this node is not on, through a member. */
  publishThrough(
    topic: string,
    value: T | string | Uint8Array,
    options: TopicOptions<T> & { priority?: Priority; signal?: AbortSignal },
  ): Promise<{ id: string }>;
  /** The shards that this node is on have changed. */
  changed(): void;
  /** This node. */
  readonly self: PeerId;
  /** Time. */
  readonly clock: Clock;
}

/** The names of {@linkcode ShardOptions}. */
export const SHARD_OPTIONS: OptionNames<ShardOptions<never>> = { ...TOPIC_OPTIONS, count: true };

/** How long {@linkcode Shards.move} waits for neighbours in the joined shards before it leaves the others all the same. */
const MOVE_READY_MS = 10_000;

/**
 * A set of shards, each a topic of its own named `name/index`.
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using gossip = await Gossip.listen({ hostname: "127.0.0.1" });
 * const shards = gossip.shards("tx", { count: 64 });
 * await using mine = shards.join(7);
 * assertEquals(mine.name, "tx/7");
 * await shards.move({ leave: [7], join: [9] });
 * assertEquals(shards.joined, [9]);
 * assertEquals(shards.table().get(9), [gossip.id]);
 * ```
 */
export class Shards<T = Uint8Array> implements AsyncDisposable {
  /** The name given to `Gossip.shards`. */
  readonly name: string;
  /** How many shards there are. */
  readonly count: number;
  readonly #owner: ShardsOwner<T>;
  readonly #options: TopicOptions<T>;
  readonly #topics = new Map<number, Topic<T>>();

  /** Made by `Gossip.shards`. */
  constructor(name: string, options: ShardOptions<T>, owner: ShardsOwner<T>) {
    const { count, ...rest } = options;
    this.name = name;
    this.count = wholeNumber(count, "count", 1, RECORD_LIMITS.shardCount);
    this.#options = rest;
    this.#owner = owner;
    owner.check(this.#nameOf(this.count - 1), rest);
  }

  /** The shards that this node is on, ascending. */
  get joined(): number[] {
    return [...this.#topics.keys()].sort((a, b) => a - b);
  }

  /** The topic of a shard that this node is on; undefined for another one, RangeError for one that does not exist. */
  topic(shard: number): Topic<T> | undefined {
    return this.#topics.get(this.#check(shard));
  }

  /**
   * Joins a shard; where it is joined already, gives the topic that there is.
   *
   * @throws {RangeError} for a shard that does not exist.
   * @throws {GossipError} "closed" after the node was closed, "topic-in-use" where `Gossip.join` has joined its topic.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * const shards = node.shards("tx", { count: 64 });
   * await using seven = shards.join(7);
   * assertEquals(shards.join(7), seven);
   * assertEquals(shards.topic(8), undefined);
   * ```
   */
  join(shard: number): Topic<T> {
    const joined = this.topic(shard);
    if (joined) return joined;
    const topic = this.#owner.join(this.#nameOf(shard), this.#options, () => {
      if (this.#topics.get(shard) !== topic) return;
      this.#topics.delete(shard);
      this.#owner.changed();
    });
    this.#topics.set(shard, topic);
    this.#owner.changed();
    return topic;
  }

  /**
   * Jumps: joins first, waits until every joined shard that has other members has a neighbour, then leaves. A shard
   * whose members do not answer within 10 s counts as empty. On abort it rejects with `signal.reason`, and what it joined is
   * left again. Throws RangeError for a shard that does not exist, before anything has changed.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using shards = node.shards("tx", { count: 64 });
   * await shards.move({ join: [7, 8] });
   * await shards.move({ leave: [7], join: [9] });
   * assertEquals(shards.joined, [8, 9]);
   * ```
   */
  async move(options: MoveOptions): Promise<void> {
    const signal = signalOf(options, { leave: true, join: true, signal: true });
    const { leave = [], join = [] } = options;
    if (!Array.isArray(leave) || !Array.isArray(join)) {
      throw new TypeError("leave and join must be arrays of shards");
    }
    for (const shard of [...leave, ...join]) this.#check(shard);
    signal?.throwIfAborted();
    const fresh = join.filter((shard) => !this.#topics.has(shard));
    try {
      await Promise.all(fresh.map((shard) => this.#arrive(this.join(shard), signal)));
    } catch (error) {
      await Promise.all(fresh.map((shard) => this.#topics.get(shard)?.leave()));
      throw error;
    }
    const stale = leave.filter((shard) => !join.includes(shard));
    await Promise.all(stale.map((shard) => this.#topics.get(shard)?.leave()));
  }

  /**
   * Publishes on a shard: a number names it, a string or bytes are a key that is hashed to one. Where this node is not
   * on that shard, a member that the directory knows publishes the message, still signed by this node.
   *
   * Rejects with code "unknown-peer" where no member is known, with "remote-error" or the request's error where none took it,
   * with `signal.reason`, else as `Topic.publish`.
   *
   * @example
   * ```ts
   * import { Gossip, GossipError } from "@x/plumtree";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * const shards = node.shards("tx", { count: 2 });
   * await using mine = shards.join(shards.of("my account"));
   * const { shard } = await shards.publish("my account", "pay");
   * assertEquals(mine.name, `tx/${shard}`);
   * const other = shards.publish(1 - shard, "pay");
   * assertEquals((await assertRejects(() => other, GossipError)).code, "unknown-peer");
   * ```
   */
  async publish(
    shardOrKey: number | string | Uint8Array,
    value: T | string | Uint8Array,
    options: { priority?: Priority; signal?: AbortSignal } = {},
  ): Promise<{ id: string; shard: number }> {
    const shard = typeof shardOrKey === "number" ? this.#check(shardOrKey) : this.of(shardOrKey);
    const signal = signalOf(options, { priority: true, signal: true });
    checkPriority(options.priority ?? "normal");
    signal?.throwIfAborted();
    const topic = this.#topics.get(shard);
    const { id } = topic
      ? await topic.publish(value, { priority: options.priority })
      : await this.#owner.publishThrough(this.#nameOf(shard), value, {
        ...this.#options,
        ...options,
      });
    return { id, shard };
  }

  /** The shard of a key: the first 8 bytes of its SHA-256, big-endian, modulo {@linkcode Shards.count}; see `shardOf`. */
  of(key: string | Uint8Array): number {
    return shardOf(key, this.count);
  }

  /**
   * Which nodes are on which shard, as far as the directory knows, this node included; shards without a node are left out, and so
   * are nodes that say another count.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * const shards = node.shards("tx", { count: 64 });
   * await using _ = shards.join(7);
   * assertEquals(shards.table(), new Map([[7, [node.id]]]));
   * ```
   */
  table(): Map<number, PeerId[]> {
    const table = this.#owner.table();
    for (const shard of this.#topics.keys()) {
      const ids = table.get(shard);
      if (!ids) table.set(shard, [this.#owner.self]);
      // The own record follows a join within a moment.
      else if (!ids.includes(this.#owner.self)) ids.push(this.#owner.self);
    }
    return table;
  }

  /** The joined shards as a bitfield: what this node's own record in the directory says. */
  bits(): ShardBits {
    const bits = new Uint8Array(Math.ceil(this.count / 8));
    for (const shard of this.#topics.keys()) bits[shard >> 3]! |= 1 << (shard & 7);
    return { count: this.count, bits };
  }

  /** Leaves every shard. Idempotent. */
  async leave(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((topic) => topic.leave()));
  }

  /** Leaves every shard, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  async #arrive(topic: Topic<T>, signal: AbortSignal | undefined): Promise<void> {
    if (this.#owner.members(topic.name).length === 0) return;
    const late = new AbortController();
    const timer = this.#owner.clock.after(MOVE_READY_MS, () => late.abort());
    try {
      await topic.ready({
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      });
    } catch (error) {
      if (signal?.aborted || !late.signal.aborted) throw error;
    } finally {
      this.#owner.clock.cancel(timer);
    }
  }

  #nameOf(shard: number): string {
    return `${this.name}/${shard}`;
  }

  #check(shard: number): number {
    if (typeof shard !== "number") throw new TypeError("a shard is a number");
    return wholeNumber(shard, "shard", 0, this.count - 1);
  }
}
