import { Buffer } from "node:buffer";
import { assert, assertEquals, assertLess } from "@std/assert";
import type { TopicCore } from "../../src/core/topic_core.ts";
import { json, type Message } from "../../src/message.ts";
import { Pacer } from "../../src/pacer.ts";
import type { Topic } from "../../src/topic.ts";
import type { Transport } from "../../src/transport.ts";
import { VirtualTime } from "../support/virtual_time.ts";
import { Events, Inbox, meet, Nodes, until, within } from "./helper.ts";

/** Two nodes on one topic that retain little; the second one's messages and events. */
async function two(nodes: Nodes, messages = 256) {
  const [a, b] = await nodes.many(2);
  const retain = { messages };
  const [onA, onB] = [a!.join("news", { retain }), b!.join("news", { retain })];
  const inbox = new Inbox(onB), events = new Events(b!);
  await meet(onA, onB);
  return { a: a!, onA, inbox, events };
}

/** The number that a payload begins with. */
function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

function numbered(payload: Uint8Array, number: number): Uint8Array {
  new DataView(payload.buffer).setUint32(0, number);
  return payload;
}

Deno.test("what is published without waiting arrives in order, though it is more than lanes hold and than is retained", async () => {
  await using nodes = new Nodes();
  const { onA, inbox, events } = await two(nodes);
  const count = 6_000;
  const sent = Array.from(
    { length: count },
    (_, i) => onA.publish(numbered(new Uint8Array(4_096), i)),
  );
  const ids = (await within("all are handed on", Promise.all(sent), 30_000)).map(({ id }) => id);
  await until("all have come", () => inbox.messages.length === count, 30_000);
  assertEquals(inbox.messages.map(({ data }) => numberOf(data)), ids.map((_, i) => i));
  assertEquals(inbox.messages.map(({ id }) => id), ids);
  assertEquals(events.of("missed"), []);
});

Deno.test("bytes may be changed as soon as publish has returned its promise", async () => {
  await using nodes = new Nodes();
  const { onA, inbox } = await two(nodes, 8_192);
  const payload = new Uint8Array(100), count = 1_000;
  for (let i = 0; i < count; i++) void onA.publish(numbered(payload, i));
  await until("all have come", () => inbox.messages.length === count);
  assertEquals(
    inbox.messages.map(({ data }) => numberOf(data)),
    Array.from({ length: count }, (_, i) => i),
  );
});

Deno.test("leave sends what still waits for its turn, and its promises resolve", async () => {
  await using nodes = new Nodes();
  const { onA, inbox } = await two(nodes, 8_192);
  const sent = Array.from({ length: 1_000 }, (_, i) => onA.publish(`${i}`));
  await onA.leave();
  const ids = (await within("all are handed on", Promise.all(sent))).map(({ id }) => id);
  await until("all have come", () => inbox.messages.length === ids.length);
  assertEquals(inbox.messages.map(({ id }) => id), ids);
});

Deno.test("a Buffer may be changed too, though its slice is a view", async () => {
  await using nodes = new Nodes();
  const { onA, inbox } = await two(nodes, 8_192);
  const payload = Buffer.alloc(100), count = 1_000;
  for (let i = 0; i < count; i++) {
    payload.writeUInt32BE(i);
    void onA.publish(payload);
  }
  await until("all have come", () => inbox.messages.length === count);
  assertEquals(inbox.messages.map(({ data }) => numberOf(data)), [...Array(count).keys()]);
});

for (const how of ["leave", "close"] as const) {
  for (
    const [count, bytes] of [[300, 4_096], [3_000, 4_096], [20_000, 10], [100, 200_000]] as const
  ) {
    Deno.test(`${how} right after ${count} messages of ${bytes} bytes still delivers all`, async () => {
      await using nodes = new Nodes();
      const { a, onA, inbox } = await two(nodes, 30_000);
      const sent = Array.from({ length: count }, () => onA.publish(new Uint8Array(bytes)));
      await within("ended", how === "leave" ? onA.leave() : a.close());
      await within("all are handed on", Promise.all(sent));
      await until("all have come", () => inbox.messages.length === count);
    });
  }
}

Deno.test("a topic that is on its way out can be joined again at once", async () => {
  await using nodes = new Nodes();
  const { a, onA, inbox } = await two(nodes, 30_000);
  const sent = Array.from({ length: 5_000 }, () => onA.publish(new Uint8Array(4_096)));
  const left = onA.leave();
  assertEquals(a.topic("news"), undefined);
  const again = a.join("news", {});
  assert(again !== onA && a.topic("news") === again);
  await within("all are handed on", Promise.all([...sent, left]));
  await meet(again);
  await again.publish("back");
  await until("it is heard", () => inbox.texts.includes("back"));
});

Deno.test("a shard that is on its way out is published on through others, and can be joined again", async () => {
  await using nodes = new Nodes();
  const [a, b] = await nodes.many(2);
  const [onA, onB] = [a!.shards("tx", { count: 4 }), b!.shards("tx", { count: 4 })];
  const inbox = new Inbox(onA.join(0));
  await meet(onA.topic(0)!, onB.join(0));
  await until("its member is known", () => onB.table().get(0)?.includes(a!.id) === true);
  const sent = Array.from(
    { length: 3_000 },
    () => onB.topic(0)!.publish(new Uint8Array(4_096)),
  );
  const moved = onB.move({ leave: [0], join: [1] });
  await until("it is left", () => onB.topic(0) === undefined);
  assertEquals(onB.joined, [1]);
  const { id } = await onB.publish(0, "through others");
  await until("it has come", () => inbox.messages.some((m) => m.id === id));
  await Promise.all([...sent, moved]);
  await meet(onB.join(0));
  assertEquals(onB.joined, [0, 1]);
});

/** A pacer on a topic whose eager neighbours have so many bytes waiting. */
function paced(queued: Record<string, number>) {
  const time = new VirtualTime();
  const transport = {
    now: () => time.now(),
    after: (ms: number, fire: () => void) => time.after(ms, fire),
    link: (peer: string) => ({ queuedBytes: queued[peer], bytesOut: 5e6 }),
  } as unknown as Transport;
  const tree = {
    get eagerPeers() {
      return Object.keys(queued);
    },
  };
  const topic = { closed: false, tree } as unknown as TopicCore;
  return { time, topic, pacer: new Pacer(transport, 8e6) };
}

Deno.test("who published lately leaves when it has left the lanes, whoever published nothing for 2 s at once", async () => {
  const queued = { reads: 1e6 };
  const { time, pacer, topic } = paced(queued);
  assertEquals(pacer.drain(), undefined);
  await pacer.publish(topic, new Uint8Array(10), () => "id");
  let drained = false;
  pacer.drain()!.then(() => drained = true);
  await time.run(1_000);
  assert(!drained);
  queued.reads = 60_000;
  await time.run(10);
  assert(drained);
  queued.reads = 1e6;
  assert(pacer.drain() !== undefined);
  await time.run(2_000);
  assertEquals(pacer.drain(), undefined);
});

Deno.test("a neighbour that reads nothing holds up the publisher once, unless it is the only one", async () => {
  const queued: Record<string, number> = { stuck: 3e6, reads: 0 };
  const { time, pacer, topic } = paced(queued);
  let sent = 0;
  const publish = () => pacer.publish(topic, new Uint8Array(10), () => `${++sent}`);
  for (let i = 0; i < 1_000; i++) void publish();
  assertEquals(sent, 64);
  await time.run(1_900);
  assertEquals(sent, 64);
  await time.run(200);
  assertEquals(sent, 1_000);
  queued.stuck = 0;
  for (let i = 0; i < 100; i++) void publish();
  await time.run(10);
  queued.stuck = 3e6;
  for (let i = 0; i < 100; i++) void publish();
  await time.run(1_900);
  assert(sent < 1_200, "it drained in between, and is waited for again");
  await time.run(200);
  assertEquals(sent, 1_200);
  delete queued.reads;
  for (let i = 0; i < 1_000; i++) void publish();
  await time.run(3_900);
  assert(sent < 1_400, "nobody else is there: what is sent faster is lost to it");
});

for (const sign of [true, false]) {
  Deno.test(`messages that travel together have ids, counters and bytes of their own, ${sign ? "" : "un"}signed`, async () => {
    await using nodes = new Nodes();
    const [a, b, c] = await nodes.many(3);
    const options = { sign, codec: json<{ n: number }>(), history: "retained" as const };
    const [onA, onB, onC] = [a!, b!, c!].map((node) => node.join("news", options)) as [
      Topic<{ n: number }>,
      Topic<{ n: number }>,
      Topic<{ n: number }>,
    ];
    const scribbled: string[] = [], got: Message<{ n: number }>[] = [], second: unknown[] = [];
    const read = async <T>(messages: AsyncIterable<T>, take: (message: T) => void) => {
      for await (const message of messages) take(message);
    };
    void read(onC, (message) => got.push(message));
    void read(onB, (message) => second.push(message));
    void read(onB.messages(), (message) => {
      scribbled.push(message.text());
      message.data.fill(0x20);
    });
    await meet(onA, onB, onC);
    const count = 200;
    const sent = await Promise.all(Array.from({ length: count }, (_, n) => onA.publish({ n })));
    await until(
      "all are everywhere",
      () => got.length === count && second.length === count,
    );
    // No order is promised.
    got.sort((m, n) => m.seq - n.seq);
    const numbers = sent.map((_, n) => n);
    assertEquals(got.map(({ value }) => value.n), numbers);
    assertEquals(got.map(({ id }) => id), sent.map(({ id }) => id));
    assertEquals(got.map(({ seq }) => seq), numbers.map((n) => n + 1));
    assertEquals(
      new Set(got.map(({ from }) => from)),
      new Set([sign ? a!.id : undefined]),
    );
    assertEquals(new Set(scribbled), new Set(numbers.map((n) => JSON.stringify({ n }))));
    assertLess(onC.metrics().seen, count / 4, "they did travel together");
    assertEquals([onC.metrics().delivered, onC.metrics().retainedMessages], [count, count]);
  });
}
