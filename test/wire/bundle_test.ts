import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { HASH_BYTES, rootOf } from "../../src/wire/batch.ts";
import {
  BUNDLE_MESSAGES,
  bundleDigest,
  BundleParts,
  countBundle,
  draftBundle,
  eachBundled,
} from "../../src/wire/bundle.ts";
import { WireError } from "../../src/wire/bytes.ts";
import {
  draftGossip,
  finishGossip,
  gossipDigest,
  type GossipDraft,
  gossipShape,
  readGossip,
  sameWay,
  signedOrigin,
} from "../../src/wire/gossip.ts";
import { sha256 } from "./sha256.ts";

const KEY = new Uint8Array(32).fill(3);
const MOST = 100_000;

function drafts(payloads: Uint8Array[], signed = false, more = {}): GossipDraft[] {
  const origin = signed ? signedOrigin(new Uint8Array(32).fill(5), 77) : new Uint8Array(8).fill(6);
  return payloads.map((payload, i) =>
    draftGossip({
      origin,
      seq: 126 + i,
      priority: "bulk",
      payload,
      key: KEY,
      hash: sha256,
      signed,
      ...more,
    })
  );
}

function bundleOf(some: GossipDraft[], signed: boolean): { body: Uint8Array; digest: Uint8Array } {
  const draft = draftBundle(some, signed ? 38 : 8, KEY, sha256);
  const signature = { signature: new Uint8Array(64).fill(8) };
  return { body: finishGossip(draft, signed ? signature : undefined), digest: draft.digest };
}

function payloadsOf(body: Uint8Array): Uint8Array[] {
  const shape = gossipShape(), found: Uint8Array[] = [];
  readGossip(shape, body, 0, body.length, MOST);
  assert(shape.bundle);
  countBundle(body, shape.payloadAt, shape.payloadEnd);
  eachBundled(body, shape.payloadAt, shape.payloadEnd, (start, end) => {
    found.push(body.slice(start, end));
  });
  return found;
}

Deno.test("a bundle reads back as it was made, and every part of it by itself", () => {
  const payload = fc.uint8Array({ maxLength: 300 });
  const many = fc.array(payload, { minLength: 2, maxLength: BUNDLE_MESSAGES });
  fc.assert(
    fc.property(many, fc.boolean(), fc.integer({ min: 0, max: 15 }), (payloads, signed, tree) => {
      const some = drafts(payloads, signed, { tree, depth: tree });
      const { body, digest } = bundleOf(some, signed);
      assertEquals(payloadsOf(body), payloads);
      const parts = new BundleParts(sha256, KEY, body);
      assert(parts.sound);
      const shape = gossipShape(), own = new Uint8Array(32);
      for (let i = 0; i < payloads.length; i++) {
        const part = parts.part(i);
        readGossip(shape, part, 0, part.length, MOST);
        const { originAt, partAt, seqAt, seq, payloadAt, lane } = shape;
        assertEquals([seq, lane, shape.tree, shape.bundle], [126 + i, 2, tree, false]);
        assertEquals(part.slice(payloadAt), payloads[i]);
        // By itself it has the hash that it would have had if it had been published alone …
        gossipDigest(sha256, KEY, part, originAt, part.length, own, partAt - 2, seqAt);
        assertEquals([own, parts.digest(i)], [some[i]!.digest, some[i]!.digest]);
        // … and it proves of which bundle it is.
        const root = new Uint8Array(32), whole = new Uint8Array(32);
        rootOf(sha256, own, part, partAt + HASH_BYTES, root);
        bundleDigest(sha256, part, partAt, root, 0, whole);
        assertEquals(whole, digest);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a bundle carries the mark of any of its messages", () => {
  const plain = drafts([new Uint8Array(1), new Uint8Array(2)]);
  const marked = drafts([new Uint8Array(1), new Uint8Array(2)], false, { marked: true });
  const shape = gossipShape();
  for (const [some, mark] of [[plain, false], [[plain[0]!, marked[1]!], true]] as const) {
    assert(sameWay(some[0]!, some[1]!));
    const { body } = bundleOf([...some], false);
    readGossip(shape, body, 0, body.length, MOST);
    assertEquals(shape.marked, mark);
  }
});

Deno.test("only messages in a row that go the same way are bundled", () => {
  const [a, b, c] = drafts([0, 1, 2].map((size) => new Uint8Array(size))) as [
    GossipDraft,
    GossipDraft,
    GossipDraft,
  ];
  assert(sameWay(a, b));
  assert(!sameWay(a, c), "a counter between them");
  assert(!sameWay(b, a), "backwards");
  const other = { tree: 3 }, high = { priority: "high" };
  for (const more of [other, high]) {
    assert(!sameWay(a, drafts([new Uint8Array(0), new Uint8Array(1)], false, more)[1]!));
  }
});

Deno.test("a root that is not that of its messages is seen when a bundle is taken apart", () => {
  const { body } = bundleOf(drafts([new Uint8Array(4), new Uint8Array(5)]), false);
  for (let i = 1; i <= HASH_BYTES; i++) {
    const bent = body.slice();
    bent[bent.length - i]! ^= 1;
    assert(!new BundleParts(sha256, KEY, bent).sound);
  }
});

Deno.test("truncated and malformed bundles and parts are refused", () => {
  const shape = gossipShape();
  const look = (bytes: Uint8Array) => {
    readGossip(shape, bytes, 0, bytes.length, MOST);
    if (shape.bundle) countBundle(bytes, shape.payloadAt, shape.payloadEnd);
  };
  for (const signed of [false, true]) {
    const { body } = bundleOf(drafts([new Uint8Array(4), new Uint8Array(500)], signed), signed);
    look(body);
    for (let end = 0; end < body.length; end++) {
      assertThrows(() => look(body.subarray(0, end)), WireError);
    }
    const part = new BundleParts(sha256, KEY, body).part(1);
    readGossip(shape, part, 0, part.length, MOST);
    for (let end = 0; end < shape.payloadAt; end++) {
      assertThrows(() => look(part.subarray(0, end)), WireError);
    }
    const { partAt } = shape;
    for (const [height, place] of [[0, 0], [7, 0], [1, 2], [255, 0]]) {
      const bent = part.slice();
      bent.set([height!, place!], partAt + HASH_BYTES);
      assertThrows(() => look(bent), WireError);
    }
  }
  const count = (...bytes: number[]) => countBundle(new Uint8Array(bytes), 0, bytes.length);
  assertEquals(count(0, 0), 2);
  assertEquals(count(2, 9, 9, 1, 9), 2);
  assertThrows(() => count(), WireError, "fewer");
  assertThrows(() => count(1, 9), WireError, "fewer");
  assertThrows(() => count(...new Array(BUNDLE_MESSAGES + 1).fill(0)), WireError, "too many");
  assertThrows(() => count(0, 3, 9, 9), WireError, "truncated");
  assertThrows(() => count(0, 0x80), WireError, "truncated");
  assertThrows(() => count(0, 0x80, 0), WireError, "padded");
  assertThrows(() => count(0, 0xff, 0xff, 0xff, 0xff, 1), WireError, "too long");
});

Deno.test("any bytes behind a mark are read or refused with a WireError", () => {
  const shape = gossipShape();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0xfe, 0xff), (rest, mark) => {
      const bytes = new Uint8Array(11 + rest.length);
      bytes[9] = mark;
      bytes.set(rest, 11);
      try {
        readGossip(shape, bytes, 0, bytes.length, MOST);
        if (shape.bundle) countBundle(bytes, shape.payloadAt, shape.payloadEnd);
      } catch (error) {
        assert(error instanceof WireError);
      }
    }),
    { numRuns: 2_000 },
  );
});
