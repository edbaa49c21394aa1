/**
 * What the tests of the public API share: nodes on loopback TCP, their events, and waiting with a deadline.
 *
 * @module
 */

import { assert, assertInstanceOf, assertRejects, fail } from "@std/assert";
import {
  Gossip,
  GossipError,
  type GossipErrorCode,
  type GossipEvent,
  type GossipOptions,
  Identity,
  type Topic,
} from "@x/plumtree";
import { abortNode, startOn } from "../../src/gossip.ts";
import { fillOptions } from "../../src/gossip_options.ts";
import { StreamTransport } from "../../src/net/transport.ts";
import type { LinkTiming } from "../../src/net/timing.ts";
import { realCrypto } from "../../src/node_host.ts";

export { Inbox } from "../compliance/harness.ts";

/** Waits until a condition holds. */
export async function until(
  what: string,
  condition: () => boolean,
  ms = 15_000,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) fail(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits for a promise, but not for ever. */
export async function within<T>(what: string, promise: Promise<T>, ms = 15_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets timers and sockets run until `turns` rounds of the event loop are over. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Asserts that a promise rejects with a `GossipError` of that code. */
export async function rejectsWith(
  promise: Promise<unknown>,
  code: GossipErrorCode,
): Promise<GossipError> {
  const error = await assertRejects(() => within(`rejects with ${code}`, promise), GossipError);
  assert(error.code === code, `${error.code} instead of ${code}: ${error.message}`);
  return error;
}

/** Asserts that a call throws a `GossipError` of that code. */
export function throwsWith(call: () => unknown, code: GossipErrorCode): void {
  try {
    call();
  } catch (error) {
    assertInstanceOf(error, GossipError);
    assert(error.code === code, `${error.code} instead of ${code}: ${error.message}`);
    return;
  }
  fail(`it does not throw ${code}`);
}

/** Everything that happens on a node from now on, read in the background. */
export class Events {
  readonly all: GossipEvent[] = [];
  /** Resolves when the node is closed. */
  readonly done: Promise<void>;

  constructor(node: Gossip) {
    const events = node.events();
    this.done = (async () => {
      for await (const event of events) this.all.push(event);
    })();
  }

  /** The events of a type. */
  of<T extends GossipEvent["type"]>(type: T): Extract<GossipEvent, { type: T }>[] {
    return this.all.filter((event) => event.type === type) as Extract<GossipEvent, { type: T }>[];
  }

  /** Waits for an event. */
  async wait<T extends GossipEvent["type"]>(
    type: T,
    matches: (event: Extract<GossipEvent, { type: T }>) => boolean = () => true,
    ms?: number,
  ): Promise<Extract<GossipEvent, { type: T }>> {
    await until(`an event "${type}"`, () => this.of(type).some(matches), ms);
    return this.of(type).find(matches)!;
  }
}

/** Nodes that are closed at the end of the test. */
export class Nodes implements AsyncDisposable {
  readonly #nodes = new Set<Gossip>();

  /** Starts a node on loopback with the timing of one machine. */
  async start(options: GossipOptions = {}): Promise<Gossip> {
    const node = await Gossip.listen({ hostname: "127.0.0.1", preset: "local", ...options });
    this.#nodes.add(node);
    return node;
  }

  /** The same, with some times of its connections changed. */
  startTimed(timing: Partial<LinkTiming>, options: GossipOptions = {}): Gossip {
    const full = fillOptions({ preset: "local", ...options });
    const identity = options.identity ?? Identity.generate();
    const { network, limits, preset } = full;
    const transport = new StreamTransport({
      identity,
      network,
      limits,
      preset,
      timing,
      hostname: "127.0.0.1",
    });
    const node = startOn({ transport, identity, crypto: realCrypto() }, {
      preset: "local",
      ...options,
    });
    this.#nodes.add(node);
    return node;
  }

  /** Starts `count` nodes, all but the first of which join through the first. */
  async many(count: number, options: GossipOptions = {}): Promise<Gossip[]> {
    const nodes: Gossip[] = [];
    for (let i = 0; i < count; i++) {
      const bootstrap = nodes.slice(0, 1).map(({ address }) => address);
      nodes.push(await this.start({ bootstrap, ...options }));
    }
    return nodes;
  }

  /** Ends a node as a crash would. */
  async kill(node: Gossip): Promise<void> {
    this.#nodes.delete(node);
    await abortNode(node);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#nodes].map((node) => node.close()));
  }
}

/** Waits until each topic has a neighbour. */
export async function meet(...topics: Topic<never>[] | Topic<unknown>[]): Promise<void> {
  const signal = AbortSignal.timeout(15_000);
  await Promise.all(topics.map((topic) => topic.ready({ signal })));
}

/** Takes the next `count` items of an iterator. */
export async function take<T>(
  items: AsyncIterator<T>,
  count: number,
): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { done, value } = await within("a further item", items.next());
    if (done) fail(`ended after ${taken.length} of ${count}`);
    taken.push(value);
  }
  return taken;
}
