import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { Identity } from "@x/plumtree";
import { Frame } from "../../src/wire/frames.ts";
import { encodeOpen, topicHead } from "../../src/wire/node_messages.ts";
import { encodeCbor } from "../../src/wire/cbor.ts";
import { encodeRequest } from "../../src/wire/request_messages.ts";
import { Honest } from "./hostile_helper.ts";
import { Events, Nodes, rejectsWith, until } from "./helper.ts";
import { bytes, gossipBody, keyOf, recordOf, Stranger } from "./stranger.ts";

const JUNK = new Uint8Array(40).fill(0xff);
const topicFrame = (kind: number, ...rest: (Uint8Array | number[])[]) =>
  bytes(topicHead(kind, 1), ...rest);

/** Opens a bare socket to a node. */
function dial({ address }: { address: string }): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":")[1]) });
}

/** Waits for the other side to close. */
async function closed(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4_096);
  while (await conn.read(buffer).catch(() => null) !== null);
  conn.close();
}

Deno.test("garbage instead of a handshake ends the connection, is counted and told", async () => {
  await using honest = await Honest.start();
  for (
    const junk of [JUNK, new Uint8Array(5_000), new TextEncoder().encode("GET / HTTP/1.1\r\n")]
  ) {
    const conn = await dial(honest.victim);
    await conn.write(junk).catch(() => 0);
    await closed(conn);
  }
  await until("told", () => honest.seen.of("refused").length === 3);
  assertEquals(honest.victim.metrics().transport.handshakesFailed, 3);
  await honest.assertUndisturbed();
});

Deno.test("a peer that stops half-way through its handshake is shown out in time", async () => {
  await using honest = await Honest.start({ limits: { handshakeMs: 200, halfOpenPerAddress: 4 } });
  const silent = await Promise.all([0, 1, 2, 3].map(() => dial(honest.victim)));
  await silent[0]!.write(new Uint8Array([0, 32, 1, 2, 3]));
  await Promise.all(silent.map(closed));
  await until("told", () => honest.seen.of("refused").length >= 4);
  await honest.assertUndisturbed();
});

Deno.test("strangers beyond the bound of half-open connections are refused, others still get in", async () => {
  await using honest = await Honest.start({ limits: { handshakeMs: 500, halfOpenPerAddress: 3 } });
  const crowd = await Promise.all(Array.from({ length: 12 }, () => dial(honest.victim)));
  await until("refused", () => honest.victim.metrics().transport.refused >= 9);
  await Promise.all(crowd.map(closed));
  await using late = await Stranger.meet(honest.victim);
  await until("it is let in", () => honest.victim.peers().some(({ id }) => id === late.id));
  await honest.assertUndisturbed();
});

/** Frames that no honest node sends; each costs all points, or ends the connection in the transport. */
const FATAL: [string, Uint8Array][] = [
  ["a frame of an unknown kind", new Uint8Array([0x2f, 1, 2, 3])],
  ["a HELLO with junk", bytes([Frame.HELLO], JUNK)],
  ["an empty HELLO", new Uint8Array([Frame.HELLO])],
  ["a HELLO with a foreign record", bytes([Frame.HELLO], recordOf(Identity.generate()).encoded)],
  ["a TOPIC_OPEN that is cut", encodeOpen(2, keyOf("news")).subarray(0, 20)],
  ["a TOPIC_OPEN that is too long", bytes(encodeOpen(2, keyOf("news")), [0])],
  ["an alias opened twice", encodeOpen(1, keyOf("other"))],
  ["a TOPIC_CLOSE with a tail", new Uint8Array([Frame.TOPIC_CLOSE, 1, 1])],
  ["a TOPIC_NONE with junk", bytes([Frame.TOPIC_NONE], JUNK)],
  ["overlay junk", topicFrame(Frame.OVERLAY, JUNK)],
  ["an empty overlay message", topicFrame(Frame.OVERLAY)],
  ["an overlay message of no type", topicFrame(Frame.OVERLAY, encodeCbor([99]))],
  ["an overlay message that is a map", topicFrame(Frame.OVERLAY, encodeCbor({ a: 1 }))],
  ["a JOIN with junk for a record", topicFrame(Frame.OVERLAY, encodeCbor([0, JUNK]))],
  ["a SHUFFLE without a list", topicFrame(Frame.OVERLAY, encodeCbor([5, JUNK, 3, "x"]))],
  ["request junk", new Uint8Array([0x3f, 1, 2])],
  ["a REQUEST that is cut", encodeRequest(1, new Uint8Array([65, 66])).subarray(0, 3)],
  ["a REQUEST with a name that is no UTF-8", encodeRequest(1, new Uint8Array([0xff, 0xfe]))],
  ["a REPLY_ERROR that is cut", new Uint8Array([Frame.REPLY_ERROR, 1])],
  ["an alias that is no varint", bytes([Frame.GOSSIP], JUNK)],
  ["a chunked frame of the connection's own", new Uint8Array([Frame.CHUNK, 0x80, 1, 2])],
  ["a chunk of an unknown lane", new Uint8Array([Frame.CHUNK, 0x03, 1, 2])],
  ["a PING of the wrong length", new Uint8Array([Frame.PING, 1])],
];

Deno.test("every malformed frame ends its connection as misbehaved, bans the sender where it was understood, and disturbs nobody", async () => {
  await using honest = await Honest.start();
  const { victim, seen } = honest;
  for (const [what, frame] of FATAL) {
    await using stranger = await Stranger.meet(victim);
    await stranger.join(victim, "news");
    await stranger.send(frame);
    await stranger.ended();
    const { reason } = await seen.wait("peer-down", ({ peer }) => peer === stranger.id);
    assertEquals(reason, "misbehaved", what);
    await until(`${what}: gone`, () => !victim.peers().some(({ id }) => id === stranger.id));
    if (frame[0]! < Frame.HELLO) continue;
    assert(seen.of("misbehaved").some(({ peer }) => peer === stranger.id), what);
    await using again = await Stranger.meet(victim, stranger.identity);
    await again.ended();
    assertEquals(victim.peers().some(({ id }) => id === stranger.id), false, what);
  }
  const { malformed } = victim.metrics().core;
  assert(malformed >= 15, `${malformed} are counted`);
  await honest.assertUndisturbed();
});

Deno.test("records that are no records, empty or forged, end the connection", async () => {
  await using honest = await Honest.start();
  const { victim, seen } = honest;
  const attacks: [string, (stranger: Stranger) => Promise<void>][] = [
    ["no frames", (stranger) => stranger.record(new Uint8Array())],
    ["a frame of length 0", (stranger) => stranger.record(new Uint8Array([0]))],
    ["a frame beyond its record", (stranger) => stranger.record(new Uint8Array([9, Frame.HELLO]))],
    ["a length that is cut", (stranger) => stranger.record(new Uint8Array([0x80]))],
    ["bytes that nobody sealed", (stranger) => stranger.garbage(bytes([0, 40], JUNK))],
  ];
  for (const [what, attack] of attacks) {
    await using stranger = await Stranger.meet(victim);
    await stranger.hello();
    await until("up", () => victim.peers().some(({ id }) => id === stranger.id));
    await attack(stranger);
    await stranger.ended();
    const { reason } = await seen.wait("peer-down", ({ peer }) => peer === stranger.id);
    assertEquals(reason, "misbehaved", what);
  }
  await honest.assertUndisturbed();
});

Deno.test("a message in chunks beyond the bound ends the connection, and its memory is not held", async () => {
  await using honest = await Honest.start({
    limits: { messageBytes: 100_000, laneBytes: 300_000, requestBytes: 100_000 },
  });
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.join(honest.victim, "news");
  const bytesIn = () => honest.victim.peers().find(({ id }) => id === stranger.id)?.bytesIn ?? 0;
  let most = 0;
  const chunk = bytes([Frame.CHUNK, 0x02], new Uint8Array(16_000));
  for (let i = 0; i < 40 && !stranger.over; i++) {
    await stranger.send(chunk);
    most = Math.max(most, bytesIn());
  }
  await stranger.ended();
  const { reason } = await honest.seen.wait("peer-down", ({ peer }) => peer === stranger.id);
  assertEquals(reason, "misbehaved");
  assertLessOrEqual(most, 300_000);
  await honest.assertUndisturbed();
});

Deno.test("a payload beyond messageBytes is refused and costs score", async () => {
  await using honest = await Honest.start({ limits: { messageBytes: 10_000, laneBytes: 20_000 } });
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.join(honest.victim, "news");
  for (let seq = 1; seq <= 5; seq++) {
    const { identity } = stranger;
    await stranger.gossip(gossipBody("news", new Uint8Array(10_001), { identity, seq }));
  }
  await stranger.ended();
  assert(honest.seen.of("misbehaved").every(({ peer }) => peer === stranger.id));
  assertEquals(honest.inboxes[0]!.messages.filter(({ size }) => size > 10_000), []);
  await honest.assertUndisturbed();
});

Deno.test("a banned peer can neither dial, nor is it dialled, nor does it hear anything", async () => {
  await using nodes = new Nodes();
  const [victim, other] = await nodes.many(2);
  victim!.join("news");
  other!.join("news");
  const identity = Identity.generate();
  await using stranger = await Stranger.meet(victim!, identity);
  await stranger.join(victim!, "news");
  await stranger.send(new Uint8Array([0x2f]));
  await stranger.ended();
  for (let i = 0; i < 3; i++) {
    await using again = await Stranger.meet(victim!, identity);
    await again.hello();
    await again.ended();
    assertEquals(again.frames, []);
  }
  // At another address, found by dialling: the same refusal.
  const listening = await nodes.start({ identity });
  const events = new Events(victim!), dialled = new Events(listening);
  const { message } = await rejectsWith(listening.connect(victim!.address), "dial-failed");
  assertStringIncludes(message, "misbehaved");
  await events.wait("refused", ({ reason }) => reason === "its peer is banned");
  assertEquals([dialled.of("peer-up"), events.of("peer-up")], [[], []]);
  assert(!victim!.peers().some(({ id }) => id === identity.id));
  assertEquals(victim!.topic("news")!.neighbors.includes(identity.id), false);
});
