// deno run --allow-net examples/embed.ts

/**
 * The library inside a program of one's own: a mempool that spreads transactions, refuses bad ones before they are
 * relayed, and serves single transactions on request.
 *
 * @module
 */

import { Gossip, GossipError, type Message } from "@x/plumtree";

interface Tx {
  from: string;
  nonce: number;
  amount: number;
}

class Mempool implements AsyncDisposable {
  readonly txs = new Map<string, Tx>();
  readonly #gossip: Gossip;
  readonly #topic;
  readonly #reading: Promise<void>;

  constructor(gossip: Gossip) {
    this.#gossip = gossip;
    this.#topic = gossip.join("txs", { validate: (m) => this.#judge(m), echo: true });
    gossip.handle("tx/get", (request) => JSON.stringify(this.txs.get(request.text())));
    this.#reading = this.#read();
  }

  /** Bad transactions cost the relaying peer its score; known ones are just not passed on. */
  #judge(m: Message): "accept" | "ignore" | "reject" {
    try {
      const tx = m.json() as Tx;
      if (!(tx.amount > 0)) return "reject";
      return this.txs.has(`${tx.from}/${tx.nonce}`) ? "ignore" : "accept";
    } catch {
      return "reject";
    }
  }

  async #read(): Promise<void> {
    for await (const m of this.#topic) {
      const tx = m.json() as Tx;
      this.txs.set(`${tx.from}/${tx.nonce}`, tx);
    }
  }

  async add(tx: Tx): Promise<void> {
    await this.#topic.ready({ signal: AbortSignal.timeout(5_000) });
    await this.#topic.publish(JSON.stringify(tx));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#topic.leave();
    await this.#reading;
    await this.#gossip.close();
  }
}

const first = await Gossip.listen({ hostname: "127.0.0.1" });
const second = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [first.address] });
await using a = new Mempool(first);
await using b = new Mempool(second);

await b.add({ from: "ann", nonce: 1, amount: 5 });
const deadline = Date.now() + 5_000;
while (!a.txs.has("ann/1") && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log(`a has ${a.txs.size} transaction of ${a.txs.get("ann/1")?.amount}`);

const reply = await second.request(first.id, "tx/get", "ann/1");
console.log(`fetched: ${reply.text()}`);
try {
  await second.request(first.id, "tx/put", "ann/2");
} catch (error) {
  if (error instanceof GossipError) console.log(`refused: ${error.code}`);
}
