import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Network } from "@x/plumtree/testing";
import { Lane } from "../../src/wire/frames.ts";
import { linkedPair, type Recorder } from "./sim_recorder.ts";

const frame = (n: number) => new Uint8Array([n, 0, 0]);

Deno.test("what reaches a node whose event loop is blocked is handled when it goes on, in order", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: 10 });
  const start = fabric.clock.now();
  fabric.stall(b.id, 200);
  for (let i = 0; i < 30; i++) {
    // The last ten arrive at or after the end, one of them at the same time.
    a.transport.send(b.id, Lane.NORMAL, frame(i));
    await fabric.clock.run(start + (i + 1) * 10);
  }
  await fabric.clock.run(start + 1_000);
  const taken = b.notes.filter((note) => note.what === "receive");
  assertEquals(taken.map(({ bytes }) => bytes![0]), Array.from({ length: 30 }, (_, i) => i));
  assertEquals(taken[0]!.time, start + 200);
  assertEquals(taken.filter(({ time }) => time === start + 200).length, 20);
  assertEquals(a.transport.link(b.id)!.queuedBytes, 0);
});

Deno.test("timers of a blocked node wait for as long again, behind what arrived, and new and cancelled ones keep their order", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: 10 });
  const start = fabric.clock.now();
  const heard: string[] = [];
  const note = (what: string) => () => heard.push(`${what} ${fabric.clock.now() - start}`);
  b.transport.after(100, note("first"));
  const doomed = b.transport.after(150, note("cancelled"));
  b.transport.after(160, () => b.transport.cancel(never));
  const never = b.transport.after(170, note("cancelled late"));
  b.transport.after(420, note("in the stretch"));
  b.transport.after(600, note("punctual"));
  a.transport.after(350, note("of another"));
  b.onReceive = () => {
    b.transport.cancel(doomed);
    note("frame")();
    b.transport.after(1, note("new"));
  };
  a.transport.send(b.id, Lane.NORMAL, frame(1));
  fabric.stall(b.id, 300);
  await fabric.clock.run(start + 1_000);
  assertEquals(heard, [
    "frame 300",
    "of another 350",
    "first 500",
    "new 500",
    "in the stretch 500",
    "punctual 600",
  ]);
});

Deno.test("lag tells how late the timers were, and fades", async () => {
  const { fabric, b } = await linkedPair({ latencyMs: 10 });
  const start = fabric.clock.now();
  const lag = async (ms: number) => {
    await fabric.clock.run(start + ms);
    return b.transport.lag();
  };
  assertEquals(b.transport.lag(), 0);
  b.transport.after(100, () => {});
  fabric.stall(b.id, 500);
  assertEquals(await lag(499), 0);
  assertEquals(await lag(500), 400);
  assertEquals(await lag(750), 200);
  assertEquals(await lag(875), 150);
  assertEquals(await lag(1_500), 25);
  assertEquals(await lag(60_000), 0);
});

Deno.test("a stall without a timer in it is no lag, a short one stretches nothing, and the longer of two counts", async () => {
  const { fabric, b } = await linkedPair({ latencyMs: 10 });
  const start = fabric.clock.now();
  const fired: number[] = [];
  fabric.stall(b.id, 100);
  fabric.stall(b.id, 50);
  b.transport.after(120, () => fired.push(fabric.clock.now() - start));
  await fabric.clock.run(start + 130);
  assertEquals([fired, b.transport.lag()], [[120], 0]);
  b.transport.after(20, () => fired.push(fabric.clock.now() - start));
  fabric.stall(b.id, 60);
  await fabric.clock.run(start + 190);
  assertEquals(fired, [120, 190]);
  assertAlmostEquals(b.transport.lag(), 40);
  b.transport.after(10, () => fired.push(fabric.clock.now() - start));
  fabric.stall(b.id, 100);
  await fabric.clock.run(start + 300);
  // Blocked again while its timers are put off (until 380): they wait for the end of both.
  fabric.stall(b.id, 200);
  await fabric.clock.run(start + 2_000);
  assertEquals(fired, [120, 190, 620]);
});

Deno.test("peers give up a node that is silent for too long, and it hears of that when it goes on", async () => {
  const notices = async (ms: number) => {
    const { fabric, a, b } = await linkedPair({ latencyMs: 10, detectMs: 2_000 });
    const start = fabric.clock.now();
    fabric.stall(b.id, ms);
    await fabric.clock.run(start + 10_000);
    const downs = ({ notes }: Recorder) => notes.filter(({ what }) => what === "down");
    return [a, b].map((node) => downs(node).map(({ time }) => time - start));
  };
  assertEquals(await notices(900), [[], []]);
  const [[atA], [atB]] = await notices(5_000) as [[number], [number]];
  assert(atA >= 1_000 && atA <= 2_000);
  assertEquals(atB, 5_000);
});

Deno.test("a dial to a blocked node comes through when it goes on, or is given up before", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: 10, dialTimeoutMs: 1_000 });
  a.transport.disconnect(b.id, "closed");
  await fabric.clock.run(1_000);
  const again = async (ms: number) => {
    const start = fabric.clock.now(), before = a.notes.length;
    fabric.stall(b.id, ms);
    a.transport.connect(b.id, b.transport.addresses);
    await fabric.clock.run(start + 5_000);
    return a.notes.slice(before).map(({ what, time }) => `${what} ${time - start}`);
  };
  assertEquals((await again(3_000)).slice(0, 2), ["dialFailed 1000", "unreachable 1000"]);
  assertEquals((await again(300))[0], "up 310");
});

Deno.test("a killed node handles nothing that waited, and a time that is none is refused", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: 10 });
  let fired = false;
  b.transport.after(10, () => fired = true);
  a.transport.send(b.id, Lane.NORMAL, frame(1));
  fabric.stall(b.id, 100);
  await fabric.clock.run(fabric.clock.now() + 50);
  fabric.kill(b.id);
  await fabric.clock.run(fabric.clock.now() + 1_000);
  assertEquals([fired, b.heard("receive")], [false, []]);
  for (const ms of [0, -1, NaN, Infinity]) assertThrows(() => fabric.stall(a.id, ms), RangeError);
});

Deno.test("a network delivers everything though its nodes stall one after another", async () => {
  await using net = new Network({ seed: 9, latencyMs: [5, 30], detectMs: 2_000 });
  const nodes = await net.spawn(20, { join: ["blocks"] });
  await net.run({ seconds: 10 });
  for (const node of nodes) {
    net.stall(node, 700);
    await nodes[0]!.topic("blocks")!.publish(node.id);
    await net.run({ seconds: 0.3 });
  }
  await net.run({ seconds: 20 });
  for (const node of nodes.slice(1)) assertEquals(node.topic("blocks")!.metrics().delivered, 20);
  const [, , , late] = nodes;
  const downs: string[] = [];
  net.trace = (event) => {
    if (event.type === "down" && event.from === late!.id) downs.push(event.reason);
  };
  net.stall(late!, 10_000);
  await net.run({ seconds: 5 });
  assert(downs.length > 0 && downs.every((reason) => reason === "lost"), `${downs}`);
  await net.run({ seconds: 10 });
  assertEquals(await net.until(() => late!.topic("blocks")!.neighbors.length > 1), true);
});

Deno.test("a link whose opening waits for a node that stands still ends when that node is closed", async () => {
  const { fabric, a, b } = await linkedPair({ latencyMs: 10, detectMs: 1_000 });
  a.transport.disconnect(b.id, "closed");
  await fabric.clock.run(fabric.clock.now() + 100);
  a.transport.connect(b.id, b.transport.addresses);
  await fabric.clock.runUntil(() => a.transport.link(b.id) !== undefined, 60_000);
  fabric.stall(b.id, 3_000);
  await fabric.clock.run(fabric.clock.now() + 20);
  fabric.breakLink(a.id, b.id);
  await b.transport.close();
  // It went round and round at the time at which the node would have gone on.
  const { events } = fabric.clock;
  const many = () => fabric.clock.events > events + 1_000;
  assertEquals(await fabric.clock.runUntil(many, fabric.clock.now() + 9_000), false);
  assertEquals(a.transport.links(), []);
});
