/** Whole broadcasts; an iteration is the batch in its title. Those over sockets want `--allow-net` (or `-A`). */

import { Gossip, type Topic } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";
import { listenOn } from "../src/gossip.ts";
import { MemoryNetwork } from "../src/testing/memory_net.ts";

const NODES = 16, MESSAGES = 64;

/** A started cluster, and how it spreads a batch to everyone. */
interface Bed {
  readonly topics: Topic[];
  readonly inboxes: AsyncIterator<unknown>[];
}

let memory: Promise<Bed> | undefined, tcp: Promise<Bed> | undefined;

async function bed(start: (bootstrap: string[]) => Promise<Gossip>): Promise<Bed> {
  const first = await start([]);
  const rest = [];
  for (let i = 1; i < NODES; i++) rest.push(await start([first.address]));
  const topics = [first, ...rest].map((node) => node.join("bench", { sign: false }));
  await Promise.all(topics.map((topic) => topic.ready()));
  return { topics, inboxes: topics.slice(1).map((topic) => topic[Symbol.asyncIterator]()) };
}

async function spread({ topics, inboxes }: Bed): Promise<void> {
  const payload = new Uint8Array(1_024);
  const all = inboxes.map(async (inbox) => {
    for (let i = 0; i < MESSAGES; i++) await inbox.next();
  });
  for (let i = 0; i < MESSAGES; i++) void topics[0]!.publish(payload);
  await Promise.all(all);
}

Deno.bench(`${MESSAGES} messages of 1 KiB to 15 nodes, simulated`, {
  group: "broadcast",
  baseline: true,
}, async (b) => {
  await using net = new Network({ seed: 1 });
  const nodes = await net.spawn(NODES, { join: ["bench"] });
  await net.run({ seconds: 5 });
  b.start();
  for (let i = 0; i < MESSAGES; i++) {
    await nodes[0]!.topic("bench")!.publish(new Uint8Array(1_024));
  }
  await net.run({ seconds: 1 });
  b.end();
});

const streams = new MemoryNetwork();
Deno.bench(`${MESSAGES} messages of 1 KiB to 15 nodes, sealed pipes in memory`, {
  group: "broadcast",
}, async (b) => {
  const cluster = await (memory ??= bed((bootstrap) => listenOn(streams, { bootstrap })));
  b.start();
  await spread(cluster);
  b.end();
});

const net = await Deno.permissions.query({ name: "net", host: "127.0.0.1" });
Deno.bench(`${MESSAGES} messages of 1 KiB to 15 nodes, TCP on loopback`, {
  group: "broadcast",
  ignore: net.state !== "granted",
}, async (b) => {
  const hostname = "127.0.0.1";
  const cluster = await (tcp ??= bed((bootstrap) => Gossip.listen({ hostname, bootstrap })));
  b.start();
  await spread(cluster);
  b.end();
});
