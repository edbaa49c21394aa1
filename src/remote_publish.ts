/**
 * Publishing on a topic that this node is not on: a member takes the message, signed by this node, and spreads it.
 *
 * The request is of protocol "plumtree/publish": u8 length of the topic's name, the name, the body of a GOSSIP frame. The
 * answer is one byte, 1 where the member's validation accepted it or has still to decide, 0 where it refused it; "not
 * found" where it is not on the topic.
 *
 * @module
 */

import type { PeerId } from "./core/host.ts";
import type { TopicCore } from "./core/topic_core.ts";
import type { FullOptions } from "./gossip_options.ts";
import type { Authorship } from "./authorship.ts";
import type { NodeHost } from "./node_host.ts";
import type { IncomingRequest } from "./request/handlers.ts";
import type { Requests } from "./request/requests.ts";
import { GossipError } from "./errors.ts";
import { toBytes } from "./message.ts";
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
  /** Members of a topic to ask, in random order. */
  members(topic: string): PeerId[];
}

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

  /** Publishes through one member after the other until one takes the message. */
  async publish<T>(
    topic: string,
    value: T | string | Uint8Array,
    options: TopicOptions<T> & { priority?: Priority; signal?: AbortSignal },
  ): Promise<{ id: string }> {
    const { codec, signal } = options;
    const payload = codec ? codec.encode(value as T) : toBytes(value, "value");
    const { limits } = this.#parts.options;
    if (payload.length > limits.messageBytes) {
      throw new GossipError(
        "too-large",
        `${payload.length} bytes are more than ${limits.messageBytes}`,
      );
    }
    const members = this.#parts.members(topic);
    let last: unknown = new GossipError(
      "unknown-peer",
      `no member of ${JSON.stringify(topic)} is known`,
    );
    if (members.length === 0) throw last;
    const { body, id } = this.#build(topic, payload, options);
    for (const peer of members) {
      try {
        const reply = await this.#parts.requests.request(peer, PROTOCOL, body, { signal });
        if (reply.found && reply.data[0] === 1) return { id };
        const why = reply.found ? "refused the message" : "is not on the topic any more";
        last = new GossipError("remote-error", `${peer} ${why}`);
      } catch (error) {
        if (signal?.aborted) throw error;
        last = error;
      }
    }
    throw last;
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
      hash: (bytes, start, end, out, at) => host.sha256(bytes, start, end, out, at),
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
