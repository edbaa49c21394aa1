import { assertEquals } from "@std/assert";
import { Events, Inbox, meet, Nodes, until, within } from "./helper.ts";

/** Two nodes on one topic that retain little; the second one's messages and events. */
async function two(nodes: Nodes, messages = 256) {
  const [a, b] = await nodes.many(2);
  const retain = { messages };
  const [onA, onB] = [a!.join("news", { retain }), b!.join("news", { retain })];
  const inbox = new Inbox(onB), events = new Events(b!);
  await meet(onA, onB);
  return { onA, inbox, events };
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
