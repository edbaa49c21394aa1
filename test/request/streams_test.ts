import { assert, assertEquals, assertLessOrEqual, assertRejects, assertThrows } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { STALL_MS } from "../../src/request/answering.ts";
import type { Reply } from "../../src/request/reply.ts";
import { Frame } from "../../src/wire/frames.ts";
import { REPLY_WINDOW } from "../../src/wire/request_messages.ts";
import { settle } from "../support/virtual_time.ts";
import { FakeNet, type FakeNode, pattern } from "./fake_net.ts";

/** A stream that counts what was taken from it, and knows whether it was ended. */
function source(chunks: number, size: number) {
  const state = { made: 0, ended: false };
  return {
    state,
    async *[Symbol.asyncIterator]() {
      try {
        for (let i = 0; i < chunks; i++) {
          state.made++;
          await undefined;
          yield new Uint8Array(size).fill(i);
        }
      } finally {
        state.ended = true;
      }
    },
  };
}

/** Bytes of an answer that were sent. */
function sentBytes(node: FakeNode): number {
  return node.kinds(Frame.REPLY).reduce((sum, { bytes }) => sum + bytes.length - 3, 0);
}

async function codeOf(net: FakeNet, promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => net.time.until(promise), GossipError)).code;
}

function collect(reply: Reply): Promise<Uint8Array[]> {
  return Array.fromAsync(reply);
}

Deno.test("a streamed answer arrives chunk by chunk, with its boundaries", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("count", async function* () {
    for (let i = 0; i < 5; i++) yield new Uint8Array(i + 1).fill(i);
  });
  const reply = await net.time.until(a.requests.request(b.self, "count"));
  assertEquals([reply.found, reply.streamed], [true, true]);
  const chunks = await net.time.until(collect(reply));
  assertEquals(chunks.map((chunk) => [...chunk]), [
    [0],
    [1, 1],
    [2, 2, 2],
    [3, 3, 3, 3],
    [4, 4, 4, 4, 4],
  ]);
  assertEquals([a.requests.metrics().answered, b.requests.metrics().serving], [1, 0]);
  assert(net.close());
});

Deno.test("a streamed answer is collected on request, and only then has data", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.laneBytes = 100_000;
  b.bytesPerMs = 50_000;
  b.requests.handle("large", async function* () {
    for (let at = 0; at < 1_000_000; at += 200_000) {
      yield pattern(1_000_000).subarray(at, at + 200_000);
    }
    yield new TextEncoder().encode("end");
  });
  const reply = await net.time.until(a.requests.request(b.self, "large"));
  assertThrows(() => reply.data, TypeError, "bytes()");
  assertThrows(() => reply.text(), TypeError);
  assertThrows(() => reply.json(), TypeError);
  const bytes = await net.time.until(reply.bytes());
  assertEquals(bytes, new Uint8Array([...pattern(1_000_000), ...new TextEncoder().encode("end")]));
  assertEquals(reply.data, bytes);
  assert(reply.text().endsWith("end"));
  assertEquals(await collect(reply), [bytes]);
  assertEquals(await reply.bytes(), bytes);
  assert(net.close());
});

Deno.test("an empty stream is found and empty", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("none", async function* () {});
  b.requests.handle("empty", async function* () {
    yield new Uint8Array(0);
  });
  for (const protocol of ["none", "empty"]) {
    const reply = await net.time.until(a.requests.request(b.self, protocol));
    assertEquals([reply.found, reply.streamed], [true, true]);
    assertEquals(await net.time.until(collect(reply)), []);
  }
  assert(net.close());
});

Deno.test("a ReadableStream is an answer too, and its buffer may be reused", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const buffer = new Uint8Array(4);
  b.requests.handle("stream", async function* () {
    for (let i = 0; i < 3; i++) yield buffer.fill(i);
  });
  b.requests.handle("readable", () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array([1, 2]));
        controller.close();
      },
    }));
  const reused = await net.time.until(a.requests.request(b.self, "stream"));
  assertEquals((await net.time.until(reused.bytes())).join(""), "000011112222");
  const readable = await net.time.until(a.requests.request(b.self, "readable"));
  assertEquals(await net.time.until(readable.bytes()), new Uint8Array([1, 2]));
  assert(net.close());
});

Deno.test("a reader that does not read holds one window and stops the handler", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const endless = source(Infinity, 1_000);
  b.requests.handle("endless", () => endless);
  const reply = await net.time.until(a.requests.request(b.self, "endless"));
  await net.time.run(5_000);
  assertLessOrEqual(sentBytes(b), REPLY_WINDOW);
  assertEquals(b.kinds(Frame.REPLY).length, Math.floor(REPLY_WINDOW / 1_064));
  assertEquals(endless.state.made, b.kinds(Frame.REPLY).length + 1);
  let taken = 0;
  for await (const chunk of reply) {
    taken += chunk.length;
    await net.time.run(20);
    assertLessOrEqual(sentBytes(b) - taken, REPLY_WINDOW);
    if (taken >= 1_000_000) break;
  }
  await net.time.run(100);
  assertEquals(endless.state.ended, true);
  assertEquals([a.accused, b.accused], [[], []]);
  assertEquals([a.requests.metrics().asking, b.requests.metrics().serving], [0, 0]);
  assert(net.close());
});

Deno.test("tiny chunks are bounded by the same window", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("tiny", () => source(Infinity, 1));
  const reply = await net.time.until(a.requests.request(b.self, "tiny"));
  await net.time.run(1_000);
  assertEquals(b.kinds(Frame.REPLY).length, Math.floor(REPLY_WINDOW / 65));
  reply.cancel();
  assert(net.close());
});

Deno.test("a larger window lets more through", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("endless", () => source(Infinity, 65_536));
  const options = { windowBytes: 4 * 1024 * 1024 };
  const reply = await net.time.until(a.requests.request(b.self, "endless", "", options));
  const read = reply[Symbol.asyncIterator]();
  await net.time.until(read.next());
  await net.time.run(1_000);
  assertEquals(b.kinds(Frame.REPLY).length, Math.floor(options.windowBytes / 65_600) + 1);
  await read.return?.();
  assert(net.close());
});

Deno.test("leaving the loop cancels the handler, at once where it waits for room", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const endless = source(Infinity, 65_536);
  let signal: AbortSignal | undefined;
  b.requests.handle("endless", (request) => {
    signal = request.signal;
    return endless;
  });
  const reply = await net.time.until(a.requests.request(b.self, "endless"));
  for await (const _ of reply) break;
  await net.time.run(100);
  assertEquals([signal?.aborted, endless.state.ended], [true, true]);
  await assertRejects(() => collect(reply), TypeError);
  reply.cancel();
  assertEquals(a.kinds(Frame.REQUEST_CANCEL).length, 1);
  assertEquals(a.accused, []);
  assert(net.close());
});

Deno.test("a streamed answer can be iterated once", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("some", () => source(2, 3));
  const reply = await net.time.until(a.requests.request(b.self, "some"));
  await net.time.until(collect(reply));
  await assertRejects(() => collect(reply), TypeError);
  await assertRejects(() => reply.bytes(), TypeError);
  assert(net.close());
});

Deno.test("a stream that fails midway gives what came, then the error", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const secret = new Error("secret");
  b.requests.handle("breaks", async function* () {
    yield new Uint8Array([1]);
    yield new Uint8Array([2]);
    throw secret;
  });
  b.requests.handle("nonsense", async function* () {
    yield "text" as unknown as Uint8Array;
  });
  const reply = await net.time.until(a.requests.request(b.self, "breaks"));
  await net.time.run(50);
  const got: number[] = [];
  const error = await assertRejects(async () => {
    for await (const chunk of reply) got.push(chunk[0]!);
  }, GossipError);
  assertEquals([error.code, got], ["remote-error", [1, 2]]);
  // One that fails before its first chunk rejects the request itself.
  assertEquals(await codeOf(net, a.requests.request(b.self, "nonsense")), "remote-error");
  assertEquals(b.faults[0], secret);
  assert(net.close());
});

Deno.test("a connection lost midway ends the stream with an error and the handler with its signal", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const endless = source(Infinity, 65_536);
  b.requests.handle("endless", () => endless);
  const reply = await net.time.until(a.requests.request(b.self, "endless"));
  await net.time.run(100);
  net.cut(a, b);
  assertEquals(await codeOf(net, collect(reply)), "disconnected");
  await settle();
  assertEquals(endless.state.ended, true);
  assertEquals(b.requests.metrics().serving, 0);
  assert(net.close());
});

Deno.test("an abort ends a stream with the signal's reason", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("endless", () => source(Infinity, 10));
  const stop = new AbortController();
  const options = { signal: stop.signal };
  const reply = await net.time.until(a.requests.request(b.self, "endless", "", options));
  const reason = new Error("enough");
  stop.abort(reason);
  const got: Uint8Array[] = [];
  const read = async () => {
    for await (const chunk of reply) got.push(chunk);
  };
  assertEquals(await read().catch((error) => error), reason);
  // What was here already is dropped: nobody wants it.
  assertEquals(got, []);
  assert(net.close());
});

Deno.test("a reader waits for a chunk no longer than the timeout, and may itself be slow", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("stalls", async function* () {
    yield new Uint8Array([1]);
    yield new Uint8Array([2]);
    await new Promise<void>(() => {});
  });
  const options = { timeoutMs: 1_000 };
  const reply = await net.time.until(a.requests.request(b.self, "stalls", "", options));
  const read = reply[Symbol.asyncIterator]();
  assertEquals((await read.next()).value, new Uint8Array([1]));
  await net.time.run(20_000);
  assertEquals((await read.next()).value, new Uint8Array([2]));
  const start = net.time.now();
  assertEquals(await codeOf(net, read.next()), "timeout");
  assertEquals(net.time.now() - start, 1_000);
  assert(net.close());
});

Deno.test("a streamed answer that nobody begins to read is given up", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const endless = source(Infinity, 65_536);
  b.requests.handle("endless", () => endless);
  const reply = await net.time.until(
    a.requests.request(b.self, "endless", "", { timeoutMs: 1_000 }),
  );
  await net.time.run(1_100);
  assertEquals([endless.state.ended, a.requests.metrics().asking], [true, 0]);
  assertEquals(await codeOf(net, collect(reply)), "timeout");
  assert(net.close());
});

Deno.test("bounds on a streamed answer: collected, and iterated with maxBytes", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair({ replyBytes: 100_000 });
  b.requests.handle("large", () => source(20, 50_000));
  const collected = await net.time.until(a.requests.request(b.self, "large"));
  assertEquals(await codeOf(net, collected.bytes()), "too-large");
  const iterated = await net.time.until(a.requests.request(b.self, "large"));
  assertEquals((await net.time.until(collect(iterated))).length, 20);
  const bounded = a.requests.request(b.self, "large", "", { maxBytes: 120_000 });
  assertEquals(await codeOf(net, bounded.then(collect)), "too-large");
  await net.time.run(100);
  assertEquals([a.accused, b.requests.metrics().serving], [[], 0]);
  assert(net.close());
});

Deno.test("an answer whose requester makes no room is given up in the end", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const endless = source(Infinity, 65_536);
  b.requests.handle("endless", () => endless);
  const reply = await net.time.until(a.requests.request(b.self, "endless"));
  const read = reply[Symbol.asyncIterator]();
  await read.next();
  await net.time.run(STALL_MS + 1_000);
  assertEquals([endless.state.ended, b.requests.metrics().serving], [true, 0]);
  assertEquals(
    await codeOf(
      net,
      (async () => {
        while (!(await read.next()).done);
      })(),
    ),
    "remote-error",
  );
  assert(net.close());
});
