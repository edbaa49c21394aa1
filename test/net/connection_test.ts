import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Frame, Lane } from "../../src/wire/frames.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import { CHUNK_BYTES } from "../../src/net/lanes.ts";
import {
  frame,
  GridClock,
  ManualClock,
  rawPeer,
  settle,
  startNode,
  type TestNode,
  until,
  writeAll,
} from "./helper.ts";

const GOODBYE_LEFT = Uint8Array.of(2, Frame.GOODBYE, 1);

/** A node, and a hand-made peer whose link to it is up. */
async function hostile(limits = {}): Promise<
  { node: TestNode; raw: Awaited<ReturnType<typeof rawPeer>>; streams: MemoryNetwork }
> {
  const streams = new MemoryNetwork();
  const node = startNode(streams, { limits });
  const raw = await rawPeer(streams, node.transport.port);
  await node.sink.until(() => node.sink.count("up") === 1);
  return { node, raw, streams };
}

Deno.test("frames of every size and lane arrive byte for byte, in order per lane", async () => {
  let next = 7;
  const streams = new MemoryNetwork({ split: (n) => (next = next * 48_271 % 65_537) % n + 1 });
  await using a = startNode(streams);
  await using b = startNode(streams);
  await a.transport.dial(b.address);
  const sent: Uint8Array[] = [];
  for (const length of [1, 2, 127, 128, 5_000, CHUNK_BYTES, CHUNK_BYTES + 1, 70_000, 1 << 20, 3]) {
    const bytes = frame(length, length);
    sent.push(bytes);
    assert(a.transport.send(b.id, Lane.NORMAL, bytes.subarray(0, 1), bytes.subarray(1)));
  }
  await b.sink.until(() => b.sink.frames.length === sent.length);
  assertEquals(b.sink.frames, sent);
});

Deno.test("frames that are sent in one turn leave in one record", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  await using b = startNode(streams);
  await a.transport.dial(b.address);
  await until(() => a.transport.rtt(b.id) !== undefined && b.transport.rtt(a.id) !== undefined);
  const before = a.transport.metrics();
  for (let i = 0; i < 100; i++) a.transport.send(b.id, Lane.NORMAL, frame(100, i));
  await b.sink.until(() => b.sink.frames.length === 100);
  const after = a.transport.metrics();
  assertEquals(after.framesOut - before.framesOut, 100);
  assertEquals(after.recordsOut - before.recordsOut, 1);
  assertEquals(after.bytesOut - before.bytesOut, 2 + 16 + 100 * 101);
});

Deno.test("a control frame overtakes a large message that is under way", async () => {
  const streams = new MemoryNetwork({ capacity: 4_096 });
  await using a = startNode(streams);
  await using b = startNode(streams);
  await a.transport.dial(b.address);
  a.transport.send(b.id, Lane.BULK, frame(2 << 20));
  await until(() => b.transport.link(a.id)!.bytesIn > 100_000);
  const before = b.transport.link(a.id)!.bytesIn;
  a.transport.send(b.id, Lane.CONTROL, frame(10, 1));
  let overtook = 0, large = false;
  b.sink.onFrame = (_peer, _bytes, start, end) => {
    if (end - start === 10) return void (overtook = b.transport.link(a.id)!.bytesIn - before);
    assertGreater(overtook, 0, "before the large one");
    large = true;
  };
  await b.sink.until(() => large);
  // What was in flight (a write, the pipe, the read buffer) and its own record.
  assertLess(overtook, 80_000);
});

Deno.test("a lane refuses what passes limits.laneBytes while the other side reads nothing", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams, { limits: { laneBytes: 100_000 }, timing: { closeMs: 50 } });
  await using b = startNode(streams, { timing: { closeMs: 50 } });
  await a.transport.dial(b.address);
  for (const link of streams.links) link.stall();
  let taken = 0;
  while (a.transport.send(b.id, Lane.NORMAL, frame(10_000))) taken++;
  assert(taken >= 9 && taken <= 10, String(taken));
  await settle();
  while (a.transport.send(b.id, Lane.NORMAL, frame(10_000))) taken++;
  assertLess(a.transport.link(b.id)!.queuedBytes, 100_001);
  assert(a.transport.send(b.id, Lane.CONTROL, frame(10)), "the other lanes are free");
  assert(a.transport.metrics().framesRefused >= 2);
  assert(!a.transport.send("0".repeat(64), Lane.CONTROL, frame(10)), "no link, no send");
});

for (
  const [what, plaintext] of [
    ["an empty record", new Uint8Array(0)],
    ["a frame without bytes", Uint8Array.of(0)],
    ["a frame that is longer than its record", Uint8Array.of(200, 1, Frame.GOSSIP)],
    ["a length that is no number", new Uint8Array(12).fill(255)],
    ["a chunk in an unknown lane", Uint8Array.of(4, Frame.CHUNK, 7, 1, 1)],
    ["an empty chunk", Uint8Array.of(2, Frame.CHUNK, 0)],
    ["a connection frame in chunks", Uint8Array.of(4, Frame.CHUNK, 0x80, Frame.PING, 1)],
    ["a ping of the wrong size", Uint8Array.of(2, Frame.PING, 1)],
    ["a goodbye of the wrong size", Uint8Array.of(1, Frame.GOODBYE)],
    ["an unknown frame of the connection's", Uint8Array.of(1, 0x0f)],
  ] as const
) {
  Deno.test(`${what} ends the connection as misbehaved`, async () => {
    const { node, raw, streams } = await hostile();
    await using _ = node;
    await raw.send(Uint8Array.of(3, Frame.GOSSIP, 1, 2));
    await raw.send(plaintext);
    await node.sink.until(() => node.sink.count("down") === 1);
    assertEquals(node.sink.last("down")?.reason, "misbehaved");
    assertEquals(node.sink.frames, [Uint8Array.of(Frame.GOSSIP, 1, 2)]);
    // The first ping may leave before the goodbye or together with it.
    const first = (await raw.next())!, PING_BYTES = 7;
    assertEquals(first[1], Frame.PING);
    const told = first.length > PING_BYTES ? first.subarray(PING_BYTES) : await raw.next();
    assertEquals(told, Uint8Array.of(2, Frame.GOODBYE, 5), "which it is told");
    raw.duplex.close();
    await until(() => streams.links.length === 0);
  });
}

Deno.test("chunks that add up to more than a message may have end the connection", async () => {
  const { node, raw } = await hostile({ messageBytes: 200_000, requestBytes: 100_000 });
  await using _ = node;
  const chunk = new Uint8Array(30_005);
  chunk.set([(30_002 & 127) | 128, (30_002 >> 7 & 127) | 128, 30_002 >> 14, Frame.CHUNK, 2]);
  chunk[5] = Frame.GOSSIP;
  for (let i = 0; i < 10 && node.sink.count("down") === 0; i++) {
    await raw.send(chunk).catch(() => {});
    if (i < 8) await until(() => node.transport.metrics().framesIn > i);
    if (i < 8) assertEquals(node.sink.count("down"), 0, `${i + 1} chunks are within the bound`);
  }
  await node.sink.until(() => node.sink.count("down") === 1);
  assertEquals(node.sink.last("down")?.reason, "misbehaved");
  raw.duplex.close();
});

Deno.test("a forged record ends the connection as misbehaved", async () => {
  const { node, raw } = await hostile();
  await using _ = node;
  const record = raw.channel.seal(Uint8Array.of(3, Frame.GOSSIP, 1, 2));
  record[5]! ^= 1;
  await writeAll(raw.duplex, record);
  await node.sink.until(() => node.sink.count("down") === 1);
  assertEquals(node.sink.last("down")?.reason, "misbehaved");
  assertEquals(node.sink.frames.length, 0);
  raw.duplex.close();
});

Deno.test("a goodbye is told from a stream that just ends, also within a record", async () => {
  for (
    const [reason, act] of [
      ["left", (raw) => raw.send(GOODBYE_LEFT)],
      ["idle", (raw) => raw.send(Uint8Array.of(2, Frame.GOODBYE, 6))],
      ["left", (raw) => raw.send(Uint8Array.of(2, Frame.GOODBYE, 99))],
      ["lost", (raw) => raw.duplex.closeWrite()],
      ["lost", async (raw) => {
        await writeAll(raw.duplex, raw.channel.seal(GOODBYE_LEFT).subarray(0, 12));
        await raw.duplex.closeWrite();
      }],
    ] as [string, (raw: Awaited<ReturnType<typeof rawPeer>>) => Promise<void>][]
  ) {
    const { node, raw } = await hostile();
    await using _ = node;
    await act(raw);
    await node.sink.until(() => node.sink.count("down") === 1);
    assertEquals(node.sink.last("down")?.reason, reason);
    raw.duplex.close();
  }
});

Deno.test("a flood of pings queues one answer, not one each", async () => {
  const { node, raw } = await hostile();
  await using _ = node;
  const before = node.transport.metrics().framesOut;
  const pings = new Uint8Array(7 * 4_000);
  for (let i = 0; i < 4_000; i++) pings.set([6, Frame.PING, 0, 0, i >> 8, i & 255, 0], 7 * i);
  await raw.send(pings);
  await until(() => node.transport.metrics().framesIn >= 4_000);
  await settle();
  assertLess(node.transport.metrics().framesOut - before, 5);
  raw.duplex.close();
});

Deno.test("an answer to a ping that was not read counts for nothing", async () => {
  const { node, raw } = await hostile();
  await using _ = node;
  const guesses = new Uint8Array(6 * 2_000);
  for (let i = 0; i < 2_000; i++) guesses.set([5, Frame.PONG, 0, 0, i >> 8, i & 255], 6 * i);
  await raw.send(guesses);
  await until(() => node.transport.metrics().framesIn >= 2_000);
  assertEquals(node.transport.rtt(raw.id), undefined);
  const ping = (await raw.next())!;
  await raw.send(Uint8Array.of(5, Frame.PONG, ...ping.subarray(2, 6)));
  await until(() => node.transport.rtt(raw.id) !== undefined);
  raw.duplex.close();
});

Deno.test("round trips are measured soon after a link is up, and then more seldom", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const timing = { pingMs: 1_000, deadMs: 3_000, idleMs: 600_000, graceMs: 600_000 };
  const a = startNode(streams, { clock, timing });
  const b = startNode(streams, { clock, timing });
  await a.transport.dial(b.address);
  await clock.advance(1_000);
  assertEquals(a.transport.rtt(b.id), 0, "memory has no delay in virtual time");
  const early = a.transport.metrics().framesOut;
  assertGreater(early, 6);
  await clock.advance(10_000);
  const later = a.transport.metrics().framesOut - early;
  assert(later >= 15 && later <= 25, `ten pings and ten pongs: ${later}`);
  assertEquals(a.transport.links().length, 1);
  await Promise.all([a.transport.close(), b.transport.close()]);
  assertEquals(clock.size, 0, "no timer remains");
});

for (const everyMs of [500, 1_100]) {
  Deno.test(`a link on which both sides speak every ${everyMs} ms is pinged one time in eight`, async () => {
    const clock = new ManualClock(), streams = new MemoryNetwork();
    const timing = { pingMs: 1_000, deadMs: 3_000, idleMs: 600_000, graceMs: 600_000 };
    const a = startNode(streams, { clock, timing });
    const b = startNode(streams, { clock, timing });
    await a.transport.dial(b.address);
    await clock.advance(3_000);
    const before = a.transport.metrics().framesOut;
    const rounds = 32_000 / everyMs;
    for (let i = 0; i < rounds; i++) {
      a.transport.send(b.id, Lane.NORMAL, frame(10, 1));
      b.transport.send(a.id, Lane.NORMAL, frame(10, 1));
      await clock.advance(everyMs);
    }
    const own = a.transport.metrics().framesOut - before - Math.ceil(rounds);
    assert(own >= 6 && own <= 12, `a ping and a pong in eight seconds: ${own} in 32 s`);
    assertEquals(a.transport.links().length, 1);
    await Promise.all([a.transport.close(), b.transport.close()]);
  });
}

Deno.test("a half-open link is found by its silence", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const timing = { pingMs: 1_000, deadMs: 3_000, idleMs: 600_000, graceMs: 600_000 };
  const a = startNode(streams, { clock, timing });
  const b = startNode(streams, { clock, timing });
  await a.transport.dial(b.address);
  await clock.advance(5_000);
  for (const link of streams.links) link.stall();
  await clock.advance(2_000);
  assertEquals(a.sink.count("down"), 0, "not yet");
  await clock.advance(2_500);
  assertEquals([a.sink.last("down")?.reason, b.sink.last("down")?.reason], ["lost", "lost"]);
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("silence is found at its time, whatever the grid of timers, behind two pings", async () => {
  const clock = new GridClock(), streams = new MemoryNetwork();
  const timing = { pingMs: 10_000, deadMs: 30_000, idleMs: 600_000, graceMs: 600_000 };
  const a = startNode(streams, { clock, timing });
  const b = startNode(streams, { clock, timing });
  await a.transport.dial(b.address);
  for (let i = 0; i < 30; i++) {
    b.transport.send(a.id, Lane.NORMAL, frame(10, 1));
    await clock.advance(3_000);
  }
  b.transport.send(a.id, Lane.NORMAL, frame(10, 1));
  await settle();
  for (const link of streams.links) link.stall();
  const out = a.transport.metrics().framesOut;
  await clock.advance(29_700);
  assertEquals(a.sink.count("down"), 0, "not yet");
  assertEquals(a.transport.metrics().framesOut - out, 2);
  await clock.advance(400);
  assertEquals(a.sink.last("down")?.reason, "lost");
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("a thread that was late accuses nobody", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const timing = { pingMs: 1_000, deadMs: 3_000, idleMs: 600_000, graceMs: 600_000 };
  const a = startNode(streams, { clock, timing });
  const b = startNode(streams, { clock, timing });
  await a.transport.dial(b.address);
  await clock.advance(2_000);
  clock.jump(60_000);
  await settle();
  await clock.advance(2_500);
  assertEquals(a.sink.count("down") + b.sink.count("down"), 0);
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("a reader that stays behind is dropped as slow, and blocks nobody meanwhile", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork();
  const timing = { pingMs: 1_000, deadMs: 60_000, slowMs: 2_000, idleMs: 600_000 };
  const a = startNode(streams, { clock, timing, limits: { laneBytes: 400_000 } });
  const b = startNode(streams, { clock, timing });
  await a.transport.dial(b.address);
  const stuck = await rawPeer(streams, a.transport.port);
  await a.sink.until(() => a.sink.count("up") === 2);
  while (a.transport.send(stuck.id, Lane.NORMAL, frame(20_000)));
  await clock.advance(1_500);
  assertEquals(a.sink.count("down"), 0);
  assert(a.transport.send(b.id, Lane.NORMAL, frame(100, 1)));
  await settle();
  assertEquals(b.sink.frames.length, 1, "the others are served");
  // It still talks, so it is not silent; it just never reads.
  for (let i = 0; i < 4; i++) {
    await stuck.send(Uint8Array.of(2, Frame.GOSSIP, i)).catch(() => {});
    await clock.advance(500);
  }
  assertEquals(a.sink.last("down"), { what: "down", peer: stuck.id, reason: "slow" });
  stuck.duplex.close();
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("a slow link that moves is not dropped although its lane is always full", async () => {
  const clock = new ManualClock(), streams = new MemoryNetwork({ capacity: 8_192 });
  const timing = { pingMs: 1_000, deadMs: 60_000, slowMs: 2_000, idleMs: 600_000 };
  const a = startNode(streams, { clock, timing, limits: { laneBytes: 100_000 } });
  const b = startNode(streams, { clock, timing });
  await a.transport.dial(b.address);
  for (let i = 0; i < 100; i++) {
    while (a.transport.send(b.id, Lane.NORMAL, frame(4_000)));
    await clock.advance(50);
  }
  assertEquals(a.sink.count("down"), 0);
  await Promise.all([a.transport.close(), b.transport.close()]);
});

Deno.test("what the node throws in a callback is reported and ends nothing", async () => {
  const streams = new MemoryNetwork();
  await using a = startNode(streams);
  await using b = startNode(streams);
  b.sink.onTold = () => {
    throw new Error("in up");
  };
  b.sink.onFrame = () => {
    throw new Error("in receive");
  };
  await a.transport.dial(b.address);
  a.transport.send(b.id, Lane.NORMAL, frame(10));
  a.transport.send(b.id, Lane.NORMAL, frame(10));
  await until(() => b.faults.length === 3);
  assertEquals(b.faults.map((f) => (f as Error).message), ["in up", "in receive", "in receive"]);
  assertEquals(a.sink.count("down"), 0);
});
