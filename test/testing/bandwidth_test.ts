import { assert, assertAlmostEquals, assertEquals, assertLess, assertThrows } from "@std/assert";
import { type Bandwidth, PIECE_BYTES } from "../../src/testing/bandwidth.ts";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import type { SimFabricOptions } from "../../src/testing/sim_world.ts";
import { Lane } from "../../src/wire/frames.ts";
import { addNode, addNodes, linkedPair, type Recorder } from "./sim_recorder.ts";

/** 100 kB a second: a piece of 16 KiB takes 164 ms. */
const SLOW: Bandwidth = { up: 100_000, down: Infinity };
const PIECE_MS = (PIECE_BYTES + 20) / 100;

function marked(mark: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(mark);
}

/** When frames with a mark arrived, counted from `since`. */
function arrivals(node: Recorder, mark: number, since: number): number[] {
  return node.notes.filter(({ bytes }) => bytes?.[0] === mark).map(({ time }) => time - since);
}

async function hub(spokes: number, options: SimFabricOptions): Promise<{
  fabric: SimFabric;
  center: Recorder;
  outer: Recorder[];
}> {
  const fabric = new SimFabric({ idleMs: 1e9, ...options });
  const [center, ...outer] = addNodes(fabric, spokes + 1) as [Recorder, ...Recorder[]];
  for (const node of outer) center.transport.connect(node.id, node.transport.addresses);
  await fabric.clock.run(1_000);
  return { fabric, center, outer };
}

Deno.test("a large message takes its size over the uplink's rate, and the latency", async () => {
  const { fabric, a, b } = await linkedPair({ bandwidth: SLOW, latencyMs: 10 });
  const start = fabric.clock.now();
  assert(a.transport.send(b.id, Lane.NORMAL, marked(1, 8), marked(1, 99_992)));
  await fabric.clock.run(start + 5_000);
  assertEquals(b.frames().map(({ length }) => length), [100_000]);
  const pieces = Math.ceil(100_000 / PIECE_BYTES);
  assertAlmostEquals(arrivals(b, 1, start)[0]!, (100_000 + 20 * pieces) / 100 + 10, 0.001);
});

Deno.test("a fan-out of one message costs the uplink once for each receiver", async () => {
  const { fabric, center, outer } = await hub(5, { bandwidth: SLOW, latencyMs: 10 });
  const start = fabric.clock.now();
  for (const node of outer) center.transport.send(node.id, Lane.NORMAL, marked(1, 10_000));
  await fabric.clock.run(start + 5_000);
  assertEquals(outer.map((node) => Math.round(arrivals(node, 1, start)[0]!)), [
    110,
    210,
    311,
    411,
    511,
  ]);
});

Deno.test("many senders share the downlink of one receiver", async () => {
  const bandwidth = { up: Infinity, down: 100_000 };
  const { fabric, center, outer } = await hub(5, { bandwidth, latencyMs: 10 });
  const start = fabric.clock.now();
  for (const node of outer) node.transport.send(center.id, Lane.NORMAL, marked(1, 10_000));
  await fabric.clock.run(start + 5_000);
  assertEquals(arrivals(center, 1, start).map(Math.round), [110, 210, 311, 411, 511]);
});

Deno.test("links with much to send share the uplink, piece by piece", async () => {
  const { fabric, center, outer } = await hub(2, { bandwidth: SLOW, latencyMs: 0 });
  const start = fabric.clock.now();
  const size = 10 * PIECE_BYTES;
  for (const node of outer) center.transport.send(node.id, Lane.BULK, marked(1, size));
  await fabric.clock.run(start + 10_000);
  const [first, second] = outer.map((node) => arrivals(node, 1, start)[0]!);
  assertAlmostEquals(second!, 20 * PIECE_MS, 0.001);
  assertAlmostEquals(second! - first!, PIECE_MS, 0.001);
});

Deno.test("bulk that waits delays control by one piece at most, also on other links", async () => {
  const { fabric, center, outer } = await hub(8, { bandwidth: SLOW, latencyMs: 10 });
  const start = fabric.clock.now();
  for (const node of outer) center.transport.send(node.id, Lane.BULK, marked(1, 500_000));
  for (let i = 0; i < 50; i++) {
    const sent = fabric.clock.now();
    const to = outer[i % 8]!;
    center.transport.send(to.id, Lane.CONTROL, marked(2, 40));
    await fabric.clock.run(sent + 333);
    assertLess(arrivals(to, 2, sent).at(-1)!, PIECE_MS + 10 + 1);
  }
  assertEquals(arrivals(outer[0]!, 1, start), []);
  await fabric.clock.run(start + 60_000);
  assertEquals(outer.map((node) => node.frames().filter((bytes) => bytes[0] === 1).length), [
    ...new Array(8).fill(1),
  ]);
});

Deno.test("an endless stream of control lets bulk through now and then", async () => {
  const { fabric, a, b } = await linkedPair({ bandwidth: SLOW, latencyMs: 10, idleMs: 1e9 });
  a.transport.send(b.id, Lane.BULK, marked(1, 3 * PIECE_BYTES));
  for (let i = 0; i < 200; i++) {
    // 10 kB every 50 ms: twice what the uplink can send.
    a.transport.send(b.id, Lane.CONTROL, marked(2, 10_000));
    await fabric.clock.run(fabric.clock.now() + 50);
  }
  assertEquals(arrivals(b, 1, 0).length, 1);
});

Deno.test("frames of one lane stay in order and whole, whatever their sizes", async () => {
  const { fabric, a, b } = await linkedPair({
    bandwidth: { up: 200_000, down: 150_000 },
    latencyMs: [5, 60],
    jitter: 2,
    loss: 0.02,
    linkLoss: 0,
  });
  const rng = fabric.rng("sizes");
  const sizes: number[][] = [[], [], []];
  for (let i = 0; i < 300; i++) {
    const lane = rng.int(3) as Lane, size = 1 + rng.int(rng.int(10) === 0 ? 60_000 : 500);
    sizes[lane]!.push(size);
    assert(a.transport.send(b.id, lane, marked(lane, size)));
    if (rng.int(4) === 0) await fabric.clock.run(fabric.clock.now() + rng.int(20));
  }
  await fabric.clock.run(fabric.clock.now() + 120_000);
  for (const lane of [0, 1, 2]) {
    const got = b.frames().filter((bytes) => bytes[0] === lane).map(({ length }) => length);
    assertEquals(got, sizes[lane]);
  }
});

Deno.test("a lane that is full refuses, another one takes, and both count as queued", async () => {
  const fabric = new SimFabric({ bandwidth: SLOW });
  const limits = { laneBytes: 50_000 };
  const a = addNode(fabric, 0, { limits }), b = addNode(fabric, 1);
  a.transport.connect(b.id, b.transport.addresses);
  await fabric.clock.run(1_000);
  const send = (lane: Lane) => a.transport.send(b.id, lane, marked(lane, 20_000));
  assertEquals([send(Lane.BULK), send(Lane.BULK), send(Lane.BULK)], [true, true, false]);
  assertEquals([send(Lane.NORMAL), a.transport.metrics().framesRefused], [true, 1]);
  const queued = a.transport.link(b.id)!.queuedBytes;
  assert(queued > 59_000 && queued < 61_000, `${queued}`);
  await fabric.clock.run(fabric.clock.now() + 1_000);
  assertEquals(a.transport.link(b.id)!.queuedBytes, 0);
  assertEquals(send(Lane.BULK), true);
});

Deno.test("a link that is closed sends what waits, then its goodbye", async () => {
  const { fabric, a, b } = await linkedPair({ bandwidth: SLOW, latencyMs: 10 });
  for (let i = 0; i < 3; i++) a.transport.send(b.id, Lane.NORMAL, marked(1, 50_000));
  a.transport.disconnect(b.id, "evicted");
  await fabric.clock.run(fabric.clock.now() + 10_000);
  assertEquals(b.heard("receive", "down"), ["receive", "receive", "receive", "down evicted"]);
  assertEquals(a.heard("down"), ["down evicted"]);
});

Deno.test("a closed node's last frames leave, a killed one's are lost", async () => {
  for (const kill of [false, true]) {
    const { fabric, a, b } = await linkedPair({ bandwidth: SLOW, latencyMs: 10 });
    for (let i = 0; i < 3; i++) a.transport.send(b.id, Lane.NORMAL, marked(1, 50_000));
    if (kill) fabric.kill(a.id);
    else await a.transport.close();
    await fabric.clock.run(fabric.clock.now() + 20_000);
    const frames = kill ? [] : ["receive", "receive", "receive"];
    assertEquals(b.heard("receive", "down"), [...frames, kill ? "down lost" : "down left"]);
    assertEquals(fabric.metrics().framesLost, kill ? 3 : 0);
  }
});

Deno.test("a node's own bandwidth goes before that of the network", async () => {
  const fabric = new SimFabric({ bandwidth: SLOW, latencyMs: 10 });
  const fast = addNode(fabric, 0, { bandwidth: { up: Infinity, down: Infinity } });
  const slow = addNode(fabric, 1);
  fast.transport.connect(slow.id, slow.transport.addresses);
  await fabric.clock.run(1_000);
  for (const [from, to] of [[fast, slow], [slow, fast]] as const) {
    from.transport.send(to.id, Lane.NORMAL, marked(1, 100_000));
  }
  await fabric.clock.run(4_000);
  assertEquals(arrivals(slow, 1, 1_000), [10]);
  assert(arrivals(fast, 1, 1_000)[0]! > 1_000);
});

Deno.test("bandwidths that are none are refused", () => {
  for (const rate of [0, -1, NaN]) {
    assertThrows(() => new SimFabric({ bandwidth: { up: rate, down: 1 } }), RangeError);
    const fabric = new SimFabric();
    assertThrows(() => addNode(fabric, 0, { bandwidth: { up: 1, down: rate } }), RangeError);
  }
});

Deno.test("a slow downlink too lets control overtake bulk, keeps each lane in order, and counts in the sender's lanes", async () => {
  for (const up of [Infinity, 10_000_000]) {
    const fabric = new SimFabric({ latencyMs: 10 });
    const [a, b] = [
      addNode(fabric, 0, { bandwidth: { up, down: Infinity }, limits: { laneBytes: 620_000 } }),
      addNode(fabric, 1, { bandwidth: { up: Infinity, down: 100_000 } }),
    ];
    a.transport.connect(b.id, b.transport.addresses);
    await fabric.clock.run(1_000);
    const bulk = (n: number) => a.transport.send(b.id, Lane.BULK, new Uint8Array(200_000).fill(n));
    assert(bulk(1) && bulk(2));
    await fabric.clock.run(1_500);
    assert(a.transport.link(b.id)!.queuedBytes > 300_000);
    assert(bulk(3));
    await fabric.clock.run(1_600);
    assertEquals(bulk(4), false);
    const sent = fabric.clock.now();
    assert(a.transport.send(b.id, Lane.CONTROL, new Uint8Array(100).fill(9)));
    await fabric.clock.run(20_000);
    const taken = b.notes.filter(({ what }) => what === "receive");
    assertEquals(taken.map(({ bytes }) => bytes![0]), [9, 1, 2, 3]);
    // One chunk at the downlink's rate, and the latency.
    assert(taken[0]!.time - sent < 10 + 16_384 / 100 + 5, `${taken[0]!.time - sent}`);
    assert(taken[3]!.time >= 1_000 + 6_000);
    assertEquals(a.transport.link(b.id)!.queuedBytes, 0);
    // The goodbye waits for what is on its way.
    bulk(5);
    a.transport.disconnect(b.id, "evicted");
    await fabric.clock.run(30_000);
    assertEquals(b.notes.slice(-2).map(({ what }) => what), ["receive", "down"]);
  }
});
