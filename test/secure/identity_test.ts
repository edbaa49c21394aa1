import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Identity, publicKeyOf } from "../../src/secure/identity.ts";
import { primitives } from "../../src/secure/primitives.ts";
import { hex, utf8 } from "./util.ts";

// RFC 8032 section 7.1, test 1.
const SEED = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
const ID = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

Deno.test("an identity of 32 bytes is the ed25519 key of that seed", () => {
  const identity = Identity.fromSeed(SEED);
  assertEquals(identity.id, ID);
  const verify = primitives().ed25519Verifier(hex(ID))!;
  assert(verify(utf8("message"), identity.sign(utf8("message"))));
});

Deno.test("an identity of a string is the one of its SHA-256", () => {
  const hashed = hex("6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
  assertEquals(Identity.fromSeed("1").id, Identity.fromSeed(hashed).id);
  assertNotEquals(Identity.fromSeed("1").id, Identity.fromSeed("2").id);
  assertNotEquals(Identity.fromSeed("é").id, Identity.fromSeed("é".normalize("NFD")).id);
});

Deno.test("a seed is neither changed nor kept", () => {
  const seed = SEED.slice();
  const identity = Identity.fromSeed(seed);
  assertEquals(seed, SEED);
  const before = identity.sign(utf8("m"));
  seed.fill(0);
  assertEquals(identity.sign(utf8("m")), before);
});

Deno.test("generated identities have ids of 64 lower-case hex digits and differ", () => {
  const ids = Array.from({ length: 20 }, () => Identity.generate().id);
  assertEquals(new Set(ids).size, 20);
  for (const id of ids) assert(/^[0-9a-f]{64}$/.test(id));
});

Deno.test("wrong seeds are TypeErrors and RangeErrors", () => {
  for (const length of [0, 31, 33, 64]) {
    assertThrows(() => Identity.fromSeed(new Uint8Array(length)), RangeError, "seed");
  }
  assertThrows(() => Identity.fromSeed(""), RangeError, "seed");
  for (const wrong of [undefined, null, 1, 1n, {}, [1], new ArrayBuffer(32)]) {
    assertThrows(() => Identity.fromSeed(wrong as unknown as string), TypeError, "seed");
  }
});

Deno.test("only bytes are signed", () => {
  const identity = Identity.fromSeed("1");
  for (const wrong of [undefined, "text", 1, [1]]) {
    assertThrows(() => identity.sign(wrong as unknown as Uint8Array), TypeError, "message");
  }
});

Deno.test("an identity shows its id and no secret", () => {
  const identity = Identity.fromSeed(SEED);
  assertEquals(JSON.stringify(identity), JSON.stringify({ id: ID }));
  assertEquals(Deno.inspect(identity, { depth: 9, showHidden: true }).includes("157"), false);
  assertEquals(Object.getOwnPropertyNames(identity), ["id"]);
  assertThrows(() => structuredClone({ sign: identity.sign.bind(identity) }));
});

Deno.test("publicKeyOf reads well-formed ids only", () => {
  assertEquals(publicKeyOf(ID), hex(ID));
  for (const id of ["", ID.slice(1), ID + "0", ID.toUpperCase(), ` ${ID.slice(1)}`, `${ID}\n`]) {
    assertEquals(publicKeyOf(id), undefined);
  }
});
