import { assert, assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RECORD_LIMITS } from "../../src/wire/record.ts";
import { VirtualTime } from "../support/virtual_time.ts";
import { bits, FakeDirectory, forged, idOf, recordOf } from "./fake_directory.ts";

/** A started directory. */
function started(options: ConstructorParameters<typeof FakeDirectory>[2] = {}, index = 999) {
  const time = new VirtualTime();
  const node = new FakeDirectory(time, index, options);
  node.service.start();
  return { time, node, directory: node.service.directory };
}

Deno.test("a node lists itself and publishes its record at the start", () => {
  const { node, directory } = started({ topics: ["news"] });
  assertEquals(node.published.length, 1);
  const own = directory.get(node.self)!;
  assertEquals([own.topics, own.addresses, own.ttlSeconds], [["news"], ["127.0.0.1:7946"], 300]);
  assertEquals([directory.size, directory.lookup("news").length], [1, 1]);
  assertEquals([...directory].map(({ id }) => id), [node.self]);
  assertEquals(node.service.members("news"), []);
  node.service.close();
});

Deno.test("changes wait 50 ms for company and make one record", async () => {
  const { time, node } = started();
  for (const topic of ["a", "b", "c"]) {
    node.topics.push(topic);
    node.service.changed();
    await time.run(10);
  }
  assertEquals(node.published.length, 1);
  await time.run(50);
  assertEquals(node.published.map(({ topics }) => topics), [[], ["a", "b", "c"]]);
  assertGreater(node.published[1]!.seq, node.published[0]!.seq);
  node.service.close();
});

Deno.test("what a node is on is gone through once, however many topics it joins in a row", async () => {
  const { time, node } = started();
  const own = node.own.bind(node);
  let times = 0;
  node.own = () => {
    times++;
    return own();
  };
  for (let i = 0; i < 1_000; i++) {
    node.topics.push(`topic ${i}`);
    node.service.changed();
  }
  assertEquals(times, 0);
  await time.run(60);
  assertEquals([times, node.published.length, node.published[1]!.topics.length > 10], [1, 2, true]);
  node.service.close();
});

Deno.test("a record is renewed at a third of its time, give or take a fifth", async () => {
  const { time, node } = started({ ttlSeconds: 300 });
  const times: number[] = [];
  let count = 1;
  for (let second = 0; second < 3_000; second++) {
    await time.run(1_000);
    if (node.published.length > count) times.push(second), count++;
  }
  const gaps = times.map((at, i) => at - (times[i - 1] ?? 0));
  assert(gaps.length >= 24 && gaps.length <= 38, String(gaps));
  assert(gaps.every((gap) => gap >= 79 && gap <= 121), String(gaps));
  assert(new Set(gaps).size > 5);
  node.service.close();
  assertEquals(time.pending, 0);
});

Deno.test("the time of a record grows with the number of peers, up to an hour", async () => {
  for (const [peers, ttl] of [[19, 300], [99, 1_500], [500, 3_600]] as const) {
    const { time, node } = started();
    for (let i = 1; i <= peers; i++) node.hear(recordOf(i, { ttlSeconds: 3_600 }));
    node.topics = ["news"];
    node.service.changed();
    await time.run(60);
    assertEquals(node.published.at(-1)!.ttlSeconds, ttl);
    const { length } = node.published;
    await time.run(ttl / 3 * 800 - 1);
    assertEquals(node.published.length, length);
    await time.run(ttl / 3 * 400 + 2);
    assertEquals(node.published.length, length + 1);
    node.service.close();
  }
});

Deno.test("what was published among few is renewed late where the network turns out to be large, and always in time", async () => {
  for (let i = 0; i < 50; i++) {
    const { time, node } = started();
    for (let i = 1; i <= 199; i++) node.hear(recordOf(i));
    await time.run(159_000);
    assertEquals(node.published.length, 1);
    await time.run(72_000);
    assertEquals(node.published.length, 2);
    assertEquals(node.published[1]!.ttlSeconds, 3_000);
    // The network shrinks: newcomers would soon forget what is renewed as rarely as that.
    for (let i = 1; i <= 189; i++) node.hear(recordOf(i, { seq: 2, ttlSeconds: 0 }));
    await time.run(121_000);
    assertEquals(node.published[2]?.ttlSeconds, 300);
    node.service.close();
    assertEquals(time.pending, 0);
  }
});

Deno.test("renewals of many nodes come together, on every fifth second of the wall clock", async () => {
  const { time, node } = started();
  await time.run(1_234);
  const other = new FakeDirectory(time, 998);
  other.service.start();
  await time.run(1_000_000);
  const seqs = [...node.published.slice(1), ...other.published.slice(1)].map(({ seq }) => seq);
  assertGreater(seqs.length, 15);
  assertEquals(seqs.map((seq) => seq % 5_000).filter((rest) => rest > 1), []);
  node.service.close();
  other.service.close();
});

Deno.test("a change just before a node looks whether its record is due follows as soon as any other", async () => {
  const time = new VirtualTime(), node = new FakeDirectory(time, 999);
  node.random = () => 0.5;
  node.service.start();
  for (let i = 1; i <= 199; i++) node.hear(recordOf(i));
  // A third of 300 s, less a twentieth.
  await time.run(95_000 - 20);
  node.topics = ["late"];
  node.service.changed();
  await time.run(49);
  assertEquals(node.published.length, 1);
  await time.run(1);
  assertEquals(node.published.map(({ topics }) => topics), [[], ["late"]]);
  node.service.close();
});

Deno.test("sequence numbers grow although the wall clock stands still or goes back", async () => {
  const { time, node } = started();
  for (let i = 0; i < 5; i++) {
    node.wall -= 1_000_000;
    node.topics = [`t${i}`];
    node.service.changed();
    await time.run(60);
  }
  const seqs = node.published.map(({ seq }) => seq);
  assertEquals(seqs.length, 6);
  assertEquals(seqs, [...new Set(seqs)].sort((a, b) => a - b));
  node.service.close();
});

Deno.test("a node that changes without end publishes at a bounded rate", async () => {
  const { time, node } = started();
  for (let i = 0; i < 300; i++) {
    node.topics = [`t${i}`];
    node.service.changed();
    await time.run(100);
  }
  assertLessOrEqual(node.published.length, 8 + 30 + 1);
  await time.run(1_000);
  assertEquals(node.published.at(-1)!.topics, ["t299"]);
  node.service.close();
});

Deno.test("the highest sequence number wins, equal and older ones are ignored without a check", () => {
  const { node, directory } = started();
  const later = recordOf(1, { seq: 5, topics: ["b"] });
  assertEquals(node.hear(later), "accept");
  const checks = node.verified;
  assertEquals(node.hear(recordOf(1, { seq: 4, topics: ["a"] })), "ignore");
  assertEquals(node.hear(recordOf(1, { seq: 5, topics: ["c"] })), "ignore");
  assertEquals(node.service.receive(forged(recordOf(1, { seq: 5 }))), "ignore");
  assertEquals(node.verified, checks);
  assertEquals(directory.get(idOf(1))!.topics, ["b"]);
  assertEquals(node.hear(recordOf(1, { seq: 6, topics: ["d"] })), "accept");
  assertEquals(directory.get(idOf(1))!.topics, ["d"]);
  node.service.close();
});

Deno.test("forged and malformed records are rejected and leave no trace", () => {
  const { node, directory } = started();
  assertEquals(node.service.receive(forged(recordOf(1))), "reject");
  assertEquals(node.service.receive(new Uint8Array(200)), "reject");
  assertEquals(node.service.receive(new Uint8Array(0)), "reject");
  assertEquals(directory.size, 1);
  // Nor does a forged one with a high number keep out the true one.
  assertEquals(node.service.receive(forged(recordOf(1, { seq: 1e15 }))), "reject");
  assertEquals(node.hear(recordOf(1)), "accept");
  node.service.close();
});

Deno.test("an address record cannot be replayed as a directory record", () => {
  const { node, directory } = started();
  node.hear(recordOf(1, { seq: 1, topics: ["news"] }));
  const contact = recordOf(1, { seq: 2, topics: [], ttlSeconds: 86_400 });
  assertEquals(node.hear(contact), "ignore");
  assertEquals(directory.lookup("news").length, 1);
  node.service.close();
});

Deno.test("a record with more topics than the limit is ignored", () => {
  const { node } = started({ limits: { recordTopics: 2 } });
  assertEquals(node.hear(recordOf(1, { topics: ["a", "b", "c"] })), "ignore");
  assertEquals(node.hear(recordOf(1, { topics: ["a", "b"] })), "accept");
  node.service.close();
});

Deno.test("a peer that is not heard of expires, one that renews stays", async () => {
  const { time, node, directory } = started();
  node.hear(recordOf(1, { ttlSeconds: 10 }));
  node.hear(recordOf(2, { ttlSeconds: 10 }));
  await time.run(8_000);
  node.hear(recordOf(2, { seq: 2, ttlSeconds: 10 }));
  await time.run(4_000);
  assertEquals([...directory].map(({ id }) => id).sort(), [idOf(2), node.self]);
  // The same record does not come back; a newer one does.
  assertEquals(node.hear(recordOf(1, { ttlSeconds: 10 })), "ignore");
  assertEquals(node.hear(recordOf(1, { seq: 2, ttlSeconds: 10 })), "accept");
  await time.run(20_000);
  assertEquals(directory.size, 1);
  node.service.close();
  assertEquals(time.pending, 0);
});

Deno.test("a peer that leaves is gone at once and its older records stay out", () => {
  const { time, node, directory } = started();
  const leaver = new FakeDirectory(time, 5, { topics: ["news"] });
  leaver.service.start();
  node.hear(leaver.published[0]!);
  assertEquals(directory.lookup("news").length, 1);
  leaver.service.leave();
  assertEquals(leaver.published.length, 2);
  assertEquals(node.hear(leaver.published[1]!), "accept");
  assertEquals(directory.lookup("news").length, 0);
  assertEquals(node.hear(leaver.published[0]!), "ignore");
  leaver.service.leave();
  leaver.service.changed();
  leaver.service.start();
  assertEquals(leaver.published.length, 2);
  node.service.close();
  assertEquals(time.pending, 0);
});

Deno.test("shards are found by their topic's name, in records made here and by others", async () => {
  const { time, node, directory } = started();
  node.shards.set("tx", bits(64, 7, 9));
  node.topics = ["tx/7", "plain"];
  node.service.changed();
  await time.run(60);
  assertEquals(directory.lookup("tx/7").map(({ id }) => id), [node.self]);
  // The bit says it; the name would only cost bytes.
  assertEquals(directory.get(node.self)!.topics, ["plain"]);
  node.hear(recordOf(1, { topics: [], shards: new Map([["tx", bits(64, 9)]]) }));
  assertEquals(directory.lookup("tx/9").length, 2);
  assertEquals(node.service.members("tx/9"), [idOf(1)]);
  assertEquals(node.service.shardTable("tx", 64).get(9)!.length, 2);
  node.service.close();
});

Deno.test("a bitfield that its owner goes on changing is copied", async () => {
  const { time, node, directory } = started();
  const mine = bits(8, 1);
  node.shards.set("tx", mine);
  node.service.changed();
  await time.run(60);
  mine.bits[0] = 0xff;
  assertEquals(directory.lookup("tx/2"), []);
  node.service.close();
});

Deno.test("new members of own topics are told, others are not", async () => {
  const { time, node } = started({ topics: ["news", "tx/3"] });
  node.shards.set("s", bits(16, 4));
  node.service.changed();
  await time.run(60);
  node.hear(recordOf(1, { topics: ["news", "other"], shards: new Map([["tx", bits(8, 3, 4)]]) }));
  assertEquals(node.gained, ["news", "tx/3"]);
  node.hear(recordOf(1, { seq: 2, topics: ["news"], shards: new Map([["s", bits(16, 4, 5)]]) }));
  assertEquals(node.gained.slice(2), ["s/4"]);
  node.hear(recordOf(1, { seq: 3, topics: [] }));
  node.hear(recordOf(1, { seq: 4, topics: ["news"] }));
  assertEquals(node.gained.slice(3), ["news"]);
  node.service.close();
});

Deno.test("members come in random order, at most as many as asked for", () => {
  const { node } = started({ topics: ["news"] });
  for (let i = 1; i <= 20; i++) node.hear(recordOf(i));
  const orders = new Set<string>();
  for (let i = 0; i < 10; i++) {
    const members = node.service.members("news", 5);
    assertEquals(new Set(members).size, 5);
    assert(!members.includes(node.self));
    orders.add(members.join());
  }
  assertGreater(orders.size, 5);
  assertEquals(node.service.members("news").length, 20);
  node.service.close();
});

Deno.test("a peer that renews its record without end is slowed down", async () => {
  const { time, node, directory } = started();
  let accepted = 0;
  for (let seq = 1; seq <= 1_000; seq++) {
    if (node.hear(recordOf(1, { seq })) === "accept") accepted++;
    await time.run(1);
  }
  assert(accepted >= 16 && accepted <= 19, String(accepted));
  // Forgeries in its name do not use up its changes.
  for (let i = 0; i < 50; i++) node.service.receive(forged(recordOf(2, { seq: 100 })));
  assertEquals(node.hear(recordOf(2, { seq: 1 })), "accept");
  await time.run(1_000);
  assertEquals(node.hear(recordOf(1, { seq: 2_000 })), "accept");
  assertEquals(directory.size, 3);
  node.service.close();
});

Deno.test("a node that comes back below its old sequence number goes above it", async () => {
  const { time, node } = started({ topics: ["news"] }, 3);
  const old = recordOf(3, { seq: node.published[0]!.seq + 1_000_000, topics: ["past"] });
  assertEquals(node.hear(old), "ignore");
  await time.run(60);
  assertEquals(node.published.length, 2);
  assertGreater(node.published[1]!.seq, old.seq);
  assertEquals(node.service.directory.get(node.self)!.topics, ["news"]);
  // What it published itself comes back without effect, and forgeries have none.
  assertEquals(node.hear(node.published[1]!), "ignore");
  assertEquals(node.service.receive(forged(recordOf(3, { seq: 1e15 }))), "reject");
  await time.run(1_000);
  assertEquals(node.published.length, 2);
  node.service.close();
});

Deno.test("an own record that would be too large leaves topics out and says how many", async () => {
  const { time, node, directory } = started();
  node.topics = Array.from({ length: 900 }, (_, i) => `a rather long name of a topic ${i}`);
  node.service.changed();
  await time.run(60);
  const own = node.published.at(-1)!;
  assertLessOrEqual(own.encoded.length, RECORD_LIMITS.bytes);
  assertGreater(own.encoded.length, RECORD_LIMITS.bytes * 0.95);
  assertEquals(own.topics.length + node.service.omittedTopics, 900);
  assertEquals(directory.get(node.self)!.topics.length, own.topics.length);
  // Even those left out are of interest here.
  node.hear(recordOf(1, { topics: [node.topics[899]!] }));
  assertEquals(node.gained, [node.topics[899]]);
  node.service.close();
});

Deno.test("whatever a node is on, its record is one that others accept", () => {
  const name = fc.string({ maxLength: 300, unit: "grapheme" });
  fc.assert(
    fc.property(
      fc.array(name, { maxLength: 12 }),
      fc.array(name, { maxLength: 200 }),
      fc.array(fc.tuple(name, fc.integer({ min: 1, max: 65_536 })), { maxLength: 70 }),
      (addresses, topics, sets) => {
        const time = new VirtualTime();
        const node = new FakeDirectory(time, 1);
        node.addresses = addresses;
        node.topics = topics;
        node.shards = new Map(sets.map(([set, count]) => [set, bits(count, count - 1)]));
        node.service.start();
        const other = new FakeDirectory(time, 2);
        assertEquals(other.hear(node.published[0]!), "accept");
        node.service.close();
        other.service.close();
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("the time to live of the own record is one second to one hour", () => {
  const time = new VirtualTime();
  for (const ttlSeconds of [0, 1.5, 3_601, NaN]) {
    assertThrows(() => new FakeDirectory(time, 1, { ttlSeconds }), RangeError);
  }
});
