import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { GossipError } from "../../src/errors.ts";
import { Lane } from "../../src/wire/frames.ts";
import {
  decodeRequestFrame,
  encodeProtocol,
  encodeReply,
  encodeReplyEnd,
  encodeReplyError,
  encodeRequest,
  encodeRequestCancel,
  encodeRequestCredit,
  REPLY_CHUNK_BYTES,
  REPLY_WINDOW,
  REPLY_WINDOW_MOST,
} from "../../src/wire/request_messages.ts";
import { FakeNet, idOf, pattern } from "./fake_net.ts";

const EVIL = idOf(666);

/** A node and a peer that sends whatever it likes. */
function victim() {
  const net = new FakeNet();
  const node = net.add({ requestsPerPeer: 4 });
  node.links.add(EVIL);
  node.requests.peerUp(EVIL);
  const send = (head: Uint8Array, body: Uint8Array = new Uint8Array(0)) =>
    node.requests.receive(EVIL, new Uint8Array([...head, ...body]));
  const blamed = () => node.accused.map(({ what }) => what);
  return { net, node, send, blamed };
}

const ECHO = encodeProtocol("echo");

/** The id under which the node asked last. */
function lastId(sent: readonly { readonly bytes: Uint8Array }[]): number {
  return decodeRequestFrame(sent.at(-1)!.bytes).id;
}

Deno.test("garbage costs a peer its whole score and is never thrown", () => {
  const { net, node } = victim();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const before = node.accused.length;
    node.requests.receive(EVIL, new Uint8Array([0x36, ...bytes]));
    assertEquals(node.accused.length, before + 1);
    assertEquals(node.accused.at(-1)!.points, 100);
  }));
  assert(net.close());
});

Deno.test("any sequence of frames is survived, and slots never exceed their bound", async () => {
  const id = fc.nat(6);
  const frame = fc.oneof(
    id.map((id) => encodeRequest(id, ECHO)),
    id.map((id) => encodeRequest(id, encodeProtocol("hang"))),
    id.map((id) => encodeRequest(id, encodeProtocol("stream"))),
    id.map((id) => encodeRequestCancel(id)),
    fc.tuple(id, fc.integer({ min: 1, max: REPLY_WINDOW_MOST })).map(([id, credit]) =>
      encodeRequestCredit(id, credit)
    ),
    id.map((id) => new Uint8Array([...encodeReply(id, true), 1])),
    id.map((id) => encodeReplyEnd(id, false, true)),
    id.map((id) => encodeReplyError(id, "busy", "x")),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 40 }), async (frames) => {
      const { net, node, send } = victim();
      node.requests.handle("echo", (request) => request.data);
      node.requests.handle("hang", () => new Promise<string>(() => {}));
      node.requests.handle("stream", async function* () {
        for (let i = 0; i < 3; i++) yield new Uint8Array(100_000);
      });
      const asked = node.requests.request(EVIL, "x", "", { timeoutMs: 100 }).then(
        (reply) => reply.bytes(),
      );
      for (const bytes of frames) {
        send(bytes);
        await net.time.run(1);
        assert(node.requests.metrics().serving <= 4);
      }
      await net.time.until(asked.catch(() => {}));
      assert(net.close());
    }),
    { numRuns: 60 },
  );
});

Deno.test("a request id that does not grow is refused and scored", async () => {
  const { net, node, send, blamed } = victim();
  let calls = 0;
  node.requests.handle("echo", () => String(calls++));
  send(encodeRequest(5, ECHO));
  send(encodeRequest(5, ECHO));
  send(encodeRequest(4, ECHO));
  await net.time.run(10);
  assertEquals([calls, blamed().length, node.accused[0]!.points], [1, 2, 100]);
  assert(net.close());
});

Deno.test("answers, credit and cancels for what was never asked are scored", () => {
  const { net, send, blamed } = victim();
  send(encodeReply(3, true), new Uint8Array(1));
  send(encodeReplyEnd(3, false, true));
  send(encodeReplyError(3, "busy", ""));
  send(encodeRequestCredit(3, 10));
  send(encodeRequestCancel(3));
  assertEquals(blamed().length, 5);
  assert(net.close());
});

Deno.test("an answer beyond its window ends the request and is scored", async () => {
  const { net, node, send, blamed } = victim();
  const promise = node.requests.request(EVIL, "x");
  const id = lastId(node.sent);
  const piece = new Uint8Array(REPLY_CHUNK_BYTES);
  for (let i = 0; i < 4; i++) send(encodeReply(id, true), piece);
  const reply = await promise;
  assertEquals(blamed(), []);
  send(encodeReply(id, true), new Uint8Array(1));
  assertEquals(blamed(), ["an answer larger than its window"]);
  const error = await assertRejects(() => Array.fromAsync(reply), GossipError);
  assertEquals(error.code, "remote-error");
  assert(net.close());
});

Deno.test("an answer both whole and streamed, or not found after its beginning, is scored", async () => {
  for (
    const second of [
      (id: number) => encodeReplyEnd(id, true, true),
      (id: number) => encodeReplyEnd(id, false, false),
    ]
  ) {
    const { net, node, send, blamed } = victim();
    const promise = node.requests.request(EVIL, "x");
    const id = lastId(node.sent);
    send(encodeReply(id, false), pattern(REPLY_CHUNK_BYTES));
    send(second(id));
    const error = await assertRejects(() => promise, GossipError);
    assertEquals([error.code, blamed().length], ["remote-error", 1]);
    assert(net.close());
  }
});

Deno.test("what was on its way when a request was cancelled is forgiven, more is not", async () => {
  const { net, node, send, blamed } = victim();
  const stop = new AbortController();
  const promise = node.requests.request(EVIL, "x", "", { signal: stop.signal });
  const id = lastId(node.sent);
  stop.abort(new Error("enough"));
  await promise.catch(() => {});
  for (let i = 0; i < 4; i++) send(encodeReply(id, true), new Uint8Array(REPLY_CHUNK_BYTES));
  send(encodeReplyEnd(id, true, true));
  assertEquals(blamed(), []);
  for (let i = 0; i < 4; i++) send(encodeReply(id, true), new Uint8Array(REPLY_CHUNK_BYTES));
  assertEquals(blamed().length, 4);
  assert(net.close());
});

Deno.test("an answer that comes twice is scored", async () => {
  const { net, node, send, blamed } = victim();
  const promise = node.requests.request(EVIL, "x");
  const id = lastId(node.sent);
  send(encodeReplyEnd(id, false, true), new Uint8Array([7]));
  assertEquals((await promise).data, new Uint8Array([7]));
  send(encodeReplyEnd(id, false, true), new Uint8Array([8]));
  assertEquals(blamed(), ["an answer to no request"]);
  assert(net.close());
});

Deno.test("credit without end does not open more than the most", async () => {
  const { net, node, send, blamed } = victim();
  node.requests.handle("stream", async function* () {
    while (true) yield new Uint8Array(REPLY_CHUNK_BYTES);
  });
  node.laneBytes = 0;
  send(encodeRequest(0, encodeProtocol("stream")));
  for (let i = 0; i < 10; i++) send(encodeRequestCredit(0, REPLY_WINDOW_MOST - REPLY_WINDOW));
  assertEquals(blamed().length, 9);
  node.laneBytes = Infinity;
  await net.time.run(100);
  const bytes = node.sent.reduce((sum, frame) => sum + frame.bytes.length, 0);
  assertLess(bytes, REPLY_WINDOW_MOST + REPLY_WINDOW);
  assert(net.close());
});

Deno.test("a peer that asks and does not read cannot fill the memory", async () => {
  const { net, node, send, blamed } = victim();
  let calls = 0;
  node.requests.handle("echo", (request) => {
    calls++;
    return request.data;
  });
  node.laneBytes = 0;
  for (let id = 0; id < 1_000; id++) {
    send(encodeRequest(id, id % 2 ? ECHO : encodeProtocol("none")));
  }
  await net.time.run(100);
  assertEquals(calls, 4);
  assertEquals(node.requests.metrics().serving, 4);
  assert(blamed().length > 900);
  node.laneBytes = Infinity;
  await net.time.run(100);
  // Four answers and the refusals that were kept.
  assert(node.sent.length <= 12, String(node.sent.length));
  assertEquals(node.requests.metrics().serving, 0);
  assert(net.close());
});

Deno.test("a cancel takes the lane of its request, so that it cannot overtake it", async () => {
  const { net, node } = victim();
  const stop = new AbortController();
  const promise = node.requests.request(EVIL, "x", "", { signal: stop.signal });
  stop.abort(new Error("enough"));
  await promise.catch(() => {});
  assertEquals(node.sent.map(({ lane }) => lane), [Lane.NORMAL, Lane.NORMAL]);
  assert(net.close());
});
