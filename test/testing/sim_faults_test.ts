import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import type { TraceEvent } from "../../src/testing/sim_trace.ts";
import { Lane } from "../../src/wire/frames.ts";
import { addNodes, linkedPair, Recorder } from "./sim_recorder.ts";

const frame = (n: number) => new Uint8Array([n, 0, 0]);

Deno.test("a killed node falls silent, and its peer notices within the detection time", async () => {
  const { fabric, a, b } = await linkedPair({ detectMs: 2_000 });
  let fired = false;
  b.transport.after(10, () => fired = true);
  b.transport.send(a.id, Lane.NORMAL, frame(1));
  fabric.kill(b.id);
  const killed = fabric.clock.now();
  a.transport.send(b.id, Lane.NORMAL, frame(2));
  await fabric.clock.run(killed + 999);
  assertEquals(a.heard("down"), []);
  await fabric.clock.run(killed + 2_000);
  assertEquals(a.heard("down", "receive"), ["down lost"]);
  assertEquals(b.heard("down", "receive"), []);
  assertEquals(fired, false);
  assert(b.transport.killed);
  assertEquals(fabric.ids(), [a.id]);
});

Deno.test("an aborted transport is a killed one", async () => {
  const { fabric, a, b } = await linkedPair({ detectMs: 1_000 });
  const pending = b.transport.dial("10.99.0.1:1");
  const rejected = assertRejects(() => pending, GossipError, "closed");
  await b.transport.abort();
  await b.transport.abort();
  await rejected;
  await fabric.clock.run(5_000);
  assertEquals(a.heard("down"), ["down lost"]);
  assertEquals(b.heard("down"), []);
});

Deno.test("a node that restarts with its identity replaces its old links", async () => {
  const { fabric, a, b } = await linkedPair({ detectMs: 60_000 });
  fabric.kill(b.id);
  await fabric.clock.run(fabric.clock.now() + 100);
  const again = new Recorder(fabric.restart(b.id));
  assertEquals(again.transport.addresses, b.transport.addresses);
  again.transport.connect(a.id, a.transport.addresses);
  await fabric.clock.run(fabric.clock.now() + 5_000);
  const heard = a.heard("up", "down");
  assertEquals(heard.length, 3);
  assertEquals(heard[0], "up out");
  assert(heard[1] === "down replaced" || heard[1] === "down lost");
  assertEquals(heard[2], "up in");
  assertEquals(again.heard("up"), ["up out"]);
});

Deno.test("a node that restarted and does not dial resets what its peers still hold", async () => {
  const { fabric, a, b } = await linkedPair({ detectMs: 60_000 });
  fabric.kill(b.id);
  new Recorder(fabric.restart(b.id));
  await fabric.clock.run(fabric.clock.now() + 2_000);
  assertEquals(a.heard("down"), ["down lost"]);
});

Deno.test("an address can go to a new identity, and ids and addresses in use are refused", () => {
  const fabric = new SimFabric();
  const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
  assertThrows(() => fabric.createTransport(a.id), RangeError, "id is in use");
  const address = b.transport.addresses[0]!;
  assertThrows(() => fabric.createTransport("f".repeat(64), { address }), RangeError, "address");
  fabric.kill(b.id);
  new Recorder(fabric.createTransport("f".repeat(64), { address }));
  assertEquals(fabric.resolve(address), "f".repeat(64));
});

Deno.test("a long partition ends the links across it at both ends, and no dial passes until it heals", async () => {
  const fabric = new SimFabric({ detectMs: 1_000, dialTimeoutMs: 2_000 });
  const nodes = addNodes(fabric, 4) as [Recorder, Recorder, Recorder, Recorder];
  const [a, b, c, d] = nodes;
  a.transport.connect(b.id, b.transport.addresses);
  a.transport.connect(c.id, c.transport.addresses);
  c.transport.connect(d.id, d.transport.addresses);
  await fabric.clock.run(1_000);
  fabric.partition([[a.id, b.id]]);
  a.transport.send(c.id, Lane.NORMAL, frame(1));
  a.transport.send(b.id, Lane.NORMAL, frame(2));
  b.transport.connect(d.id, d.transport.addresses);
  await fabric.clock.run(4_000);
  assertEquals(a.heard("down"), ["down lost"]);
  assertEquals(c.heard("down", "receive"), ["down lost"]);
  assertEquals(b.heard("down", "receive", "unreachable"), [
    "receive",
    "unreachable no answer in time",
  ]);
  assertEquals(d.heard("down"), []);
  fabric.heal();
  b.transport.connect(d.id, d.transport.addresses);
  await fabric.clock.run(6_000);
  assertEquals(d.heard("up"), ["up in", "up in"]);
});

Deno.test("frames wait for a short partition to heal and then arrive in order", async () => {
  const { fabric, a, b } = await linkedPair({ detectMs: 10_000 });
  a.transport.send(b.id, Lane.NORMAL, frame(0));
  fabric.partition([[a.id]]);
  for (let i = 1; i < 50; i++) {
    a.transport.send(b.id, Lane.NORMAL, frame(i));
    await fabric.clock.run(fabric.clock.now() + 20);
  }
  assertEquals(b.frames(), []);
  assert(a.transport.link(b.id)!.queuedBytes > 0);
  fabric.heal();
  for (let i = 50; i < 100; i++) {
    a.transport.send(b.id, Lane.NORMAL, frame(i));
    await fabric.clock.run(fabric.clock.now() + 20);
  }
  await fabric.clock.run(60_000);
  assertEquals(b.frames().map((bytes) => bytes[0]), Array.from({ length: 100 }, (_, i) => i));
  assertEquals(a.heard("down"), ["down idle"]);
});

Deno.test("a one-way cut is noticed by the side that hears nothing, which resets the other", async () => {
  const { fabric, a, b } = await linkedPair({ detectMs: 1_000, latencyMs: 10 });
  fabric.partition([[a.id], [b.id]], { oneWay: true });
  const start = fabric.clock.now();
  a.transport.send(b.id, Lane.NORMAL, frame(1));
  b.transport.send(a.id, Lane.NORMAL, frame(2));
  await fabric.clock.run(start + 3_000);
  assertEquals(a.heard("receive", "down"), ["receive", "down lost"]);
  assertEquals(b.heard("receive", "down"), ["down lost"]);
  const [atA, atB] = [a, b].map((node) => node.notes.at(-1)!.time);
  assertEquals(atA! - atB!, 10);
});

Deno.test("what a cut holds back is bounded by the lane", async () => {
  const fabric = new SimFabric({ detectMs: 1e6 });
  const [a, b] = [0, 1].map((i) =>
    new Recorder(fabric.createTransport(`${i}`.repeat(64), { limits: { laneBytes: 10_000 } }))
  ) as [Recorder, Recorder];
  a.transport.connect(b.id, b.transport.addresses);
  await fabric.clock.run(1_000);
  fabric.partition([[a.id]]);
  let sent = 0;
  for (let i = 0; i < 100; i++) {
    if (a.transport.send(b.id, Lane.BULK, new Uint8Array(1_000))) sent++;
    await fabric.clock.run(fabric.clock.now() + 20);
  }
  assertEquals(sent, 10);
  assertEquals(a.transport.metrics().framesRefused, 90);
});

Deno.test("at every node up and down of a peer alternate, whatever happens", async () => {
  let events = 0;
  for (let seed = 0; seed < 20; seed++) {
    const fabric = new SimFabric({
      seed,
      latencyMs: [1, 90],
      loss: 0.05,
      linkLoss: 0.005,
      detectMs: 800,
      dialTimeoutMs: 900,
      idleMs: 700,
    });
    const rng = fabric.rng("faults");
    const nodes = addNodes(fabric, 8);
    const all = [...nodes];
    const some = () => nodes[rng.int(nodes.length)]!;
    for (let step = 0; step < 300; step++) {
      const x = some(), y = some();
      const what = rng.int(20);
      if (what < 8) x.transport.connect(y.id, y.transport.addresses);
      else if (what < 10) x.transport.disconnect(y.id, "evicted");
      else if (what < 15) x.transport.send(y.id, Lane.NORMAL, frame(step & 255));
      else if (what === 15) fabric.partition([[x.id, y.id]], { oneWay: rng.int(2) === 0 });
      else if (what < 18) fabric.heal();
      else if (what === 18) {
        fabric.kill(x.id);
        nodes[nodes.indexOf(x)] = new Recorder(fabric.restart(x.id));
        all.push(nodes.at(-1)!);
      } else {
        await x.transport.close();
        nodes[nodes.indexOf(x)] = new Recorder(fabric.restart(x.id));
      }
      for (const node of nodes) if (!all.includes(node)) all.push(node);
      await fabric.clock.run(fabric.clock.now() + rng.int(120));
    }
    fabric.heal();
    await fabric.clock.run(fabric.clock.now() + 20_000);
    for (const node of all) {
      const up = new Set<string>();
      for (const { what, peer } of node.notes) {
        if (what === "up") assert(!up.has(peer), `seed ${seed}: up twice`), up.add(peer);
        if (what === "down") assert(up.delete(peer), `seed ${seed}: down without up`);
        if (what === "receive") assert(up.has(peer), `seed ${seed}: a frame outside a link`);
        if (what === "up" || what === "down") events++;
      }
      if (node.transport.running) {
        assertEquals(up.size, 0, `seed ${seed}: a link outlived its idle time`);
      }
    }
    assertEquals(fabric.metrics().linkEnds, 0);
  }
  assert(events > 2_000, `${events}`);
});

Deno.test("loss makes frames late and sometimes breaks a link, at both ends", async () => {
  const { fabric, a, b } = await linkedPair({ loss: 0.01, linkLoss: 0.01, seed: 5 });
  while (a.transport.link(b.id) !== undefined) {
    assertLess(fabric.metrics().frames, 10_000);
    a.transport.send(b.id, Lane.NORMAL, frame(1));
    await fabric.clock.run(fabric.clock.now() + 50);
  }
  await fabric.clock.run(fabric.clock.now() + 10_000);
  assertEquals(a.heard("down"), ["down lost"]);
  assertEquals(b.heard("down"), ["down lost"]);
  assertEquals(fabric.metrics().linksBroken, 1);
});

Deno.test("a listener reads the trace", async () => {
  const events: TraceEvent[] = [];
  const { fabric, a, b } = await linkedPair({ latencyMs: 10 });
  const before = fabric.traceHash;
  fabric.trace = (event) => events.push(event);
  a.transport.send(b.id, Lane.NORMAL, frame(20));
  await fabric.clock.run(100);
  fabric.kill(b.id);
  assertEquals(events, [
    { type: "frame", time: 60, from: a.id, to: b.id, kind: 20, length: 3 },
    { type: "fault", time: 100, what: "kill", nodes: 1 },
  ]);
  assert(before !== fabric.traceHash);
});
