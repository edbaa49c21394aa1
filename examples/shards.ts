// deno run --allow-net examples/shards.ts

/**
 * A small sharding prototype: 8 nodes on 16 shards. Every node follows two shards, proposes collations on them, then jumps
 * to another shard and asks one of its members for a collation that it missed.
 *
 * @module
 */

import { cbor, Gossip, type PeerId, type Shards, type Topic } from "@x/plumtree";

interface Collation {
  shard: number;
  period: number;
  body: string;
}

const SHARDS = 16;

class ShardNode {
  readonly collations = new Map<string, Collation>();
  readonly shards: Shards<Collation>;

  private constructor(readonly gossip: Gossip) {
    this.shards = gossip.shards<Collation>("collations", {
      count: SHARDS,
      codec: cbor<Collation>(),
      validate: ({ value }) => Number.isInteger(value?.shard) ? "accept" : "reject",
      echo: true,
    });
    gossip.handle("collation/get", (request) => {
      const collation = this.collations.get(request.text());
      return collation && cbor<Collation>().encode(collation);
    });
  }

  static async start(bootstrap: string[]): Promise<ShardNode> {
    return new ShardNode(await Gossip.listen({ hostname: "127.0.0.1", bootstrap }));
  }

  follow(shard: number): Topic<Collation> {
    const topic = this.shards.join(shard);
    (async () => {
      for await (const { value } of topic) {
        this.collations.set(`${value.shard}/${value.period}`, value);
      }
    })();
    return topic;
  }

  async fetch(peer: PeerId, key: string): Promise<Collation | undefined> {
    const reply = await this.gossip.request(peer, "collation/get", key);
    return reply.found ? cbor<Collation>().decode(reply.data) : undefined;
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const nodes: ShardNode[] = [];
for (let i = 0; i < 8; i++) {
  nodes.push(await ShardNode.start(nodes.map(({ gossip }) => gossip.address).slice(0, 1)));
}
// Node i follows the shards 2i and 2i + 2, so that each even shard has two members.
const topics = nodes.flatMap((node, i) => [node.follow(2 * i), node.follow((2 * i + 2) % SHARDS)]);
await Promise.all(topics.map((topic) => topic.ready()));

for (const [i, node] of nodes.entries()) {
  await node.shards.publish(2 * i, { shard: 2 * i, period: 1, body: `by node ${i}` });
}
await until(
  "every collation at both members",
  () => nodes.every(({ collations }, i) => collations.has(`${2 * i}/1`) && collations.size === 2),
);

// Node 0 jumps from shard 2 to shard 8 and fetches what was proposed there before it came.
await nodes[0]!.shards.move({ leave: [2], join: [8] });
const [member] = nodes[0]!.shards.table().get(8)!.filter((id) => id !== nodes[0]!.gossip.id);
const missed = await nodes[0]!.fetch(member!, "8/1");
console.log(`node 0 jumped to shards ${nodes[0]!.shards.joined} and fetched: ${missed?.body}`);
console.log(`table: ${[...nodes[0]!.shards.table()].map(([s, ids]) => `${s}:${ids.length}`)}`);

await Promise.all(nodes.map(({ gossip }) => gossip.close()));
