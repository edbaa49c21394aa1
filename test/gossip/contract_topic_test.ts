import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { cbor, type Codec, json, type Message, type TopicOptions, type Verdict } from "@x/plumtree";
import {
  Events,
  Inbox,
  meet,
  Nodes,
  rejectsWith,
  take,
  throwsWith,
  until,
  within,
} from "./helper.ts";

Deno.test("join returns at once, without options the same topic, with options topic-in-use", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const topic = a.join("news", { echo: true });
  assertEquals(topic.name, "news");
  assertEquals(topic.neighbors, []);
  assertStrictEquals(a.join("news"), topic as unknown);
  assertStrictEquals(a.topic("news"), topic as unknown);
  throwsWith(() => a.join("news", {}), "topic-in-use");
  await topic.leave();
  assertEquals(a.topic("news"), undefined);
  assert(a.join("news", {}) as unknown !== topic);
});

Deno.test("names of topics and protocols have their bounds, and those of the library are reserved", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  assertThrows(() => a.join(1 as unknown as string), TypeError);
  assertThrows(() => a.join("\ud800"), TypeError);
  for (const name of ["", "x".repeat(256), "é".repeat(128), "plumtree/directory", "plumtree/"]) {
    assertThrows(() => a.join(name), RangeError, undefined, name);
    assertThrows(() => a.shards(name, { count: 2 }), RangeError, undefined, name);
    assertThrows(() => a.handle(name, () => ""), RangeError, undefined, name);
  }
  assertEquals(a.join("x".repeat(255)).name.length, 255);
  assertEquals(a.join("plumtree").name, "plumtree");
});

Deno.test("topic options that are none throw TypeError or RangeError, and join nothing", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start();
  const wrong: [TopicOptions | Record<string, unknown>, new () => Error][] = [
    [{ validate: "accept" }, TypeError],
    [{ sign: 1 }, TypeError],
    [{ codec: {} }, TypeError],
    [{ codec: { encode: () => 1 } }, TypeError],
    [{ history: "all" }, TypeError],
    [{ buffer: 0 }, RangeError],
    [{ buffer: 1.5 }, RangeError],
    [{ buffer: 2e9 }, RangeError],
    [{ retain: { seconds: -1 } }, RangeError],
    [{ retain: { messages: 0 } }, RangeError],
    [{ retain: { messages: 1e9 } }, RangeError],
    [{ retain: { bytes: NaN } }, RangeError],
    [{ contacts: "127.0.0.1:1" }, TypeError],
    [{ contacts: [1] }, TypeError],
    [{ contacts: ["neither id nor address"] }, TypeError],
  ];
  for (const [options, expected] of wrong) {
    const what = JSON.stringify(options);
    assertThrows(() => a.join("news", options as TopicOptions), expected, undefined, what);
    assertEquals(a.topic("news"), undefined, what);
  }
});

Deno.test("ready waits for the neighbours that were asked for, and rejects what is none", async () => {
  await using nodes = new Nodes();
  const [a, b, c] = await nodes.many(3);
  const topic = a!.join("news");
  const one = topic.ready(), two = topic.ready({ neighbors: 2 });
  const reason = new Error("no patience");
  const stop = new AbortController();
  const given = topic.ready({ neighbors: 30, signal: stop.signal });
  b!.join("news");
  await within("one neighbour", one);
  assert(topic.neighbors.length >= 1);
  c!.join("news");
  await within("two neighbours", two);
  assertEquals(topic.neighbors.toSorted(), [b!.id, c!.id].toSorted());
  stop.abort(reason);
  assertStrictEquals(await given.catch((error) => error), reason);
  const aborted = topic.ready({ signal: stop.signal });
  assertStrictEquals(await aborted.catch((error) => error), reason);
  for (const neighbors of [0, -1, 1.5, NaN]) {
    await assertRejects(() => topic.ready({ neighbors }), RangeError, undefined, `${neighbors}`);
  }
  const late = topic.ready({ neighbors: 30 });
  await topic.leave();
  await rejectsWith(late, "closed");
});

Deno.test("a message has every field of the contract", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await meet(onA, onB);
  const reader = onA[Symbol.asyncIterator]();
  const first = await onB.publish('{"height":7}');
  const second = await onB.publish(new Uint8Array([1, 2, 3]));
  assertMatch(first.id, /^[0-9a-f]{40}$/);
  const [one, two] = await take(reader, 2) as [Message, Message];
  assertEquals([one.id, two.id], [first.id, second.id]);
  assertEquals([one.topic, one.from, one.via, one.hops], ["news", b!.id, b!.id, 1]);
  assertEquals([one.seq, two.seq], [1, 2]);
  assertEquals([one.size, two.size], [12, 3]);
  assertEquals(one.text(), '{"height":7}');
  assertEquals(one.json(), { height: 7 });
  assertEquals(two.data, new Uint8Array([1, 2, 3]));
  assertEquals(two.value, two.data);
  assertThrows(() => two.json(), SyntaxError);
  // The bytes belong to the reader: writing to them changes nobody else's.
  const other = onA.messages();
  two.data.fill(9);
  await onB.publish("third");
  assertEquals((await take(other, 1))[0]!.text(), "third");
});

Deno.test("hops count the links from the author", async () => {
  await using nodes = new Nodes();
  const [a, b, c] = await nodes.many(3, { overlay: { activeSize: 2 } });
  const topics = [a!, b!, c!].map((node) => node.join("news"));
  await meet(...topics);
  await topics[0]!.publish("x");
  for (const topic of topics.slice(1)) {
    const [m] = await take(topic.messages(), 1);
    assertEquals(m!.from, a!.id);
    assertEquals(m!.hops === 1, m!.via === a!.id);
  }
});

Deno.test("publish refuses what is too large, of the wrong type or priority, and after leave", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start({ limits: { messageBytes: 1_000, laneBytes: 2_000 } });
  const topic = a.join("news");
  await rejectsWith(topic.publish(new Uint8Array(1_001)), "too-large");
  await rejectsWith(topic.publish("é".repeat(501)), "too-large");
  assertMatch((await topic.publish("é".repeat(500))).id, /^[0-9a-f]{40}$/);
  for (const value of [1, null, undefined, {}, [1], new ArrayBuffer(3)]) {
    await assertRejects(() => topic.publish(value as string), TypeError, undefined, String(value));
  }
  await assertRejects(() => topic.publish("x", { priority: "urgent" as "high" }), TypeError);
  await topic.leave();
  await rejectsWith(topic.publish("x"), "closed");
});

Deno.test("every priority arrives, from nothing to the largest message", async () => {
  await using nodes = new Nodes();
  const limits = { messageBytes: 300_000, laneBytes: 2_000_000 };
  const [a, b] = await nodes.many(2, { limits });
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await meet(onA, onB);
  const reader = onA.messages();
  for (const priority of ["high", "normal", "bulk"] as const) {
    for (const size of [0, 1, 70_000, 300_000]) {
      const { id } = await onB.publish(new Uint8Array(size).fill(7), { priority });
      const [m] = await take(reader, 1);
      assertEquals([m!.id, m!.size], [id, size]);
      assert(m!.data.every((byte) => byte === 7));
    }
  }
});

Deno.test("codecs carry values, and messages that they cannot decode reach nobody", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const events = new Events(a!);
  interface Block {
    height: number;
    hash: Uint8Array;
  }
  const asCbor = { codec: cbor<Block>() };
  const [onA, onB] = [a!.join<Block>("blocks", asCbor), b!.join<Block>("blocks", asCbor)];
  const asJson = { codec: json<{ text: string }>() };
  const chatA = a!.join<{ text: string }>("chat", asJson), chatB = b!.join("chat");
  await meet(onA, onB, chatA, chatB);
  const block = { height: 7, hash: new Uint8Array([1, 2, 3]) };
  const reader = onA.messages(), chat = chatA.messages();
  await onB.publish(block);
  assertEquals((await take(reader, 1))[0]!.value, block);
  const { id } = await chatB.publish("{no json");
  await chatB.publish('{"text":"hi"}');
  assertEquals((await take(chat, 1))[0]!.value, { text: "hi" });
  await events.wait("reject", (event) => event.id === id && event.peer === b!.id);
  assertEquals(chatA.metrics().rejected, 1);
  await assertRejects(() => chatA.publish(undefined as unknown as { text: string }), TypeError);
  await assertRejects(() => onA.publish((() => 1) as unknown as Block));
});

Deno.test("a codec that throws in encode throws out of publish, one that throws in decode rejects", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const failure = new Error("cannot");
  const broken: Codec<string> = {
    encode: () => {
      throw failure;
    },
    decode: () => {
      throw failure;
    },
  };
  const onA = a!.join<string>("news", { codec: broken }), onB = b!.join("news");
  await meet(onA, onB);
  assertStrictEquals(await onA.publish("x").catch((error) => error), failure);
  const events = a!.events();
  await onB.publish("x");
  await until("rejected", () => onA.metrics().rejected === 1);
  assertEquals(onA.metrics().delivered, 0);
  // Nobody here has a `validate`: the event says what it was.
  for await (const event of events) {
    if (event.type !== "reject") continue;
    assertEquals(event.reason, "the codec cannot decode it: cannot");
    break;
  }
});

Deno.test("a codec whose encode gives no bytes is a TypeError that says so, and publishes nothing", async () => {
  await using nodes = new Nodes();
  const node = await nodes.start();
  for (const wrong of ["text", {}, undefined, [1]]) {
    const codec = { encode: () => wrong, decode: String } as unknown as Codec<string>;
    const topic = node.join<string>(`news ${typeof wrong} ${wrong}`, { codec });
    await assertRejects(() => topic.publish("x"), TypeError, "codec.encode must return");
    assertEquals(topic.metrics().published, 0);
  }
});

Deno.test("on a topic with sign: false nobody is the author", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!, b!].map((node) => node.join("news", { sign: false }));
  await meet(onA!, onB!);
  const reader = onA!.messages();
  const { id } = await onB!.publish("x");
  const [m] = await take(reader, 1);
  assertEquals([m!.id, m!.from, m!.via, m!.seq, m!.text()], [id, undefined, b!.id, 1, "x"]);
});

Deno.test("echo delivers own messages here too, and only where it is asked for", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const loud = a!.join("news", { echo: true }), quiet = b!.join("news");
  await meet(loud, quiet);
  const [here, there] = [loud.messages(), new Inbox(quiet)];
  const { id } = await loud.publish("to all");
  const [m] = await take(here, 1);
  assertEquals([m!.id, m!.from, m!.via, m!.hops, m!.text()], [id, a!.id, a!.id, 0, "to all"]);
  await quiet.publish("to the other");
  assertEquals((await take(here, 1))[0]!.text(), "to the other");
  await until("it arrives", () => there.texts.length === 1);
  assertEquals(there.texts, ["to all"]);
});

const VALIDATORS: readonly [string, (text: string) => Verdict | Promise<Verdict>][] = [
  ["at once", (text) => text as Verdict],
  ["later", (text) => new Promise((resolve) => setTimeout(() => resolve(text as Verdict), 1))],
];

for (const [when, judge] of VALIDATORS) {
  Deno.test(`validate ${when}: accept delivers, ignore drops, reject drops and tells`, async () => {
    await using nodes = new Nodes();
    const [a, b] = await nodes.many(2);
    const events = new Events(a!);
    const onA = a!.join("news", { validate: (m) => judge(m.text()) }), onB = b!.join("news");
    await meet(onA, onB);
    const inbox = new Inbox(onA);
    await onB.publish("ignore");
    const { id } = await onB.publish("reject");
    await onB.publish("accept");
    await until("all are judged", () => {
      const { delivered, ignored, rejected } = onA.metrics();
      return delivered + ignored + rejected === 3;
    });
    await until("delivered", () => inbox.texts.length === 1);
    assertEquals(inbox.texts, ["accept"]);
    const { reason, peer, topic } = await events.wait("reject", (event) => event.id === id);
    assertEquals([reason, peer, topic], ["rejected by validation", b!.id, "news"]);
    assertEquals(events.of("reject").length, 1);
    const { points } = await events.wait("misbehaved");
    assert(points > 0 && points < 100);
    assert(a!.peers()[0]!.score < 0);
  });
}

Deno.test("a validator that throws, rejects or answers nonsense counts as ignore and is told as a fault", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const events = new Events(a!);
  const validate = (m: Message): Verdict | Promise<Verdict> => {
    if (m.text() === "throw") throw new Error("thrown");
    if (m.text() === "reject later") return Promise.reject(new Error("late"));
    return m.text() === "good" ? "accept" : "perhaps" as Verdict;
  };
  const onA = a!.join("news", { validate }), onB = b!.join("news");
  await meet(onA, onB);
  const inbox = new Inbox(onA);
  for (const text of ["throw", "reject later", "nonsense", "good"]) await onB.publish(text);
  await until("three faults", () => events.of("fault").length === 3);
  await until("the good one", () => inbox.texts.length === 1);
  const { ignored, delivered, rejected } = onA.metrics();
  assertEquals([ignored, delivered, rejected], [3, 1, 0]);
  assertEquals(a!.peers()[0]!.score, 0);
});

Deno.test("contacts name members by address, by id and address, and by id", async () => {
  await using nodes = new Nodes();
  const hub = await nodes.start();
  hub.join("news");
  const contacts = [[hub.address], [`${hub.id}@${hub.address}`], [hub.id]];
  for (const [i, contact] of contacts.entries()) {
    const node = await nodes.start();
    if (i === 2) await node.connect(hub.address);
    const topic = node.join("news", { contacts: contact });
    await within("ready", topic.ready());
    assert(topic.neighbors.includes(hub.id));
  }
});

Deno.test("a message that is logged shows its fields", async () => {
  await using nodes = new Nodes();
  const [a] = await nodes.many(1);
  await using news = a!.join("news", { echo: true });
  await news.publish("hello");
  for await (const message of news) {
    const shown = Deno.inspect(message);
    for (const each of ["Message", "news", message.id, a!.id, "hops: 0", "seq: 1", "size: 5"]) {
      assert(shown.includes(each), shown);
    }
    break;
  }
});
