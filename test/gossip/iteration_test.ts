import { assert, assertEquals, assertLess, assertStrictEquals, assertThrows } from "@std/assert";
import type { Gossip, Message, Topic, TopicOptions } from "@x/plumtree";
import { Events, Inbox, meet, Nodes, take, until, within } from "./helper.ts";

/** Two nodes on a topic, neighbours of each other. */
async function pair(
  nodes: Nodes,
  options?: TopicOptions,
): Promise<{ a: Gossip; b: Gossip; onA: Topic; onB: Topic }> {
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!.join("news", options), b!.join("news")];
  await meet(onA, onB);
  return { a: a!, b: b!, onA, onB };
}

const texts = (messages: readonly Message[]) => messages.map((m) => m.text());

Deno.test("messages before the first iterator are kept for it, and for it alone", async () => {
  await using nodes = new Nodes();
  const { onA, onB } = await pair(nodes);
  for (const text of ["1", "2", "3"]) await onB.publish(text);
  await until("here", () => onA.metrics().delivered === 3);
  const first = onA.messages(), second = onA.messages();
  await onB.publish("4");
  assertEquals(texts(await take(first, 4)), ["1", "2", "3", "4"]);
  assertEquals(texts(await take(second, 1)), ["4"]);
});

Deno.test("an iterator whose signal is aborted already does not take what is kept for the first one", async () => {
  await using nodes = new Nodes();
  const { a, onA, onB } = await pair(nodes);
  await onB.publish("kept");
  await until("here", () => onA.metrics().delivered === 1);
  const reason = new Error("never mind");
  const gone = onA.messages({ signal: AbortSignal.abort(reason) });
  assertStrictEquals(await gone.next().catch((error) => error), reason);
  assertEquals(texts(await take(onA.messages(), 1)), ["kept"]);
  const events = a.events({ signal: AbortSignal.abort(reason) });
  assertStrictEquals(await events.next().catch((error) => error), reason);
});

Deno.test("several iterators each get everything, in the order of one author, once", async () => {
  await using nodes = new Nodes();
  const { onA, onB } = await pair(nodes);
  const inboxes = Array.from({ length: 5 }, () => new Inbox(onA));
  const sent = Array.from({ length: 200 }, (_, i) => `message ${i}`);
  for (const text of sent) await onB.publish(text);
  await until("all have all", () => inboxes.every(({ messages }) => messages.length >= 200));
  for (const inbox of inboxes) assertEquals(inbox.texts, sent);
});

Deno.test("an iterator that ends leaves the others alone", async () => {
  await using nodes = new Nodes();
  const { onA, onB } = await pair(nodes);
  const inbox = new Inbox(onA);
  const got: string[] = [];
  const loop = (async () => {
    for await (const m of onA) {
      got.push(m.text());
      if (got.length === 2) break;
    }
  })();
  for (const text of ["1", "2", "3", "4"]) await onB.publish(text);
  await within("the loop ends", loop);
  await until("the other has all", () => inbox.texts.length === 4);
  assertEquals(got, ["1", "2"]);
});

Deno.test("a reader that keeps up loses nothing of a burst larger than its buffer, and one that doesn't is told once", async () => {
  await using nodes = new Nodes();
  const { a, onA, onB } = await pair(nodes);
  const events = new Events(a);
  const idle = onA.messages({ buffer: 5 }), got: number[] = [];
  const loop = (async () => {
    for await (const m of onA.messages({ buffer: 5 })) if (got.push(m.seq) === 3_000) break;
  })();
  const payload = new Uint8Array(100);
  await Promise.all(Array.from({ length: 3_000 }, () => onB.publish(payload)));
  await within("everything is read", loop);
  assertEquals(got, Array.from({ length: 3_000 }, (_, i) => i + 1));
  const told = () => events.of("lagged");
  await until(
    "the idle one was told of all",
    () => told().reduce((sum, { count }) => sum + count, 0) === 2_995,
  );
  assertLess(told().length, 100, "once a turn, not once a message");
  const held = await take(idle, 5);
  assertEquals(held.map(({ seq }) => seq), [2_996, 2_997, 2_998, 2_999, 3_000]);
});

Deno.test("a slow reader loses its oldest messages and gets a lagged event with the count", async () => {
  await using nodes = new Nodes();
  const { a, onA, onB } = await pair(nodes);
  const events = new Events(a);
  const slow = onA.messages({ buffer: 10 }), fast = new Inbox(onA);
  for (let i = 0; i < 100; i++) await onB.publish(`${i}`);
  await until("the fast one has all", () => fast.messages.length === 100);
  const held = texts(await take(slow, 10));
  assertEquals(held, Array.from({ length: 10 }, (_, i) => `${90 + i}`));
  await until("told", () => events.of("lagged").length > 0);
  const lagged = events.of("lagged");
  assertEquals(lagged.reduce((sum, { count }) => sum + count, 0), 90);
  assert(lagged.every(({ topic }) => topic === "news"));
});

Deno.test("what is kept for the first iterator is bounded by the topic's buffer, with its lagged event", async () => {
  await using nodes = new Nodes();
  const { a, onA, onB } = await pair(nodes, { buffer: 5 });
  const events = new Events(a);
  for (let i = 0; i < 20; i++) await onB.publish(`${i}`);
  await until("here", () => onA.metrics().delivered === 20);
  assertEquals(texts(await take(onA.messages(), 5)), ["15", "16", "17", "18", "19"]);
  await until("told", () => events.of("lagged").length > 0);
  assertEquals(events.of("lagged"), [{ type: "lagged", topic: "news", count: 15 }]);
});

Deno.test("a buffer is bounded in bytes too", async () => {
  await using nodes = new Nodes();
  const limits = { bufferBytes: 10_000 };
  const [a, b] = await nodes.many(2, { limits });
  const [onA, onB] = [a!.join("news"), b!.join("news")];
  await meet(onA, onB);
  const reader = onA.messages();
  for (let i = 0; i < 10; i++) await onB.publish(new Uint8Array(3_000).fill(i));
  await until("here", () => onA.metrics().delivered === 10);
  const held = await take(reader, 3);
  assertEquals(held.map(({ data }) => data[0]), [7, 8, 9]);
});

Deno.test("a reader that never reads does not slow the node", async () => {
  await using nodes = new Nodes();
  const { onA, onB } = await pair(nodes);
  const stuck = onA.messages({ buffer: 1 });
  const started = performance.now();
  for (let i = 0; i < 2_000; i++) await onB.publish("x");
  await until("all are delivered", () => onA.metrics().delivered === 2_000);
  assertLess(performance.now() - started, 10_000);
  assertEquals((await take(stuck, 1)).length, 1);
});

Deno.test("a slow reader of events loses the oldest and gets one lagged event with the count first", async () => {
  await using nodes = new Nodes();
  const a = await nodes.start({ limits: { eventBuffer: 4 } });
  const reader = a.events();
  const peers = await Promise.all(Array.from({ length: 10 }, () => nodes.start()));
  for (const peer of peers) await peer.connect(a.address);
  await until("ten peers", () => a.peers().length === 10);
  const [first, ...rest] = await take(reader, 5);
  assert(first!.type === "lagged" && first.topic === undefined && first.count >= 6);
  assert(rest.every(({ type }) => type !== "lagged"));
});

Deno.test("aborting a signal rejects the iteration with its reason, of messages and of events", async () => {
  await using nodes = new Nodes();
  const { a, onA, onB } = await pair(nodes);
  const stop = new AbortController(), reason = new Error("enough");
  const waiting = onA.messages({ signal: stop.signal });
  const holding = onA.messages({ signal: stop.signal });
  const events = a.events({ signal: stop.signal });
  const next = waiting.next(), event = events.next();
  await onB.publish("x");
  assertEquals((await next).value.text(), "x");
  const further = waiting.next();
  stop.abort(reason);
  const promises: Promise<unknown>[] = [further, holding.next(), event];
  for (const promise of promises) {
    assertStrictEquals(await within("rejected", promise).catch((error) => error), reason);
  }
  for (const each of [waiting, holding, events]) assertEquals((await each.next()).done, true);
  await onB.publish("y");
  await until("the topic lives on", () => onA.metrics().delivered === 2);
});

Deno.test("leave ends iterations normally, after what they hold", async () => {
  await using nodes = new Nodes();
  const { onA, onB } = await pair(nodes);
  const holding = onA.messages(), waiting = onA.messages();
  await onB.publish("x");
  assertEquals(texts(await take(waiting, 1)), ["x"]);
  const next = waiting.next();
  await onA.leave();
  assertEquals(await within("ended", next), { done: true, value: undefined });
  assertEquals(texts(await take(holding, 1)), ["x"]);
  assertEquals((await holding.next()).done, true);
  for await (const _ of onA.messages()) assert(false, "nothing comes after leave");
});

Deno.test("wrong buffers are RangeErrors", async () => {
  await using nodes = new Nodes();
  const topic = (await nodes.start()).join("news");
  for (const buffer of [0, -1, 1.5, NaN, "7"]) {
    assertThrows(() => topic.messages({ buffer: buffer as number }), RangeError, undefined);
  }
});
