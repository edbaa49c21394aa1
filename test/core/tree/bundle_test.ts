import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Batch } from "../../../src/wire/batch.ts";
import { bundleDigest, BundleParts, draftBundle } from "../../../src/wire/bundle.ts";
import { Frame } from "../../../src/wire/frames.ts";
import { sha256 as hash } from "../../wire/sha256.ts";
import {
  draftGossip,
  finishGossip,
  gossipDigest,
  gossipHead,
  gossipShape,
  readGossip,
  signedBytes,
  UNSIGNED_ORIGIN_BYTES,
} from "../../../src/wire/gossip.ts";
import type { TreeMessage, Verdict } from "../../../src/core/tree/port.ts";
import { connect, seal, type TestNode, World, type WorldOptions } from "./world.ts";

type Edges = readonly (readonly [number, number])[];
const LINE: Edges = [[0, 1], [1, 2]];
/** a - b - d and a - c - d. */
const RING: Edges = [[0, 1], [0, 2], [1, 3], [2, 3]];

function start(edges: Edges, sign: boolean, options: WorldOptions = {}): [World, TestNode[]] {
  const tree = { sign, bundle: true, ...options.tree };
  const world = new World({ ...options, turns: true, tree });
  const nodes = world.spawn(1 + Math.max(...edges.flat()));
  connect(world, edges);
  world.run(10_000);
  // Authors go on bundling, whoever takes their bundles apart.
  world.drop = (_from, _to, kind) => kind === Frame.APART;
  return [world, nodes];
}

/** A turn without the first message, which always goes by itself. */
function publishMany(node: TestNode, texts: string[]): string[] {
  node.publish("first of the turn");
  return texts.map((text) => node.publish(text));
}

function textOf({ body, payloadAt, payloadEnd }: TreeMessage): string {
  return new TextDecoder().decode(body.subarray(payloadAt, payloadEnd));
}

/** The bundle in which `node`, which ignores all of it, gets so many messages. */
function bundleTo(
  world: World,
  author: TestNode,
  node: TestNode,
  count: number,
): { body: Uint8Array; ids: string[] } {
  let body = new Uint8Array(0);
  node.validate = (message) => {
    if (textOf(message) === "m10") body = message.body.slice();
    return "ignore";
  };
  const ids = publishMany(author, named(count));
  world.run(100);
  return { body, ids };
}

/** A body as it travels over a first link. */
function frameOf(body: Uint8Array): Uint8Array {
  return new Uint8Array([...gossipHead(7, 1, 0), ...body]);
}

function texts(node: TestNode): string[] {
  return node.messages.map(textOf).filter((text) => text !== "first of the turn").sort();
}

const named = (count: number) => Array.from({ length: count }, (_, i) => `m${10 + i}`);
const KEY = new Uint8Array(32).fill(9);

for (const sign of [false, true]) {
  const kind = sign ? "signed" : "unsigned";

  Deno.test(`${kind}: messages of one turn travel as one, with ids of their own`, () => {
    const [world, nodes] = start(LINE, sign), [a, , c] = nodes as [TestNode, TestNode, TestNode];
    const before = world.payloads();
    const ids = publishMany(a, named(30));
    world.run(100);
    assertEquals(world.payloads() - before, 4, "the first and a bundle, twice");
    const rest = c.messages.slice(1);
    assertEquals(rest.map(({ id }) => id), ids);
    assertEquals(rest.map(({ seq }) => seq), ids.map((_, i) => i + 2));
    assertEquals(rest.map(textOf), named(30));
    assert(rest.every(({ from }) => from === (sign ? a.id : undefined)));
    assert(rest.every(({ hops, via }) => hops === 2 && via === nodes[1]!.id));
    assertEquals(rest.map((message) => new TextDecoder().decode(message.copy())), named(30));
    if (sign) assertEquals([a.signed, c.checked], [2, 2]);
    const { delivered, retainedMessages } = c.tree.metrics();
    assertEquals([delivered, retainedMessages, c.tree.metrics().seen], [31, 31, 2]);
    world.close();
  });

  Deno.test(`${kind}: who accepts only some of a bundle passes those on, and nothing else`, () => {
    const [world, nodes] = start(LINE, sign);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const verdicts: Record<string, Verdict> = { m11: "ignore", m13: "reject" };
    const asked: string[] = [];
    b.validate = (message) => {
      asked.push(textOf(message));
      return verdicts[textOf(message)] ?? "accept";
    };
    const ids = publishMany(a, named(6));
    world.run(100);
    assertEquals(asked.slice(1), named(6), "each is asked about once");
    const good = ["m10", "m12", "m14", "m15"];
    assertEquals([texts(b), texts(c)], [good, good]);
    const wanted = ids.filter((_, i) => i !== 1 && i !== 3);
    assertEquals(c.messages.slice(1).map(({ id }) => id), wanted);
    assertEquals(c.messages.slice(1).map(({ seq }) => seq), [2, 4, 6, 7]);
    const { delivered, ignored, rejected } = b.tree.metrics();
    assertEquals([delivered, ignored, rejected], [5, 1, 1]);
    assertEquals(b.rejected, [[ids[3], "rejected by validation"]]);
    assertEquals(b.blamed.map(([peer, points]) => [peer, points]), [[a.id, 10]]);
    assertEquals(c.blamed, []);
    if (sign) assertEquals(c.checked, 2, "parts of one bundle have one signature");
    world.close();
  });

  Deno.test(`${kind}: verdicts that come later settle each message by itself`, () => {
    const [world, nodes] = start(LINE, sign);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const waiting = new Map<string, TreeMessage>();
    b.validate = (message) => void waiting.set(textOf(message), message);
    publishMany(a, named(4));
    world.run(50);
    assertEquals([texts(b), b.tree.metrics().validating], [[], 5]);
    const pinned = waiting.get("m10")!.body.buffer.byteLength;
    assertLess(pinned, 300, "what waits pins nothing but itself");
    assertEquals(new TextDecoder().decode(waiting.get("m13")!.copy()), "m13");
    b.tree.verdict(waiting.get("m12")!, "accept");
    b.tree.verdict(waiting.get("m11")!, "ignore");
    b.tree.verdict(waiting.get("m11")!, "accept");
    world.run(50);
    assertEquals([texts(b), texts(c), b.tree.metrics().validating], [["m12"], ["m12"], 3]);
    b.tree.verdict(waiting.get("m10")!, "accept");
    world.run(50);
    assertEquals(texts(c), ["m10", "m12"]);
    world.close();
  });

  Deno.test(`${kind}: parts and the bundle itself never deliver a message twice, whichever come first`, () => {
    for (const slow of [1, 2]) {
      // Through b come parts, through c the bundle.
      const [world, nodes] = start(RING, sign, {
        latency: (from, to) => from === slow || to === slow ? 30 : 1,
      });
      const [a, b, , d] = nodes as [TestNode, TestNode, TestNode, TestNode];
      b.validate = (message) => textOf(message) === "m11" ? "ignore" : "accept";
      for (let round = 0; round < 5; round++) {
        publishMany(a, named(5));
        world.run(3_000);
      }
      assertEquals(texts(d).length, 25);
      assertEquals([...d.delivered.values()].filter((times) => times > 1), []);
      assertEquals([d.missed, d.blamed, d.tree.metrics().missing], [[], [], 0]);
      world.run(60_000);
      assertEquals([d.tree.metrics().delivered, d.missed], [30, []]);
      world.close();
    }
  });

  Deno.test(`${kind}: a part that came first costs the rest of its bundle nothing`, () => {
    const [world, nodes] = start(LINE, sign);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    a.tree.close();
    const author = world.add();
    world.link(author, b);
    world.run(100);
    const { body: bundle, ids } = bundleTo(world, author, b, 4);
    assertEquals(texts(c), []);
    // c gets one part from b, then the bundle.
    const head = gossipHead(7, 2, 1);
    const frame = (body: Uint8Array) => new Uint8Array([...head, ...body]);
    world.inject(b, c, frame(new BundleParts(hash, KEY, bundle).part(2)));
    assertEquals(texts(c), ["m12"]);
    world.inject(b, c, frame(bundle));
    assertEquals(c.messages.map(({ id }) => id), [ids[2], ids[0], ids[1], ids[3]]);
    world.inject(b, c, frame(new BundleParts(hash, KEY, bundle).part(1)));
    assertEquals([c.messages.length, c.tree.metrics().delivered], [4, 4]);
    assertEquals(c.tree.metrics().retainedMessages, 5, "the bundle and the part");
    world.close();
  });
}

for (const [sign, what] of [[true, "signature"], [false, "author"]] as const) {
  Deno.test(`a bundle under whose root its author put another's message does not hide that message: no ${what}`, () => {
    const [world, nodes] = start(LINE, sign);
    const [evil, victim, behind] = nodes as [TestNode, TestNode, TestNode];
    const { body: bundle } = bundleTo(world, evil, victim, 2);
    victim.validate = () => "accept";
    // What an honest author is about to publish, with its hash in the place of one of two others.
    const honest = world.add();
    world.link(honest, world.add());
    const truth = honest.tree.publish(new TextEncoder().encode("truth"));
    const shape = gossipShape(), body = honestBody(truth, sign);
    readGossip(shape, body, 0, body.length, 1_000);
    const digest = new Uint8Array(32), packed = new Uint8Array(32), whole = new Uint8Array(32);
    gossipDigest(hash, KEY, body, shape.originAt, body.length, digest);
    const { originAt, seq } = shape, originBytes = shape.seqAt - originAt;
    readGossip(shape, bundle, 0, bundle.length, 1_000);
    const tree = new Batch(hash, [digest, new Uint8Array(32).fill(1)], 6);
    bundle.set(tree.root, shape.payloadEnd);
    gossipDigest(hash, KEY, bundle, shape.originAt, shape.payloadEnd, packed);
    bundleDigest(hash, packed, 0, tree.root, 0, whole);
    if (sign) bundle.set(seal(evil.id, signedBytes(whole)), shape.signatureAt);
    world.inject(evil, victim, frameOf(bundle));
    assertEquals(texts(victim), named(2), "it is sound enough to be taken");
    const way = new Uint8Array(2 + 32);
    tree.writeWay(0, way, 0);
    const origin = body.subarray(originAt, originAt + originBytes);
    const head = bundle.subarray(0, shape.originAt);
    const part = [...head, ...origin, 0xff, 0, ...packed, ...way, seq, ...body.subarray(-5)];
    world.inject(evil, victim, frameOf(new Uint8Array(part)));
    if (sign) assertEquals(victim.blamed.map(([, , why]) => why), ["bad signature"]);
    world.link(honest, victim);
    world.inject(honest, victim, frameOf(body));
    world.run(100);
    assertEquals([texts(victim).at(-1), texts(behind).at(-1)], ["truth", "truth"]);
    assertEquals(victim.messages.filter(({ id }) => id === truth.id).length, 1);
    world.close();
  });
}

/** The body of a message that was published alone. */
function honestBody({ body }: TreeMessage, sign: boolean): Uint8Array {
  assertEquals((body[0]! & 1) !== 0, sign);
  return body;
}

Deno.test("an author whose bundle was taken apart, however far away, sends one by one for a minute", () => {
  const [world, nodes] = start([[0, 1], [1, 2], [2, 3]], true);
  const [a, , , d] = nodes as [TestNode, TestNode, TestNode, TestNode];
  world.drop = () => false;
  let bundled = 0;
  d.validate = (message) => {
    if (message.payloadEnd < message.body.length) bundled++;
    return "ignore";
  };
  publishMany(a, named(5));
  world.run(100);
  assertEquals(bundled, 5);
  for (let i = 0; i < 5; i++) {
    publishMany(a, named(5));
    world.run(10_000);
  }
  assertEquals(bundled, 5);
  world.run(15_000);
  publishMany(a, named(5));
  world.run(100);
  assertGreater(bundled, 5, "it tries again");
  assertEquals(world.frames.get(Frame.APART), 2 * 3, "once per link and bundle");
  const frame = new Uint8Array([Frame.APART, 7, ...new Array(19).fill(1)]);
  world.inject(d, nodes[2]!, frame);
  assertEquals(nodes[2]!.blamed.length, 1, "a malformed one costs its sender");
  world.inject(d, nodes[2]!, new Uint8Array([...frame, 1]));
  assertEquals(nodes[2]!.blamed.length, 1, "an id that nobody knows changes nothing");
  world.close();
});

Deno.test("a changed part or bundle has a bad signature, and marks nothing as seen", () => {
  const [world, nodes] = start([[0, 1]], true), [a, b] = nodes as [TestNode, TestNode];
  const { body } = bundleTo(world, a, b, 3);
  const stranger = world.add();
  world.link(stranger, b);
  const fresh = world.add();
  world.link(stranger, fresh);
  const part = new BundleParts(hash, KEY, body).part(0);
  const shape = gossipShape();
  for (const whole of [body, part]) {
    readGossip(shape, whole, 0, whole.length, 1_000);
    for (const at of [shape.originAt, shape.payloadAt + 1, whole.length - 1, shape.signatureAt]) {
      const bent = whole.slice();
      bent[at]! ^= 1;
      world.inject(stranger, fresh, frameOf(bent));
    }
  }
  assertEquals(fresh.messages, []);
  assertEquals(fresh.tree.metrics().seen, 0);
  assertEquals(fresh.blamed.map(([, points]) => points), new Array(8).fill(25));
  world.inject(stranger, fresh, frameOf(part));
  assertEquals(texts(fresh), ["m10"]);
  world.close();
});

Deno.test("a bundle with a false root is taken as a whole or not at all, and blamed on nobody", () => {
  const [world, nodes] = start(LINE, false), [, b, c] = nodes as [TestNode, TestNode, TestNode];
  const { body } = bundleTo(world, nodes[0]!, b, 3);
  body[body.length - 1]! ^= 1;
  const frame = frameOf(body);
  c.validate = (message) => textOf(message) === "m11" ? "reject" : "accept";
  world.inject(b, c, frame);
  assertEquals([texts(c), c.rejected, c.blamed, c.tree.metrics().ignored], [[], [], [], 3]);
  const other = world.add();
  world.link(other, b);
  world.inject(b, other, frame);
  assertEquals(texts(other), named(3));
  world.close();
});

Deno.test("a bundle whose last counters nobody could pass on is malformed", () => {
  const [world, nodes] = start([[0, 1]], false), [a, b] = nodes as [TestNode, TestNode];
  const body = (last: number) => {
    const seq = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 15];
    seq[0] = last;
    return [0, 1, 2, 3, 4, 5, 6, 7, 8, 0xfe, 0, ...seq, 0, 0, ...new Array(32).fill(0)];
  };
  world.inject(a, b, new Uint8Array([...gossipHead(7, 1, 0), ...body(0xff)]));
  assertEquals([b.messages.length, b.blamed.map(([, points]) => points)], [0, [25]]);
  world.inject(a, b, new Uint8Array([...gossipHead(7, 1, 0), ...body(0xfe)]));
  assertEquals(b.messages.map(({ seq }) => seq), [2 ** 53 - 2, 2 ** 53 - 1]);
  world.close();
});

Deno.test("a part with a changed signature is kept with that of the bundle", () => {
  const [world, nodes] = start([[0, 1]], true), [a, b] = nodes as [TestNode, TestNode];
  publishMany(a, named(3));
  world.run(100);
  const bundle = b.messages.at(-1)!.body;
  const part = new BundleParts(hash, KEY, bundle).part(1);
  part[5]! ^= 1;
  world.inject(a, b, new Uint8Array([...gossipHead(7, 2, 1), ...part]));
  world.cut(a, b);
  const joiner = world.add({ history: "retained" });
  world.link(joiner, b);
  world.run(20_000);
  assertEquals([texts(joiner), joiner.blamed], [named(3), []]);
  assertEquals([...joiner.delivered.values()].filter((times) => times > 1), []);
  world.close();
});

Deno.test("what a validator still holds of a bundle with a false root can be read", () => {
  const [world, nodes] = start(LINE, false, { tree: { bundle: true } });
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  const { body } = bundleTo(world, a, b, 3);
  body[body.length - 1]! ^= 1;
  const held: TreeMessage[] = [];
  c.validate = (message) => (held.push(message), "ignore");
  const frame = frameOf(body);
  world.inject(b, c, frame);
  assertEquals(held.map(textOf), named(3));
  assert(held.every(({ id }) => /^[0-9a-f]{40}$/.test(id)));
  // Where somebody is known to judge he is not even asked.
  const judge = world.add({ bundle: false });
  world.link(judge, b);
  judge.validate = () => undefined;
  world.inject(b, judge, frame);
  assertEquals([judge.tree.metrics().validating, judge.tree.metrics().ignored], [0, 3]);
  world.close();
});

Deno.test("a malformed bundle costs its sender and nothing else", () => {
  const [world, nodes] = start([[0, 1]], false), [a, b] = nodes as [TestNode, TestNode];
  const body = (...payload: number[]) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 0xfe, 0, 1, ...payload];
  for (const payload of [[1], [0, 5, 1], [0x80, 0, 0]]) {
    const root = new Array(32).fill(0);
    world.inject(a, b, new Uint8Array([...gossipHead(7, 1, 0), ...body(...payload), ...root]));
  }
  assertEquals(b.blamed.map(([, points]) => points), [25, 25, 25]);
  assertEquals([b.messages, b.tree.metrics().seen], [[], 0]);
  world.close();
});

Deno.test("copies of a bundle count as copies of all its messages", () => {
  const [world, nodes] = start([[0, 1], [1, 2], [0, 2]], false), [a, b] = nodes;
  publishMany(a!, named(9));
  world.run(100);
  const { duplicates, delivered } = b!.tree.metrics();
  assertEquals([delivered, duplicates], [10, 10]);
  world.close();
});

Deno.test("large messages go by themselves, and bundles stay below a frame's and the topic's bounds", () => {
  for (const [messageBytes, most] of [[1_000_000, 32_100], [500, 500]] as const) {
    const [world, nodes] = start([[0, 1]], false, { limits: { messageBytes } });
    const [a, b] = nodes as [TestNode, TestNode];
    const sizes = [
      10,
      20,
      messageBytes,
      30,
      ...new Array(60).fill(messageBytes === 500 ? 100 : 900),
    ];
    for (const size of sizes) a.publish(new Uint8Array(size));
    world.run(1_000);
    const got = b.messages.map(({ payloadAt, payloadEnd }) => payloadEnd - payloadAt);
    assertEquals(got, sizes, "in the order of publishing");
    const bodies = new Set(b.messages.map(({ body }) => body.length));
    assert([...bodies].every((size) => size <= most + 60 || size >= messageBytes));
    assertLess(b.tree.metrics().seen, sizes.length / 2);
    world.close();
  }
});

Deno.test("where few messages are retained none are bundled, so that exactly so many are kept", () => {
  const [world, nodes] = start([[0, 1]], false, { tree: { retainMessages: 100 } });
  const [a, b] = nodes as [TestNode, TestNode];
  publishMany(a, named(150));
  world.run(1_000);
  assertEquals([b.tree.metrics().retainedMessages, b.tree.metrics().seen], [100, 151]);
  // Whoever retains more bundles them, and who retains few takes them apart.
  const [other, joiner] = [
    world.add({ retainMessages: 8_192 }),
    world.add({ history: "retained" }),
  ];
  world.link(other, b);
  world.run(100);
  publishMany(other, named(60));
  world.run(1_000);
  world.link(joiner, b);
  world.run(10_000);
  assertEquals(b.tree.metrics().retainedMessages, 100);
  assertEquals(joiner.messages.length, 100);
  world.close();
});

Deno.test("what is retained counts the messages in bundles", () => {
  const [world, nodes] = start([[0, 1]], false, { tree: { retainMessages: 1_024 } });
  const [a, b] = nodes as [TestNode, TestNode];
  for (let i = 0; i < 40; i++) {
    publishMany(a, named(63));
    world.run(10);
  }
  for (const node of [a, b]) {
    const { retainedMessages } = node.tree.metrics();
    assert(retainedMessages <= 1_024 && retainedMessages > 1_024 - 64, `${retainedMessages}`);
  }
  world.close();
});

Deno.test("a joiner with history gets what bundles and parts hold", () => {
  const [world, nodes] = start(LINE, true), [a, b] = nodes as [TestNode, TestNode];
  b.validate = (message) => textOf(message) === "m11" ? "ignore" : "accept";
  publishMany(a, named(5));
  world.run(1_000);
  for (const [teacher, wanted] of [[a, named(5)], [b, ["m10", "m12", "m13", "m14"]]] as const) {
    const joiner = world.add({ history: "retained" });
    world.link(joiner, teacher);
    world.run(10_000);
    assertEquals(texts(joiner), wanted);
    assertEquals([...joiner.delivered.values()].filter((times) => times > 1), []);
  }
  world.close();
});

Deno.test("a bundle played again, or a part of it, is refused once its id is forgotten", () => {
  const [world, nodes] = start(LINE, true, { limits: { seenIds: 3 } });
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  let body = new Uint8Array(0);
  b.validate = (message) => {
    if (textOf(message) === "m12") body = message.body.slice();
    return "accept";
  };
  publishMany(a, named(6));
  world.run(100);
  for (let i = 0; i < 3; i++) {
    c.publish(`later, of another author ${i}`);
    world.run(100);
  }
  const { length } = b.messages;
  world.inject(a, b, frameOf(new BundleParts(hash, KEY, body).part(4)));
  world.inject(a, b, frameOf(body));
  assertEquals([b.messages.length, b.tree.metrics().ignored], [length, 7]);
  world.close();
});

Deno.test("nobody is asked twice about a message, in however many bundles its author puts it", () => {
  const [world, nodes] = start([[0, 1]], false, { tree: { bundle: false } });
  const [a, b] = nodes as [TestNode, TestNode];
  a.tree.close();
  const asked: string[] = [], late: TreeMessage[] = [];
  b.validate = (message) => {
    asked.push(textOf(message));
    late.push(message);
    return undefined;
  };
  const origin = new Uint8Array(UNSIGNED_ORIGIN_BYTES).fill(5);
  const draft = (seq: number) =>
    draftGossip({
      ...{ origin, seq, priority: "normal", key: KEY, hash, signed: false } as const,
      payload: new TextEncoder().encode(`m${10 + seq}`),
    });
  const drafts = Array.from({ length: 12 }, (_, i) => draft(i));
  const send = (from: number, to: number) => {
    const bundle = draftBundle(drafts.slice(from, to), origin.length, KEY, hash);
    world.inject(a, b, frameOf(finishGossip(bundle)));
  };
  // They wait for their verdicts; then they are accepted.
  send(0, 8);
  for (let from = 0; from < 7; from++) send(from, 8);
  assertEquals([asked, b.tree.metrics().validating], [named(8), 8]);
  for (const message of late) b.tree.verdict(message, "accept");
  assertEquals([b.messages.length, b.tree.metrics().validating], [8, 0]);
  for (let from = 0; from < 7; from++) send(from, 8);
  assertEquals([asked.length, b.tree.metrics().validating], [8, 0]);
  b.validate = (message) => asked.push(textOf(message)) > 0 ? "accept" : "ignore";
  send(5, 12);
  assertEquals([asked, texts(b)], [named(12), named(12)]);
  world.close();
});

Deno.test("bundles await verdicts within the bound of messages, not of bodies", () => {
  const [world, nodes] = start([[0, 1]], false, { limits: { validating: 20 } });
  const [a, b] = nodes as [TestNode, TestNode];
  b.validate = () => undefined;
  publishMany(a, named(15));
  world.run(5);
  assertEquals(b.tree.metrics().validating, 16);
  publishMany(a, named(15));
  world.run(5);
  assertLess(b.tree.metrics().validating, 21);
  assertGreater(b.tree.metrics().dropped, 14);
  assertEquals(world.frames.has(Frame.PRUNE), false);
  world.close();
});
