import { assert, assertEquals, assertRejects } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { frameHandshakeMessage, Handshake } from "../../src/secure/handshake.ts";
import { Identity } from "../../src/secure/identity.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import { Lane } from "../../src/wire/frames.ts";
import type { Duplex } from "../../src/net/duplex.ts";
import { frame, ManualClock, settle, startNode, until, writeAll } from "./helper.ts";

const never = new AbortController().signal;

/** What remains to be read until the end of the stream, in bytes. */
async function drained(duplex: Duplex): Promise<number> {
  const into = new Uint8Array(1_024);
  let total = 0;
  for (;;) {
    const read = await duplex.read(into).catch(() => null);
    if (read === null) return total;
    total += read;
  }
}

Deno.test("garbage instead of a handshake is turned away at once and disturbs nobody", async () => {
  const streams = new MemoryNetwork();
  await using node = startNode(streams);
  await using friend = startNode(streams);
  await friend.transport.dial(node.address);
  const garbage = [
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    new Uint8Array(5_000).fill(255),
    new Uint8Array(5_000),
    frameHandshakeMessage(new Uint8Array(32)),
    frameHandshakeMessage(new Uint8Array(31).fill(9)),
  ];
  for (const bytes of garbage) {
    const duplex = await streams.connect("127.0.0.1", node.transport.port, never);
    await writeAll(duplex, bytes).catch(() => {});
    await drained(duplex);
    duplex.close();
  }
  await node.sink.until(() => node.sink.count("refused") === garbage.length);
  assertEquals(node.transport.metrics().handshakesFailed, garbage.length);
  assertEquals(node.transport.halfOpen, 0);
  assert(friend.transport.send(node.id, Lane.NORMAL, frame(10)));
  await node.sink.until(() => node.sink.frames.length === 1);
});

Deno.test("a message of the wrong length is refused without waiting for it", async () => {
  const streams = new MemoryNetwork();
  await using node = startNode(streams);
  const duplex = await streams.connect("127.0.0.1", node.transport.port, never);
  await writeAll(duplex, Uint8Array.of(2, 0));
  assertEquals(await drained(duplex), 0);
  duplex.close();
});

Deno.test("who stops half-way, says nothing or sends a byte a second meets the deadline", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const node = startNode(streams, { clock, limits: { handshakeMs: 5_000 } });
  const open = () => streams.connect("127.0.0.1", node.transport.port, never);
  const silent = await open(), half = await open(), slow = await open();
  const handshake = new Handshake({
    role: "initiator",
    identity: Identity.generate(),
    network: "plumtree",
  });
  const first = frameHandshakeMessage(handshake.start()!);
  await writeAll(half, first);
  await settle();
  assertEquals(node.transport.halfOpen, 3);
  for (let second = 0; second < 4; second++) {
    await writeAll(slow, first.subarray(second, second + 1));
    await clock.advance(1_000);
  }
  assertEquals(node.transport.halfOpen, 3);
  await clock.advance(1_100);
  assertEquals(node.transport.halfOpen, 0);
  assertEquals(node.sink.count("refused"), 3);
  assertEquals(node.sink.last("refused")?.reason, "no handshake in 5000 ms");
  assertEquals(await drained(half), 2 + 192, "it got message 2 and nothing else");
  for (const each of [silent, half, slow]) each.close();
  await node.transport.close();
  assertEquals(clock.size, 0);
});

Deno.test("handshakes under way are bounded per address and in total", async () => {
  for (const limits of [{ halfOpenPerAddress: 5 }, { halfOpen: 5 }]) {
    const streams = new MemoryNetwork();
    await using node = startNode(streams, { limits });
    const open: Duplex[] = [];
    for (let i = 0; i < 12; i++) {
      open.push(await streams.connect("127.0.0.1", node.transport.port, never));
    }
    await node.sink.until(() => node.sink.count("refused") === 7);
    assertEquals(node.transport.halfOpen, 5);
    assertEquals(node.transport.metrics().refused, 7);
    // A place becomes free when a stranger leaves, and an honest peer gets in.
    open.forEach((duplex) => duplex.close());
    await until(() => node.transport.halfOpen === 0);
    await using friend = startNode(streams);
    assertEquals(await friend.transport.dial(node.address), node.id);
  }
});

Deno.test("a dial to a listener that says nothing ends at the deadline", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const listener = streams.listen({ hostname: "127.0.0.1", port: 7 });
  const node = startNode(streams, { clock, limits: { handshakeMs: 1_000 } });
  const dial = node.transport.dial("127.0.0.1:7");
  const accepted = await listener.accept();
  const failed = assertRejects(() => dial, GossipError, "no handshake in 1000 ms");
  await clock.advance(1_100);
  await failed;
  assertEquals(node.sink.count("dialFailed"), 1);
  accepted!.close();
  listener.close();
  await node.transport.close();
});

Deno.test("nodes of different networks refuse each other", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams, { network: "main" });
  await using b = startNode(streams, { network: "test" });
  const error = await assertRejects(() => a.transport.dial(b.address), GossipError);
  assertEquals(error.code, "handshake-failed");
  assertEquals(a.sink.count("up") + b.sink.count("up"), 0);
});

Deno.test("a dial that names an id meets nobody else", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  await using b = startNode(streams);
  const other = Identity.generate().id;
  const error = await assertRejects(() => a.transport.dial(`${other}@${b.address}`), GossipError);
  assertEquals(error.code, "wrong-peer");
  a.transport.connect(other, [b.address]);
  await a.sink.until(() => a.sink.count("unreachable") === 1);
  assertEquals((a.sink.last("unreachable")?.cause as GossipError).code, "wrong-peer");
  assertEquals(b.sink.count("up"), 0, "the other side never saw a link");
});

Deno.test("a node that dials itself is told so", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  const error = await assertRejects(() => a.transport.dial(a.address), GossipError);
  assertEquals(error.code, "own-id");
  a.transport.connect(a.id, [a.address]);
  await a.sink.until(() => a.sink.count("unreachable") === 1);
  assertEquals(a.transport.links().length, 0);
});
