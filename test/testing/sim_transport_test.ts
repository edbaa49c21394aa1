import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { simPeerId } from "../../src/testing/sim_crypto.ts";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import { Lane } from "../../src/wire/frames.ts";
import { addNode, addNodes, busyRun, linkedPair, Recorder } from "./sim_recorder.ts";

function u32(n: number): Uint8Array {
  return new Uint8Array([n >>> 24, n >>> 16, n >>> 8, n]);
}

Deno.test("one seed gives one trace hash, another seed another", async () => {
  const first = await busyRun(7);
  assertEquals(await busyRun(7), first);
  assertNotEquals(await busyRun(8), first);
});

Deno.test("the trace hash is the same in another process", async () => {
  const script = new URL("./sim_recorder.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", script, "9"],
  }).output();
  assertEquals(new TextDecoder().decode(stdout).trim(), await busyRun(9));
});

Deno.test("a dial takes two round trips for the dialler and half a one more for the other side", async () => {
  const { a, b } = await linkedPair({ latencyMs: 10 });
  assertEquals(a.notes.map((n) => [n.time, n.what, n.detail]), [[40, "up", "out"]]);
  assertEquals(b.notes.map((n) => [n.time, n.what, n.detail]), [[50, "up", "in"]]);
  assertEquals(a.transport.rtt(b.id), 20);
});

Deno.test("frames of one direction arrive in order and whole, under jitter and loss", async () => {
  const { fabric, a, b } = await linkedPair({
    latencyMs: [1, 80],
    jitter: 3,
    loss: 0.1,
    linkLoss: 0,
  });
  for (let i = 0; i < 2_000; i++) {
    if (i % 10 === 0) await fabric.clock.run(fabric.clock.now() + 7);
    assert(a.transport.send(b.id, Lane.NORMAL, u32(i).subarray(0, 2), u32(i).subarray(2)));
  }
  await fabric.clock.run(fabric.clock.now() + 120_000);
  assertEquals(b.frames(), Array.from({ length: 2_000 }, (_, i) => u32(i)));
  assert(fabric.metrics().retransmitted > 100);
});

Deno.test("every delay lies within the range that was asked for, and pairs differ", async () => {
  const fabric = new SimFabric({ seed: 3, latencyMs: [20, 40] });
  const nodes = addNodes(fabric, 12);
  const hub = nodes[0]!;
  for (const node of nodes.slice(1)) node.transport.connect(hub.id, hub.transport.addresses);
  await fabric.clock.run(1_000);
  const delays: number[] = [];
  for (const node of nodes.slice(1)) {
    for (let i = 0; i < 20; i++) {
      const sent = fabric.clock.now();
      const before = hub.notes.length;
      node.transport.send(hub.id, Lane.CONTROL, u32(i));
      await fabric.clock.run(sent + 100);
      delays.push(hub.notes[before]!.time - sent);
    }
  }
  assertEquals(delays.length, 220);
  assert(delays.every((delay) => delay >= 20 && delay <= 40));
  assert(Math.max(...delays) - Math.min(...delays) > 8);
});

Deno.test("a function gives each direction its own delay", async () => {
  const slow = simPeerId("test", 0);
  const { fabric, a, b } = await linkedPair({ latencyMs: (from) => from === slow ? 70 : 5 });
  const start = fabric.clock.now();
  a.transport.send(b.id, Lane.NORMAL, u32(1));
  b.transport.send(a.id, Lane.NORMAL, u32(2));
  await fabric.clock.run(start + 100);
  assertEquals(b.notes.at(-1)!.time - start, 70);
  assertEquals(a.notes.at(-1)!.time - start, 5);
  assertEquals(a.transport.rtt(b.id), 75);
});

Deno.test("the same head and body sent to several peers arrive as one array", async () => {
  const fabric = new SimFabric({ latencyMs: 1 });
  const [hub, x, y] = addNodes(fabric, 3) as [Recorder, Recorder, Recorder];
  hub.transport.connect(x.id, x.transport.addresses);
  hub.transport.connect(y.id, y.transport.addresses);
  await fabric.clock.run(100);
  const head = new Uint8Array([1, 2]), body = new Uint8Array([3, 4]);
  for (const to of [x, y]) hub.transport.send(to.id, Lane.NORMAL, head, body);
  await fabric.clock.run(200);
  assertEquals(x.frames(), [new Uint8Array([1, 2, 3, 4])]);
  assertStrictEquals(x.frames()[0]!.buffer, y.frames()[0]!.buffer);
});

Deno.test("simultaneous dials give one link, whatever the delays", async () => {
  for (let seed = 0; seed < 200; seed++) {
    const fabric = new SimFabric({ seed, latencyMs: [1, 100], jitter: 1, loss: 0.05 });
    const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
    a.transport.connect(b.id, b.transport.addresses);
    await fabric.clock.run(seed * 2);
    const dialled = b.transport.dial(a.transport.addresses[0]!);
    await fabric.clock.run(20_000);
    assertEquals(await dialled, a.id);
    for (const node of [a, b]) {
      assertEquals(node.notes.length, 1, `seed ${seed}: ${node.notes.map((n) => n.what)}`);
      assertEquals(node.heard("up").length, 1);
      assertEquals(node.transport.metrics().connections, 1);
    }
    assertNotEquals(a.notes[0]!.detail, b.notes[0]!.detail);
    assertEquals(fabric.metrics().linkEnds, 2);
  }
});

Deno.test("dial resolves with the peer, also with an id before the address", async () => {
  const fabric = new SimFabric();
  const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
  const dial = a.transport.dial(`${b.id}@${b.transport.addresses[0]}`);
  await fabric.clock.run(1_000);
  assertEquals(await dial, b.id);
  assertEquals(await a.transport.dial(b.transport.addresses[0]!), b.id);
});

Deno.test("dials that can't succeed fail with the reason and tell the sink", async () => {
  const fabric = new SimFabric({ dialTimeoutMs: 3_000 });
  const [a, b, c] = addNodes(fabric, 3) as [Recorder, Recorder, Recorder];
  const dead = b.transport.addresses[0]!;
  fabric.kill(b.id);
  const code = async (address: string) => {
    const error = await assertRejects(() => a.transport.dial(address), GossipError);
    return (error as GossipError).code;
  };
  const codes = Promise.all([
    code(dead),
    code("10.99.0.1:7946"),
    code(`${simPeerId("other", 1)}@${c.transport.addresses[0]}`),
    code(a.transport.addresses[0]!),
  ]);
  await fabric.clock.run(5_000);
  assertEquals(await codes, ["dial-failed", "dial-failed", "wrong-peer", "own-id"]);
  assertEquals(a.heard("dialFailed").length, 4);
  assertEquals(a.transport.metrics().dialsFailed, 4);
  assertEquals(a.transport.metrics().handshakesFailed, 2);
  await assertRejects(() => a.transport.dial("nonsense"), TypeError);
});

Deno.test("an aborted dial rejects with the reason of its signal, and no link comes", async () => {
  const fabric = new SimFabric();
  const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
  const controller = new AbortController();
  const dial = a.transport.dial(b.transport.addresses[0]!, { signal: controller.signal });
  fabric.clock.after(5, () => controller.abort(new Error("enough")));
  const rejected = assertRejects(() => dial, Error, "enough");
  await fabric.clock.run(1_000);
  await rejected;
  assertEquals([...a.notes, ...b.notes], []);
});

Deno.test("connect tries every address and is unreachable after the last", async () => {
  const fabric = new SimFabric({ dialTimeoutMs: 1_000 });
  const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
  a.transport.connect(b.id, ["10.99.0.1:1", b.transport.addresses[0]!]);
  await fabric.clock.run(3_000);
  assertEquals(a.heard("up", "dialFailed", "unreachable").map((t) => t.split(" ")[0]), [
    "dialFailed",
    "up",
  ]);
  const ghost = simPeerId("ghost", 1);
  a.transport.connect(ghost, ["10.99.0.1:1", "10.99.0.2:1"]);
  a.transport.connect(simPeerId("ghost", 2), []);
  await fabric.clock.run(6_000);
  assertEquals(a.notes.filter((n) => n.what === "unreachable").map((n) => n.peer), [
    simPeerId("ghost", 2),
    ghost,
  ]);
});

Deno.test("a node that is full refuses further links", async () => {
  const fabric = new SimFabric();
  const hub = addNode(fabric, 100, { limits: { connections: 2 } });
  const nodes = addNodes(fabric, 3);
  for (const [i, node] of nodes.entries()) {
    await fabric.clock.run(i * 1_000);
    node.transport.connect(hub.id, hub.transport.addresses);
  }
  await fabric.clock.run(10_000);
  assertEquals(hub.transport.links().length, 2);
  assertEquals(hub.heard("refused"), ["refused connections"]);
  assertEquals(nodes[2]!.heard("unreachable").length, 1);
});

Deno.test("dials beyond the bound wait for their turn, also when earlier ones fail or are given up", async () => {
  const fabric = new SimFabric({ latencyMs: 10, dialTimeoutMs: 500 });
  const a = addNode(fabric, 0, { limits: { dials: 2 } });
  const others = [1, 2, 3, 4, 5, 6].map((i) => addNode(fabric, i));
  for (const node of others.slice(0, 4)) a.transport.connect(node.id, node.transport.addresses);
  assertEquals(a.transport.metrics().dials, 2);
  await fabric.clock.run(80);
  assertEquals(a.notes.map(({ time, what }) => [time, what]), [
    [40, "up"],
    [40, "up"],
    [80, "up"],
    [80, "up"],
  ]);
  fabric.kill(others[4]!.id);
  const signal = new AbortController();
  const given = [0, 1].map(() => a.transport.dial("10.9.9.9:1", signal));
  a.transport.connect(others[4]!.id, others[4]!.transport.addresses);
  const last = a.transport.dial(others[5]!.transport.address);
  const waits = a.transport.dial("10.9.9.8:1", signal);
  signal.abort(new Error("enough"));
  for (const dial of [...given, waits]) await assertRejects(() => dial, Error, "enough");
  await fabric.clock.run(1_000);
  assertEquals(await last, others[5]!.id);
  assertEquals(a.heard("unreachable").length, 1);
});

Deno.test("a dial of a node that came back is not kept away by one to it that had no answer", async () => {
  const fabric = new SimFabric({ latencyMs: 10, dialTimeoutMs: 10_000 });
  const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
  // Of two dials between the same two, that of the smaller id stays.
  const [small, large] = a.id < b.id ? [a, b] : [b, a];
  fabric.kill(large.id);
  small.transport.connect(large.id, large.transport.addresses);
  await fabric.clock.run(1_000);
  const again = new Recorder(fabric.restart(large.id));
  again.transport.connect(small.id, small.transport.addresses);
  await fabric.clock.run(2_000);
  assertEquals([small.heard("up"), again.heard("up")], [["up in"], ["up out"]]);
});

Deno.test("disconnect tells both ends once, after the frames that were sent before", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: [5, 50] });
  a.transport.send(b.id, Lane.NORMAL, u32(1));
  a.transport.disconnect(b.id, "evicted");
  assertEquals(a.heard("down"), []);
  assertEquals(a.transport.send(b.id, Lane.NORMAL, u32(2)), false);
  assertEquals(a.transport.link(b.id), undefined);
  a.transport.connect(b.id, b.transport.addresses);
  await fabric.clock.run(fabric.clock.now() + 5_000);
  assertEquals(a.heard("up", "down"), ["up out", "down evicted", "up out"]);
  assertEquals(b.heard("up", "down", "receive"), ["up in", "receive", "down evicted", "up in"]);
});

Deno.test("a closed node says goodbye: its peers hear that it left", async () => {
  const { fabric, a, b } = await linkedPair({});
  const pending = a.transport.dial("10.99.0.1:1");
  const rejected = assertRejects(() => pending, GossipError, "closed");
  await a.transport.close();
  await a.transport.close();
  await rejected;
  assertEquals(a.heard("down"), ["down closed"]);
  await fabric.clock.run(1_000);
  assertEquals(b.heard("down"), ["down left"]);
  assertEquals(a.transport.send(b.id, Lane.NORMAL, u32(1)), false);
  b.transport.connect(a.id, a.transport.addresses);
  await fabric.clock.run(2_000);
  assertEquals(b.heard("unreachable"), ["unreachable connection refused"]);
});

Deno.test("a link that nobody holds is closed after the idle time, a held one stays", async () => {
  const { fabric, a, b } = await linkedPair({ idleMs: 1_000 });
  a.transport.hold(b.id);
  a.transport.hold(b.id);
  b.transport.hold(a.id);
  await fabric.clock.run(5_000);
  a.transport.release(b.id);
  await fabric.clock.run(10_000);
  assertEquals(a.heard("down"), []);
  a.transport.release(b.id);
  await fabric.clock.run(10_900);
  a.transport.send(b.id, Lane.NORMAL, u32(1));
  await fabric.clock.run(11_800);
  assertEquals(a.heard("down"), []);
  await fabric.clock.run(12_000);
  assertEquals(a.heard("down"), ["down idle"]);
  assertEquals(b.heard("down"), ["down idle"]);
});

Deno.test("a slow node delays what it sends and receives", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: 10 });
  fabric.slow(b.id, 200);
  const start = fabric.clock.now();
  a.transport.send(b.id, Lane.NORMAL, u32(1));
  await fabric.clock.run(start + 1_000);
  assertEquals(b.notes.at(-1)!.time - start, 210);
  assertEquals(a.transport.rtt(b.id), 420);
});

Deno.test("a link that its dialler gives up at once is none at the other side, nor is what was sent on it", async () => {
  const fabric = new SimFabric({ latencyMs: 10 });
  const [a, b] = addNodes(fabric, 2) as [Recorder, Recorder];
  a.transport.connect(b.id, b.transport.addresses);
  await fabric.clock.run(41);
  assertEquals(a.heard("up"), ["up out"]);
  assert(a.transport.send(b.id, Lane.NORMAL, u32(1)));
  a.transport.disconnect(b.id, "closed");
  await fabric.clock.run(1_000);
  assertEquals(b.notes, []);
  b.transport.connect(a.id, a.transport.addresses);
  await fabric.clock.run(2_000);
  assertEquals(b.heard("up"), ["up out"]);
});

Deno.test("nodes have their own chance and wall clock, and one virtual time", () => {
  const fabric = new SimFabric({ epochMs: 1_000_000 });
  const a = addNode(fabric, 0), b = addNode(fabric, 1, { skewMs: 500 });
  assertNotEquals(a.transport.random(), b.transport.random());
  assertEquals(b.transport.wallClock() - a.transport.wallClock(), 500);
  assertEquals(a.transport.wallClock(), 1_000_000);
  assertNotEquals(a.transport.addresses, b.transport.addresses);
  assertEquals(fabric.resolve(`${a.id}@${a.transport.addresses[0]}`), a.id);
});
