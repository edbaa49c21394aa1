/**
 * The global topic that carries the directory: every node is on it, it is the first one that a node joins through its
 * bootstrap addresses, and whole tables are exchanged with its neighbours.
 *
 * @module
 */

import type { PeerId } from "./core/host.ts";
import type { TopicCore, TopicHandlers } from "./core/topic_core.ts";
import type { Transport } from "./transport.ts";
import type { Node } from "./core/node.ts";
import type { TreeMessage, Verdict } from "./core/tree/port.ts";
import type { FullOptions } from "./gossip_options.ts";
import type { NodeHost } from "./node_host.ts";
import type { IncomingRequest } from "./request/handlers.ts";
import type { Requests } from "./request/requests.ts";
import type { Shards } from "./shards.ts";
import type { ShardBits, SignedRecord } from "./wire/record.ts";
import {
  type Directory,
  DIRECTORY_PROTOCOL,
  type DirectoryPort,
  DirectoryService,
} from "./directory/mod.ts";
import { Fetches } from "./directory/fetches.ts";
import { RESERVED, topicKey } from "./topic_settings.ts";
import { WireError } from "./wire/bytes.ts";

/** What the directory's topic is made of. */
export interface DirectoryParts {
  readonly node: Node;
  readonly host: NodeHost;
  readonly transport: Transport;
  readonly requests: Requests;
  readonly options: FullOptions;
  /** False: the topic is not joined, the directory stays empty. */
  readonly enabled: boolean;
  /** Names of the joined topics that are not shards. */
  topics(): string[];
  /** The shard sets. */
  shards(): ReadonlyMap<string, Shards<unknown>>;
  /** A joined topic gained members. */
  gained(topic: string): void;
  /** The last neighbour on the directory's topic is gone. */
  alone(): void;
  /** An error that should not have been. */
  fault(error: unknown): void;
}

/** Points of blame for a directory request that is none. */
const BAD_REQUEST_POINTS = 50;

/** See the module. */
export class DirectoryTopic implements TopicHandlers {
  readonly #parts: DirectoryParts;
  readonly #service: DirectoryService;
  readonly #stop = new AbortController();
  readonly #fetches: Fetches;
  #core: TopicCore | undefined;
  /** The newest own record, while there is nobody to send it to. */
  #unsent: Uint8Array | undefined;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
    this.#service = new DirectoryService(this.#port(), parts.options.limits);
    this.#fetches = new Fetches({
      clock: parts.transport,
      // Where the peer went, or is busy, other neighbours and the topic itself bring the same.
      fetch: (peer) =>
        this.#service.fetch(peer, { signal: this.#stop.signal })
          .then(({ pages }) => pages, () => 0),
    });
  }

  /** What users see of it. */
  get directory(): Directory {
    return this.#service.directory;
  }

  /** Whether there is a directory. */
  get enabled(): boolean {
    return this.#parts.enabled;
  }

  /** Whether it has no neighbour on its topic. */
  get alone(): boolean {
    return this.#core?.overlay.active.length === 0;
  }

  /** The directory's record of a peer. */
  signed(peer: PeerId): SignedRecord | undefined {
    return this.#service.recordOf(peer);
  }

  /** Who is on which shard of a set. */
  shardTable(set: string, count: number): Map<number, PeerId[]> {
    return this.#service.shardTable(set, count);
  }

  /** See `NodeHandlers.presence`. */
  presence(topic: string): number {
    return this.#service.presence(topic);
  }

  /** At most `most` members of a topic in random order, without this node. */
  members(topic: string, most?: number): PeerId[] {
    return this.#service.members(topic, most);
  }

  /** True where a peer is known to be on a topic; on that of the directory everybody is. */
  isMember(topic: string, peer: PeerId): boolean {
    return this.enabled && (topic === this.#core?.name || this.#service.isMember(topic, peer));
  }

  /** Joins the topic. */
  start(): void {
    const { enabled, node, host, options, requests } = this.#parts;
    if (!enabled) return;
    requests.handle(DIRECTORY_PROTOCOL, (request) => this.#answer(request), { internal: true });
    const name = `${RESERVED}directory`;
    this.#core = node.join({
      name,
      key: topicKey(options.network, name, host),
      background: true,
      // Records are small and rare: links drawn at random hold this overlay together best.
      overlay: { ...options.overlay, swapMs: 0 },
      tree: {
        ...options.tree,
        // Records are signed by themselves; whole tables come by request, so little is retained.
        sign: false,
        history: "retained",
        incarnation: host.nextSeq(),
      },
    }, this);
    // The first node of a network finds nobody, yet its links need its CHECKs and shuffles.
    this.#core.overlay.join([]);
    this.#service.start();
  }

  /** The network can be entered through `peer`. */
  contact(peer: PeerId): void {
    this.#core?.overlay.join([peer]);
  }

  /** This node's topics, shards or addresses changed. */
  changed(): void {
    if (this.#core) this.#service.changed();
  }

  /** Tells everybody that this node is going. */
  farewell(): void {
    if (this.#core) this.#service.leave();
  }

  /** Ends fetches and timers. */
  close(): void {
    this.#stop.abort();
    this.#fetches.close();
    this.#service.close();
  }

  // --- the topic ---

  validate(message: TreeMessage): Verdict {
    return this.#service.receive(message.body.subarray(message.payloadAt, message.payloadEnd));
  }

  deliver(): void {
    // Taken in by `validate`.
  }

  neighborUp(peer: PeerId): void {
    const record = this.#unsent;
    this.#unsent = undefined;
    if (record !== undefined) this.#core?.tree.publish(record, "high");
    // Whatever a table lacks is in that of a neighbour; equal ones cost a few bytes.
    this.#fetches.want(peer);
  }

  neighborDown(peer: PeerId): void {
    // The overlay finds another one.
    this.#fetches.forget(peer);
  }

  missed(): void {
    // The peer publishes its record again in time.
  }

  rejected(): void {
    // Told as "misbehaved".
  }

  swapped(): void {
    // Never: see above.
  }

  isolated(): void {
    this.#parts.alone();
  }

  rejoined(): void {
    // The new neighbour's table is fetched.
  }

  /** A record that nobody can hear yet is not published: a newer one often takes its place before the first neighbour comes. */
  #publish(record: Uint8Array): void {
    const core = this.#core;
    if (core === undefined) return;
    if (core.overlay.active.length === 0) this.#unsent = record;
    // High, so that a farewell is on its way before the goodbye to the neighbours.
    else core.tree.publish(record, "high");
  }

  #answer(request: IncomingRequest): Uint8Array | undefined {
    try {
      return this.#service.answer(request.data);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#parts.node.misbehaved(request.from, BAD_REQUEST_POINTS, `directory: ${error.message}`);
      return undefined;
    }
  }

  #port(): DirectoryPort {
    const { host, transport, requests, node } = this.#parts;
    return {
      self: host.self,
      now: () => transport.now(),
      random: () => transport.random(),
      after: (ms, fire) => transport.after(ms, fire),
      cancel: (timer) => transport.cancel(timer),
      wallClock: () => transport.wallClock(),
      sign: (message) => host.sign(message),
      verify: (author, message, signature) => host.verify(author, message, signature),
      sha256: host.sha256,
      own: () => ({
        addresses: transport.addresses,
        topics: this.#parts.topics(),
        shards: this.#shardBits(),
      }),
      publish: (record) => this.#publish(record),
      request: (peer, protocol, body, options) =>
        requests.request(peer, protocol, body, {
          signal: options.signal,
          maxBytes: options.maxBytes,
        }),
      membersGained: (topic) => this.#parts.gained(topic),
      misbehaved: (peer, points, what) => node.misbehaved(peer, points, what),
    };
  }

  #shardBits(): Map<string, ShardBits> {
    const sets = new Map<string, ShardBits>();
    for (const [name, shards] of this.#parts.shards()) {
      const own = shards.bits();
      if (own.bits.some((byte) => byte > 0)) sets.set(name, own);
    }
    return sets;
  }
}
