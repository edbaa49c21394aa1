import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { createHash } from "node:crypto";
import { Gossip, type GossipOptions, Identity } from "@x/plumtree";
import { Events, meet, Nodes, rejectsWith, throwsWith, until, within } from "./helper.ts";

const NOBODY = "0".repeat(64);

/** A loopback port where nobody listens. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

Deno.test("a node without options is reachable, has a fresh id and says 127.0.0.1 until it knows better", async () => {
  await using a = await Gossip.listen();
  await using b = await Gossip.listen({ hostname: "0.0.0.0" });
  assertMatch(a.id, /^[0-9a-f]{64}$/);
  assertNotEquals(a.id, b.id);
  assertMatch(a.address, /^127\.0\.0\.1:\d+$/);
  assertEquals(await b.connect(a.address), a.id);
  assertMatch(a.address, /^127\.0\.0\.1:\d+$/);
  assertEquals(a.metrics().transport.connections, 1);
});

Deno.test("address is what was bound, or what is advertised, or nothing where nothing is accepted", async () => {
  await using bound = await Gossip.listen({ hostname: "127.0.0.1" });
  await using told = await Gossip.listen({
    hostname: "127.0.0.1",
    advertise: "plumtree.example:7946",
  });
  await using deaf = await Gossip.listen({ listen: false });
  const port = freePort();
  await using exact = await Gossip.listen({ hostname: "127.0.0.1", port });
  assertMatch(bound.address, /^127\.0\.0\.1:[1-9]\d*$/);
  assertEquals(told.address, "plumtree.example:7946");
  assertEquals(deaf.address, "");
  assertEquals(exact.address, `127.0.0.1:${port}`);
  assertEquals(await deaf.connect(bound.address), bound.id);
});

Deno.test("an identity of 32 bytes is the ed25519 seed, one of a string its SHA-256", () => {
  const zero = Identity.fromSeed(new Uint8Array(32));
  assertEquals(zero.id, "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
  const hashed = createHash("sha256").update("1").digest();
  assertEquals(Identity.fromSeed("1").id, Identity.fromSeed(new Uint8Array(hashed)).id);
  assertNotEquals(Identity.generate().id, Identity.generate().id);
  assertThrows(() => Identity.fromSeed(new Uint8Array(31)), RangeError);
  assertThrows(() => Identity.fromSeed(""), RangeError);
  assertThrows(() => Identity.fromSeed(1 as unknown as string), TypeError);
});

Deno.test("a node with an identity has its id", async () => {
  const identity = Identity.fromSeed("1");
  await using node = await Gossip.listen({ hostname: "127.0.0.1", identity });
  assertEquals(node.id, identity.id);
});

Deno.test("options that are none reject with TypeError or RangeError", async () => {
  const wrong: [string, unknown, new () => Error][] = [
    ["port", -1, RangeError],
    ["port", 65_536, RangeError],
    ["port", 1.5, RangeError],
    ["advertise", "nowhere", TypeError],
    ["advertise", `${NOBODY}@127.0.0.1:1`, TypeError],
    ["advertise", "host:0", TypeError],
    ["identity", { id: NOBODY }, TypeError],
    ["bootstrap", "127.0.0.1:1", TypeError],
    ["bootstrap", [1], TypeError],
    ["bootstrap", ["no address"], TypeError],
    ["network", 1, TypeError],
    ["network", "x".repeat(256), RangeError],
    ["preset", "moon", TypeError],
    ["overlay", { activeSize: 0 }, RangeError],
    ["overlay", { activeSize: 31 }, RangeError],
    ["overlay", { shuffleTtl: 256 }, RangeError],
    ["overlay", { arwl: 256 }, RangeError],
    ["overlay", { passiveSize: 2 ** 53 - 1 }, RangeError],
    ["overlay", 5, TypeError],
    ["overlay", [], TypeError],
    ["signal", 5, TypeError],
    ["listen", "no", TypeError],
    ["hostname", 0, TypeError],
    ["hostname", "[::1]", TypeError],
    ["port", "80", TypeError],
    ["tree", { retainMessages: 65_537 }, RangeError],
    ["overlay", { toString: 5 }, TypeError],
    ["limits", { constructor: 5 }, TypeError],
    ["overlay", { swapMs: 1e-9 }, RangeError],
    ["overlay", { swapMs: 0.5 }, RangeError],
    ["overlay", { activeSized: 3 }, TypeError],
    ["tree", { ihaveMs: -1 }, RangeError],
    ["tree", { graftRetries: "2" }, TypeError],
    ["limits", { connections: 1.5 }, RangeError],
    ["limits", { messageBytes: 8 * 1024 * 1024 }, RangeError],
    ["limits", { unheardOf: 1 }, TypeError],
  ];
  for (const [name, value, expected] of wrong) {
    await assertRejects(
      () => Gossip.listen({ hostname: "127.0.0.1", [name]: value } as GossipOptions),
      expected,
      undefined,
      `${name}: ${JSON.stringify(value)}`,
    );
  }
});

Deno.test("what is no object, no signal, or retains nothing that can be is refused with a word", async () => {
  for (const none of [5, null, [], "x"]) {
    await assertRejects(() => Gossip.listen(none as GossipOptions), TypeError, "options must be");
  }
  await using node = await Gossip.listen({ hostname: "127.0.0.1" });
  const none = 5 as never, signal = { signal: 5 as never };
  assertThrows(() => node.events(none), TypeError, "options must be");
  assertThrows(() => node.events(signal), TypeError, "signal must be");
  assertThrows(() => node.join("a", none), TypeError, "options must be");
  assertThrows(() => node.join("b", { retain: none }), TypeError, "retain must be");
  assertThrows(() => node.join("c", { echo: none }), TypeError, "echo");
  assertThrows(() => node.shards("d", undefined as never), TypeError, "options must be");
  await using topic = node.join("e");
  await assertRejects(() => topic.publish("x", none), TypeError, "options must be");
  await assertRejects(() => topic.ready(signal), TypeError, "signal must be");
  assertThrows(() => topic.messages(signal), TypeError, "signal must be");
  await assertRejects(() => node.connect("127.0.0.1:1", signal), TypeError, "signal must be");
});

Deno.test("a misspelt option is refused everywhere, with its name, and joins and sends nothing", async () => {
  const wrong = { singal: 1 } as never, word = "options.singal is not an option";
  await assertRejects(() => Gossip.listen(wrong), TypeError, word);
  await using node = await Gossip.listen({ hostname: "127.0.0.1" });
  assertThrows(() => node.events(wrong), TypeError, word);
  await assertRejects(() => node.connect("127.0.0.1:1", wrong), TypeError, word);
  await assertRejects(() => node.request("ab".repeat(32), "p", "", wrong), TypeError, word);
  assertThrows(() => node.join("a", { singed: false } as never), TypeError, "options.singed");
  const retain = { retain: { second: 1 } } as never;
  assertThrows(() => node.join("a", retain), TypeError, "retain.second is not an option");
  const misspelt = { count: 2, sing: false } as never;
  assertThrows(() => node.shards("s", misspelt), TypeError, "options.sing is");
  const shards = node.shards("s", { count: 2, sign: false });
  await assertRejects(() => shards.move({ jion: [1] } as never), TypeError, "options.jion");
  await assertRejects(() => shards.publish(1, "x", wrong), TypeError, word);
  assertEquals(shards.joined, []);
  // What is undefined is not there.
  await using topic = node.join("a", { validate: undefined, later: undefined } as never);
  await assertRejects(() => topic.publish("x", wrong), TypeError, word);
  await assertRejects(() => topic.ready(wrong), TypeError, word);
  assertThrows(() => topic.messages(wrong), TypeError, word);
  assertEquals(topic.metrics().published, 0);
});

Deno.test('a port that is taken rejects with "listen-failed" and its cause', async () => {
  await using node = await Gossip.listen({ hostname: "127.0.0.1" });
  const port = Number(node.address.split(":")[1]);
  const error = await rejectsWith(
    Gossip.listen({ hostname: "127.0.0.1", port }),
    "listen-failed",
  );
  assert(error.cause instanceof Error);
});

Deno.test("listen rejects with the reason of a signal that is aborted", async () => {
  const reason = new Error("not today");
  const thrown = await Gossip.listen({ signal: AbortSignal.abort(reason) }).catch((e) => e);
  assertStrictEquals(thrown, reason);
  const stop = new AbortController();
  const starting = Gossip.listen({ hostname: "127.0.0.1", signal: stop.signal });
  stop.abort(reason);
  assertStrictEquals(await starting.catch((e) => e), reason);
});

Deno.test("aborting the signal closes the node and says goodbye", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const stop = new AbortController();
  const b = await nodes.start({ signal: stop.signal, bootstrap: [a.address] });
  const [onA, onB] = [new Events(a), new Events(b)];
  const topic = b.join("news");
  const reading = topic.messages().next();
  await onB.wait("peer-up");
  stop.abort();
  await within("b's iterations end", onB.done);
  assertEquals(await reading, { done: true, value: undefined });
  const { reason } = await onA.wait("peer-down", ({ peer }) => peer === b.id);
  assertEquals(reason, "left");
  throwsWith(() => b.join("other"), "closed");
});

Deno.test("connect takes host:port and id@host:port, and resolves with who is there", async () => {
  await using nodes = new Nodes();
  const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()];
  assertEquals(await a.connect(b.address), b.id);
  assertEquals(await a.connect(b.address), b.id);
  assertEquals(await a.connect(`${c.id}@${c.address}`), c.id);
  assertEquals(await a.connect(`${c.id}@${c.address}`), c.id);
  assertEquals(a.peers().length, 2);
});

Deno.test("connect refuses the wrong peer, itself, what is no address, and a silent port", async () => {
  await using nodes = new Nodes();
  const [a, b] = [await nodes.start(), await nodes.start()];
  await rejectsWith(a.connect(`${NOBODY}@${b.address}`), "wrong-peer");
  await rejectsWith(a.connect(a.address), "own-id");
  await rejectsWith(a.connect(`${a.id}@${a.address}`), "own-id");
  for (const address of ["", "x", "host", "host:", ":1", "host:99999", "zz@127.0.0.1:1", "a b:1"]) {
    await assertRejects(() => a.connect(address), TypeError, undefined, address);
  }
  await assertRejects(() => a.connect(7 as unknown as string), TypeError);
  const failed = await rejectsWith(a.connect(`127.0.0.1:${freePort()}`), "dial-failed");
  assert(failed.cause instanceof Error);
  assertEquals(a.peers(), []);
  assertEquals(b.peers(), []);
});

Deno.test("connect to a peer that is banned here is refused with a word, and brings it up for no moment", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const events = new Events(a!);
  const onA = a!.join("news", { validate: () => "reject" });
  const onB = b!.join("news", { validate: () => "accept" });
  await meet(onA, onB);
  // All of them come in a few records: of what follows the one that ends the connection nothing is looked at.
  const published = Array.from({ length: 30 }, (_, i) => onB.publish(`bad ${i}`).catch(() => {}));
  await Promise.all(published);
  await events.wait("peer-down", ({ reason }) => reason === "misbehaved");
  assert(onA.metrics().rejected <= 11, `${onA.metrics().rejected} rejected`);
  const ups = events.of("peer-up").length;
  const refused = await rejectsWith(a!.connect(b!.address), "dial-failed");
  assertMatch(refused.message, /banned here/);
  assertEquals(events.of("peer-up").length, ups);
});

Deno.test("connect rejects with the reason of its signal", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const reason = new Error("enough");
  const stop = new AbortController();
  const dialling = a.connect(`127.0.0.1:${silent.addr.port}`, { signal: stop.signal });
  const conn = await silent.accept();
  stop.abort(reason);
  assertStrictEquals(await dialling.catch((error) => error), reason);
  const again = a.connect(`127.0.0.1:${silent.addr.port}`, { signal: stop.signal });
  assertStrictEquals(await again.catch((error) => error), reason);
  conn.close();
  silent.close();
});

Deno.test("nodes of different networks refuse each other in the handshake", async () => {
  await using nodes = new Nodes();
  const [a, b] = [await nodes.start({ network: "one" }), await nodes.start({ network: "two" })];
  const events = new Events(a);
  await rejectsWith(a.connect(b.address), "handshake-failed");
  const { address } = await events.wait("dial-failed");
  assertEquals(address, b.address);
  await until("counted", () => b.metrics().transport.handshakesFailed === 1);
  assertEquals([a.peers(), b.peers()], [[], []]);
});

Deno.test("something that speaks another protocol is a failed handshake", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dialling = a.connect(`127.0.0.1:${other.addr.port}`);
  const conn = await other.accept();
  await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const { cause } = await rejectsWith(dialling, "handshake-failed");
  assert(cause instanceof Error);
  conn.close();
  other.close();
});

Deno.test("fewer remembered ids mean fewer retained messages, unless those are given, too", async () => {
  await using nodes = new Nodes();
  const [a, b] = [await nodes.start({ limits: { seenIds: 10 } }), await nodes.start()];
  const topic = a.join("t");
  for (let i = 0; i < 30; i++) await topic.publish(`${i}`);
  await until("all are sent", () => topic.metrics().seen >= 10);
  assertEquals(topic.metrics().retainedMessages, 10);
  assertThrows(() => b.join("t", { retain: { messages: 65_537 } }), RangeError, "retain.messages");
});

Deno.test("two nodes with one identity refuse each other, and a third keeps one link to that id", async () => {
  await using nodes = new Nodes();
  const identity = Identity.fromSeed("twins");
  const [one, two] = [await nodes.start({ identity }), await nodes.start({ identity })];
  const [third, other] = await nodes.many(2);
  const events = new Events(third!);
  await rejectsWith(one.connect(two.address), "own-id");
  await one.connect(third!.address);
  await two.connect(third!.address).catch(() => {});
  await until("one link", () => third!.peers().filter(({ id }) => id === identity.id).length === 1);
  const [onThird, onOther] = [third!.join("news"), other!.join("news")];
  await within("ready", onOther.ready());
  const next = onThird[Symbol.asyncIterator]().next();
  await onOther.publish("all is well");
  assertEquals((await within("a message", next)).value.text(), "all is well");
  assertEquals(events.of("fault"), []);
});

Deno.test("peers() tells id, direction, topics, score, bytes and round-trip time", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await within("ready", Promise.all([onA.ready(), onB.ready()]));
  await until("measured", () => [a!, b!].every((n) => n.peers()[0]?.rttMs !== undefined));
  await until("on the topic", () => a!.peers()[0]!.topics.includes("news"));
  const [seen] = a!.peers(), [own] = b!.peers();
  assertEquals([seen!.id, own!.id], [b!.id, a!.id]);
  assertEquals([seen!.direction, own!.direction], ["in", "out"]);
  assertEquals(seen!.topics, ["news"]);
  assertEquals([seen!.score, own!.score], [0, 0]);
  assert(Object.is(seen!.score, 0), "no minus zero");
  assert(seen!.bytesIn > 0 && seen!.bytesOut > 0 && seen!.rttMs! >= 0);
});

Deno.test("PeerInfo carries every field of the contract, address included", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  await until("connected", () => a!.peers().length === 1 && b!.peers().length === 1);
  for (
    const field of [
      "id",
      "address",
      "rttMs",
      "topics",
      "direction",
      "score",
      "bytesIn",
      "bytesOut",
    ]
  ) {
    assert(field in a!.peers()[0]!, field);
  }
  await until("its address is known", () => b!.peers()[0]!.address === a!.address);
});

Deno.test("the directory finds who is on a topic, gives records and counts peers", async () => {
  await using nodes = new Nodes();
  const [a, b, c] = await nodes.many(3);
  b!.join("news");
  const ids = [a!.id, b!.id, c!.id].toSorted();
  await until("everybody is known", () => c!.directory.size === 3 && a!.directory.size === 3);
  await until("the member is found", () => a!.directory.lookup("news").length === 1);
  const [record] = a!.directory.lookup("news");
  assertEquals([record!.id, record!.addresses, record!.topics], [b!.id, [b!.address], ["news"]]);
  assertEquals(a!.directory.get(b!.id), record);
  assertEquals(a!.directory.get(NOBODY), undefined);
  assertEquals(a!.directory.lookup("unheard of"), []);
  assertEquals([...c!.directory].map(({ id }) => id).toSorted(), ids);
  assertThrows(() => a!.directory.lookup(1 as unknown as string), TypeError);
  await b!.topic("news")!.leave();
  await until("the member is gone", () => a!.directory.lookup("news").length === 0);
  await b!.close();
  await until("the node is gone", () => a!.directory.get(b!.id) === undefined);
});

Deno.test("metrics are frozen snapshots", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await within("ready", onB.ready());
  const before = a!.metrics();
  for (const part of [before, before.topics, before.topics.news, before.core, before.requests]) {
    assert(Object.isFrozen(part));
  }
  assert(Object.isFrozen(before.transport) && Object.isFrozen(onA.metrics()));
  await onB.publish("x");
  await until("delivered", () => onA.metrics().delivered === 1);
  assertEquals(before.topics.news!.delivered, 0);
  const { delivered, duplicates, missed, ihaveSent, grafts, prunes, eager, lazy } = onA.metrics();
  const counters = [delivered, duplicates, missed, ihaveSent, grafts, prunes, eager, lazy];
  assertEquals(counters, [1, 0, 0, 0, 0, 0, 1, 0]);
  assertEquals(Object.keys(a!.metrics().topics), ["news"]);
});

Deno.test('after close everything is "closed", and iterations are over at once', async () => {
  const node = await Gossip.listen({ hostname: "127.0.0.1" });
  const topic = node.join("news");
  const shards = node.shards("tx", { count: 4 });
  await node.close();
  throwsWith(() => node.join("other"), "closed");
  throwsWith(() => node.shards("other", { count: 4 }), "closed");
  throwsWith(() => node.handle("x", () => ""), "closed");
  throwsWith(() => shards.join(1), "closed");
  await rejectsWith(node.connect("127.0.0.1:1"), "closed");
  await rejectsWith(node.request(NOBODY, "x"), "closed");
  await rejectsWith(topic.publish("x"), "closed");
  await rejectsWith(topic.ready(), "closed");
  await rejectsWith(shards.publish(1, "x"), "closed");
  for await (const _ of topic) assert(false, "no message");
  for await (const _ of node.events()) assert(false, "no event");
  assertEquals(node.peers(), []);
  assertEquals(topic.neighbors, []);
});
