import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import * as ed from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { isAcceptableKey } from "../../src/secure/ed25519_rules.ts";
import { Identity } from "../../src/secure/identity.ts";
import { nodePrimitives, portablePrimitives } from "../../src/secure/primitives.ts";
import { SignatureChecker } from "../../src/secure/signature_checker.ts";
import { concat, flipped, hex, twins, utf8 } from "./util.ts";

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const node = nodePrimitives(), portable = portablePrimitives();

function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function scalar(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number(value >> BigInt(8 * i) & 255n));
}

/** What each twin says; asserts that they agree. */
function verdict(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const ours = node.ed25519Verifier(key)?.(message, signature) ?? false;
  assertEquals(portable.ed25519Verifier(key)?.(message, signature) ?? false, ours);
  return ours;
}

for (const [name, p] of twins) {
  Deno.test(`${name}: ed25519 answers RFC 8032 section 7.1`, () => {
    const rows = [
      [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      ],
      [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
      ],
      [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
      ],
      [
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589" +
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
      ],
    ].map((row) => row.map(hex)) as Uint8Array[][];
    for (const [seed, key, message, signature] of rows) {
      const signer = p.ed25519Signer(seed!);
      assertEquals(signer.publicKey, key);
      assertEquals(signer.sign(message!), signature);
      assert(p.ed25519Verifier(key!)!(message!, signature!));
    }
  });

  Deno.test(`${name}: ed25519 refuses every flipped bit of a signature and wrong lengths`, () => {
    const signer = p.ed25519Signer(new Uint8Array(32).fill(1));
    const verify = p.ed25519Verifier(signer.publicKey)!;
    const message = utf8("message"), signature = signer.sign(message);
    for (let at = 0; at < 64; at += name === "portable" ? 9 : 1) {
      assert(!verify(message, flipped(signature, at, 1 << at % 8)));
    }
    for (const length of [0, 1, 32, 63]) assert(!verify(message, signature.subarray(0, length)));
    assert(!verify(message, concat(signature, new Uint8Array(1))));
    for (const length of [0, 31, 33, 64]) {
      assertEquals(p.ed25519Verifier(new Uint8Array(length).fill(88)), undefined);
      assertThrows(() => p.ed25519Signer(new Uint8Array(length)), RangeError);
    }
  });

  Deno.test(`${name}: an imported public key is independent of the bytes it came from`, () => {
    const signer = p.ed25519Signer(new Uint8Array(32).fill(4)), message = utf8("m");
    const bytes = signer.publicKey.slice();
    const verify = p.ed25519Verifier(bytes)!;
    bytes.fill(1);
    assert(verify(message, signer.sign(message)));
  });

  Deno.test(`${name}: a signer keeps its key when the seed is wiped`, () => {
    const seed = new Uint8Array(32).fill(4), message = utf8("m");
    const signer = p.ed25519Signer(seed);
    const before = signer.sign(message);
    seed.fill(0);
    assertEquals(signer.sign(message), before);
  });
}

Deno.test("both twins sign alike and accept each other's signatures", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 100 }),
      (seed, message) => {
        const one = node.ed25519Signer(seed), other = portable.ed25519Signer(seed);
        assertEquals(one.publicKey, other.publicKey);
        const signature = one.sign(message);
        assertEquals(signature, other.sign(message));
        assert(verdict(one.publicKey, message, signature));
        assert(!verdict(one.publicKey, concat(message, signature), signature));
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("both twins refuse S + L, the second form of a signature", () => {
  const signer = node.ed25519Signer(new Uint8Array(32).fill(2)), message = utf8("m");
  const signature = signer.sign(message);
  const s = number(signature.subarray(32));
  for (let more = s + L; more < 2n ** 256n; more += L) {
    assert(!verdict(signer.publicKey, message, concat(signature.subarray(0, 32), scalar(more))));
  }
  assert(verdict(signer.publicKey, message, signature));
});

Deno.test("both twins refuse the eight keys of small order in each of their encodings", () => {
  // Every y that a 255-bit number can say for them, each with both signs.
  const torsion = ed.Point.fromHex(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  );
  const keys: Uint8Array[] = [];
  for (let i = 0n; i < 8n; i++) {
    const point = torsion.multiply(i, false);
    assert(point.isSmallOrder());
    const y = point.toAffine().y;
    for (const form of [y, y + 2n ** 255n - 19n]) {
      if (form < 2n ** 255n) keys.push(scalar(form), scalar(form | 2n ** 255n));
    }
  }
  assertGreater(keys.length, 20);
  // For the neutral element as key and R, S = 0 satisfies the bare equation whatever the message.
  for (const key of keys) {
    assertEquals(isAcceptableKey(key), false);
    for (const r of keys) assert(!verdict(key, utf8("m"), concat(r, new Uint8Array(32))));
  }
});

Deno.test("both twins give the same answer for keys and nonces of mixed order", () => {
  const torsion = ed.Point.fromHex(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  );
  const secret = 987_654_321n;
  let accepted = 0;
  for (let i = 0; i < 24; i++) {
    const mixedKey = i % 2 === 0, mixedNonce = i % 3 === 0;
    const plainKey = ed.Point.BASE.multiply(secret);
    const key = (mixedKey ? plainKey.add(torsion) : plainKey).toBytes();
    const nonce = ed.Point.BASE.multiply(1_000n + BigInt(i));
    const r = (mixedNonce ? nonce.add(torsion) : nonce).toBytes();
    const message = Uint8Array.of(i);
    const k = number(sha512(concat(r, key, message))) % L;
    const s = scalar((1_000n + BigInt(i) + k * secret) % L);
    if (verdict(key, message, concat(r, s))) accepted++;
  }
  // The eight without torsion are right; with torsion the cofactorless equation holds by chance only.
  assert(accepted >= 8 && accepted < 24, `${accepted} accepted`);
});

Deno.test("both twins give the same answer for a neutral nonce, off-curve keys and forms of R above p", () => {
  const secret = 5n, message = utf8("m");
  const key = ed.Point.BASE.multiply(secret).toBytes();
  for (const r of [scalar(1n), scalar(1n | 2n ** 255n), scalar(2n ** 255n - 18n)]) {
    const k = number(sha512(concat(r, key, message))) % L;
    const canonical = r[0] === 1 && r[31] === 0;
    assertEquals(verdict(key, message, concat(r, scalar(k * secret % L))), canonical);
  }
  const signature = node.ed25519Signer(new Uint8Array(32)).sign(message);
  let refused = 0;
  for (let y = 2; y < 40; y++) {
    const candidate = scalar(BigInt(y));
    const imported = node.ed25519Verifier(candidate) !== undefined;
    assertEquals(portable.ed25519Verifier(candidate) !== undefined, imported);
    if (!imported) refused++;
    assert(!verdict(candidate, message, signature));
  }
  assertGreater(refused, 5);
});

Deno.test("neither twin throws on any bytes", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 30, maxLength: 34 }),
      fc.uint8Array({ maxLength: 4 }),
      fc.uint8Array({ minLength: 62, maxLength: 66 }),
      (key, message, signature) => assert(!verdict(key, message, signature)),
    ),
    { numRuns: 100 },
  );
});

Deno.test("SignatureChecker checks by id and never throws", () => {
  const author = Identity.fromSeed("author"), message = utf8("m");
  const signature = author.sign(message);
  for (const [, p] of twins) {
    const checker = new SignatureChecker({ primitives: p });
    assert(checker.verify(author.id, message, signature));
    assert(checker.verify(author.id, message, signature));
    assert(!checker.verify(author.id, message, flipped(signature, 3)));
    assert(!checker.verify(Identity.fromSeed("other").id, message, signature));
    for (const id of ["", "00", "g".repeat(64), author.id.toUpperCase(), author.id + "00"]) {
      assert(!checker.verify(id, message, signature));
    }
    assertEquals(checker.size, 1);
  }
});

Deno.test("SignatureChecker keeps the most recent authors and lets no forged one in", () => {
  const authors = Array.from({ length: 5 }, (_, i) => Identity.fromSeed(`author ${i}`));
  const message = utf8("m");
  let imports = 0;
  const counting = {
    ...node,
    ed25519Verifier(key: Uint8Array) {
      imports++;
      return node.ed25519Verifier(key);
    },
  };
  const checker = new SignatureChecker({ capacity: 3, primitives: counting });
  const check = (i: number) =>
    assert(checker.verify(authors[i]!.id, message, authors[i]!.sign(message)));
  [0, 1, 2, 0, 3].forEach(check);
  assertEquals([checker.size, imports], [3, 4]);
  for (let i = 0; i < 20; i++) {
    assert(!checker.verify(Identity.fromSeed(`forged ${i}`).id, message, new Uint8Array(64)));
  }
  imports = 0;
  [0, 2, 3].forEach(check);
  assertEquals(imports, 0);
  check(1);
  assertEquals([checker.size, imports], [3, 1]);
});
