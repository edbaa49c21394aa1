import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { GossipError } from "@x/plumtree";
import { Events, meet, Nodes, until, within } from "./helper.ts";

Deno.test("peer-up and neighbor-up come when nodes meet, neighbor-down and peer-down with a reason when one closes", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const events = new Events(a);
  const b = await nodes.start({ bootstrap: [a.address] });
  const [onA, onB] = [a.join("news"), b.join("news")];
  await meet(onA, onB);
  await events.wait("neighbor-up", ({ topic, peer }) => topic === "news" && peer === b.id);
  assertEquals(events.of("peer-up"), [{ type: "peer-up", peer: b.id, direction: "in" }]);
  await b.close();
  const down = await events.wait("neighbor-down");
  assertEquals(down, { type: "neighbor-down", topic: "news", peer: b.id, reason: "left" });
  assertEquals(await events.wait("peer-down"), { type: "peer-down", peer: b.id, reason: "left" });
  assertEquals(a.peers(), []);
});

Deno.test("two nodes with more topics in common than a connection may have stay connected by those that fit", async () => {
  await using nodes = new Nodes();
  const limits = { topicsPerPeer: 6 };
  const a = await nodes.start({ limits });
  const events = new Events(a);
  const b = await nodes.start({ limits, bootstrap: [a.address] });
  const names = Array.from({ length: 12 }, (_, i) => `topic ${i}`);
  const on = [a, b].flatMap((node) => names.map((name) => node.join(name)));
  const near = () => on.filter((topic) => topic.neighbors.length > 0).length;
  await until("some topics have neighbours at both ends", () => near() >= 4);
  assertEquals([events.of("misbehaved"), events.of("peer-down")], [[], []]);
});

Deno.test("a node with as many topics as its neighbours take leaves one and joins it again at once", async () => {
  await using nodes = new Nodes();
  // The directory's, two more, and one on its way out: what opens it again overtakes what closes it.
  const limits = { topicsPerPeer: 4 };
  const a = await nodes.start({ limits });
  const b = await nodes.start({ limits, bootstrap: [a.address] });
  const events = new Events(b);
  const on = [a, b].flatMap((node) => ["one", "two"].map((name) => node.join(name)));
  await until("both have neighbours", () => on.every(({ neighbors }) => neighbors.length === 1));
  for (let round = 0; round < 5; round++) {
    const left = a.topic("two")!.leave();
    const again = a.join("two", {});
    await until("it has a neighbour again", () => again.neighbors.length === 1);
    await left;
  }
  assertEquals([events.of("misbehaved"), events.of("peer-down")], [[], []]);
});

Deno.test("each of a thousand topics that two nodes share has a neighbour", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const b = await nodes.start({ bootstrap: [a.address] });
  const on = [a, b].flatMap((node) =>
    Array.from({ length: 1_000 }, (_, i) => node.join(`topic ${i}`))
  );
  await until("all have one", () => on.every((topic) => topic.neighbors.length === 1));
});

Deno.test("leaving a topic is a neighbor-down there and no peer-down", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const events = new Events(a!);
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await meet(onA, onB);
  await onB.leave();
  const { peer, reason } = await events.wait("neighbor-down");
  assertEquals([peer, reason], [b!.id, "left"]);
  assertEquals(events.of("peer-down"), []);
  assertEquals(onA.neighbors, []);
});

Deno.test("a node that is killed is lost: isolated, and rejoined when it is back", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const b = await nodes.start({ bootstrap: [a.address] });
  const events = new Events(b);
  const [onA, onB] = [a.join("news"), b.join("news")];
  await meet(onA, onB);
  const port = Number(a.address.split(":")[1]);
  await nodes.kill(a);
  const { reason } = await events.wait("peer-down", ({ peer }) => peer === a.id);
  assertEquals(reason, "lost");
  assertEquals(await events.wait("isolated"), { type: "isolated", topic: "news" });
  const { address, error } = await events.wait("dial-failed");
  assertEquals(address, a.address);
  assertInstanceOf(error, GossipError);
  const again = await nodes.start({ port });
  again.join("news");
  assertEquals(await events.wait("rejoined", () => true, 30_000), {
    type: "rejoined",
    topic: "news",
  });
  await within("ready", onB.ready());
});

Deno.test("dial-failed tells the address and a GossipError", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const events = new Events(a);
  const closed = await nodes.start();
  await closed.close();
  await a.connect(closed.address).catch(() => {});
  const { address, error } = await events.wait("dial-failed");
  assertEquals(address, closed.address);
  assertInstanceOf(error, GossipError);
  assertEquals(error.code, "dial-failed");
});

Deno.test("bootstrap addresses are tried until somebody is there", async () => {
  await using nodes = new Nodes();
  const first = await nodes.start();
  const { address } = first;
  await first.close();
  const b = await nodes.start({ bootstrap: [address] });
  const events = new Events(b);
  const topic = b.join("news");
  await events.wait("dial-failed");
  const again = await nodes.start({ port: Number(address.split(":")[1]) });
  again.join("news");
  await within("ready", topic.ready(), 30_000);
});

Deno.test("every reader of events gets them all, and each ends when the node closes", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const readers = [new Events(a), new Events(a)];
  const b = await nodes.start();
  await b.connect(a.address);
  for (const reader of readers) await reader.wait("peer-up");
  await a.close();
  await within("both end", Promise.all(readers.map(({ done }) => done)));
  assertEquals(readers[0]!.all, readers[1]!.all);
  assert(readers[0]!.of("peer-down").every(({ reason }) => reason === "closed"));
  await until("seen", () => b.peers().length === 0);
});

Deno.test("validate that never answers is ignored after limits.verdictMs and told as a fault", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2, { limits: { verdictMs: 50 } });
  const events = new Events(a!);
  const onA = a!.join("news", { validate: () => new Promise(() => {}) }), onB = b!.join("news");
  await meet(onA, onB);
  await onB.publish("x");
  const { error } = await events.wait("fault");
  assertInstanceOf(error, GossipError);
  assertEquals(error.code, "timeout");
  const { ignored, validating } = onA.metrics();
  assertEquals([ignored, validating], [1, 0]);
});
