/**
 * Publishing on a topic that this node is not on: a member takes the message, signed by this node, and spreads it.
 *
 * The request is of protocol "plumtree/publish": u8 length of the topic's name, the name, the body of a GOSSIP frame. The
 * answer is one byte, 1 where the member's validation accepted it or has still to decide, 0 where it refused it; "not
 * found" where it is not on the topic.
 *
 * @module
 */

import type { PeerId, TimerId } from "./core/host.ts";
import type { TopicCore } from "./core/topic_core.ts";
import type { FullOptions } from "./gossip_options.ts";
import type { Authorship } from "./authorship.ts";
import type { NodeHost } from "./node_host.ts";
import type { IncomingRequest } from "./request/handlers.ts";
import type { Requests } from "./request/requests.ts";
import { GossipError } from "./errors.ts";
import { toPayload } from "./message.ts";
import type { Priority, TopicOptions } from "./topic.ts";
import { topicKey } from "./topic_settings.ts";
import { fromHex, toHex } from "./wire/bytes.ts";
import { buildGossip, ID_BYTES, signedOrigin, UNSIGNED_ORIGIN_BYTES } from "./wire/gossip.ts";

/** What remote publishing works with. */
export interface RemotePublishParts {
  readonly host: NodeHost;
  readonly requests: Requests;
  readonly options: FullOptions;
  readonly authorship: Authorship;
  /** A topic that this node is on. */
  topic(name: string): TopicCore | undefined;
  /** True where this node is being closed. */
  closing(): boolean;
  /** True where a connection is up. */
  connected(peer: PeerId): boolean;
  /** Members of a topic to ask, in random order. */
  members(topic: string): PeerId[];
}

/** Members asked in turn; of half dead ones, all 16 are once in 65,000 times. */
const MOST_ASKED = 16;
/** Milliseconds without an answer after which the next member is asked too: the message is the same, so whoever takes it first is enough. */
const HEDGE_MS = 1_000;

/** Name of the protocol. */
const PROTOCOL = "plumtree/publish";
const TAKEN = new Uint8Array([1]);
const REFUSED = new Uint8Array([0]);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Both ends of it. */
export class RemotePublisher {
  readonly #parts: RemotePublishParts;

  constructor(parts: RemotePublishParts) {
    this.#parts = parts;
    parts.requests.handle(PROTOCOL, (request) => this.#take(request), { internal: true });
  }

  /** Publishes through one member after the other, connected ones first, until one takes the message; who is slow is not waited for. */
  async publish<T>(
    topic: string,
    value: T | string | Uint8Array,
    options: TopicOptions<T> & { priority?: Priority; signal?: AbortSignal },
  ): Promise<{ id: string }> {
    const { codec, signal } = options;
    if (this.#parts.closing()) throw new GossipError("closed", "the node was closed");
    const payload = toPayload(value, codec);
    const { limits } = this.#parts.options;
    if (payload.length > limits.messageBytes) {
      throw new GossipError(
        "too-large",
        `${payload.length} bytes are more than ${limits.messageBytes}`,
      );
    }
    const known = this.#parts.members(topic);
    const near = known.filter((peer) => this.#parts.connected(peer));
    const members = [...near, ...known.filter((peer) => !near.includes(peer))].slice(0, MOST_ASKED);
    if (members.length === 0) {
      throw new GossipError("unknown-peer", `no member of ${JSON.stringify(topic)} is known`);
    }
    const { body, id } = this.#build(topic, payload, options);
    const done = new AbortController();
    const either = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
    try {
      await this.#askInTurn(members, (peer) => this.#ask(peer, body, either));
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      done.abort();
    }
    return { id };
  }

  /** Resolves when a member has taken the message. */
  async #ask(peer: PeerId, body: Uint8Array, signal: AbortSignal): Promise<void> {
    const reply = await this.#parts.requests.request(peer, PROTOCOL, body, { signal });
    if (reply.found && reply.data[0] === 1) return;
    const why = reply.found ? "refused the message" : "is not on the topic any more";
    throw new GossipError("remote-error", `${peer} ${why}`);
  }

  /** Asks the next member when one fails or is slow; resolves with the first that succeeds, rejects as the last one did where none does. */
  #askInTurn(members: readonly PeerId[], ask: (peer: PeerId) => Promise<void>): Promise<void> {
    const { host } = this.#parts;
    return new Promise((resolve, reject) => {
      let next = 0, open = 0;
      let timer: TimerId | undefined;
      const advance = (): void => {
        if (timer !== undefined) host.cancel(timer);
        timer = undefined;
        const peer = members[next++];
        if (peer === undefined) return;
        open++;
        ask(peer).then(() => {
          next = members.length;
          if (timer !== undefined) host.cancel(timer);
          resolve();
        }, (error) => {
          open--;
          advance();
          if (open === 0) reject(error);
        });
        if (next < members.length) timer = host.after(HEDGE_MS, advance);
      };
      advance();
    });
  }

  #build<T>(
    topic: string,
    payload: Uint8Array,
    { sign = true, priority = "normal" }: TopicOptions<T> & { priority?: Priority },
  ): { body: Uint8Array; id: string } {
    const { host, options, authorship } = this.#parts;
    const name = encoder.encode(topic);
    const digest = new Uint8Array(32);
    const gossip = buildGossip({
      marked: true,
      origin: sign
        ? signedOrigin(fromHex(host.self), authorship.incarnation)
        : Uint8Array.from({ length: UNSIGNED_ORIGIN_BYTES }, () => host.random() * 256),
      seq: authorship.next(topic),
      priority,
      payload,
      key: topicKey(options.network, topic, host),
      hash: host.sha256,
      sign: sign ? (message) => host.sign(message) : undefined,
    }, digest);
    const body = new Uint8Array(1 + name.length + gossip.length);
    body[0] = name.length;
    body.set(name, 1);
    body.set(gossip, 1 + name.length);
    return { body, id: toHex(digest, 0, ID_BYTES) };
  }

  /** A peer publishes through this node. */
  #take({ from, data }: IncomingRequest): Uint8Array | undefined {
    const length = data[0] ?? 0;
    const topic = this.#parts.topic(decoder.decode(data.subarray(1, 1 + length)));
    if (topic === undefined || topic.closed) return undefined;
    return topic.tree.inject(from, data.slice(1 + length)) ? TAKEN : REFUSED;
  }
}
