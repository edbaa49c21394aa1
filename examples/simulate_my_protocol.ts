// deno run examples/simulate_my_protocol.ts

/**
 * A test of a protocol of one's own under simulated time: a key-value store in 16 shards over 1,000 nodes. Every member of a shard has all
 * of its keys; the highest version of a key wins. Half-way a fifth of the nodes crash, and come back empty.
 *
 * @module
 */

import { type Gossip, json, type Message, shardOf, type Topic } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";

const NODES = 1_000, SHARDS = 16, WRITES = 80;

interface Write {
  key: string;
  version: number;
  value: string;
}

/** The protocol under test: one node's copy of its shard. */
class Store {
  readonly entries = new Map<string, Write>();
  readonly topic: Topic<Write>;

  constructor(readonly node: Gossip, readonly shard: number) {
    this.topic = node.join<Write>(`kv/${shard}`, {
      codec: json<Write>(),
      history: "retained",
      echo: true,
      validate: (m) => this.#judge(m),
    });
    this.#apply();
  }

  /** A write of another shard has no business here; one that is older than what is known need not go on. */
  #judge(m: Message<Write>): "accept" | "ignore" | "reject" {
    const { key, version } = m.value;
    if (shardOf(key, SHARDS) !== this.shard) return "reject";
    return version > (this.entries.get(key)?.version ?? 0) ? "accept" : "ignore";
  }

  async #apply(): Promise<void> {
    for await (const { value } of this.topic) {
      const known = this.entries.get(value.key)?.version ?? 0;
      if (value.version > known) this.entries.set(value.key, value);
    }
  }
}

const started = performance.now();
await using net = new Network({ seed: "kv", latencyMs: [5, 50] });
const stores: Store[] = [];
for (let shard = 0; shard < SHARDS; shard++) {
  // Without a directory, whoever joins a shard has to know one of its members.
  const [first] = await net.spawn(1, { directory: false });
  const options = { directory: false, bootstrap: [first!.address] };
  const members = [first!, ...await net.spawn(Math.ceil(NODES / SHARDS) - 1, options)];
  stores.push(...members.slice(0, NODES - stores.length).map((node) => new Store(node, shard)));
}
await net.run({ seconds: 5 });

let version = 0;
const expected = new Map<string, Write>();
async function write(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const key = `account ${version % 50}`, shard = shardOf(key, SHARDS);
    const authors = stores.filter((store) => store.shard === shard);
    const value: Write = { key, version: ++version, value: `balance ${version * 7}` };
    expected.set(key, value);
    await authors[version % authors.length]!.topic.publish(value);
    await net.run({ seconds: 0.05 });
  }
}

await write(WRITES / 2);
const crashed = stores.filter((_, i) => i % 5 === 4);
net.kill(crashed.map(({ node }) => node));
for (const store of crashed) stores.splice(stores.indexOf(store), 1);
await write(WRITES / 2);
for (const { node, shard } of crashed) stores.push(new Store(await net.restart(node), shard));

const agree = () =>
  stores.every(({ entries, shard }) => {
    const keys = [...expected.keys()].filter((key) => shardOf(key, SHARDS) === shard);
    return entries.size === keys.length &&
      keys.every((key) => entries.get(key)?.version === expected.get(key)!.version);
  });
for (let seconds = 0; !agree(); seconds++) {
  if (seconds === 60) throw new Error("the shards do not agree");
  await net.run({ seconds: 1 });
}
const secs = ((performance.now() - started) / 1_000).toFixed(1);
console.log(
  `${stores.length} nodes agree on ${expected.size} keys after ${WRITES} writes and ${crashed.length} ` +
    `crashes: ${
      (net.now / 1_000).toFixed(0)
    } s of virtual time in ${secs} s, trace ${net.traceHash}`,
);
