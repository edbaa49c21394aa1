import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { Backoff } from "../../src/net/backoff.ts";
import { Identity } from "../../src/secure/identity.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import { Lane } from "../../src/wire/frames.ts";
import { frame, ManualClock, settle, startNode, until } from "./helper.ts";

const STEADY = { pingMs: 5_000, deadMs: 60_000, idleMs: 10_000, graceMs: 30_000 };

Deno.test("connect is answered by up, once, and never inside the call", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  await using b = startNode(streams);
  a.transport.connect(b.id, ["127.0.0.1:1", b.address]);
  a.transport.connect(b.id, [b.address]);
  assertEquals(a.sink.told, []);
  await a.sink.until(() => a.sink.count("up") === 1);
  a.transport.connect(b.id, [b.address]);
  await settle();
  assertEquals(a.sink.told.map((t) => t.what), ["dialFailed", "up"], "address after address");
  assertEquals(a.transport.metrics().dials, 2);
  assertEquals(a.transport.link(b.id)?.direction, "out");
});

Deno.test("connect is answered by unreachable when every address fails", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams, { timing: { connectMs: 30 } });
  const peer = Identity.generate().id;
  const code = async (count: number): Promise<string> => {
    assertEquals(a.sink.count("unreachable"), count - 1, "never inside the call");
    await a.sink.until(() => a.sink.count("unreachable") === count);
    return (a.sink.last("unreachable")!.cause as GossipError).code;
  };
  a.transport.connect(peer, []);
  assertEquals(await code(1), "unknown-peer");
  a.transport.connect(peer, ["nonsense", "127.0.0.1:1", "black-hole:1"]);
  assertEquals(await code(2), "dial-failed");
  assertEquals(a.sink.count("dialFailed"), 3);
  a.transport.connect(peer, ["127.0.0.1:1"]);
  assertEquals(await code(3), "dial-failed");
  assertEquals(a.transport.metrics().dials, 2, "a pause follows a failure");
});

Deno.test("an explicit dial does not wait for the pause after a failure", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  const identity = Identity.generate();
  a.transport.connect(identity.id, ["127.0.0.1:1"]);
  await a.sink.until(() => a.sink.count("unreachable") === 1);
  await using b = startNode(streams, { identity });
  assertEquals(await a.transport.dial(`${b.id}@${b.address}`), b.id);
});

Deno.test("pauses double with jitter up to a bound and end when a link lived", () => {
  const clock = new ManualClock();
  const backoff = new Backoff(clock, 100, 1_000, 3);
  const pauses = [1, 2, 3, 4, 5, 6].map(() => (backoff.failed("a"), backoff.remaining("a")));
  assertEquals(pauses, [75, 150, 300, 600, 750, 750]);
  clock.jump(700);
  assertEquals(backoff.remaining("a"), 50);
  backoff.clear("a");
  assertEquals(backoff.remaining("a"), 0);
  for (const peer of ["a", "b", "c", "d"]) backoff.failed(peer);
  assertEquals(backoff.size, 3);
  assertEquals(backoff.remaining("a"), 0, "the oldest is forgotten");
});

Deno.test("dials beyond limits.dials wait for their turn", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams, { limits: { dials: 2 }, timing: { connectMs: 40 } });
  await using b = startNode(streams);
  const holes = [1, 2, 3].map((port) => {
    const dial = a.transport.dial(`black-hole:${port}`);
    return assertRejects(() => dial, GossipError, "no connection within 40 ms");
  });
  const dial = a.transport.dial(b.address);
  assertEquals(a.transport.metrics().dials, 2);
  assertEquals(await dial, b.id);
  await Promise.all(holes);
});

Deno.test("an aborted dial rejects with the reason, and the last one to leave ends it", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  const one = new AbortController(), two = new AbortController();
  const first = a.transport.dial("black-hole:1", { signal: one.signal });
  const second = a.transport.dial("black-hole:1", { signal: two.signal });
  const reason = new Error("enough");
  const rejected = [first, second].map((dial) => assertRejects(() => dial, Error, "enough"));
  one.abort(reason);
  await rejected[0];
  two.abort(reason);
  await rejected[1];
  assertEquals(a.transport.metrics().dials, 1);
  await assertRejects(() => a.transport.dial("x:1", { signal: one.signal }), Error, "enough");
  await assertRejects(() => a.transport.dial("nonsense"), TypeError);
});

Deno.test("several dials of one peer share one link", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  await using b = startNode(streams);
  const named = `${b.id}@${b.address}`;
  const ids = await Promise.all([
    a.transport.dial(b.address),
    a.transport.dial(named),
    a.transport.dial(b.address),
    a.transport.dial(`localhost:${b.transport.port}`),
  ]);
  assertEquals(ids, [b.id, b.id, b.id, b.id]);
  assertEquals(await a.transport.dial(b.address), b.id, "and with one that is up");
  await until(() => streams.links.length === 1);
  assertEquals([a.sink.count("up"), b.sink.count("up")], [1, 1]);
  assertEquals(b.sink.count("down") + b.sink.count("refused"), 0);
});

Deno.test("a link without holds is closed when idle, with a reason that both sides see", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const a = startNode(streams, { clock, timing: STEADY });
  const b = startNode(streams, { clock, timing: STEADY });
  a.transport.hold(b.id);
  a.transport.connect(b.id, [b.address]);
  await a.sink.until(() => a.sink.count("up") === 1);
  await clock.advance(30_000);
  assertEquals(a.sink.count("down"), 0, "held");
  a.transport.hold(b.id);
  a.transport.release(b.id);
  await clock.advance(60_000);
  assertEquals(a.sink.count("down"), 0, "still held once, which the other side knows and respects");
  a.transport.release(b.id);
  for (let i = 0; i < 3; i++) {
    await clock.advance(8_000);
    assert(b.transport.send(a.id, Lane.NORMAL, frame(10)), "in use");
    await settle();
  }
  await clock.advance(9_000);
  assertEquals(a.sink.count("down"), 0);
  await clock.advance(4_000);
  assertEquals([a.sink.last("down")?.reason, b.sink.last("down")?.reason], ["idle", "idle"]);
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("an explicit dial holds its link for a grace time", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const a = startNode(streams, { clock, timing: STEADY });
  const b = startNode(streams, { clock, timing: STEADY });
  await a.transport.dial(b.address);
  await clock.advance(36_000);
  assertEquals(a.sink.count("down"), 0, "the grace, then the idle time");
  await clock.advance(8_000);
  assertEquals(a.sink.last("down")?.reason, "idle");
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("limits.connections refuses further peers with busy, unless an unused link can go", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const node = startNode(streams, { clock, timing: STEADY, limits: { connections: 2 } });
  const peers = [1, 2, 3, 4].map(() => startNode(streams, { clock, timing: STEADY }));
  await peers[0]!.transport.dial(node.address);
  await peers[1]!.transport.dial(node.address);
  const refused = await assertRejects(() => peers[2]!.transport.dial(node.address), GossipError);
  assertEquals(refused.code, "busy");
  assertEquals(node.sink.last("refused")?.reason, "too many connections");
  assertEquals(node.transport.metrics().refused, 1);
  await assertRejects(() => node.transport.dial(peers[3]!.address), GossipError, "connections");
  node.transport.hold(peers[0]!.id);
  await clock.advance(2_000);
  assertEquals(await peers[2]!.transport.dial(node.address), node.id);
  await peers[1]!.sink.until(() => peers[1]!.sink.count("down") === 1);
  assertEquals(peers[1]!.sink.last("down")?.reason, "idle", "the one that nobody held");
  assertEquals(node.transport.links().length, 2);
  await Promise.all([node, ...peers].map((each) => each.transport.close()));
});

Deno.test("a disconnect sends what was queued, then the reason", async () => {
  const streams = new MemoryNetwork({ capacity: 1_000 });
  await using a = startNode(streams);
  await using b = startNode(streams);
  await a.transport.dial(b.address);
  for (let i = 0; i < 50; i++) a.transport.send(b.id, Lane.NORMAL, frame(1_000, i));
  a.transport.disconnect(b.id, "evicted");
  assertEquals(a.sink.count("down"), 0, "never inside the call");
  assert(!a.transport.send(b.id, Lane.NORMAL, frame(10)));
  await b.sink.until(() => b.sink.count("down") === 1);
  assertEquals(b.sink.frames.length, 50);
  assertEquals([a.sink.last("down")?.reason, b.sink.last("down")?.reason], ["evicted", "evicted"]);
  await until(() => streams.links.length === 0);
});

Deno.test("a link that is cut is lost, and the next connect brings it back", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  await using b = startNode(streams);
  for (let round = 1; round <= 3; round++) {
    a.transport.connect(b.id, [b.address]);
    await until(() => a.transport.links().length + b.transport.links().length === 2);
    streams.links[0]!.cut();
    await until(() => a.sink.count("down") === round && b.sink.count("down") === round);
    assertEquals(a.sink.last("down")?.reason, "lost");
  }
  assertEquals([...a.sink.broken, ...b.sink.broken], []);
});

Deno.test("close says goodbye, is idempotent, and leaves nothing behind", async () => {
  const streams = new MemoryNetwork();
  const a = startNode(streams), b = startNode(streams), c = startNode(streams);
  await a.transport.dial(b.address);
  await c.transport.dial(a.address);
  const hanging = a.transport.dial("black-hole:1");
  const closed = assertRejects(() => hanging, GossipError, "closed");
  a.transport.send(b.id, Lane.BULK, frame(300_000));
  await Promise.all([a.transport.close(), a.transport.close()]);
  await closed;
  await until(() => b.sink.count("down") === 1 && c.sink.count("down") === 1);
  assertEquals([b.sink.last("down")?.reason, c.sink.last("down")?.reason], ["left", "left"]);
  assertEquals(b.sink.frames.length, 1, "what was queued arrived first");
  assertEquals(a.sink.told.filter((t) => t.what === "down").map((t) => t.reason), [
    "closed",
    "closed",
  ]);
  assertEquals(a.transport.links(), []);
  const error = await assertRejects(() => a.transport.dial(b.address), GossipError);
  assertEquals(error.code, "closed");
  await assertRejects(() => b.transport.dial(a.address), GossipError, "refused");
  await Promise.all([b.transport.close(), c.transport.close()]);
  assertEquals(streams.links.length, 0);
});

Deno.test("close does not wait for a peer that never reads", async () => {
  const streams = new MemoryNetwork();
  const a = startNode(streams, { timing: { closeMs: 50 } });
  const b = startNode(streams, { timing: { closeMs: 50 } });
  await a.transport.dial(b.address);
  for (const link of streams.links) link.stall();
  while (a.transport.send(b.id, Lane.NORMAL, frame(100_000)));
  const begin = performance.now();
  await a.transport.close();
  assertGreater(1_000, performance.now() - begin);
  await b.transport.close();
});

Deno.test("abort ends everything at once and tells nobody", async () => {
  const streams = new MemoryNetwork();
  const a = startNode(streams), b = startNode(streams);
  await a.transport.dial(b.address);
  await a.transport.abort();
  await b.sink.until(() => b.sink.count("down") === 1);
  assertEquals(b.sink.last("down")?.reason, "lost");
  assertEquals(a.sink.count("down"), 0);
  await b.transport.close();
});
