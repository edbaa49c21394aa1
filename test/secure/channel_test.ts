import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  Channel,
  MAX_PLAINTEXT_BYTES,
  MAX_RECORD_BYTES,
  RECORD_HEADER_BYTES,
  RECORD_OVERHEAD_BYTES,
  REKEY_AFTER_RECORDS,
} from "../../src/secure/channel.ts";
import { CipherState } from "../../src/secure/cipher_state.ts";
import { primitives } from "../../src/secure/primitives.ts";
import {
  assertRefused,
  concat,
  flipped,
  initiator,
  responder,
  shake,
  twins,
  utf8,
} from "./util.ts";

const NOTHING = new Uint8Array(0);
const KEY = new Uint8Array(32).fill(1), OTHER = new Uint8Array(32).fill(2);

function cipher(key: Uint8Array, nonce = 0n): CipherState {
  const state = new CipherState(primitives(), key);
  state.setNonce(nonce);
  return state;
}

function ends(rekeyAfter?: number, nonce = 0n): { near: Channel; far: Channel } {
  const handshakeHash = new Uint8Array(32);
  return {
    near: new Channel({
      send: cipher(KEY, nonce),
      receive: cipher(OTHER, nonce),
      handshakeHash,
      rekeyAfter,
    }),
    far: new Channel({
      send: cipher(OTHER, nonce),
      receive: cipher(KEY, nonce),
      handshakeHash,
      rekeyAfter,
    }),
  };
}

/** What travels behind the length. */
function body(record: Uint8Array): Uint8Array {
  return record.subarray(RECORD_HEADER_BYTES);
}

Deno.test("a record is its length big-endian, the ciphertext and the tag", () => {
  const { near } = ends();
  const record = near.seal(new Uint8Array(1000));
  assertEquals(record.length, 2 + 1000 + RECORD_OVERHEAD_BYTES);
  assertEquals(record[0]! * 256 + record[1]!, 1016);
  const expected = cipher(KEY).encryptWithAd(NOTHING, new Uint8Array(1000));
  assertEquals(body(record), expected);
});

Deno.test("records of any size come back, in order, both ways", () => {
  const { near, far } = ends(3);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (text, forth) => {
    const [from, to] = forth ? [near, far] : [far, near];
    assertEquals(to.open(body(from.seal(text))), text);
  }));
  for (const size of [0, 1, MAX_PLAINTEXT_BYTES]) {
    const text = new Uint8Array(size).fill(size);
    const record = near.seal(text);
    assertEquals(record.length, size + 18);
    assert(far.open(body(record)).every((byte) => byte === (size & 255)));
  }
  assertEquals(MAX_PLAINTEXT_BYTES + RECORD_OVERHEAD_BYTES, MAX_RECORD_BYTES);
});

Deno.test("seal takes the front of a buffer, and sealInto several records into one", () => {
  const { near, far } = ends();
  const text = utf8("abcdef"), out = new Uint8Array(64);
  assertEquals(far.open(body(near.seal(text, 3))), utf8("abc"));
  const middle = near.sealInto(text, 2, out, 5);
  const end = near.sealInto(text, 6, out, middle);
  assertEquals([middle, end], [5 + 20, 5 + 20 + 24]);
  assertEquals(far.open(out.subarray(7, middle)), utf8("ab"));
  assertEquals(far.open(out.subarray(middle + 2, end)), text);
  assertEquals(out.subarray(end), new Uint8Array(64 - end));
});

Deno.test("wrong lengths and missing room are refused before a nonce is spent", () => {
  const { near, far } = ends();
  const big = new Uint8Array(MAX_PLAINTEXT_BYTES + 1);
  assertThrows(() => near.seal(big), RangeError);
  for (const length of [-1, 5, NaN]) {
    assertThrows(() => near.seal(new Uint8Array(4), length), RangeError);
  }
  assertThrows(() => near.sealInto(new Uint8Array(4), 4, new Uint8Array(21), 0), RangeError);
  assertEquals(far.open(body(near.seal(utf8("first")))), utf8("first"));
});

Deno.test("an opened plaintext is the receiver's own", () => {
  const { near, far } = ends();
  const record = near.seal(utf8("keep"));
  const text = far.open(body(record));
  record.fill(0);
  assertEquals(text, utf8("keep"));
});

Deno.test("a record changed at any byte ends the channel for good, both ways", () => {
  const length = 16 + 20;
  for (let at = 0; at < length; at++) {
    const { near, far } = ends();
    const record = body(near.seal(new Uint8Array(20)));
    const error = assertRefused(() => far.open(flipped(record, at, 1 << at % 8)), "bad-record");
    assert(far.ended);
    assertEquals(assertRefused(() => far.open(record), "bad-record"), error);
    assertRefused(() => far.seal(NOTHING), "bad-record");
    assertRefused(() => far.sealInto(NOTHING, 0, new Uint8Array(18), 0), "bad-record");
    assert(!near.ended);
  }
});

Deno.test("a record cut, lengthened, replayed, reordered, dropped or reflected ends the channel", () => {
  const attacks: [string, (records: Uint8Array[], channel: Channel) => void][] = [
    ["cut", ([first], channel) => channel.open(first!.subarray(0, first!.length - 1))],
    ["empty", (_, channel) => channel.open(NOTHING)],
    ["shorter than a tag", ([first], channel) => channel.open(first!.subarray(0, 15))],
    ["lengthened", ([first], channel) => channel.open(concat(first!, new Uint8Array(1)))],
    ["too long", (_, channel) => channel.open(new Uint8Array(MAX_RECORD_BYTES + 1))],
    ["replayed", ([first], channel) => [first, first].forEach((record) => channel.open(record!))],
    ["reordered", ([, second], channel) => channel.open(second!)],
    ["dropped", ([first, , third], channel) => {
      channel.open(first!);
      channel.open(third!);
    }],
    ["reflected", (_, channel) => channel.open(body(channel.seal(utf8("one"))))],
    ["from another session", (_, channel) => channel.open(body(shake().near.seal(NOTHING)))],
  ];
  for (const [name, attack] of attacks) {
    const { near, far } = ends();
    const records = ["one", "two", "three"].map((text) => body(near.seal(utf8(text))));
    assertRefused(() => attack(records, far), "bad-record");
    for (const record of records) assertRefused(() => far.open(record), "bad-record");
    assert(far.ended, name);
  }
});

Deno.test("a record above the limit ends the channel although its tag is right", () => {
  const limit = cipher(KEY).encryptWithAd(NOTHING, new Uint8Array(MAX_PLAINTEXT_BYTES));
  assertEquals(ends().far.open(limit).length, MAX_PLAINTEXT_BYTES);
  const above = cipher(KEY).encryptWithAd(NOTHING, new Uint8Array(MAX_PLAINTEXT_BYTES + 1));
  assertRefused(() => ends().far.open(above), "bad-record");
});

Deno.test("no bytes of a stranger make open throw anything but a bad record", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assertRefused(() => ends().far.open(bytes), "bad-record");
    }),
    { numRuns: 200 },
  );
});

Deno.test("both ends change their keys after the same record, by the specification's Rekey", () => {
  for (const [, p] of twins) {
    const { near, far } = shake(
      initiator({ rekeyAfter: 4, primitives: p }),
      responder({ rekeyAfter: 4 }),
    );
    for (let i = 0; i < 30; i++) {
      assertEquals(far.open(body(near.seal(Uint8Array.of(i)))), Uint8Array.of(i));
      if (i % 3 === 0) assertEquals(near.open(body(far.seal(Uint8Array.of(i)))), Uint8Array.of(i));
    }
  }
  const { near } = ends(4);
  const byHand = cipher(KEY);
  for (let i = 0; i < 13; i++) {
    assertEquals(body(near.seal(utf8("same"))), byHand.encryptWithAd(NOTHING, utf8("same")));
    if (i % 4 === 3) byHand.rekey();
  }
});

Deno.test("ends that disagree about the schedule part at the first key change", () => {
  const { near } = ends(4), { far } = ends(5);
  for (let i = 0; i < 4; i++) far.open(body(near.seal(NOTHING)));
  assertRefused(() => far.open(body(near.seal(NOTHING))), "bad-record");
});

Deno.test("the schedule is 65,536 records where nothing else is said", () => {
  assertEquals(REKEY_AFTER_RECORDS, 65_536);
  const { near, far } = ends();
  const byHand = cipher(KEY, BigInt(REKEY_AFTER_RECORDS));
  byHand.rekey();
  const out = new Uint8Array(18);
  for (let i = 0; i < REKEY_AFTER_RECORDS; i++) {
    near.sealInto(NOTHING, 0, out, 0);
    far.open(out.subarray(2));
  }
  const record = near.seal(utf8("next"));
  assertEquals(body(record), byHand.encryptWithAd(NOTHING, utf8("next")));
  assertEquals(far.open(body(record)), utf8("next"));
});

Deno.test("a wrong schedule is refused", () => {
  for (const rekeyAfter of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => ends(rekeyAfter), RangeError);
  }
});

Deno.test("a channel whose nonces are used up is closed and reuses none", () => {
  const { near, far } = ends(undefined, 2n ** 64n - 2n);
  assertEquals(far.open(body(near.seal(utf8("last")))), utf8("last"));
  assertRefused(() => near.seal(utf8("too many")), "closed");
  assertRefused(() => near.seal(NOTHING), "closed");
  assertRefused(() => near.open(body(far.seal(NOTHING))), "closed");
  assertRefused(() => far.open(new Uint8Array(16)), "bad-record");
});

Deno.test("a channel whose sealing fails sends nothing more, so that no nonce is used twice", () => {
  let fail = false;
  const p = primitives();
  const send = new CipherState({
    ...p,
    seal(...parameters: Parameters<typeof p.seal>) {
      if (fail) throw new Error("no memory");
      p.seal(...parameters);
    },
  }, KEY);
  const channel = new Channel({ send, receive: cipher(OTHER), handshakeHash: NOTHING });
  channel.seal(NOTHING);
  fail = true;
  const error = assertRefused(() => channel.seal(NOTHING), "closed");
  assertEquals((error.cause as Error).message, "no memory");
  fail = false;
  assertRefused(() => channel.seal(NOTHING), "closed");
});

Deno.test("a closed channel takes and gives nothing", () => {
  const { near, far } = ends();
  const record = body(near.seal(utf8("late")));
  far.close();
  far.close();
  assert(far.ended);
  assertRefused(() => far.open(record), "closed");
  assertRefused(() => far.seal(NOTHING), "closed");
});

Deno.test("two sessions of the same identities seal differently", () => {
  assertNotEquals(shake().near.seal(utf8("x")), shake().near.seal(utf8("x")));
});

Deno.test("a channel shows no key to an inspector or JSON", () => {
  const { near } = ends();
  assertEquals(Object.keys(JSON.parse(JSON.stringify(near))), ["handshakeHash"]);
  assert(!Deno.inspect(near, { depth: 9 }).includes("key"));
});
