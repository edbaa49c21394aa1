import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WireError } from "../../src/wire/bytes.ts";
import { Frame } from "../../src/wire/frames.ts";
import {
  decodeSync,
  encodeSync,
  type Fingerprint,
  SYNC_DEPTH,
  type SyncMessage,
  type SyncPart,
} from "../../src/wire/sync_messages.ts";
import {
  announcedAge,
  announcedTree,
  ANNOUNCEMENT_BYTES,
  fetchFrame,
  graftFrame,
  MAX_AGE_MS,
  pruneFrame,
  readGone,
  readGraft,
  readIhave,
  readPrune,
  treeFrame,
  writeAge,
} from "../../src/wire/tree_messages.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const stamp = fc.record({ own: u32, seen: u32 });

Deno.test("GRAFT and PRUNE carry their stamps", () => {
  fc.assert(
    fc.property(stamp, fc.nat(15), fc.nat(5), fc.nat(127), (stamp, tree, count, alias) => {
      const prune = pruneFrame(alias, tree, stamp);
      assertEquals([prune[0], prune[1]], [Frame.PRUNE, alias]);
      assertEquals(readPrune(prune, 2, prune.length), { tree, stamp });
      const graft = graftFrame(alias, tree, stamp, count);
      assertEquals(readGraft(graft, 2, graft.length, 5), { tree, stamp, count });
      const fetch = fetchFrame(alias, count + 1);
      const asked = { tree: 0, stamp: undefined, count: count + 1 };
      assertEquals(readGraft(fetch, 2, fetch.length, 6), asked);
    }),
  );
});

Deno.test("an announcement tells the tree, and an age up to its bound", () => {
  fc.assert(
    fc.property(fc.nat(15), fc.double({ min: -10, max: 1e9, noNaN: true }), (tree, age) => {
      const bytes = new Uint8Array(ANNOUNCEMENT_BYTES);
      assertEquals(writeAge(bytes, 20, tree, age), ANNOUNCEMENT_BYTES);
      assertEquals(announcedTree(bytes, 0), tree);
      assertEquals(announcedAge(bytes, 0), Math.max(0, Math.min(MAX_AGE_MS, Math.round(age))));
    }),
  );
});

Deno.test("counts follow from the length, and are bounded", () => {
  assertEquals(readIhave(2, 2 + 44, 1_024), 2);
  assertEquals(readGone(2, 2 + 40, 1_024), 2);
  for (const wrong of [0, 1, 21, 23]) assertThrows(() => readIhave(0, wrong, 9), WireError);
  for (const wrong of [0, 19, 21]) assertThrows(() => readGone(0, wrong, 9), WireError);
  assertThrows(() => readIhave(0, 22 * 10, 9), WireError, "too many");
  const prune = treeFrame(Frame.PRUNE, 1, 7);
  assertThrows(() => readPrune(prune, 2, prune.length), WireError);
  assertThrows(() => readGraft(new Uint8Array([0]), 0, 1, 9), WireError);
  assertThrows(() => readGraft(new Uint8Array([2]), 0, 1, 9), WireError);
  assertThrows(() => readGraft(new Uint8Array(9).fill(0x21), 0, 9, 9), WireError);
  for (const tree of [0, 16]) {
    const frame = new Uint8Array([0, 0, 0, 1, 0, 0, 0, 0, tree]);
    assertThrows(() => readPrune(frame, 0, 9), WireError, "no such tree");
  }
});

const print: fc.Arbitrary<Fingerprint> = fc.record({ count: fc.nat(9_999), high: u32, low: u32 })
  .map((p) => p.count === 0 ? { count: 0, high: 0, low: 0 } : p);
const depth = fc.integer({ min: 0, max: SYNC_DEPTH });
const cutTo = (depth: number, prefix: number) =>
  depth === 0 ? 0 : (prefix & (-1 << (32 - 4 * depth))) >>> 0;
const part: fc.Arbitrary<SyncPart> = fc.oneof(
  fc.tuple(fc.nat(SYNC_DEPTH - 1), u32, fc.array(print, { minLength: 16, maxLength: 16 }))
    .map(([depth, prefix, children]) => ({
      type: "split" as const,
      depth,
      prefix: cutTo(depth, prefix),
      children,
    })),
  fc.tuple(depth, u32, fc.boolean(), fc.boolean(), fc.array(fc.nat(1e9), { maxLength: 5 }))
    .map(([depth, prefix, reply, more, ages]) => ({
      type: "list" as const,
      depth,
      prefix: cutTo(depth, prefix),
      reply,
      more,
      ids: new Uint8Array(20 * ages.length).fill(depth),
      ages,
    })),
);
const sync: fc.Arbitrary<SyncMessage> = fc.oneof(
  fc.constant({ type: "same" as const }),
  fc.record({
    type: fc.constant("open" as const),
    salt: u32,
    windowMs: fc.nat(1e9),
    stamp,
    eager: fc.boolean(),
    all: print,
  }),
  fc.record({
    type: fc.constant("parts" as const),
    salt: u32,
    windowMs: fc.nat(1e9),
    parts: fc.array(part, { maxLength: 4 }),
  }),
);

Deno.test("SYNC reads back as it was written, and refuses every truncation", () => {
  fc.assert(
    fc.property(sync, fc.nat(), (message, cut) => {
      const frame = encodeSync(9, message);
      assertEquals([frame[0], frame[1]], [Frame.SYNC, 9]);
      assertEquals(decodeSync(frame, 2, frame.length, 20), message);
      const end = 2 + cut % (frame.length - 2);
      try {
        const shorter = decodeSync(frame, 2, end, 20);
        assert(message.type === "parts" && shorter.type === "parts");
        assertEquals(shorter.parts, message.parts.slice(0, shorter.parts.length));
      } catch (error) {
        assert(error instanceof WireError);
      }
    }),
  );
});

Deno.test("SYNC of any bytes is read or refused with a WireError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(2), (bytes, type) => {
      bytes[0] = type;
      try {
        const message = decodeSync(bytes, 0, bytes.length, 3);
        if (message.type === "parts") {
          const ids = message.parts.reduce(
            (n, p) => n + (p.type === "list" ? p.ages.length : 0),
            0,
          );
          assert(ids <= 3);
        }
      } catch (error) {
        assert(error instanceof WireError);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("SYNC refuses giant counts before it makes room for them", () => {
  const bytes = [2, 0, 0, 0, 0, 5, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  assertThrows(() => decodeSync(new Uint8Array(bytes), 0, bytes.length, 1_024), WireError, "many");
});
