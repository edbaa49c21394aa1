import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import { Gossip, type Priority } from "@x/plumtree";
import { Events, Inbox, meet, Nodes, rejectsWith, take, turns, until, within } from "./helper.ts";

Deno.test("close, leave and disposal are idempotent, and concurrent calls await one another", async () => {
  const node = await Gossip.listen({ hostname: "127.0.0.1", preset: "local" });
  const peer = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [node.address] });
  const topic = node.join("news"), other = peer.join("news");
  await meet(topic, other);
  const [one, two] = [topic.leave(), topic.leave()];
  assertEquals(node.topic("news"), undefined);
  await Promise.all([one, two, topic[Symbol.asyncDispose]()]);
  await topic.leave();
  const order: string[] = [];
  await Promise.all([
    node.close().then(() => order.push("first")),
    node.close().then(() => order.push("second")),
    node[Symbol.asyncDispose]().then(() => order.push("third")),
  ]);
  assertEquals(order, ["first", "second", "third"]);
  // What the first call waited for the others waited for too: the port is free.
  const port = Number(node.address.split(":")[1]);
  if (port > 0) Deno.listen({ hostname: "127.0.0.1", port }).close();
  await node.close();
  await peer.close();
});

Deno.test("close waits for the sockets: the port is free when the second call returns", async () => {
  const node = await Gossip.listen({ hostname: "127.0.0.1" });
  const port = Number(node.address.split(":")[1]);
  void node.close();
  await node.close();
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("closing ends every kind of iteration and everything that waits", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const topic = a!.join("news"), shards = a!.shards("tx", { count: 4 });
  b!.handle("p", ({ signal }) => new Promise((r) => signal.addEventListener("abort", () => r(""))));
  await until("connected", () => a!.peers().length === 1);
  const events = new Events(a!), inbox = new Inbox(topic), shard = new Inbox(shards.join(1));
  const waiting = [topic.ready({ neighbors: 9 }), a!.request(b!.id, "p")];
  const ended = Promise.all(waiting.map((promise) => rejectsWith(promise, "closed")));
  await a!.close();
  await within("all iterations", Promise.all([events.done, inbox.done, shard.done]));
  await ended;
});

Deno.test("an iterator can be returned twice, and while it waits", async () => {
  await using nodes = new Nodes();
  const topic = (await nodes.start()).join("news");
  const reader = topic.messages();
  const next = reader.next();
  await reader.return!();
  assertEquals(await within("next ends", next), { done: true, value: undefined });
  assertEquals((await reader.return!()).done, true);
  assertEquals((await reader.next()).done, true);
  await topic.leave();
});

Deno.test("close while dialling, to a port that never answers the handshake", async () => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const node = await Gossip.listen({ hostname: "127.0.0.1" });
  const dialling = rejectsWith(node.connect(`127.0.0.1:${silent.addr.port}`), "closed");
  const conn = await silent.accept();
  const started = performance.now();
  await within("closed", node.close());
  assertLess(performance.now() - started, 5_000);
  await dialling;
  conn.close();
  silent.close();
});

Deno.test("close in the same turn as connect, bootstrap and join", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const node = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [a.address] });
  const topic = node.join("news", { contacts: [a.address] });
  const dialling = rejectsWith(node.connect(a.address), "closed");
  const ready = rejectsWith(topic.ready(), "closed");
  await within("closed", node.close());
  await Promise.all([dialling, ready]);
  await until("nothing is left there", () => a.peers().length === 0);
});

Deno.test("close while a stranger is in the middle of its handshake", async () => {
  const node = await Gossip.listen({ hostname: "127.0.0.1" });
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(node.address.split(":")[1]),
  });
  await conn.write(new Uint8Array([0, 32, 1, 2, 3]));
  await until("accepted", () => node.metrics().transport.accepted === 1);
  await within("closed", node.close());
  assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null);
  conn.close();
});

Deno.test("close at every moment of two nodes' meeting leaves nothing behind", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  a.join("news");
  for (let i = 0; i < 12; i++) {
    const node = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [a.address] });
    const topic = node.join("news");
    void topic.publish("hello");
    await turns(i);
    await within("closed", node.close());
  }
  await until("nobody is left", () => a.peers().length === 0);
});

Deno.test("close while publishers and requests are busy", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await meet(onA, onB);
  b!.handle("p", ({ data }) => data);
  let published = 0;
  const publisher = (async () => {
    for (;;) {
      await onA.publish(new Uint8Array(20_000));
      published++;
    }
  })();
  const asker = (async () => {
    for (;;) await a!.request(b!.id, "p", new Uint8Array(100_000));
  })();
  const ended = [rejectsWith(publisher, "closed"), rejectsWith(asker, "closed")];
  await until("busy", () => published > 100);
  await within("closed", a!.close());
  await Promise.all(ended);
});

for (const priority of ["high", "normal", "bulk"] as const satisfies Priority[]) {
  for (const how of ["close", "leave"] as const) {
    Deno.test(`${how} right after publish still delivers what has priority ${priority}`, async () => {
      await using nodes = new Nodes();
      const made = await nodes.many(4);
      const topics = made.map((node) => node.join("news"));
      await meet(...topics);
      const author = made[2]!, topic = topics[2]!;
      const neighbors = topic.neighbors;
      assert(neighbors.length > 0);
      const inboxes = topics.filter((_, i) => neighbors.includes(made[i]!.id))
        .map((each) => new Inbox(each));
      await topic.publish("small", { priority });
      await topic.publish(new Uint8Array(1_000_000).fill(7), { priority });
      await topic.publish("last words", { priority });
      await (how === "close" ? author.close() : topic.leave());
      await until("the neighbours have all", () => {
        return inboxes.every(({ messages }) => messages.length >= 3);
      });
      for (const { messages } of inboxes) {
        assertEquals(messages.map(({ size }) => size).toSorted(), [10, 1_000_000, 5].toSorted());
      }
      for (const node of made) assertEquals(node.metrics().core.malformed, 0);
    });
  }
}

Deno.test("a topic is left and joined again while others talk", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const onA = a!.join("news");
  for (let i = 0; i < 10; i++) {
    await using onB = b!.join("news", {});
    await within("ready", onB.ready());
    const reader = onB.messages();
    await within("there too", onA.ready());
    await onA.publish(`round ${i}`);
    assertEquals((await take(reader, 1))[0]!.text(), `round ${i}`);
  }
  assertEquals([a!.peers()[0]!.score, b!.peers()[0]!.score], [0, 0]);
});

Deno.test("abort of the signal after close, and close after abort, are nothing", async () => {
  const stop = new AbortController();
  const node = await Gossip.listen({ hostname: "127.0.0.1", signal: stop.signal });
  await node.close();
  stop.abort();
  await node.close();
  const again = new AbortController();
  const other = await Gossip.listen({ hostname: "127.0.0.1", signal: again.signal });
  again.abort();
  await other.close();
  assertStrictEquals(other.peers().length, 0);
});
