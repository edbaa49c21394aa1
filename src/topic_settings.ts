/**
 * From a topic's name and options to what the core wants.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "./checks.ts";
import type { TopicSettings } from "./core/topic_core.ts";
import type { Authorship } from "./authorship.ts";
import type { FullOptions } from "./gossip_options.ts";
import type { NodeHost } from "./node_host.ts";
import { parseAddress } from "./net/address.ts";
import { MOST_BUFFERED } from "./bounded_queue.ts";
import { type TopicOptions, wholeNumber } from "./topic.ts";
import { RECORD_LIMITS } from "./wire/record.ts";

/** Prefix of the names of topics and protocols that the library keeps for itself. */
export const RESERVED = "plumtree/";

const encoder = new TextEncoder();
const MOST = Number.MAX_SAFE_INTEGER;

/** Throws TypeError or RangeError unless `name` can be a user's topic. */
export function checkTopicName(name: string): void {
  if (typeof name !== "string") throw new TypeError("a topic's name is a string");
  if (!name.isWellFormed()) throw new TypeError("a topic's name is well-formed Unicode");
  const { length } = encoder.encode(name);
  if (length === 0 || length > RECORD_LIMITS.topicLength) {
    throw new RangeError(`a topic's name has 1 to ${RECORD_LIMITS.topicLength} bytes of UTF-8`);
  }
  if (name.startsWith(RESERVED)) {
    throw new RangeError(`names that begin with "${RESERVED}" are reserved`);
  }
}

/** The 32-byte key of a topic: SHA-256 of "plumtree/1 topic", network and name, each ended by a zero byte. */
export function topicKey(
  network: string,
  name: string,
  host: Pick<NodeHost, "sha256">,
): Uint8Array {
  const bytes = encoder.encode(`plumtree/1 topic\0${network}\0${name}\0`);
  const key = new Uint8Array(32);
  host.sha256(bytes, 0, bytes.length, key, 0);
  return key;
}

/** The names of {@linkcode TopicOptions}. */
export const TOPIC_OPTIONS: OptionNames<TopicOptions<never>> = {
  validate: true,
  sign: true,
  codec: true,
  retain: true,
  history: true,
  buffer: true,
  echo: true,
  contacts: true,
};

/** What the core wants of a topic; throws TypeError or RangeError for a name or options that are none. */
export function makeTopic<T>(
  name: string,
  options: TopicOptions<T>,
  node: FullOptions,
  host: NodeHost,
  authorship: Authorship,
): TopicSettings {
  checkTopicName(name);
  checkOptions(options, TOPIC_OPTIONS);
  const { validate, codec, retain = {}, history = "none", sign = true, buffer, contacts = [] } =
    options;
  if (validate !== undefined && typeof validate !== "function") {
    throw new TypeError("validate is a function");
  }
  if (
    codec !== undefined &&
    (typeof codec?.encode !== "function" || typeof codec?.decode !== "function")
  ) {
    throw new TypeError("codec has the functions encode and decode");
  }
  if (history !== "none" && history !== "retained") {
    throw new TypeError('history is "none" or "retained"');
  }
  checkOptions(retain, { seconds: true, messages: true, bytes: true }, "retain");
  if (typeof (options.echo ?? false) !== "boolean") throw new TypeError("echo is a boolean");
  if (typeof sign !== "boolean") throw new TypeError("sign is a boolean");
  if (buffer !== undefined) wholeNumber(buffer, "buffer", 1, MOST_BUFFERED);
  if (!Array.isArray(contacts) || !contacts.every((contact) => typeof contact === "string")) {
    throw new TypeError("contacts is an array of ids and addresses");
  }
  for (const contact of contacts) if (!/^[0-9a-f]{64}$/.test(contact)) parseAddress(contact);
  const { tree } = node;
  return {
    name,
    key: topicKey(node.network, name, host),
    overlay: node.overlay,
    tree: {
      ...tree,
      retainSeconds: within(retain.seconds ?? tree.retainSeconds, "retain.seconds", 0, 2 ** 31 - 1),
      retainMessages: wholeNumber(
        retain.messages ?? tree.retainMessages,
        "retain.messages",
        1,
        node.limits.seenIds,
      ),
      retainBytes: within(retain.bytes ?? tree.retainBytes, "retain.bytes", 1, MOST),
      sign,
      // A bundle is judged as a whole: what a validation may refuse travels by itself.
      bundle: validate === undefined,
      history,
      incarnation: authorship.incarnation,
      nextSeq: () => authorship.next(name),
    },
  };
}

function within(value: number, what: string, least: number, most: number): number {
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw new RangeError(`${what} must be a number from ${least} to ${most}, not ${value}`);
  }
  return value;
}
