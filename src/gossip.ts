/**
 * One node: starts the parts, owns the topics, closes everything.
 *
 * @module
 */

import { checkOptions, SIGNAL, signalOf } from "./checks.ts";
import type { PeerId } from "./core/host.ts";
import type { Node } from "./core/node.ts";
import type { Directory } from "./directory/directory.ts";
import type { GossipEvent } from "./events.ts";
import type { Metrics } from "./metrics.ts";
import type { Reply, RequestOptions } from "./request/reply.ts";
import type { RequestHandler } from "./request/handlers.ts";
import { fillOptions, GOSSIP_OPTIONS, type GossipOptions } from "./gossip_options.ts";
import { GossipRuntime, type RuntimeParts } from "./gossip_runtime.ts";
import { Identity } from "./secure/identity.ts";
import { realCrypto } from "./node_host.ts";
import { SHARD_OPTIONS, type ShardOptions, type Shards } from "./shards.ts";
import { StreamTransport } from "./net/transport.ts";
import type { StreamNetwork } from "./net/duplex.ts";
import type { Topic, TopicOptions } from "./topic.ts";

/**
 * One connected peer, as `Gossip.peers` tells of it: a snapshot.
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
 * await b.connect(a.address);
 * const [peer] = b.peers();
 * assertEquals([peer?.id, peer?.direction, peer?.score], [a.id, "out", 0]);
 * ```
 */
export interface PeerInfo {
  /** The peer. */
  readonly id: PeerId;
  /** Where it can be dialled, as it says itself; "" where it accepts nothing or has not said yet. */
  readonly address: string;
  /** Smoothed round-trip time in ms; undefined before the first measurement. */
  readonly rttMs: number | undefined;
  /** Names of the topics that it shares with this node. */
  readonly topics: readonly string[];
  /** Who dialled. */
  readonly direction: "in" | "out";
  /** 0 for a good peer; at -100 its connection is ended and it is refused for `limits.banSeconds`. Recovers by 1 per second. */
  readonly score: number;
  /** Bytes read from it over the present connection. */
  readonly bytesIn: number;
  /** Bytes written to it over the present connection. */
  readonly bytesOut: number;
}

/** Starts a node over given parts; for the simulator. */
export let startOn: (parts: RuntimeParts, options: GossipOptions) => Gossip;
/** Starts a node with sealed connections over a given network of streams; for tests. */
export let listenOn: (network: StreamNetwork, options: GossipOptions) => Promise<Gossip>;
/** Ends a node as a crash would: nobody is told. */
export let abortNode: (gossip: Gossip) => Promise<void>;
/** The protocol core of a node; for tests and the simulator's checks. */
export let coreOf: (gossip: Gossip) => Node;

/**
 * One node of the network. It takes part in topics (`join`), sets of shards (`shards`) and requests (`handle`, `request`)
 * over connections that are authenticated and encrypted (Noise XX with ed25519 identities).
 *
 * @example
 * ```ts
 * import { Gossip } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
 * await using b = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [a.address] });
 * await using inbox = a.join("news");
 * await using outbox = b.join("news");
 * await outbox.ready({ signal: AbortSignal.timeout(5_000) });
 * await outbox.publish("hello");
 * for await (const message of inbox) {
 *   assertEquals(message.text(), "hello");
 *   assertEquals(message.from, b.id);
 *   break;
 * }
 * ```
 */
export class Gossip implements AsyncDisposable {
  static {
    startOn = (parts, options) => new Gossip(new GossipRuntime(parts, fillOptions(options)));
    listenOn = (network, options) => Gossip.#listen(options, network);
    abortNode = (gossip) => gossip.#runtime.abort();
    coreOf = (gossip) => gossip.#runtime.node;
  }

  readonly #runtime: GossipRuntime;

  private constructor(runtime: GossipRuntime, signal?: AbortSignal) {
    this.#runtime = runtime;
    if (signal) {
      const abort = () => void this.close();
      signal.addEventListener("abort", abort);
      runtime.onClose(() => signal.removeEventListener("abort", abort));
      if (signal.aborted) abort();
    }
  }

  /**
   * Starts a node: listens on TCP, and dials its bootstrap addresses in the background.
   *
   * Rejects with TypeError or RangeError for options that are none, with the signal's reason where it is aborted already, and
   * with code "listen-failed" where the socket cannot be opened.
   *
   * @example
   * ```ts
   * import { Gossip, Identity } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * const identity = Identity.fromSeed("1");
   * await using node = await Gossip.listen({ hostname: "127.0.0.1", identity });
   * assertEquals(node.id, identity.id);
   * assertEquals(node.address.startsWith("127.0.0.1:"), true);
   * ```
   */
  static listen(options: GossipOptions = {}): Promise<Gossip> {
    return Gossip.#listen(options);
  }

  static async #listen(options: GossipOptions, streams?: StreamNetwork): Promise<Gossip> {
    signalOf(options, GOSSIP_OPTIONS)?.throwIfAborted();
    const full = fillOptions(options);
    const identity = options.identity ?? Identity.generate();
    if (!(identity instanceof Identity)) throw new TypeError("identity must be an Identity");
    let runtime: GossipRuntime | undefined;
    const transport = new StreamTransport({
      streams,
      identity,
      network: full.network,
      hostname: options.hostname,
      port: options.port,
      listen: options.listen,
      advertise: options.advertise,
      limits: full.limits,
      preset: full.preset,
      onFault: (error) => runtime?.emit({ type: "fault", error }),
    });
    try {
      runtime = new GossipRuntime({ transport, identity, crypto: realCrypto() }, full);
    } catch (error) {
      await transport.abort();
      throw error;
    }
    const gossip = new Gossip(runtime, options.signal);
    // Whoever aborts before he has the node gets none.
    await Promise.resolve();
    if (options.signal?.aborted) {
      await gossip.close();
      throw options.signal.reason;
    }
    return gossip;
  }

  /** This node's ed25519 public key, 64 lower-case hex digits. */
  get id(): PeerId {
    return this.#runtime.id;
  }

  /**
   * "host:port" that others dial: what `advertise` says, else the bound host, else (bound to "0.0.0.0") the local address
   * seen on a connection, "127.0.0.1" until there is one. "" where nothing is accepted.
   */
  get address(): string {
    return this.#runtime.address;
  }

  /**
   * Who is on which topic, as far as this node has heard.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * assertEquals(node.directory.get(node.id)?.addresses, [node.address]);
   * ```
   */
  get directory(): Directory {
    return this.#runtime.directory;
  }

  /**
   * Joins a topic and returns at once; neighbours are found in the background (see `Topic.ready`). Called again without
   * options for a topic that is joined, it returns the same {@linkcode Topic}.
   *
   * @param topic Its name, 1 to 255 bytes of UTF-8, not beginning with "plumtree/".
   * @param options See {@linkcode TopicOptions}.
   * @throws {TypeError | RangeError} for a name or options that are none; `plumtree/` is reserved.
   * @throws {GossipError} "topic-in-use" where it is joined and options are given; "closed" after {@linkcode close}.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using news = node.join("news", { retain: { seconds: 30 } });
   * assertEquals(node.join("news"), news);
   * ```
   */
  join<T = Uint8Array>(topic: string, options?: TopicOptions<T>): Topic<T> {
    return this.#runtime.join(topic, options);
  }

  /**
   * The topic of that name, where it is joined; its `T` is the caller's word and is not checked.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using news = node.join("news");
   * assertEquals(node.topic("news"), news);
   * assertEquals(node.topic("sports"), undefined);
   * ```
   */
  topic<T = Uint8Array>(name: string): Topic<T> | undefined {
    return this.#runtime.topic(name);
  }

  /**
   * A set of shards with a topic each, named `name/0` to `name/(count - 1)`. Joins none of them. Called again with the same
   * name and count, it returns the same {@linkcode Shards}, with the options of the first call.
   *
   * @throws {TypeError | RangeError} for a name, count or option that is none, and for another count than before.
   * @throws {GossipError} "closed" after {@linkcode close}.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
   * const shards = node.shards("tx", { count: 64 });
   * await using mine = shards.join(shards.of("my account"));
   * assertEquals(mine.name, `tx/${shards.joined[0]}`);
   * ```
   */
  shards<T = Uint8Array>(name: string, options: ShardOptions<T>): Shards<T> {
    checkOptions(options, SHARD_OPTIONS);
    return this.#runtime.shards(name, options);
  }

  /**
   * Connects to "host:port" or "id@host:port", joins the network through that node, and keeps the connection while it
   * lasts. Resolves with who is there. Rejects with a `GossipError`: "dial-failed", "handshake-failed", "wrong-peer",
   * "own-id", "busy", "closed"; with TypeError for an address that is none; with the signal's reason.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
   * assertEquals(await b.connect(`${a.id}@${a.address}`), a.id);
   * ```
   */
  async connect(address: string, options: { signal?: AbortSignal } = {}): Promise<PeerId> {
    return await this.#runtime.connect(address, signalOf(options, SIGNAL));
  }

  /**
   * Answers requests of a protocol until the result is disposed; see {@linkcode RequestHandler}.
   *
   * @param protocol Its name, 1 to 255 bytes of UTF-8, not beginning with "plumtree/".
   * @throws {TypeError | RangeError} for a name or handler that is none, and for a name that has a handler already.
   * @throws {GossipError} "closed" after {@linkcode close}.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
   * using _ = a.handle("upper", (request) => request.text().toUpperCase());
   * await b.connect(a.address);
   * assertEquals((await b.request(a.id, "upper", "hi")).text(), "HI");
   * ```
   */
  handle(protocol: string, handler: RequestHandler): Disposable {
    return this.#runtime.requests.handle(protocol, handler);
  }

  /**
   * Asks a peer, and dials it first where it is not connected but an address of it is known. Resolves with a whole answer
   * when all of it is here, with a streamed one at its first chunk; see {@linkcode Reply}. Rejects with a `GossipError`:
   * "unknown-peer", "dial-failed", "unknown-protocol", "busy", "too-large", "timeout", "disconnected", "remote-error",
   * "own-id", "closed"; with TypeError or RangeError for wrong arguments; with the signal's reason.
   *
   * @param body What the handler gets as `data`; a string as UTF-8. Default: no bytes.
   *
   * @example
   * ```ts
   * import { Gossip, GossipError } from "@x/plumtree";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
   * await b.connect(a.address);
   * const asked = b.request(a.id, "nobody/answers", "42", { signal: AbortSignal.timeout(1_000) });
   * const error = await assertRejects(() => asked, GossipError);
   * assertEquals(error.code, "unknown-protocol");
   * ```
   */
  request(
    peer: PeerId,
    protocol: string,
    body?: string | Uint8Array,
    options: RequestOptions = {},
  ): Promise<Reply> {
    return this.#runtime.requests.request(peer, protocol, body, options);
  }

  /**
   * Everything that happens from this call on; a reader that stays behind by more than `limits.eventBuffer` loses the oldest and
   * gets a `lagged` event. Ends with the node; on abort it throws `signal.reason`.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * await using a = await Gossip.listen({ hostname: "127.0.0.1" });
   * await using b = await Gossip.listen({ hostname: "127.0.0.1" });
   * const events = a.events();
   * await b.connect(a.address);
   * for await (const event of events) {
   *   if (event.type !== "peer-up") continue;
   *   assertEquals([event.peer, event.direction], [b.id, "in"]);
   *   break;
   * }
   * ```
   */
  events(options: { signal?: AbortSignal } = {}): AsyncIterableIterator<GossipEvent> {
    return this.#runtime.events(signalOf(options, SIGNAL));
  }

  /** Every connected peer, as a snapshot; see {@linkcode PeerInfo}. */
  peers(): PeerInfo[] {
    return this.#runtime.peers();
  }

  /** A frozen snapshot of counters and gauges; see {@linkcode Metrics}. */
  metrics(): Metrics {
    return this.#runtime.metrics();
  }

  /**
   * Leaves every topic (which hands on what was published, within 2 s), says goodbye to every peer, writes what waits and closes the sockets
   * within a deadline (1 s; 3 s with the preset "wan"), ends every iteration. Requests in progress reject with "closed". Idempotent; every call resolves when it is done.
   *
   * @example
   * ```ts
   * import { Gossip } from "@x/plumtree";
   * import { assertEquals } from "@std/assert";
   *
   * const node = await Gossip.listen({ hostname: "127.0.0.1" });
   * const events = node.events();
   * await node.close();
   * assertEquals(await events.next(), { done: true, value: undefined });
   * ```
   */
  close(): Promise<void> {
    return this.#runtime.close();
  }

  /** Closes the node, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
