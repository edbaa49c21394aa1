/**
 * One topic of a node, as its user has it: publish, iterate, wait for neighbours, leave.
 *
 * @module
 */

import { checkOptions, signalOf } from "./checks.ts";
import type { DownReason, PeerId } from "./core/host.ts";
import type { Node } from "./core/node.ts";
import type { TopicCore, TopicHandlers } from "./core/topic_core.ts";
import type { Transport } from "./transport.ts";
import type { TreeMessage, Verdict } from "./core/tree/port.ts";
import type { GossipEvent } from "./events.ts";
import type { TopicMetrics } from "./metrics.ts";
import { BoundedQueue, MOST_BUFFERED } from "./bounded_queue.ts";
import { GossipError } from "./errors.ts";
import { Pacer } from "./pacer.ts";
import { type Codec, type Message, toPayload } from "./message.ts";
import { Validation } from "./validation.ts";

export type { Verdict } from "./core/tree/port.ts";

/**
 * Which of a connection's send lanes a message takes at every hop: "high" first, "bulk" in chunks behind everything else.
 * What one publisher has not awaited yet leaves its node in the order in which it was published, whatever its priority.
 *
 * @example
 * ```ts
 * import { Gossip, type Priority } from "@x/plumtree";
 * import { assertMatch } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using news = node.join("news");
 * const priority: Priority = "high";
 * const { id } = await news.publish("now", { priority });
 * assertMatch(id, /^[0-9a-f]{40}$/);
 * ```
 */
export type Priority = "high" | "normal" | "bulk";

/**
 * Options of `Gossip.join`.
 *
 * @example
 * ```ts
 * import { cbor, Gossip, type TopicOptions } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * type Block = { height: number };
 * const options: TopicOptions<Block> = {
 *   codec: cbor<Block>(),
 *   validate: (m) => Number.isInteger(m.value.height) ? "accept" : "reject",
 *   retain: { seconds: 30, messages: 1_000 },
 *   echo: true,
 * };
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using blocks = node.join("blocks", options);
 * await blocks.publish({ height: 7 });
 * for await (const m of blocks) {
 *   assertEquals(m.value.height, 7);
 *   break;
 * }
 * ```
 */
export interface TopicOptions<T = Uint8Array> {
  /** Judges every message of others, after its signature and before it is relayed or delivered; may be async. A throw, or no verdict within `limits.verdictMs`, counts as "ignore" and is told as a "fault" event. What a topic with `validate` publishes travels message by message, at about two thirds of the speed. Default: accept. */
  validate?: (message: Message<T>) => Verdict | Promise<Verdict>;
  /** Whether authors sign and receivers require it. All members must agree. Default true. */
  sign?: boolean;
  /** How values become bytes and come back; what it cannot decode is rejected. Default: bytes as they are, strings as UTF-8. */
  codec?: Codec<T>;
  /** What is kept for repair and late joiners; the first bound that is reached counts. `messages` is at most `limits.seenIds`. Default: `tree.retainSeconds`, `retainMessages` and `retainBytes` of the node, which are 60 s, 8192 messages, 32 MiB. */
  retain?: { seconds?: number; messages?: number; bytes?: number };
  /** Whether this member, when it joins, gets what the others still retain. What nobody but its author has yet reaches it either way. Default "none". */
  history?: "none" | "retained";
  /** Messages held per iterator; the oldest are dropped beyond it, at the end of a turn of the event loop: a burst drops nothing of a reader that keeps up. Default 1024. */
  buffer?: number;
  /** Whether own messages are delivered here too. What this identity published before it joined (in an earlier life, or through a member) comes with the history in either case. Default false. */
  echo?: boolean;
  /** Members to start from, beside the directory: ids, "host:port" or "id@host:port". Default none. */
  contacts?: (PeerId | string)[];
}

/**
 * A joined topic. Iterating it yields every message from the moment of the join on: what came before the first iterator
 * is held for it, within `buffer`.
 *
 * @example
 * ```ts
 * import { Gossip, type Topic } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [a.address] });
 * const inbox: Topic = a.join("blocks");
 * const outbox: Topic = b.join("blocks");
 * await outbox.ready({ signal: AbortSignal.timeout(5_000) });
 * await outbox.publish("hello");
 * for await (const m of inbox) {
 *   assertEquals(m.text(), "hello");
 *   break;
 * }
 * ```
 */
export interface Topic<T = Uint8Array> extends AsyncIterable<Message<T>>, AsyncDisposable {
  /** The name given to `join`. */
  readonly name: string;
  /**
   * Resolves once there are `neighbors` (1 to 1000, default 1) neighbours, at once where there are. Rejects with `signal.reason`,
   * or with code "closed" when the topic is left.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertRejects } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using alone = node.join("news");
   * const signal = AbortSignal.timeout(10);
   * await assertRejects(() => alone.ready({ signal }), DOMException);
   * ```
   */
  ready(options?: { neighbors?: number; signal?: AbortSignal }): Promise<void>;
  /**
   * Publishes a value. Resolves when it has been handed to the neighbours' send lanes, or is retained for the first
   * neighbour to come (messages of one turn of the event loop leave together, at its end, under one signature); under load it resolves later, which is the publisher's back-pressure, and what is published meanwhile without awaiting waits here, in order. `priority` is "normal" by default.
   * On a topic with a codec every value goes through it, strings and bytes too.
   * Rejects with code "too-large" (`limits.messageBytes`) or "closed", with TypeError for a value that is neither string nor
   * bytes on a topic without a codec, and with what the codec throws.
   */
  publish(
    value: T | string | Uint8Array,
    options?: { priority?: Priority },
  ): Promise<{ id: string }>;
  /**
   * A further iteration, with a buffer of its own of `buffer` messages (default: that of the topic), from this call on; the first
   * one also gets what came since the join. Ends when the topic is left; on abort it throws `signal.reason`.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using news = node.join("news", { echo: true });
   * const [all, latest] = [news.messages(), news.messages({ buffer: 1 })];
   * for (const text of ["one", "two"]) await news.publish(text);
   * assertEquals((await all.next()).value.text(), "one");
   * assertEquals((await latest.next()).value.text(), "two");
   * ```
   */
  messages(options?: { buffer?: number; signal?: AbortSignal }): AsyncIterableIterator<Message<T>>;
  /** The peers that messages go to and come from: HyParView's active view, a copy. */
  readonly neighbors: readonly PeerId[];
  /** A frozen snapshot of counters and gauges; see {@linkcode TopicMetrics}. */
  metrics(): TopicMetrics;
  /** Leaves the topic: hands what was published to the neighbours that read (for up to 2 s), says goodbye to them, ends iterations after what they hold. Only `Gossip.close` waits until all is written. Idempotent. */
  leave(): Promise<void>;
}

/** What a topic needs of its node. */
export interface TopicOwner {
  readonly node: Node;
  emit(event: GossipEvent): void;
  readonly transport: Transport;
  /** Whether publishers wait for their turn; not under virtual time, which may stand still. */
  readonly paced: boolean;
  /** The node is being closed, or is dead. */
  readonly closing: boolean;
  /** The topic is left; once more when all that was published is on its way, and it is `gone`. */
  left(topic: TopicCore, gone: boolean): void;
  /** The topic lost its last neighbour. */
  isolated(): void;
}

const DEFAULT_BUFFER = 1_024;
const PRIORITIES: readonly unknown[] = ["high", "normal", "bulk"];

/** RangeError unless `value` is a whole number from `least` to `most`. */
export function wholeNumber(value: number, what: string, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new RangeError(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
  }
  return value;
}

/** TypeError unless `priority` is one. */
export function checkPriority(priority: unknown): void {
  if (!PRIORITIES.includes(priority)) throw new TypeError(`unknown priority ${priority}`);
}

/** The implementation of {@linkcode Topic}; made by `Gossip.join`. */
export class JoinedTopic<T> implements Topic<T>, TopicHandlers {
  readonly name: string;
  readonly #owner: TopicOwner;
  readonly #options: TopicOptions<T>;
  #core!: TopicCore;
  readonly #readers = new Set<BoundedQueue<Message<T>>>();
  /** What is delivered before the first iterator, for it; undefined once it has come. */
  #early: BoundedQueue<Message<T>> | undefined;
  #earlyLost = 0;
  readonly #waiting = new Set<() => void>();
  readonly #pacer: Pacer;
  readonly #validation: Validation<T>;
  /** Set once it is left; it goes when what was published is on its way. */
  left: Promise<void> | undefined;

  constructor(name: string, owner: TopicOwner, options: TopicOptions<T>) {
    this.name = name;
    this.#owner = owner;
    this.#options = options;
    this.#pacer = new Pacer(owner.transport, owner.node.limits.laneBytes);
    this.#validation = new Validation({
      topic: name,
      codec: options.codec,
      validate: options.validate,
      clock: owner.transport,
      verdictMs: owner.node.limits.verdictMs,
      touch: () => owner.transport.touch?.(),
      settle: (message, verdict) => this.#core.tree.verdict(message, verdict),
      fault: (error) => owner.emit({ type: "fault", error }),
    });
    this.#early = this.#queue(options.buffer ?? DEFAULT_BUFFER, {
      onLag: (count) => this.#earlyLost += count,
    });
  }

  /** Ties the topic to its core; called once, right after the join. */
  start(core: TopicCore): void {
    this.#core = core;
  }

  get neighbors(): readonly PeerId[] {
    return [...this.#core.overlay.active];
  }

  async ready(options: { neighbors?: number; signal?: AbortSignal } = {}): Promise<void> {
    const signal = signalOf(options, { neighbors: true, signal: true });
    const wanted = wholeNumber(options.neighbors ?? 1, "neighbors", 1, 1_000);
    signal?.throwIfAborted();
    if (this.left) throw this.#closedError();
    if (this.#core.overlay.active.length >= wanted) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#waiting.delete(look);
        signal?.removeEventListener("abort", abort);
        act();
      };
      const look = () => {
        if (this.left) settle(() => reject(this.#closedError()));
        else if (this.#core.overlay.active.length >= wanted) settle(resolve);
      };
      const abort = () => settle(() => reject(signal!.reason));
      this.#waiting.add(look);
      signal?.addEventListener("abort", abort);
    });
  }

  async publish(
    value: T | string | Uint8Array,
    options: { priority?: Priority } = {},
  ): Promise<{ id: string }> {
    checkOptions(options, { priority: true });
    const { priority = "normal" } = options;
    checkPriority(priority);
    const { codec, echo } = this.#options;
    const payload = toPayload(value, codec);
    const most = this.#owner.node.limits.messageBytes;
    if (payload.length > most) {
      throw new GossipError("too-large", `${payload.length} bytes are more than ${most}`);
    }
    if (this.left || this.#owner.closing) throw this.#closedError();
    const send = (bytes: Uint8Array) => {
      const message = this.#core.tree.publish(bytes, priority);
      if (echo) this.deliver(message);
      return message.id;
    };
    if (!this.#owner.paced) return { id: send(payload) };
    return { id: await this.#pacer.publish(this.#core, payload, send) };
  }

  messages(
    options: { buffer?: number; signal?: AbortSignal } = {},
  ): AsyncIterableIterator<Message<T>> {
    const buffer = options.buffer ?? this.#options.buffer ?? DEFAULT_BUFFER;
    const count = wholeNumber(buffer, "buffer", 1, MOST_BUFFERED);
    const reader = this.#queue(count, {
      signal: signalOf(options, { buffer: true, signal: true }),
      onLag: (lost) => this.#lagged(lost),
      onClose: () => this.#readers.delete(reader),
    });
    if (this.#early && !reader.closed) {
      reader.takeFrom(this.#early);
      this.#early = undefined;
      if (this.#earlyLost > 0) this.#lagged(this.#earlyLost);
    }
    if (this.left) reader.close();
    else if (!reader.closed) this.#readers.add(reader);
    return reader;
  }

  [Symbol.asyncIterator](): AsyncIterator<Message<T>> {
    return this.messages();
  }

  metrics(): TopicMetrics {
    const { tree, overlay } = this.#core;
    return Object.freeze({
      ...overlay.metrics(),
      ...tree.metrics(),
      neighbors: overlay.active.length,
      passive: overlay.passive.length,
    });
  }

  leave(): Promise<void> {
    if (this.left === undefined) this.#owner.left(this.#core, false);
    return this.left ??= this.#pacer.drain()?.then(() => this.end()) ?? this.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  /** Goes at once. */
  end(): Promise<void> {
    // `left` is set only when `leave` returns, so whoever waits is told in the next microtask.
    if (this.#core.closed) return Promise.resolve();
    this.#pacer.close();
    this.#owner.left(this.#core, true);
    this.#validation.close();
    this.#early?.close();
    for (const reader of [...this.#readers]) reader.close();
    return Promise.resolve().then(() => [...this.#waiting].forEach((look) => look()));
  }

  // --- what the core tells ---

  validate(message: TreeMessage): Verdict | undefined {
    return this.#validation.judge(message);
  }

  deliver(message: TreeMessage): void {
    const wrapped = this.#validation.wrap(message);
    this.#early?.push(wrapped);
    for (const reader of this.#readers) reader.push(wrapped);
  }

  neighborUp(peer: PeerId): void {
    this.#owner.emit({ type: "neighbor-up", topic: this.name, peer });
    for (const look of [...this.#waiting]) look();
    this.#owner.transport.touch?.();
  }

  neighborDown(peer: PeerId, reason: DownReason): void {
    this.#owner.emit({ type: "neighbor-down", topic: this.name, peer, reason });
  }

  missed(id: string, reason: "gone" | "no-answer" | "overflow"): void {
    this.#owner.emit({ type: "missed", topic: this.name, id, reason });
  }

  rejected(id: string, peer: PeerId, reason: string): void {
    const undecoded = this.#validation.undecoded(id);
    this.#owner.emit({ type: "reject", topic: this.name, id, peer, reason: undecoded ?? reason });
  }

  swapped(from: PeerId, to: PeerId, gainMs: number): void {
    this.#owner.emit({ type: "swap", topic: this.name, from, to, gainMs });
  }

  isolated(): void {
    this.#owner.isolated();
    this.#owner.emit({ type: "isolated", topic: this.name });
  }

  rejoined(): void {
    this.#owner.emit({ type: "rejoined", topic: this.name });
  }

  // --- helpers ---

  #queue(
    count: number,
    hooks: { onLag: (count: number) => void; onClose?: () => void; signal?: AbortSignal },
  ): BoundedQueue<Message<T>> {
    const bytes = this.#owner.node.limits.bufferBytes;
    const onWake = () => this.#owner.transport.touch?.();
    const { soon } = this.#owner.transport;
    return new BoundedQueue({ count, bytes, sizeOf: (m) => m.size, soon, onWake, ...hooks });
  }

  #lagged(count: number): void {
    this.#owner.emit({ type: "lagged", topic: this.name, count });
  }

  #closedError(): GossipError {
    return new GossipError("closed", `the topic ${JSON.stringify(this.name)} was left`);
  }
}
