/**
 * What runs under a {@linkcode Gossip}: transport, core, requests, directory and bootstrap, wired to one another.
 *
 * @module
 */

import type { DownReason, PeerId } from "./core/host.ts";
import type { Transport, TransportSink } from "./transport.ts";
import type { TopicCore } from "./core/topic_core.ts";
import type { GossipEvent } from "./events.ts";
import type { PeerInfo } from "./gossip.ts";
import type { FullOptions } from "./gossip_options.ts";
import type { Metrics } from "./metrics.ts";
import type { SignedRecord } from "./wire/record.ts";
import { Authorship } from "./authorship.ts";
import { Bootstrap } from "./bootstrap.ts";
import { BoundedQueue } from "./bounded_queue.ts";
import type { Directory } from "./directory/directory.ts";
import { DirectoryTopic } from "./directory_topic.ts";
import { GossipError } from "./errors.ts";
import { Node } from "./core/node.ts";
import { type Crypto, NodeHost, type Signer } from "./node_host.ts";
import { Requests } from "./request/requests.ts";
import { type ShardOptions, Shards, type ShardsOwner } from "./shards.ts";
import { JoinedTopic, type Topic, type TopicOptions, type TopicOwner } from "./topic.ts";
import { RemotePublisher } from "./remote_publish.ts";
import { checkTopicName, makeTopic } from "./topic_settings.ts";
import { isRequestFrame } from "./wire/frames.ts";

/** What a node is made of; the simulator gives other parts. */
export interface RuntimeParts {
  readonly transport: Transport;
  readonly identity: Signer;
  readonly crypto: Crypto;
  /** False: no directory topic; topics start from their contacts and the bootstrap nodes. Default true. */
  readonly directory?: boolean;
  /** False: publishers never wait for their turn. Default true. */
  readonly paced?: boolean;
}

/** Connected peers that a new topic asks at once, before the directory answers. */
const FIRST_CONTACTS = 3;

interface Joined {
  readonly handle: JoinedTopic<unknown>;
  readonly core: TopicCore;
  readonly onLeave: (() => void) | undefined;
}

/** See the module. */
export class GossipRuntime implements TransportSink, TopicOwner {
  readonly id: PeerId;
  readonly node: Node;
  readonly transport: Transport;
  readonly paced: boolean;
  readonly requests: Requests;
  readonly #options: FullOptions;
  readonly #host: NodeHost;
  readonly #authorship: Authorship;
  readonly #bootstrap: Bootstrap;
  readonly #directory: DirectoryTopic;
  readonly #remote: RemotePublisher;
  readonly #topics = new Map<string, Joined>();
  readonly #shards = new Map<string, Shards<unknown>>();
  readonly #readers = new Set<BoundedQueue<GossipEvent>>();
  readonly #pinned = new Set<PeerId>();
  readonly #closeHooks: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  constructor(parts: RuntimeParts, options: FullOptions) {
    const { transport, identity, crypto } = parts;
    this.id = identity.id;
    this.transport = transport;
    this.paced = parts.paced !== false;
    this.#options = options;
    this.#host = new NodeHost(transport, identity, crypto);
    this.#authorship = new Authorship(this.#host.nextSeq());
    this.node = new Node(this.#host, options.limits, {
      hello: (peer, record) => this.#hello(peer, record),
      unknownTopic: (peer, key) => this.emit({ type: "unknown-topic", peer, key }),
      misbehaved: (peer, points, what) => this.emit({ type: "misbehaved", peer, points, what }),
      members: (topic, most) => this.#directory.members(topic, most),
      isMember: (topic, peer) => this.#directory.isMember(topic, peer),
      presence: (topic) => this.#directory.presence(topic),
      lookup: (peer) => this.#directory.signed(peer),
      fault: (error) => this.emit({ type: "fault", error }),
    });
    this.requests = new Requests(this.#requestPort(), options.limits);
    this.#directory = new DirectoryTopic({
      node: this.node,
      host: this.#host,
      transport,
      requests: this.requests,
      options,
      enabled: parts.directory !== false,
      topics: () =>
        // Only shard sets want to know when theirs is left.
        [...this.#topics].filter(([name, { onLeave }]) => this.topic(name) && !onLeave)
          .map(([name]) => name),
      shards: () => this.#shards,
      gained: (topic) => this.#topics.get(topic)?.core.overlay.candidatesChanged(),
      alone: () => this.#bootstrap.alone(),
      fault: (error) => this.emit({ type: "fault", error }),
    });
    this.#remote = new RemotePublisher({
      host: this.#host,
      requests: this.requests,
      options,
      authorship: this.#authorship,
      topic: (name) => this.#topics.get(name)?.core,
      connected: (peer) => this.node.connected(peer),
      closing: () => this.closing,
      members: (topic) => this.#directory.members(topic),
    });
    this.#bootstrap = new Bootstrap(
      {
        clock: transport,
        dial: (address, signal) => transport.dial(address, { signal }),
        connected: (peer) => this.node.connected(peer),
        alone: () => this.#alone(),
        population: () => this.#directory.directory.size,
        found: (peer) => this.#found(peer),
      },
      options.bootstrap,
      options.overlay.probeMs,
    );
    transport.start(this);
    this.#directory.start();
    this.#bootstrap.start();
  }

  get address(): string {
    return this.transport.address;
  }

  get directory(): Directory {
    return this.#directory.directory;
  }

  // --- topics ---
  join<T>(name: string, options?: TopicOptions<T>, onLeave?: () => void): Topic<T> {
    if (this.#closing) throw new GossipError("closed", "the node was closed");
    const joined = this.#topics.get(name);
    if (joined?.handle.left) joined.handle.end();
    else if (joined && options === undefined) return joined.handle as unknown as Topic<T>;
    else if (joined) {
      throw new GossipError("topic-in-use", `${JSON.stringify(name)} is joined already`);
    }
    const settings = makeTopic(name, options ?? {}, this.#options, this.#host, this.#authorship);
    const handle = new JoinedTopic<T>(name, this, options ?? {});
    const core = this.node.join(settings, handle);
    handle.start(core);
    this.#topics.set(name, { handle: handle as unknown as JoinedTopic<unknown>, core, onLeave });
    this.#directory.changed();
    core.overlay.join(this.#firstContacts(name));
    this.#dialContacts(core, options?.contacts ?? []);
    return handle;
  }

  isolated(): void {
    // With a directory, its own topic says when the node is alone, and members come from it.
    if (!this.#directory.enabled) this.#bootstrap.alone();
  }

  #alone(): boolean {
    if (this.#directory.enabled) return this.#directory.alone;
    return [...this.#topics.values()].some(({ core }) => core.overlay.active.length === 0);
  }

  topic<T>(name: string): Topic<T> | undefined {
    const handle = this.#topics.get(name)?.handle;
    return handle?.left ? undefined : handle as unknown as Topic<T> | undefined;
  }

  left(core: TopicCore, gone: boolean): void {
    if (!gone) return this.#topics.get(core.name)?.onLeave?.();
    this.node.leave(core);
    this.#topics.delete(core.name);
    if (!this.#closing) this.#directory.changed();
  }

  shards<T>(name: string, options: ShardOptions<T>): Shards<T> {
    checkTopicName(name);
    if (this.#closing) throw new GossipError("closed", "the node was closed");
    const known = this.#shards.get(name);
    if (known && known.count === options.count) return known as unknown as Shards<T>;
    if (known) throw new RangeError(`${JSON.stringify(name)} has ${known.count} shards already`);
    const owner: ShardsOwner<T> = {
      self: this.id,
      clock: this.transport,
      join: (topic, topicOptions, onLeave) => this.join(topic, topicOptions, onLeave),
      check: (topic, given) =>
        void makeTopic(topic, given, this.#options, this.#host, this.#authorship),
      members: (topic) => this.#directory.members(topic),
      table: () => this.#directory.shardTable(name, options.count),
      publishThrough: (topic, value, options) => this.#remote.publish(topic, value, options),
      changed: () => this.#directory.changed(),
    };
    const shards = new Shards<T>(name, options, owner);
    this.#shards.set(name, shards as unknown as Shards<unknown>);
    return shards;
  }

  /** Whom a new topic asks first: members that the directory knows, else whoever is connected. */
  #firstContacts(topic: string): PeerId[] {
    const members = this.#directory.members(topic, FIRST_CONTACTS);
    if (members.length > 0) return members;
    return this.transport.links().slice(0, FIRST_CONTACTS).map(({ id }) => id);
  }

  #dialContacts(core: TopicCore, contacts: readonly string[]): void {
    const ids = contacts.filter((contact) => /^[0-9a-f]{64}$/.test(contact));
    if (ids.length > 0) core.overlay.join(ids);
    for (const address of contacts) {
      if (ids.includes(address)) continue;
      const join = (peer: PeerId) => core.closed || core.overlay.join([peer]);
      // Failure is told as a "dial-failed" event; the directory remains.
      this.transport.dial(address).then(join, () => {});
    }
  }

  /** Somebody answered at a bootstrap or known address: the network is entered, or islands merged, through that peer. */
  #found(peer: PeerId): void {
    this.#directory.contact(peer);
    for (const { core } of this.#topics.values()) {
      // With a directory, topics learn their members from it; the peer found need not be one.
      if (!this.#directory.enabled || core.overlay.active.length === 0) core.overlay.join([peer]);
    }
  }

  // --- peers ---

  async connect(address: string, signal?: AbortSignal): Promise<PeerId> {
    if (typeof address !== "string") throw new TypeError("an address is a string");
    signal?.throwIfAborted();
    if (this.#closing) throw new GossipError("closed", "the node was closed");
    const peer = await this.transport.dial(address, { signal });
    if (!this.#pinned.has(peer) && this.node.connected(peer)) {
      this.#pinned.add(peer);
      this.transport.hold(peer);
    }
    this.#found(peer);
    return peer;
  }

  peers(): PeerInfo[] {
    return this.transport.links().map(({ id, rttMs, direction, bytesIn, bytesOut }) => ({
      id,
      address: this.node.recordOf(id)?.addresses[0] ?? "",
      rttMs,
      topics: this.node.topicsOf(id).filter((name) => this.#topics.has(name)),
      direction,
      score: this.node.score(id),
      bytesIn,
      bytesOut,
    }));
  }

  #requestPort(): ConstructorParameters<typeof Requests>[0] {
    const { transport } = this;
    return {
      self: this.id,
      now: () => transport.now(),
      random: () => transport.random(),
      after: (ms, fire) => transport.after(ms, fire),
      cancel: (timer) => transport.cancel(timer),
      touch: () => transport.touch?.(),
      connected: (peer) => this.node.connected(peer),
      connect: (peer) => {
        const addresses = this.node.recordOf(peer)?.addresses ?? [];
        if (addresses.length > 0) transport.connect(peer, addresses);
        return addresses.length > 0;
      },
      hold: (peer) => transport.hold(peer),
      release: (peer) => transport.release(peer),
      send: (peer, lane, head, body) => transport.send(peer, lane, head, body),
      misbehaved: (peer, points, what) => this.node.misbehaved(peer, points, what),
      handlerFailed: (_peer, _protocol, error) => this.emit({ type: "fault", error }),
    };
  }

  // --- what the transport tells ---

  up(peer: PeerId, direction: "in" | "out"): void {
    this.node.peerUp(peer);
    this.requests.peerUp(peer);
    this.emit({ type: "peer-up", peer, direction });
  }

  down(peer: PeerId, reason: DownReason): void {
    if (this.#pinned.delete(peer)) this.transport.release(peer);
    this.node.peerDown(peer, reason);
    this.requests.peerDown(peer, reason);
    this.emit({ type: "peer-down", peer, reason });
  }

  unreachable(peer: PeerId, cause: Error): void {
    this.node.unreachable(peer);
    this.requests.unreachable(peer, cause);
  }

  receive(peer: PeerId, bytes: Uint8Array, start: number, end: number): void {
    if (isRequestFrame(bytes[start]!)) this.requests.receive(peer, bytes, start, end);
    else this.node.receive(peer, bytes, start, end);
  }

  dialFailed(address: string, error: Error): void {
    this.emit({ type: "dial-failed", address, error });
  }

  banned(peer: PeerId): boolean {
    return this.node.isBanned(peer);
  }

  refused(address: string, reason: string): void {
    this.emit({ type: "refused", address, reason });
  }

  addressChanged(): void {
    this.#host.renewRecord();
    for (const { id } of this.transport.links()) this.node.sayHello(id);
    this.#directory.changed();
  }

  #hello(peer: PeerId, record: SignedRecord): void {
    const link = this.transport.link(peer);
    // Where this node has dialled, the address is known to be good.
    if (link?.direction !== "out") return;
    for (const address of record.addresses.slice(0, 1)) this.#bootstrap.learned(address, peer);
  }

  emit(event: GossipEvent): void {
    for (const reader of this.#readers) reader.push(event);
  }

  events(signal?: AbortSignal): AsyncIterableIterator<GossipEvent> {
    let lost = 0;
    const reader: BoundedQueue<GossipEvent> = new BoundedQueue<GossipEvent>({
      count: this.#options.limits.eventBuffer,
      soon: this.transport.soon,
      signal,
      onWake: () => this.transport.touch?.(),
      onLag: (count) => lost += count,
      onClose: () => this.#readers.delete(reader),
      onTake: () => {
        if (lost === 0) return undefined;
        const event: GossipEvent = { type: "lagged", topic: undefined, count: lost };
        lost = 0;
        return event;
      },
    });
    if (this.#closing) reader.close();
    else if (!reader.closed) this.#readers.add(reader);
    return reader;
  }

  metrics(): Metrics {
    const topics = [...this.#topics].map(([name, { handle }]) => [name, handle.metrics()]);
    return Object.freeze({
      topics: Object.freeze(Object.fromEntries(topics)),
      transport: this.transport.metrics(),
      core: Object.freeze({ ...this.node.counters }),
      requests: this.requests.metrics(),
      directory: this.directory.size,
    });
  }

  /** Calls `hook` when the node closes. */
  onClose(hook: () => void): void {
    this.#closeHooks.push(hook);
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#end(() => this.transport.close());
  }

  /** Ends as a crash would. */
  abort(): Promise<void> {
    return this.#closing ??= this.transport.abort().then(() => this.#end(() => Promise.resolve()));
  }

  async #end(closeTransport: () => Promise<void>): Promise<void> {
    // One turn first, so that `#closing` is set whatever is called below.
    await Promise.resolve();
    this.#bootstrap.close();
    this.#directory.farewell();
    await Promise.all([...this.#topics.values()].map(({ handle }) => handle.leave()));
    this.requests.close();
    this.#directory.close();
    this.node.close();
    await closeTransport();
    for (const reader of [...this.#readers]) reader.close();
    for (const hook of this.#closeHooks) hook();
  }
}
