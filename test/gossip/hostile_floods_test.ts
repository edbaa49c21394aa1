import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { Identity } from "@x/plumtree";
import { Frame } from "../../src/wire/frames.ts";
import { encodeOpen, topicHead } from "../../src/wire/node_messages.ts";
import { encodeOverlay } from "../../src/wire/overlay_messages.ts";
import { fetchFrame, treeFrame } from "../../src/wire/tree_messages.ts";
import { Honest } from "./hostile_helper.ts";
import { Events, Inbox, meet, Nodes, until } from "./helper.ts";
import { bytes, gossipBody, recordOf, Stranger } from "./stranger.ts";

const random = (size: number) => crypto.getRandomValues(new Uint8Array(size));
const PAYLOAD = new TextEncoder().encode("hostile");

Deno.test("frames of a topic never joined are dropped, counted and told once, and cost nothing", async () => {
  await using honest = await Honest.start();
  const { victim, seen } = honest;
  await using stranger = await Stranger.meet(victim);
  await stranger.hello();
  await stranger.open("elsewhere", 5);
  const { identity } = stranger;
  for (let seq = 1; seq <= 20; seq++) {
    await stranger.gossip(gossipBody("elsewhere", PAYLOAD, { identity, seq }), 5);
  }
  await until("counted", () => victim.metrics().core.unknownTopic === 20);
  assertEquals(seen.of("unknown-topic").map(({ peer }) => peer), [stranger.id]);
  assertEquals(seen.of("misbehaved"), []);
  await until("told", () => stranger.frames.some(([kind]) => kind === Frame.TOPIC_NONE));
  assert(victim.peers().some(({ id, score }) => id === stranger.id && score === 0));
  await honest.assertUndisturbed();
});

Deno.test("frames under an alias never opened cost score until the connection is ended", async () => {
  await using honest = await Honest.start();
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.hello();
  const { identity } = stranger;
  for (let seq = 1; seq <= 30; seq++) {
    await stranger.gossip(gossipBody("news", PAYLOAD, { identity, seq }), 77);
  }
  await stranger.ended();
  assertGreater(honest.seen.of("misbehaved").length, 5);
  const { reason } = await honest.seen.wait("peer-down", ({ peer }) => peer === stranger.id);
  assertEquals(reason, "misbehaved");
  await honest.assertUndisturbed();
});

Deno.test("a flood of TOPIC_OPENs beyond the bound ends the connection", async () => {
  await using honest = await Honest.start({ limits: { topicsPerPeer: 100 } });
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.hello();
  const opens = Array.from({ length: 100 }, (_, i) => encodeOpen(i + 1, random(32)));
  await stranger.send(...opens);
  await until("up", () => honest.victim.peers().some(({ id }) => id === stranger.id));
  assertEquals(honest.seen.of("misbehaved"), []);
  await stranger.send(encodeOpen(101, random(32)));
  await stranger.ended();
  assertEquals(honest.seen.of("misbehaved").length, 1);
  await honest.assertUndisturbed();
});

Deno.test("floods of JOINs and SHUFFLEs are bounded in rate, and the views keep their size", async () => {
  await using honest = await Honest.start({ limits: { overlayPerSecond: 20 } });
  const { victim } = honest;
  await using stranger = await Stranger.meet(victim);
  await stranger.join(victim, "news");
  const fakes = Array.from({ length: 16 }, () => recordOf(Identity.generate()));
  const overlay = (message: Parameters<typeof encodeOverlay>[0]) =>
    bytes(topicHead(Frame.OVERLAY, 1), encodeOverlay(message));
  const record = recordOf(stranger.identity);
  for (let i = 0; i < 600 && !stranger.over; i++) {
    await stranger.send(
      overlay({ type: "join", record }),
      overlay({ type: "shuffle", walk: i, origin: record, ttl: 6, entries: fakes }),
      overlay({ type: "forward-join", record: fakes[i % 16]!, ttl: 255 }),
    );
  }
  await until("dropped", () => victim.metrics().core.overlayDropped > 1_000);
  const { active, passive, openRequests } = honest.counted;
  assertLessOrEqual(active, 5);
  assertLessOrEqual(passive, 30);
  assertLessOrEqual(openRequests, 10);
  await honest.assertUndisturbed();
});

Deno.test("announcements of messages that nobody has are bounded, told as missed, and end the connection", async () => {
  await using honest = await Honest.start({
    limits: { missingIds: 200 },
    tree: { graftMinMs: 10, graftMaxMs: 40, graftRetries: 2 },
  });
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.join(honest.victim, "news");
  let most = 0;
  for (let i = 0; i < 50 && !stranger.over; i++) {
    const ids = Array.from({ length: 100 }, () => bytes(random(20), [0, 0]));
    const frame = treeFrame(Frame.IHAVE, 1, 2_200);
    frame.set(bytes(...ids), frame.length - 2_200);
    await stranger.send(frame);
    most = Math.max(most, honest.counted.missing);
  }
  await stranger.ended();
  await honest.seen.wait("missed", ({ topic, reason }) => topic === "news" && reason !== "gone");
  const { what } = await honest.seen.wait("misbehaved", ({ peer }) => peer === stranger.id);
  assertEquals(what, "announces what it does not give");
  await until("given up", () => honest.counted.missed > 4_000);
  assertLessOrEqual(Math.max(most, honest.counted.missing), 200);
  for (const event of honest.seen.of("missed")) assertEquals(event.id.length, 40);
  await honest.assertUndisturbed({ missed: true });
});

Deno.test("a flood of GRAFTs is answered up to its bound", async () => {
  await using honest = await Honest.start({ limits: { graftsPerSecond: 50 } });
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.join(honest.victim, "news");
  for (let i = 0; i < 50; i++) {
    const frame = fetchFrame(1, 100);
    frame.set(random(2_000), frame.length - 2_000);
    await stranger.send(frame);
  }
  await until("refused", () => honest.counted.graftsRefused > 3_000);
  assertLessOrEqual(honest.counted.goneSent, 2_000);
  await honest.assertUndisturbed();
});

Deno.test("tree junk of every kind costs score until the connection is ended", async () => {
  await using honest = await Honest.start();
  for (const kind of ["GOSSIP", "IHAVE", "GRAFT", "PRUNE", "GONE", "SYNC"] as const) {
    await using stranger = await Stranger.meet(honest.victim);
    await stranger.join(honest.victim, "news");
    const junk = bytes(topicHead(Frame[kind], 1), new Uint8Array(33).fill(0xee));
    for (let i = 0; i < 8; i++) await stranger.send(junk);
    await stranger.ended();
    assert(honest.seen.of("misbehaved").some(({ peer }) => peer === stranger.id), kind);
  }
  await honest.assertUndisturbed();
});

Deno.test("invalid signatures are refused, told, relayed to nobody, and do not suppress the true message", async () => {
  await using honest = await Honest.start();
  const author = Identity.generate();
  const body = gossipBody("news", PAYLOAD, { identity: author, seq: 1 });
  await using liar = await Stranger.meet(honest.victim);
  await liar.join(honest.victim, "news");
  const forged = body.slice();
  forged[10]! ^= 1;
  for (let i = 0; i < 6; i++) await liar.gossip(forged);
  await liar.ended();
  const { reason, peer } = await honest.seen.wait("reject");
  assertEquals([reason, peer], ["bad signature", liar.id]);
  assertEquals(honest.topics.slice(1).map((topic) => topic.metrics().rejected), [0, 0]);
  await using honestRelay = await Stranger.meet(honest.victim);
  await honestRelay.join(honest.victim, "news");
  await honestRelay.gossip(body);
  const arrived = () => honest.inboxes.every(({ texts }) => texts.includes("hostile"));
  await until("the true one arrives everywhere", arrived);
  const [m] = honest.inboxes[1]!.messages.filter((message) => message.text() === "hostile");
  assertEquals(m!.from, author.id);
  await honest.assertUndisturbed();
});

Deno.test("unsigned messages on a signed topic, and signed ones on an unsigned one, are refused", async () => {
  for (const sign of [true, false]) {
    await using honest = await Honest.start({}, { sign });
    await using stranger = await Stranger.meet(honest.victim);
    await stranger.join(honest.victim, "news");
    for (let seq = 1; seq <= 12; seq++) {
      const identity = sign ? undefined : stranger.identity;
      await stranger.gossip(gossipBody("news", PAYLOAD, { identity, seq }));
    }
    await stranger.ended();
    assert(honest.inboxes.every(({ texts }) => !texts.includes("hostile")));
    assertGreater(honest.counted.rejected, 5);
    await honest.assertUndisturbed();
  }
});

Deno.test("replayed messages are delivered once, also when older ones come after newer ones of their author", async () => {
  await using honest = await Honest.start({
    limits: { seenIds: 64 },
    tree: { retainMessages: 32 },
  });
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.join(honest.victim, "news");
  const author = Identity.generate(), incarnation = Date.now();
  const bodies = Array.from({ length: 100 }, (_, i) => {
    const payload = new TextEncoder().encode(`hostile ${i}`);
    return gossipBody("news", payload, { identity: author, seq: i + 1, incarnation });
  });
  for (let round = 0; round < 5; round++) for (const body of bodies) await stranger.gossip(body);
  const got = () => honest.inboxes[0]!.messages.filter(({ from }) => from === author.id).length;
  await until("all are read", () => got() >= 100);
  await until("replays are counted", () => {
    const { duplicates, ignored } = honest.counted;
    return duplicates + ignored >= 400;
  });
  assertEquals(got(), 100);
  assertLessOrEqual(honest.counted.seen, 64);
  await honest.assertUndisturbed();
});

Deno.test("a peer that never reads is dropped as slow, and what waits for it stays within the lanes", async () => {
  await using nodes = new Nodes();
  const limits = { messageBytes: 100_000, laneBytes: 200_000 };
  const victim = nodes.startTimed({ slowMs: 300 }, { limits });
  const other = await nodes.start({ bootstrap: [victim.address], limits });
  const [onVictim, onOther] = [victim.join("news"), other.join("news")];
  await meet(onVictim, onOther);
  const events = new Events(victim), inbox = new Inbox(onOther);
  await using deaf = await Stranger.meet(victim, Identity.generate(), { deaf: true });
  await deaf.join(victim, "news");
  let sent = 0;
  const gone = () => events.of("peer-down").some(({ peer }) => peer === deaf.id);
  await until("the deaf one is dropped", () => {
    if (!gone() && sent < 1_000) void onVictim.publish(new Uint8Array(50_000).fill(sent++));
    return gone();
  }, 30_000);
  assertEquals(events.of("peer-down"), [{ type: "peer-down", peer: deaf.id, reason: "slow" }]);
  assertGreater(victim.metrics().transport.framesRefused, 0);
  await until("the other one has all", () => inbox.messages.length === sent, 30_000);
  assertEquals(other.topic("news")!.neighbors, [victim.id]);
});

Deno.test("answers that nobody asked for cost score until the connection is ended", async () => {
  await using honest = await Honest.start();
  await using stranger = await Stranger.meet(honest.victim);
  await stranger.hello();
  for (let i = 0; i < 6; i++) await stranger.send(new Uint8Array([Frame.REPLY_END, 9, 2, 65, 66]));
  await stranger.ended();
  const { reason } = await honest.seen.wait("peer-down", ({ peer }) => peer === stranger.id);
  assertEquals(reason, "misbehaved");
  await honest.assertUndisturbed();
});
