import { Buffer } from "node:buffer";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { type Gossip, GossipError, type IncomingRequest, type RequestHandler } from "@x/plumtree";
import { Events, Nodes, rejectsWith, until, within } from "./helper.ts";

const NOBODY = "0".repeat(64);

/** A client connected to a server with a handler. */
async function ask(
  nodes: Nodes,
  handler: RequestHandler,
  limits = {},
): Promise<{ client: Gossip; server: Gossip }> {
  const server = await nodes.start({ limits });
  const client = await nodes.start({ limits });
  server.handle("p", handler);
  await client.connect(server.address);
  return { client, server };
}

Deno.test("a handler gets who asks, what and the body, and its string, bytes or nothing comes back", async () => {
  await using nodes = new Nodes();
  const seen: IncomingRequest[] = [];
  const answers: Record<string, string | Uint8Array | undefined> = {
    text: '{"a":1}',
    bytes: new Uint8Array([1, 2, 3]),
    empty: "",
  };
  const { client, server } = await ask(nodes, (request) => {
    seen.push(request);
    return answers[request.text()];
  });
  const text = await client.request(server.id, "p", "text");
  assertEquals([text.found, text.text(), text.json()], [true, '{"a":1}', { a: 1 }]);
  const bytes = await client.request(server.id, "p", new TextEncoder().encode("bytes"));
  assertEquals(bytes.data, new Uint8Array([1, 2, 3]));
  const empty = await client.request(server.id, "p", "empty");
  assertEquals([empty.found, empty.data.length], [true, 0]);
  assertEquals((await client.request(server.id, "p")).found, false);
  assertEquals(seen.map(({ from, protocol }) => [from, protocol])[0], [client.id, "p"]);
  assertEquals(seen.length, 4);
  assert(!seen[0]!.signal.aborted);
});

Deno.test("a body may be changed as soon as request has returned, a Buffer too", async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(nodes, ({ data }) => data);
  const body = Buffer.from("before");
  const reply = client.request(server.id, "p", body);
  body.fill(0);
  assertEquals((await reply).text(), "before");
});

Deno.test("both ends of a connection can ask, many at a time, and each gets its own answer", async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(nodes, (request) => `s ${request.text()}`);
  client.handle("p", (request) => `c ${request.text()}`);
  const numbers = Array.from({ length: 300 }, (_, i) => `${i}`);
  const [there, back] = await Promise.all([
    Promise.all(numbers.map((i) => client.request(server.id, "p", i))),
    Promise.all(numbers.map((i) => server.request(client.id, "p", i))),
  ]);
  assertEquals(there.map((reply) => reply.text()), numbers.map((i) => `s ${i}`));
  assertEquals(back.map((reply) => reply.text()), numbers.map((i) => `c ${i}`));
  assertEquals(client.peers().length, 1);
});

Deno.test("large answers come back byte for byte", async () => {
  await using nodes = new Nodes();
  const big = Uint8Array.from({ length: 3_000_000 }, (_, i) => i * 7 + (i >> 9));
  const { client, server } = await ask(nodes, ({ data }) => data);
  assertEquals((await client.request(server.id, "p", big)).data, big);
});

Deno.test("an async iterable is streamed, no faster than it is read", async () => {
  await using nodes = new Nodes();
  let made = 0, ended = false;
  const { client, server } = await ask(nodes, async function* () {
    try {
      for (; made < 200; made++) yield new Uint8Array(50_000).fill(made);
    } finally {
      ended = true;
    }
  });
  const reply = await client.request(server.id, "p");
  let read = 0;
  for await (const chunk of reply) {
    if (read === 0) await until("the window is full", () => made >= 4);
    assertLess(made - read, 60);
    assert(chunk.every((byte) => byte === read % 256));
    read++;
  }
  assertEquals([read, made, ended], [200, 200, true]);
});

Deno.test("leaving the loop over a streamed answer cancels the handler", async () => {
  await using nodes = new Nodes();
  let ended = false, aborted = false;
  const { client, server } = await ask(nodes, async function* ({ signal }) {
    signal.addEventListener("abort", () => aborted = true);
    try {
      for (;;) yield new Uint8Array(60_000);
    } finally {
      ended = true;
    }
  });
  for await (const _ of await client.request(server.id, "p")) break;
  await until("cancelled", () => ended && aborted);
  assertEquals(server.metrics().requests.serving, 0);
});

Deno.test("an abort rejects with its reason and reaches the handler", async () => {
  await using nodes = new Nodes();
  const seen: AbortSignal[] = [];
  const { client, server } = await ask(nodes, ({ signal }) => {
    seen.push(signal);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve("late")));
  });
  const stop = new AbortController(), reason = new Error("changed my mind");
  const asking = client.request(server.id, "p", "x", { signal: stop.signal });
  await until("asked", () => seen.length === 1);
  stop.abort(reason);
  assertStrictEquals(await asking.catch((error) => error), reason);
  await until("told", () => seen[0]!.aborted);
  const again = client.request(server.id, "p", "x", { signal: stop.signal });
  assertStrictEquals(await again.catch((error) => error), reason);
  assertEquals(client.metrics().requests.asking, 0);
});

Deno.test('a handler that never answers is a "timeout", one that throws a "remote-error" and a fault there', async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(nodes, ({ signal, ...request }) => {
    if (request.data.length > 0) throw new Error("secret");
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
  });
  const events = new Events(server);
  await rejectsWith(client.request(server.id, "p", "", { timeoutMs: 50 }), "timeout");
  await until("cancelled", () => server.metrics().requests.serving === 0);
  const error = await rejectsWith(client.request(server.id, "p", "x"), "remote-error");
  assert(!error.message.includes("secret"));
  await events.wait("fault");
  assertEquals(client.peers()[0]!.score, 0);
});

Deno.test('an unknown protocol is "unknown-protocol", also after the handler was disposed of', async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(nodes, () => "here");
  await rejectsWith(client.request(server.id, "q"), "unknown-protocol");
  {
    using _ = server.handle("q", () => "now");
    assertEquals((await client.request(server.id, "q")).text(), "now");
    assertThrows(() => server.handle("q", () => "twice"), RangeError);
  }
  await rejectsWith(client.request(server.id, "q"), "unknown-protocol");
  server.handle("q", () => "again");
  assertEquals((await client.request(server.id, "q")).text(), "again");
});

Deno.test('bodies and answers have their bounds: "too-large"', async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(
    nodes,
    ({ data }) => new Uint8Array(data.length * 100),
    { requestBytes: 1_000, replyBytes: 50_000 },
  );
  await rejectsWith(client.request(server.id, "p", new Uint8Array(1_001)), "too-large");
  await rejectsWith(client.request(server.id, "p", new Uint8Array(600)), "too-large");
  const options = { maxBytes: 999 };
  await rejectsWith(client.request(server.id, "p", new Uint8Array(10), options), "too-large");
  assertEquals((await client.request(server.id, "p", new Uint8Array(10))).data.length, 1_000);
});

Deno.test('requests beyond the bound of the node that asks are "busy"', async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(
    nodes,
    ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(null))),
    { requests: 4 },
  );
  const stop = new AbortController();
  const asking = Array.from(
    { length: 4 },
    () => client.request(server.id, "p", "", { signal: stop.signal }).catch((error) => error),
  );
  await rejectsWith(client.request(server.id, "p"), "busy");
  stop.abort(new Error("over"));
  for (const error of await Promise.all(asking)) assertEquals(error.message, "over");
});

Deno.test('a server with all its places taken refuses as "busy", and serves again when one is free', async () => {
  await using nodes = new Nodes();
  const release: (() => void)[] = [];
  const server = await nodes.start({ limits: { requestsPerPeer: 2 } });
  const client = await nodes.start();
  server.handle("p", () => new Promise((resolve) => release.push(() => resolve("done"))));
  await client.connect(server.address);
  const first = [client.request(server.id, "p"), client.request(server.id, "p")];
  await until("both are served", () => release.length === 2);
  await rejectsWith(client.request(server.id, "p"), "busy");
  assertGreater(server.metrics().requests.refused, 0);
  for (const free of release.splice(0)) free();
  for (const reply of await Promise.all(first)) assertEquals(reply.text(), "done");
  const next = client.request(server.id, "p");
  await until("served", () => release.length === 1);
  release[0]!();
  assertEquals((await next).text(), "done");
});

Deno.test('a server that goes away is "disconnected", killed or closed', async () => {
  await using nodes = new Nodes();
  for (const how of ["close", "kill"] as const) {
    let asked = false;
    const { client, server } = await ask(nodes, ({ signal }) => {
      asked = true;
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(null)));
    });
    const asking = rejectsWith(client.request(server.id, "p"), "disconnected");
    await until("asked", () => asked);
    await (how === "close" ? server.close() : nodes.kill(server));
    await asking;
  }
});

Deno.test("request dials a peer that only the directory knows", async () => {
  await using nodes = new Nodes();
  const made = await nodes.many(10, { overlay: { activeSize: 3 } });
  await until("everybody is known", () => made.every(({ directory }) => directory.size === 10));
  // Chance may connect one of ten to all others, but not every one.
  const asker = made.reduce((a, b) => a.peers().length <= b.peers().length ? a : b);
  for (const node of made) node.handle("who", () => node.id);
  const strangers = made.filter(({ id }) =>
    id !== asker.id && !asker.peers().some((peer) => peer.id === id)
  );
  assertGreater(strangers.length, 0);
  for (const { id } of strangers) assertEquals((await asker.request(id, "who")).text(), id);
});

Deno.test('unknown peers, dead peers and oneself: "unknown-peer", "dial-failed", "own-id"', async () => {
  await using nodes = new Nodes();
  const [a, b, c] = await nodes.many(3);
  await until("known", () => c!.directory.size === 3);
  await rejectsWith(c!.request(NOBODY, "p"), "unknown-peer");
  await rejectsWith(c!.request(c!.id, "p"), "own-id");
  await nodes.kill(b!);
  await until("the link is gone", () => !c!.peers().some(({ id }) => id === b!.id));
  // A dial that was under way at the kill may still have come up for a moment.
  const codes: string[] = [];
  while (codes.at(-1) !== "dial-failed" && codes.length < 10) {
    const error = await assertRejects(() => c!.request(b!.id, "p"), GossipError);
    codes.push(error.code);
  }
  assertEquals(codes.filter((code) => code !== "disconnected"), ["dial-failed"]);
  assertEquals(a!.peers().some(({ id }) => id === c!.id), true);
});

Deno.test("wrong arguments of handle and request are TypeError or RangeError", async () => {
  await using nodes = new Nodes();
  const { client, server } = await ask(nodes, () => "");
  const request = client.request.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const handle = client.handle.bind(client) as (...args: unknown[]) => Disposable;
  await assertRejects(() => request(1, "p"), TypeError);
  await assertRejects(() => request("abc", "p"), RangeError);
  await assertRejects(() => request(server.id, 1), TypeError);
  await assertRejects(() => request(server.id, ""), RangeError);
  await assertRejects(() => request(server.id, "x".repeat(256)), RangeError);
  await assertRejects(() => request(server.id, "p", {}), TypeError);
  await assertRejects(() => request(server.id, "p", "", { timeoutMs: 0 }), RangeError);
  await assertRejects(() => request(server.id, "p", "", { signal: {} }), TypeError);
  assertThrows(() => handle(1, () => ""), TypeError);
  assertThrows(() => handle("x", "y"), TypeError);
  await within("still works", client.request(server.id, "p"));
});
