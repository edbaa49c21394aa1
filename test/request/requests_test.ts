import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { GossipError, type GossipErrorCode } from "../../src/errors.ts";
import { LINGER_MS } from "../../src/request/answering.ts";
import { Frame, Lane } from "../../src/wire/frames.ts";
import { FakeNet, idOf, pattern } from "./fake_net.ts";

/** Checks that a promise rejects with a GossipError of a code, while time passes. */
async function refused(net: FakeNet, promise: Promise<unknown>, code: GossipErrorCode) {
  const error = await assertRejects(() => net.time.until(promise), GossipError);
  assertEquals(error.code, code, error.message);
  return error;
}

Deno.test("a request is answered with a string", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("greet", (request) => {
    assertEquals(request.from, a.self);
    assertEquals(request.protocol, "greet");
    return `hello ${request.text()}`;
  });
  const reply = await net.time.until(a.requests.request(b.self, "greet", "wörld"));
  assertEquals([reply.found, reply.streamed, reply.text()], [true, false, "hello wörld"]);
  assertEquals(await reply.bytes(), reply.data);
  const chunks = await Array.fromAsync(reply);
  assertEquals(chunks, [reply.data]);
  // One frame each way.
  assertEquals([a.sent.length, b.sent.length], [1, 1]);
  assert(net.close());
});

Deno.test("handlers may be async, answer with bytes or JSON, or not find anything", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("bytes", async (request) => {
    await undefined;
    return request.data;
  });
  b.requests.handle("json", (request) => JSON.stringify({ got: request.json() }));
  b.requests.handle("nothing", () => undefined);
  const { time } = net;
  const body = new Uint8Array([0, 255, 7]);
  assertEquals((await time.until(a.requests.request(b.self, "bytes", body))).data, body);
  assertEquals((await time.until(a.requests.request(b.self, "json", "[1]"))).json(), { got: [1] });
  const none = await time.until(a.requests.request(b.self, "nothing"));
  assertEquals([none.found, none.data.length, none.text(), none.json()], [false, 0, "", undefined]);
  assertEquals(await Array.fromAsync(none), []);
  assert(net.close());
});

Deno.test("bodies and answers of several megabytes arrive unchanged, in frames of at most 64 KiB", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.laneBytes = 200_000;
  b.bytesPerMs = 20_000;
  b.requests.handle("echo", (request) => request.data);
  const body = pattern(3_000_001);
  const reply = await net.time.until(a.requests.request(b.self, "echo", body));
  assertEquals(reply.data.length, body.length);
  assert(reply.data.every((byte, i) => byte === body[i]));
  const frames = [...b.kinds(Frame.REPLY), ...b.kinds(Frame.REPLY_END)];
  assertEquals(frames.length, 46);
  assert(frames.every(({ bytes, lane }) => bytes.length <= 65_536 + 8 && lane === Lane.BULK));
  assertEquals([a.accused, b.accused], [[], []]);
  assert(net.close());
});

Deno.test("an answer of exactly one or two chunks arrives whole", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("size", (request) => pattern(Number(request.text())));
  for (const size of [0, 1, 65_535, 65_536, 65_537, 131_072]) {
    const reply = await net.time.until(a.requests.request(b.self, "size", String(size)));
    assertEquals(reply.data, pattern(size));
  }
  assert(net.close());
});

Deno.test("the caller may change a body after the call, the handler its copy", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  a.known.add(b.self);
  net.cut(a, b);
  b.requests.handle("echo", (request) => request.data.map((byte) => byte + 1));
  const body = new Uint8Array([1]);
  const promise = a.requests.request(b.self, "echo", body);
  body[0] = 9;
  net.link(a, b);
  assertEquals((await net.time.until(promise)).data, new Uint8Array([2]));
  assert(net.close());
});

Deno.test("a peer that is not connected is dialled, and asked when it is up", async () => {
  const net = new FakeNet();
  const a = net.add(), b = net.add();
  a.known.add(b.self);
  b.requests.handle("echo", (request) => request.data);
  const replies = [
    a.requests.request(b.self, "echo", "1"),
    a.requests.request(b.self, "echo", "2"),
  ];
  await net.time.run(50);
  assertEquals(a.dialled[0], b.self);
  net.link(a, b);
  assertEquals((await net.time.until(Promise.all(replies))).map((r) => r.text()), ["1", "2"]);
  assertEquals(a.holds.get(b.self), 0);
  assert(net.close());
});

Deno.test("a peer without an address is unknown, one that no dial reaches is dial-failed", async () => {
  const net = new FakeNet();
  const a = net.add();
  await refused(net, a.requests.request(idOf(7), "echo"), "unknown-peer");
  a.known.add(idOf(7));
  const promise = a.requests.request(idOf(7), "echo");
  const cause = new Error("connection refused");
  net.time.after(10, () => a.requests.unreachable(idOf(7), cause));
  const error = await refused(net, promise, "dial-failed");
  assertEquals(error.cause, cause);
  assert(net.close());
});

Deno.test("a protocol without a handler is refused, also after its handler was disposed of", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  await refused(net, a.requests.request(b.self, "none"), "unknown-protocol");
  const handler = () => "x";
  const first = b.requests.handle("some", handler);
  assertEquals((await net.time.until(a.requests.request(b.self, "some"))).text(), "x");
  first[Symbol.dispose]();
  await refused(net, a.requests.request(b.self, "some"), "unknown-protocol");
  const second = b.requests.handle("some", handler);
  first[Symbol.dispose]();
  assertEquals((await net.time.until(a.requests.request(b.self, "some"))).text(), "x");
  second[Symbol.dispose]();
  assert(net.close());
});

Deno.test("a handler that throws is told about here, and not to the peer", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const secret = new Error("secret path");
  b.requests.handle("throws", () => {
    throw secret;
  });
  b.requests.handle("rejects", () => Promise.reject(secret));
  b.requests.handle("nonsense", () => 7 as unknown as string);
  for (const protocol of ["throws", "rejects", "nonsense"]) {
    const error = await refused(net, a.requests.request(b.self, protocol), "remote-error");
    assert(error.message.includes("handler failed"));
    assert(!error.message.includes("secret"));
  }
  assertEquals(b.faults.slice(0, 2), [secret, secret]);
  assertInstanceOf(b.faults[2], TypeError);
  assertEquals(b.requests.metrics().serving, 0);
  assert(net.close());
});

Deno.test("no answer in time is a timeout, and the handler's signal aborts", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  let signal: AbortSignal | undefined;
  b.requests.handle("hang", (request) => {
    signal = request.signal;
    return new Promise<string>(() => {});
  });
  const start = net.time.now();
  await refused(net, a.requests.request(b.self, "hang", "", { timeoutMs: 500 }), "timeout");
  assertEquals(net.time.now() - start, 500);
  assertEquals(signal?.aborted, false);
  await net.time.run(net.latencyMs);
  assertEquals(signal?.aborted, true);
  assert(net.close());
});

Deno.test("the timeout counts while a peer is dialled, and is 30 s where none is named", async () => {
  const net = new FakeNet();
  const a = net.add();
  a.known.add(idOf(9));
  const start = net.time.now();
  await refused(net, a.requests.request(idOf(9), "x"), "timeout");
  assertEquals(net.time.now() - start, 30_000);
  assert(net.close());
});

Deno.test("an abort rejects with the signal's reason and aborts the handler's signal", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const signals: AbortSignal[] = [];
  b.requests.handle("hang", (request) => {
    signals.push(request.signal);
    return new Promise<string>((resolve) =>
      request.signal.addEventListener("abort", () => resolve("too late"))
    );
  });
  const stop = new AbortController();
  const promise = a.requests.request(b.self, "hang", "", { signal: stop.signal });
  await net.time.run(20);
  const reason = new Error("enough");
  stop.abort(reason);
  assertEquals(await promise.catch((error) => error), reason);
  await net.time.run(20);
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  // The late answer goes nowhere, and the handler that ended gave its slot back.
  assertEquals(b.kinds(Frame.REPLY_END), []);
  assertEquals([a.requests.metrics().asking, b.requests.metrics().serving], [0, 0]);
  const aborted = a.requests.request(b.self, "hang", "", { signal: AbortSignal.abort(reason) });
  assertEquals(await aborted.catch((error) => error), reason);
  assertEquals(signals.length, 1);
  assert(net.close());
});

Deno.test("a request that was aborted before it left is never sent", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("x", () => "x");
  a.laneBytes = 0;
  const stop = new AbortController();
  const promise = a.requests.request(b.self, "x", "", { signal: stop.signal });
  await net.time.run(30);
  stop.abort(new Error("enough"));
  await promise.catch(() => {});
  a.laneBytes = Infinity;
  await net.time.run(100);
  assertEquals(a.sent, []);
  assert(net.close());
});

Deno.test("a full lane delays a request and its answer, and loses nothing", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  b.requests.handle("echo", (request) => request.data);
  a.laneBytes = b.laneBytes = 0;
  const all = Promise.all(
    Array.from({ length: 10 }, (_, i) => a.requests.request(b.self, "echo", String(i))),
  );
  await net.time.run(100);
  assertEquals(a.sent, []);
  a.laneBytes = Infinity;
  await net.time.run(100);
  assertEquals(b.sent, []);
  assertEquals(b.requests.metrics().serving, 10);
  b.laneBytes = Infinity;
  b.requests.drained(a.self);
  assertEquals(b.sent.length, 10);
  assertEquals((await net.time.until(all)).map((r) => r.text()).join(""), "0123456789");
  assert(net.close());
});

Deno.test("a small request does not overtake a large one that waits for room", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const order: number[] = [];
  b.requests.handle("size", (request) => String(order.push(request.data.length)));
  a.laneBytes = 100;
  const all = [200, 1].map((size) => a.requests.request(b.self, "size", new Uint8Array(size)));
  await net.time.run(50);
  assertEquals(order, []);
  a.laneBytes = 1_000;
  await net.time.until(Promise.all(all));
  assertEquals(order, [200, 1]);
  assert(net.close());
});

Deno.test("many requests at once wait for their turn instead of failing", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair({ requestsPerPeer: 4 }, { requestsPerPeer: 4 });
  let most = 0, running = 0;
  b.requests.handle("slow", async (request) => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => net.time.after(10, resolve));
    running--;
    return request.text();
  });
  const all = Promise.all(
    Array.from({ length: 50 }, (_, i) => a.requests.request(b.self, "slow", String(i))),
  );
  assertEquals((await net.time.until(all)).map((r) => Number(r.text())), [...Array(50).keys()]);
  assertEquals(most, 4);
  assert(net.close());
});

Deno.test("more requests than the bound on all of them are busy, here and there", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair({ requests: 3 }, { requestsPerPeer: 2 });
  b.requests.handle("hang", () => new Promise<string>(() => {}));
  const options = { timeoutMs: 1_000 };
  const hanging = [1, 2].map(() => a.requests.request(b.self, "hang", "", options));
  await refused(net, a.requests.request(b.self, "hang", "", options), "busy");
  const third = a.requests.request(b.self, "nobody", "", options);
  await refused(net, a.requests.request(b.self, "hang", "", options), "busy");
  await refused(net, third, "unknown-protocol");
  for (const promise of hanging) await refused(net, promise, "timeout");
  assertEquals(b.requests.metrics().refused, 2);
  assert(net.close());
});

Deno.test("the bound on requests from all peers holds", async () => {
  const net = new FakeNet();
  const b = net.add({ requests: 3 });
  b.requests.handle("hang", () => new Promise<string>(() => {}));
  const askers = [1, 2, 3, 4].map(() => net.add());
  for (const asker of askers) net.link(asker, b);
  const asked = askers.map((asker) =>
    asker.requests.request(b.self, "hang", "", { timeoutMs: 900 })
  );
  const results = net.time.until(Promise.allSettled(asked));
  assertEquals(
    (await results).map((result) => result.status === "rejected" && result.reason.code),
    ["timeout", "timeout", "timeout", "busy"],
  );
  assert(net.close());
});

Deno.test("starting and cancelling without end does not run handlers without end", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair({}, { requestsPerPeer: 8 });
  let started = 0;
  b.requests.handle("hang", () => {
    started++;
    return new Promise<string>(() => {});
  });
  for (let i = 0; i < 100; i++) {
    const stop = new AbortController();
    const promise = a.requests.request(b.self, "hang", "", { signal: stop.signal });
    promise.catch(() => {});
    await net.time.run(10);
    stop.abort();
  }
  assertEquals(started, 8);
  // A handler that never ends costs its slot for a time, not for ever; a new connection does not free it.
  net.cut(a, b);
  net.link(a, b);
  await refused(net, a.requests.request(b.self, "hang"), "busy");
  await net.time.run(LINGER_MS);
  assertEquals(b.requests.metrics().serving, 0);
  a.requests.request(b.self, "hang").catch(() => {});
  await net.time.run(10);
  assertEquals(started, 9);
  assert(net.close());
});

Deno.test("too large: a body here, a body there, an answer here, an answer there", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair({ requestBytes: 200, replyBytes: 300_000 }, {
    requestBytes: 100,
    replyBytes: 400_000,
  });
  b.requests.handle("size", (request) => pattern(Number(request.text())));
  await refused(net, a.requests.request(b.self, "size", new Uint8Array(201)), "too-large");
  assertEquals(a.sent, []);
  await refused(net, a.requests.request(b.self, "size", new Uint8Array(101)), "too-large");
  await refused(net, a.requests.request(b.self, "size", "300001"), "too-large");
  await refused(net, a.requests.request(b.self, "size", "400001"), "too-large");
  await refused(net, a.requests.request(b.self, "size", "11", { maxBytes: 10 }), "too-large");
  const fits = a.requests.request(b.self, "size", "300000", { maxBytes: 300_000 });
  assertEquals((await net.time.until(fits)).data.length, 300_000);
  await net.time.run(1_000);
  assertEquals([a.accused, b.requests.metrics().serving], [[], 0]);
  assert(net.close());
});

Deno.test("a lost connection rejects what was asked over it and aborts the handlers", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair({ requestsPerPeer: 1 });
  a.known.add(b.self);
  let signal: AbortSignal | undefined;
  b.requests.handle("hang", (request) => {
    signal = request.signal;
    return new Promise<string>(() => {});
  });
  const promises = [1, 2].map(() => a.requests.request(b.self, "hang"));
  await net.time.run(20);
  net.cut(a, b);
  for (const promise of promises) await refused(net, promise, "disconnected");
  assertEquals(signal?.aborted, true);
  assertEquals([a.holds.get(b.self), b.holds.get(a.self)], [0, 0]);
  net.link(a, b);
  b.requests.handle("echo", (request) => request.data);
  assertEquals((await net.time.until(a.requests.request(b.self, "echo", "1"))).text(), "1");
  assert(net.close());
});

Deno.test("close rejects, aborts and leaves no timer", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  let signal: AbortSignal | undefined;
  b.requests.handle("hang", (request) => {
    signal = request.signal;
    return new Promise<string>(() => {});
  });
  const promise = a.requests.request(b.self, "hang");
  await net.time.run(20);
  assert(net.close());
  await refused(net, promise, "closed");
  assertEquals(signal?.aborted, true);
  await refused(net, a.requests.request(b.self, "hang"), "closed");
  assertThrows(() => a.requests.handle("x", () => "x"), GossipError);
  await net.time.run(10);
  assertEquals(net.time.pending, 0);
});

Deno.test("wrong arguments are TypeError or RangeError", async () => {
  const net = new FakeNet();
  const [a, b] = net.pair();
  const ask = (...args: unknown[]) =>
    (a.requests.request as (...args: unknown[]) => Promise<unknown>).apply(a.requests, args);
  await assertRejects(() => ask(7, "x"), TypeError);
  await assertRejects(() => ask("abc", "x"), RangeError);
  await assertRejects(() => ask(b.self, 7), TypeError);
  await assertRejects(() => ask(b.self, ""), RangeError);
  await assertRejects(() => ask(b.self, "x", 7), TypeError);
  await assertRejects(() => ask(b.self, "x", "", null), TypeError);
  await assertRejects(() => ask(b.self, "x", "", { timeoutMs: 0 }), RangeError);
  await assertRejects(() => ask(b.self, "x", "", { timeoutMs: NaN }), RangeError);
  await assertRejects(() => ask(b.self, "x", "", { timeoutMs: "1" }), TypeError);
  await assertRejects(() => ask(b.self, "x", "", { maxBytes: -1 }), RangeError);
  await assertRejects(() => ask(b.self, "x", "", { windowBytes: 1 }), RangeError);
  await assertRejects(() => ask(b.self, "x", "", { signal: {} }), TypeError);
  await refused(net, a.requests.request(a.self, "x"), "own-id");
  assertThrows(() => a.requests.handle("", () => "x"), RangeError);
  assertThrows(() => a.requests.handle("x", 7 as unknown as () => string), TypeError);
  assertThrows(() => a.requests.handle("plumtree/x", () => "x"), RangeError);
  a.requests.handle("plumtree/x", () => "x", { internal: true });
  a.requests.handle("x", () => "x");
  assertThrows(() => a.requests.handle("x", () => "y"), RangeError);
  assertEquals(a.sent, []);
  assert(net.close());
});
