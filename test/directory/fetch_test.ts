import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { encodePage } from "../../src/directory/pages.ts";
import type { Entry } from "../../src/directory/table.ts";
import { WireError } from "../../src/wire/bytes.ts";
import type { SignedRecord } from "../../src/wire/record.ts";
import { VirtualTime } from "../support/virtual_time.ts";
import { FakeDirectory, idOf, recordOf } from "./fake_directory.ts";

/** A newcomer and a neighbour with so many peers in its directory. */
function pair(peers: number, limits = {}) {
  const time = new VirtualTime();
  const old = new FakeDirectory(time, 90_998, { topics: ["news"] });
  const fresh = new FakeDirectory(time, 90_999, { topics: ["news"], limits });
  old.service.start();
  fresh.service.start();
  for (let i = 1; i <= peers; i++) old.hear(recordOf(i));
  fresh.peers.set(old.self, (body) => old.service.answer(body));
  const close = () => {
    old.service.close();
    fresh.service.close();
  };
  return { time, old, fresh, close };
}

/** An answer with these records. */
function page(records: SignedRecord[], more = false, cursor = 0): Uint8Array {
  const entries = records.map((record, i): Entry => ({
    record,
    until: 1e9,
    stamp: cursor + i + 1,
    high: 0,
    low: 0,
  }));
  const bytes = encodePage(entries, cursor, 0, 1e9);
  if (more) bytes[0] = 2;
  return bytes;
}

Deno.test("a newcomer fetches the whole table from a neighbour", async () => {
  const { time, old, fresh, close } = pair(5_000);
  const result = await time.until(fresh.service.fetch(old.self));
  assertEquals(result.added, 5_001);
  assert(result.pages > 2);
  assertEquals(fresh.service.size, 5_002);
  assertEquals(fresh.gained.length > 0, true);
  assert(fresh.asked.every(({ answer }) => answer <= 256 * 1024 + 64));
  close();
});

Deno.test("equal tables cost a few bytes", async () => {
  const { time, old, fresh, close } = pair(1_000);
  old.hear(fresh.published[0]!);
  await time.until(fresh.service.fetch(old.self));
  fresh.asked.length = 0;
  const verified = fresh.verified;
  assertEquals(await time.until(fresh.service.fetch(old.self)), { added: 0, pages: 0 });
  assertEquals(fresh.asked.length, 1);
  assertLess(fresh.asked[0]!.bytes + fresh.asked[0]!.answer, 20);
  assertEquals(fresh.verified, verified);
  // One that differs is not checked again where it does not.
  old.hear(recordOf(5_000));
  assertEquals((await time.until(fresh.service.fetch(old.self))).added, 1);
  assertEquals(fresh.verified, verified + 1);
  close();
});

Deno.test("passing a table on does not prolong what is in it", async () => {
  const { time, old, fresh, close } = pair(3);
  await time.run(200_000);
  await time.until(fresh.service.fetch(old.self));
  assertEquals(fresh.service.size, 5);
  await time.run(101_000);
  assertEquals(fresh.service.members("news"), [old.self]);
  close();
});

Deno.test("a fetched table does not bring back who left", async () => {
  const { time, old, fresh, close } = pair(3);
  fresh.hear(recordOf(2, { seq: 2, ttlSeconds: 0 }));
  await time.until(fresh.service.fetch(old.self));
  assertEquals(fresh.service.recordOf(idOf(2)), undefined);
  assertEquals(fresh.service.size, 4);
  close();
});

Deno.test("long pages are checked in slices, so that other work gets its turn", async () => {
  const { time, old, fresh, close } = pair(500);
  let turns = 0;
  const after = fresh.after.bind(fresh);
  fresh.after = (ms, fire) => {
    if (ms === 0) turns++;
    return after(ms, fire);
  };
  await time.until(fresh.service.fetch(old.self));
  assertEquals(turns, 7);
  close();
});

Deno.test("an abort ends a fetch between two slices", async () => {
  const { time, old, fresh, close } = pair(500);
  const stop = new AbortController();
  const promise = fresh.service.fetch(old.self, { signal: stop.signal });
  const reason = new Error("enough");
  stop.abort(reason);
  assertEquals(await time.until(promise.catch((error) => error)), reason);
  close();
});

Deno.test("a forged record ends the fetch and the peer's score", async () => {
  const { time, fresh, close } = pair(0);
  const evil = idOf(666);
  const good = recordOf(1);
  const bad = {
    ...recordOf(2),
    encoded: recordOf(2).encoded.map((byte, i) => i === 90 ? byte ^ 1 : byte),
  };
  fresh.peers.set(evil, () => page([good, bad, recordOf(3)], true));
  await time.until(fresh.service.fetch(evil));
  assertEquals(fresh.accused.map(({ peer, points }) => [peer, points]), [[evil, 100]]);
  assertEquals(fresh.asked.length, 1);
  assertEquals([...fresh.service.directory].map(({ id }) => id), [fresh.self, idOf(1)]);
  close();
});

Deno.test("garbage for a page ends the fetch and the peer's score", async () => {
  const { time, fresh, close } = pair(0);
  const evil = idOf(666);
  fresh.peers.set(evil, () => new Uint8Array([1, 5, 9, 200, 1]));
  await time.until(fresh.service.fetch(evil));
  assertEquals(fresh.accused.map(({ points }) => points), [100]);
  close();
});

Deno.test("pages without end, without progress or without records end the fetch", async () => {
  const { time, fresh, close } = pair(0, { directoryPeers: 100 });
  const evil = idOf(666);
  let seq = 0;
  fresh.peers.set(evil, (_) => page([recordOf(1, { seq: ++seq })], true, seq * 10));
  await time.until(fresh.service.fetch(evil));
  assertEquals(fresh.asked.length, 201);
  fresh.peers.set(evil, () => page([recordOf(1, { seq: ++seq })], true, 10));
  await time.until(fresh.service.fetch(evil));
  assertEquals(fresh.asked.length, 203);
  assertEquals(fresh.accused.map(({ points }) => points), [25, 25]);
  fresh.peers.set(evil, () => page([], true));
  await time.until(fresh.service.fetch(evil));
  assertEquals(fresh.asked.length, 204);
  assertEquals(fresh.service.size, 2);
  close();
});

Deno.test("a page cannot prolong a record beyond its own time to live", async () => {
  const { time, fresh, close } = pair(0);
  fresh.peers.set(idOf(666), () => page([recordOf(1, { ttlSeconds: 5 })]));
  await time.until(fresh.service.fetch(idOf(666)));
  assertEquals(fresh.service.size, 2);
  await time.run(6_000);
  assertEquals(fresh.service.size, 1);
  close();
});

Deno.test("a request that fails rejects the fetch", async () => {
  const { time, fresh, close } = pair(0);
  await assertRejects(() => time.until(fresh.service.fetch(idOf(77))), GossipError);
  close();
});

Deno.test("a malformed request is not answered", () => {
  const { old, close } = pair(0);
  assertThrows(() => old.service.answer(new Uint8Array(3)), WireError);
  close();
});

Deno.test("a fetched own record from before a restart makes the node go above it", async () => {
  const { time, old, fresh, close } = pair(0);
  const past = recordOf(90_999, { seq: fresh.published[0]!.seq + 5_000_000 });
  old.hear(past);
  await time.until(fresh.service.fetch(old.self));
  await time.run(60);
  assert(fresh.published.at(-1)!.seq > past.seq);
  close();
});
