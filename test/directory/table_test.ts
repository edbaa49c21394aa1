import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { DirectoryTable, RECORD_TTL_MOST_SECONDS } from "../../src/directory/table.ts";
import { isOn, topicKey } from "../../src/directory/topic_key.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/limits.ts";
import { bits, hash, idOf, recordOf } from "./fake_directory.ts";

const SELF = 999;
const table = (limits: Partial<Limits> = {}) =>
  new DirectoryTable(idOf(SELF), { ...DEFAULT_LIMITS, ...limits }, hash);

Deno.test("a record is found by its id, by its topics and by its shards", () => {
  const t = table();
  const record = recordOf(1, {
    topics: ["news", "a/b", "plain/3"],
    shards: new Map([["tx", bits(64, 0, 7, 63)], ["x/y", bits(8, 2)]]),
  });
  assertEquals(t.put(record, 300, 0), undefined);
  assertEquals(t.record(idOf(1)), record);
  for (const topic of ["news", "a/b", "plain/3", "tx/0", "tx/7", "tx/63", "x/y/2"]) {
    assertEquals(t.onTopic(topic), [record], topic);
  }
  for (
    const topic of ["", "/", "tx", "tx/", "tx/1", "tx/07", "tx/64", "tx/-1", "tx/7 ", "tx/1e1", "b"]
  ) {
    assertEquals(t.onTopic(topic), [], topic);
  }
});

Deno.test("a peer that lists a shard's topic by name and by bit is found once", () => {
  const t = table();
  t.put(recordOf(1, { topics: ["tx/7"], shards: new Map([["tx", bits(8, 7)]]) }), 300, 0);
  assertEquals(t.members("tx/7"), [idOf(1)]);
});

Deno.test("a newer record replaces the older one in every index", () => {
  const t = table();
  const old = recordOf(1, { topics: ["a", "b"], shards: new Map([["tx", bits(8, 1)]]) });
  t.put(old, 300, 0);
  const fresh = recordOf(1, { seq: 2, topics: ["b", "c"], shards: new Map([["tx", bits(8, 2)]]) });
  assertEquals(t.put(fresh, 300, 0), old);
  assertEquals(
    ["a", "b", "c", "tx/1", "tx/2"].map((topic) => t.members(topic).length),
    [0, 1, 1, 0, 1],
  );
  assertEquals([t.size, t.bytes, t.seqOf(idOf(1))], [1, fresh.encoded.length, 2]);
});

Deno.test("records expire in their order, this node's own never, and their numbers are remembered", () => {
  const t = table();
  t.put(recordOf(1, { seq: 5 }), 10, 0);
  t.put(recordOf(2), 300, 0);
  t.put(recordOf(3, { ttlSeconds: 86_400 }), 86_400, 0);
  t.put(recordOf(SELF), 300, 0);
  assertEquals(t.nextExpiry(), 10_000);
  assertEquals(t.expire(9_999), 0);
  assertEquals(t.expire(10_000), 1);
  assertEquals([t.size, t.seqOf(idOf(1)), t.record(idOf(1))], [3, 5, undefined]);
  assertEquals(t.expire(300_000), 1);
  assertEquals(t.expire(RECORD_TTL_MOST_SECONDS * 1_000), 1);
  assertEquals([t.size, t.nextExpiry()], [1, undefined]);
});

Deno.test("a peer that left is removed, and its number is remembered for a time", () => {
  const t = table();
  t.put(recordOf(1, { seq: 5 }), 300, 0);
  t.put(recordOf(1, { seq: 6, ttlSeconds: 0 }), 0, 0);
  assertEquals([t.size, t.seqOf(idOf(1)), t.members("news")], [0, 6, []]);
  t.put(recordOf(1, { seq: 7 }), 300, 0);
  assertEquals([t.size, t.seqOf(idOf(1))], [1, 7]);
});

Deno.test("beyond its bound the table drops who would expire first, never this node", () => {
  const t = table({ directoryPeers: 3 });
  t.put(recordOf(SELF), 1, 0);
  t.put(recordOf(1), 200, 0);
  t.put(recordOf(2), 100, 0);
  t.put(recordOf(3), 300, 0);
  assertEquals([...t.records()].map(({ id }) => id), [idOf(SELF), idOf(1), idOf(3)]);
  t.put(recordOf(4), 50, 0);
  assertEquals([...t.records()].map(({ id }) => id), [idOf(SELF), idOf(1), idOf(3)]);
});

Deno.test("the bytes of all records and the memory of who is gone are bounded", () => {
  const t = table({ directoryPeers: 100, directoryBytes: 5_000 });
  const topics = Array.from({ length: 20 }, (_, i) => `topic number ${i}`);
  for (let i = 0; i < 300; i++) {
    t.put(recordOf(i, { topics }), 300, i);
    assertLessOrEqual(t.bytes, 5_000);
  }
  assert(t.size > 5 && t.size < 20);
  for (let i = 1_000; i < 2_000; i++) t.put(recordOf(i, { ttlSeconds: 0 }), 0, 400);
  const remembered = Array.from({ length: 1_000 }, (_, i) => t.seqOf(idOf(1_000 + i)));
  assertLessOrEqual(remembered.filter((seq) => seq >= 0).length, 100);
});

Deno.test("the fingerprint is that of the content, whatever the order and the past", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(20), fc.nat(3), fc.boolean()), { maxLength: 40 }),
      (steps) => {
        const a = table(), final = new Map<number, number>();
        let seq = 0;
        for (const [index, , gone] of steps) {
          seq++;
          a.put(recordOf(index, { seq, ttlSeconds: gone ? 0 : 300 }), gone ? 0 : 300, 0);
          if (gone) final.delete(index);
          else final.set(index, seq);
        }
        const b = table();
        for (const [index, seq] of [...final].reverse()) b.put(recordOf(index, { seq }), 300, 9);
        assertEquals(a.fingerprint, b.fingerprint);
        b.put(recordOf(77), 300, 9);
        assert(a.fingerprint.high !== b.fingerprint.high);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("the indexes agree with a search through all records", () => {
  const topic = fc.constantFrom("a", "b", "tx/1", "tx/2", "tx/9");
  const step = fc.record({
    index: fc.nat(8),
    topics: fc.uniqueArray(topic),
    shards: fc.uniqueArray(fc.nat(9)),
    seconds: fc.constantFrom(0, 5, 50),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const t = table({ directoryPeers: 6 });
      let now = 0;
      for (const { index, topics, shards, seconds } of steps) {
        const record = recordOf(index, {
          seq: ++now,
          topics,
          shards: new Map([["tx", bits(10, ...shards)]]),
        });
        t.put(record, seconds, now * 1_000);
        t.expire(now * 1_000);
        assert(t.size <= 6);
        for (const name of ["a", "b", "tx/1", "tx/2", "tx/9", "tx/0"]) {
          const found = [...t.records()].filter((record) => isOn(record, topicKey(name)));
          assertEquals(t.members(name).sort(), found.map(({ id }) => id).sort());
        }
        const shardTable = t.shardTable("tx", 10);
        for (let shard = 0; shard < 10; shard++) {
          const on = [...t.records()].filter(({ shards }) =>
            (shards.get("tx")!.bits[shard >> 3]! >> (shard & 7) & 1) === 1
          ).map(({ id }) => id);
          assertEquals((shardTable.get(shard) ?? []).sort(), on.sort());
        }
      }
    }),
    { numRuns: 100 },
  );
});
