import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { Frame, Lane } from "../../../src/wire/frames.ts";
import { fetchFrame, graftFrame, treeFrame } from "../../../src/wire/tree_messages.ts";
import { fromHex } from "../../../src/wire/bytes.ts";
import { MessageLog } from "../../../src/core/tree/message_log.ts";
import { connect, type TestNode, World } from "./world.ts";

const ALIAS = 7;

function ihave(ids: Uint8Array[]): Uint8Array {
  const frame = treeFrame(Frame.IHAVE, ALIAS, ids.length * 22);
  ids.forEach((id, i) => frame.set(id, 2 + 22 * i));
  return frame;
}
function bogus(world: World): Uint8Array {
  return new Uint8Array(20).map(() => Math.floor(world.random() * 256));
}
function pair(options = {}): [World, TestNode, TestNode] {
  const world = new World(options);
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  return [world, a, b];
}

Deno.test("an id that is announced and never given ends as missed, once", () => {
  const [world, a, b] = pair();
  world.drop = (_from, _to, kind) => kind === Frame.GONE;
  world.inject(a, b, ihave([bogus(world)]));
  world.run(600_000);
  assertEquals(b.missed.map(([, why]) => why), ["no-answer"]);
  assertEquals(
    b.tree.metrics().grafts,
    17,
    "as many as graftRetries, then rarely until a minute is over",
  );
  world.close();
});

Deno.test("GONE from the last announcer ends the chase at once", () => {
  const [world, a, b] = pair();
  world.inject(a, b, ihave([bogus(world)]));
  world.run(1_000);
  assertEquals(b.missed.map(([, why]) => why), ["gone"]);
  assertEquals(b.tree.metrics().goneReceived, 1);
  world.close();
});

Deno.test("GONE leads to the next announcer at once", () => {
  const world = new World();
  const [a, b, c] = world.spawn(3) as [TestNode, TestNode, TestNode];
  world.link(b, c);
  world.run(3_000);
  world.drop = (from, to, kind) => kind === Frame.GOSSIP && from === c.index && to === b.index;
  const id = c.publish("only c has it");
  world.run(20);
  world.link(a, b);
  // a announces it first and has it not; c's announcement comes second.
  world.inject(a, b, ihave([fromHex(id)]));
  world.inject(c, b, ihave([fromHex(id)]));
  world.drop = () => false;
  world.run(2_500);
  assertEquals(b.delivered.get(id), 1);
  assertEquals(b.missed, []);
  assertGreater(b.tree.metrics().goneReceived, 0);
  world.close();
});

Deno.test("several due ids of one announcer go in one GRAFT", () => {
  const [world, a, b] = pair();
  world.inject(a, b, ihave([bogus(world), bogus(world), bogus(world)]));
  const before = world.frames.get(Frame.GRAFT) ?? 0;
  world.run(60);
  assertEquals((world.frames.get(Frame.GRAFT) ?? 0) - before, 1);
  world.close();
});

Deno.test("announcements are bounded in number and per second", () => {
  const [world, a, b] = pair({ limits: { missingIds: 200, ihavePerSecond: 1_000 } });
  for (let i = 0; i < 20; i++) {
    world.inject(a, b, ihave(Array.from({ length: 100 }, () => bogus(world))));
  }
  assertEquals(b.tree.metrics().missing, 200);
  assertEquals(b.tree.metrics().ihaveReceived, 1_000);
  assertEquals(b.missed.filter(([, why]) => why === "overflow").length, 800);
  world.close();
});

Deno.test("one that announces too much pushes out its own ids, not another's", () => {
  const world = new World({ limits: { missingIds: 50 } });
  const [a, b, c] = world.spawn(3) as [TestNode, TestNode, TestNode];
  connect(world, [[0, 1], [1, 2]]);
  world.run(3_000);
  world.drop = (_from, to, kind) => to === b.index && kind === Frame.GOSSIP;
  const id = c.publish("honest");
  world.inject(c, b, ihave([fromHex(id)]));
  for (let i = 0; i < 10; i++) {
    world.inject(a, b, ihave(Array.from({ length: 50 }, () => bogus(world))));
  }
  world.drop = () => false;
  world.run(2_500);
  assertEquals(b.delivered.get(id), 1);
  world.close();
});

Deno.test("announcing again and again what is never given costs score", () => {
  const [world, a, b] = pair();
  world.drop = (_from, _to, kind) => kind === Frame.GONE;
  for (let i = 0; i < 20; i++) world.inject(a, b, ihave([bogus(world)]));
  world.run(600_000);
  assertGreater(b.blamed.filter(([peer]) => peer === a.id).length, 0);
  world.close();
});

for (const [retainMessages, blames] of [[8_192, true], [8, false]] as const) {
  const why = blames ? "an invention" : "perhaps gone by now";
  Deno.test(`what finds no room though it was asked for is ${why} where ${retainMessages} messages are retained`, () => {
    const [world, a, b] = pair({ limits: { missingIds: 100 }, tree: { retainMessages } });
    world.drop = (_from, _to, kind) => kind === Frame.GONE;
    for (let round = 0; round < 10; round++) {
      world.inject(a, b, ihave(Array.from({ length: 100 }, () => bogus(world))));
      for (let i = 0; i < 20; i++) {
        a.publish(`${round} ${i}`);
        world.run(50);
      }
    }
    assertGreater(b.missed.filter(([, reason]) => reason === "overflow").length, 500);
    assertEquals(b.blamed.some(([peer]) => peer === a.id), blames);
    world.close();
  });
}

Deno.test("the same payload is not sent to one peer again and again", () => {
  const [world, a, b] = pair();
  const id = fromHex(a.publish("once"));
  world.run(5_000);
  const before = world.payloads();
  for (let i = 0; i < 100; i++) {
    const frame = fetchFrame(ALIAS, 1);
    frame.set(id, frame.length - 20);
    world.inject(b, a, frame);
    world.run(10);
  }
  assertEquals(world.payloads() - before, 6);
  world.close();
});

Deno.test("payloads asked for are bounded per second", () => {
  const [world, a, b] = pair({ limits: { graftsPerSecond: 10 } });
  const frame = fetchFrame(ALIAS, 100);
  for (let i = 0; i < 100; i++) frame.set(bogus(world), 3 + 20 * i);
  world.inject(b, a, frame);
  world.run(100);
  assertEquals(a.tree.metrics().goneSent, 10);
  assertEquals(a.tree.metrics().graftsRefused, 90);
  world.close();
});

Deno.test("a full lane turns a payload into an announcement, and nothing is lost", () => {
  let full = true;
  const world = new World({
    room: (_from, _to, lane, kind) => !(full && lane === Lane.NORMAL && kind === Frame.GOSSIP),
  });
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  const ids = Array.from({ length: 30 }, (_, i) => a.publish(`m${i}`));
  world.run(100);
  assertEquals(b.delivered.size, 0);
  assertEquals(a.tree.metrics().congested, 30);
  full = false;
  world.run(10_000);
  for (const id of ids) assertEquals(b.delivered.get(id), 1);
  assertEquals(b.missed, []);
  world.close();
});

Deno.test("frames of peers that are no neighbours are counted and change nothing", () => {
  const [world, a, b] = pair();
  const stranger = world.add();
  const head = (kind: number, size: number) => treeFrame(kind, ALIAS, size);
  world.inject(stranger, b, ihave([bogus(world)]));
  world.inject(stranger, b, head(Frame.PRUNE, 8));
  world.inject(stranger, b, graftFrame(ALIAS, 0, { own: 0x10001, seen: 0 }, 0));
  assertEquals(b.tree.metrics().strangers, 3);
  assertEquals(b.tree.eagerPeers, [a.id]);
  assertEquals(b.tree.lazyPeers, []);
  assertEquals(b.tree.metrics().missing, 0);
  world.close();
});

Deno.test("a neighbour that goes leaves nothing behind", () => {
  const [world, a, b] = pair();
  world.inject(a, b, ihave([bogus(world)]));
  world.cut(a, b);
  world.run(5);
  assertEquals([b.tree.eagerPeers, b.tree.lazyPeers], [[], []]);
  const grafts = b.tree.metrics().grafts;
  world.run(100_000);
  assertEquals(b.tree.metrics().grafts, grafts);
  assertEquals(b.missed.map(([, why]) => why), ["no-answer"]);
  world.close();
});

Deno.test("garbage costs score and throws nothing", () => {
  const [world, a, b] = pair();
  for (let i = 0; i < 3_000; i++) {
    const kind = 0x14 + Math.floor(world.random() * 6);
    const frame = new Uint8Array(2 + Math.floor(world.random() * 80))
      .map(() => Math.floor(world.random() * 256));
    frame[0] = kind;
    world.inject(a, b, frame);
  }
  world.run(1_000);
  assertGreater(b.blamed.length, 100);
  assertLess(b.tree.metrics().missing, 8_193);
  world.close();
});

Deno.test("links that flap by command cost score and no payload", () => {
  const [world, a, b] = pair();
  for (let i = 1; i < 1_000; i++) {
    const frame = graftFrame(ALIAS, 0, { own: 0x20000 + i, seen: 0 }, 0);
    world.inject(a, b, frame);
  }
  assertEquals(world.payloads(), 0);
  assertNotEquals(b.blamed.length, 0);
  world.close();
});

Deno.test("an announcement that overtakes its payload fetches nothing", () => {
  const world = new World({ latency: (_a, _b, _random, lane) => lane === Lane.CONTROL ? 1 : 30 });
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  world.link(a, b);
  world.run(3_000);
  const id = a.publish("slow lane");
  world.inject(a, b, ihave([fromHex(id)]));
  world.run(3_000);
  assertEquals(b.delivered.get(id), 1);
  assertEquals(b.tree.metrics().grafts, 0);
  assertEquals(b.tree.metrics().duplicates, 0);
  world.close();
});

Deno.test("a GRAFT makes the link eager at both ends, a fetch leaves it", () => {
  const world = new World({ latency: (_a, _b, random) => 1 + random() });
  const nodes = world.spawn(3);
  connect(world, [[0, 1], [1, 2], [0, 2]]);
  world.run(3_000);
  nodes[0]!.publish("prunes 1-2");
  world.run(1_000);
  assertEquals(nodes[1]!.tree.lazyPeers, [nodes[2]!.id]);
  // The payload to 1 is lost; 2 announces it and is grafted.
  world.drop = (from, to, kind) => kind === Frame.GOSSIP && from === 0 && to === 1;
  const id = nodes[0]!.publish("lost on 0-1");
  world.run(400);
  assertEquals(nodes[1]!.delivered.get(id), 1);
  assert(nodes[1]!.tree.eagerPeers.includes(nodes[2]!.id));
  assert(nodes[2]!.tree.eagerPeers.includes(nodes[1]!.id));
  assertEquals(world.asymmetric(), []);
  world.close();
});

Deno.test("what a full lane keeps back is asked for again as soon as it has given what it held", () => {
  let room = 0;
  const world = new World({
    room: (_from, _to, _lane, kind) => kind !== Frame.GOSSIP || room-- > 0,
  });
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  connect(world, [[0, 1]]);
  for (let i = 0; i < 120; i++) a.publish(`m${i}`);
  world.run(20);
  assertEquals(b.delivered.size, 0, "all were announced instead");
  // Three payloads fit into the lane, and leave within 20 ms.
  for (let ms = 0; ms < 10_000; ms += 20) {
    room = 3;
    world.run(20);
  }
  assertEquals(b.delivered.size, 120);
  assertEquals(b.missed, []);
  world.close();
});

Deno.test("what finds no room is not counted as sent again, however long the lane is full", () => {
  let full = false;
  const world = new World({ room: (_from, _to, _lane, kind) => !(full && kind === Frame.GOSSIP) });
  const [a, b] = world.spawn(2) as [TestNode, TestNode];
  connect(world, [[0, 1]]);
  world.drop = (_from, _to, kind) => kind === Frame.GOSSIP;
  const id = a.publish("lost");
  world.run(1_500);
  full = true;
  const fetch = fetchFrame(ALIAS, 1);
  fetch.set(fromHex(id), fetch.length - 20);
  world.inject(b, a, fetch);
  world.run(3_000);
  world.drop = () => false;
  full = false;
  world.run(100);
  assertEquals([...b.delivered.keys()], [id]);
  world.close();
});

Deno.test("a GRAFT that names one id a thousand times reads its body no oftener than it is sent", () => {
  const [world, a, b] = pair();
  const id = a.publish(new Uint8Array(30_000));
  world.run(5_000);
  let read = 0;
  const { body } = MessageLog.prototype;
  MessageLog.prototype.body = function (entry): ReturnType<typeof body> {
    read++;
    return body.call(this, entry);
  };
  try {
    const frame = fetchFrame(ALIAS, 1_000), refused = a.tree.metrics().graftsRefused;
    for (let at = frame.length - 1_000 * 20; at < frame.length; at += 20) {
      frame.set(fromHex(id), at);
    }
    world.inject(b, a, frame);
    world.run(100);
    assertLess(read, 10);
    assertEquals(a.tree.metrics().graftsRefused - refused, 1_000 - read);
  } finally {
    MessageLog.prototype.body = body;
  }
  world.close();
});
