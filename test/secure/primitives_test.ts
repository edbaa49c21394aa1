import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { chacha20 } from "../../src/secure/chacha20_poly1305.ts";
import { poly1305 } from "../../src/secure/poly1305.ts";
import {
  choose,
  nodePrimitives,
  portablePrimitives,
  primitives,
  probeAead,
  probeAgreement,
  probeHash,
  probeSignature,
  wipe,
} from "../../src/secure/primitives.ts";
import { concat, flipped, hex, SMALL_ORDER_POINTS, twins, utf8 } from "./util.ts";

const NOTHING = new Uint8Array(0);
const node = nodePrimitives(), portable = portablePrimitives();
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

for (const [name, p] of twins) {
  Deno.test(`${name}: SHA-256 answers FIPS 180-4's examples`, () => {
    const abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assertEquals(p.sha256(utf8("abc")), abc);
    assertEquals(
      p.sha256(NOTHING),
      hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    );
    const out = new Uint8Array(40);
    p.sha256Into(utf8("xxabcxx"), 2, 5, out, 4);
    assertEquals(out, concat(new Uint8Array(4), abc, new Uint8Array(4)));
    p.sha256Into(utf8("xxbcxx"), 2, 4, out, 8, utf8("a"));
    assertEquals(out, concat(new Uint8Array(4), abc.subarray(0, 4), abc));
  });

  Deno.test(`${name}: HKDF-SHA-256 answers RFC 5869 appendix A.3 and Noise section 4.3`, () => {
    assertEquals(
      p.hkdfSha256(NOTHING, new Uint8Array(22).fill(0x0b), 42),
      hex(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d" +
          "9d201395faa4b61a96c8",
      ),
    );
    // HMAC as RFC 2104 has it, over this twin's own SHA-256; a salt longer than a block is hashed first.
    const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Uint8Array => {
      const block = new Uint8Array(64);
      block.set(key.length > 64 ? p.sha256(key) : key);
      const inner = p.sha256(concat(block.map((byte) => byte ^ 0x36), ...parts));
      return p.sha256(concat(block.map((byte) => byte ^ 0x5c), inner));
    };
    for (const salt of [NOTHING, new Uint8Array(32).fill(7), new Uint8Array(131).fill(0xaa)]) {
      for (const secret of [NOTHING, new Uint8Array(32).fill(3)]) {
        const key = hmac(salt, secret);
        const first = hmac(key, Uint8Array.of(1));
        const second = hmac(key, first, Uint8Array.of(2));
        assertEquals(p.hkdfSha256(salt, secret, 64), concat(first, second));
      }
    }
  });

  Deno.test(`${name}: X25519 answers RFC 7748 section 5.2`, () => {
    assertEquals(
      p.x25519(
        hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
        hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
      ),
      hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
    );
    assertEquals(
      p.x25519(
        hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
        hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
      ),
      hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
    );
  });

  Deno.test(`${name}: X25519 answers RFC 7748's iteration`, () => {
    let k = hex("09" + "00".repeat(31)), u = k;
    [k, u] = [p.x25519(k, u), k];
    assertEquals(k, hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
    for (let i = 1; i < 1000; i++) [k, u] = [p.x25519(k, u), k];
    assertEquals(k, hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
  });

  Deno.test(`${name}: X25519 answers RFC 7748 section 6.1`, () => {
    const a = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const b = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    const publicA = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    const publicB = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    const shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assertEquals(p.x25519PublicKey(a), publicA);
    assertEquals(p.x25519PublicKey(b), publicB);
    assertEquals(p.x25519(a, publicB), shared);
    assertEquals(p.x25519(b, publicA), shared);
    const pair = p.x25519Pair(a);
    assertEquals(pair.publicKey, publicA);
    if (pair.agree !== undefined) assertEquals(pair.agree(publicB), shared);
  });

  Deno.test(`${name}: X25519 refuses every point of small order and keys of a wrong length`, () => {
    const secret = new Uint8Array(32).fill(7);
    for (const point of SMALL_ORDER_POINTS) {
      assertThrows(() => p.x25519(secret, point), Error);
      const pair = p.x25519Pair(secret);
      assertThrows(() => (pair.agree ?? ((theirs) => p.x25519(secret, theirs)))(point), Error);
    }
    for (const length of [0, 31, 33]) {
      assertThrows(() => p.x25519(secret, new Uint8Array(length)), RangeError);
      assertThrows(() => p.x25519(new Uint8Array(length), secret), RangeError);
      assertThrows(() => p.x25519PublicKey(new Uint8Array(length)), RangeError);
    }
  });

  Deno.test(`${name}: fresh X25519 pairs differ and agree`, () => {
    const a = p.x25519Generate(), b = p.x25519Generate();
    assertNotEquals(a.secretKey, b.secretKey);
    assertEquals(p.x25519(a.secretKey, b.publicKey), p.x25519(b.secretKey, a.publicKey));
  });

  Deno.test(`${name}: ChaCha20-Poly1305 answers RFC 8439 section 2.8.2`, () => {
    const key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    const nonce = hex("070000004041424344454647"), ad = hex("50515253c0c1c2c3c4c5c6c7");
    const sealed = hex(
      `d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6
       3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36
       92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc
       3ff4def08e4b7a9de576d26586cec64b 6116 1ae10b594f09e26a7e902ecbd0600691`,
    );
    const out = new Uint8Array(sealed.length + 2);
    p.seal(key, nonce, ad, utf8(SUNSCREEN), out, 1);
    assertEquals(out, concat(new Uint8Array(1), sealed, new Uint8Array(1)));
    assertEquals(p.open(key, nonce, ad, sealed), utf8(SUNSCREEN));
    assertEquals(p.open(key, nonce, flipped(ad, 0), sealed), undefined);
    for (let at = 0; at < sealed.length; at++) {
      assertEquals(p.open(key, nonce, ad, flipped(sealed, at)), undefined);
      assertEquals(p.open(key, nonce, ad, sealed.subarray(0, at)), undefined);
    }
  });

  Deno.test(`${name}: an opened plaintext has memory of its own and is no Buffer`, () => {
    const key = new Uint8Array(32), nonce = new Uint8Array(12), sealed = new Uint8Array(24);
    p.seal(key, nonce, NOTHING, new Uint8Array(8).fill(5), sealed, 0);
    const opened = p.open(key, nonce, NOTHING, sealed)!;
    sealed.fill(0);
    assertEquals(opened, new Uint8Array(8).fill(5));
    assertEquals(Object.getPrototypeOf(opened), Uint8Array.prototype);
    opened.slice()[0] = 1;
    assertEquals(opened[0], 5);
  });
}

const SUNSCREEN =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
  "the future, sunscreen would be it.";

Deno.test("portable: ChaCha20 answers RFC 8439 section 2.4.2", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const out = new Uint8Array(SUNSCREEN.length);
  chacha20(key, hex("000000000000004a00000000"), 1, utf8(SUNSCREEN), out);
  assertEquals(
    out,
    hex(`6e2e359a2568f98041ba0728dd0d6981 e97e7aec1d4360c20a27afccfd9fae0b
         f91b65c5524733ab8f593dabcd62b357 1639d624e65152ab8f530c359f0861d8
         07ca0dbf500d6a6156a38e088a22b65e 52bc514d16ccf806818ce91ab7793736
         5af90bbf74a35be6b40b8eedf2785e42 874d`),
  );
});

Deno.test("portable: Poly1305 answers RFC 8439 section 2.5.2 and the carries of appendix A.3", () => {
  const pad = (text: string) => text.padEnd(32, "0");
  const ff = "ff".repeat(16);
  const rows: [key: string, message: Uint8Array, tag: string][] = [
    [
      "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
      utf8("Cryptographic Forum Research Group"),
      "a8061dc1305136c6c22b8baf0c0127a9",
    ],
    [pad("02") + pad(""), hex(ff), pad("03")],
    [pad("02") + ff, hex(pad("02")), pad("03")],
    [pad("01") + pad(""), hex(ff + "f0" + "ff".repeat(15) + pad("11")), pad("05")],
    [pad("01") + pad(""), hex(ff + "fb" + "fe".repeat(15) + "01".repeat(16)), pad("")],
    [pad("02") + pad(""), hex("fd" + "ff".repeat(15)), "fa" + "ff".repeat(15)],
    [
      "01000000000000000400000000000000" + pad(""),
      hex(
        pad("e33594d7505e43b9") + pad("3394d7505e4379cd01") + pad("") + pad("01"),
      ),
      "14000000000000005500000000000000",
    ],
    [
      "01000000000000000400000000000000" + pad(""),
      hex(pad("e33594d7505e43b9") + pad("3394d7505e4379cd01") + pad("")),
      pad("13"),
    ],
  ];
  for (const [key, message, tag] of rows) assertEquals(poly1305(hex(key), message), hex(tag));
});

Deno.test("both twins hash, authenticate and seal alike", () => {
  fc.assert(
    fc.property(
      bytes(32),
      bytes(12),
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ maxLength: 300 }),
      (key, nonce, ad, text) => {
        assertEquals(node.sha256(text), portable.sha256(text));
        assertEquals(node.hkdfSha256(ad, text, 64), portable.hkdfSha256(ad, text, 64));
        const one = new Uint8Array(text.length + 16), other = new Uint8Array(text.length + 16);
        node.seal(key, nonce, ad, text, one, 0);
        portable.seal(key, nonce, ad, text, other, 0);
        assertEquals(one, other);
        assertEquals(portable.open(key, nonce, ad, one), text);
        assertEquals(node.open(key, nonce, ad, one), text);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("both twins seal a record of the largest size alike", () => {
  const key = new Uint8Array(32).fill(255), nonce = new Uint8Array(12).fill(255);
  const text = new Uint8Array(65_519).fill(255);
  const one = new Uint8Array(65_535), other = new Uint8Array(65_535);
  node.seal(key, nonce, NOTHING, text, one, 0);
  portable.seal(key, nonce, NOTHING, text, other, 0);
  assert(one.every((byte, i) => byte === other[i]));
});

Deno.test("both twins agree on any X25519 input, reduced or not", () => {
  fc.assert(
    fc.property(bytes(32), bytes(32), (secret, point) => {
      assertEquals(node.x25519PublicKey(secret), portable.x25519PublicKey(secret));
      assertEquals(node.x25519(secret, point), portable.x25519(secret, point));
    }),
    { numRuns: 60 },
  );
  const secret = new Uint8Array(32).fill(3);
  for (const low of [0xef, 0xf0, 0xfe, 0xff]) {
    const point = flipped(hex(low.toString(16) + "ff".repeat(31)), 31, 0x80);
    assertEquals(node.x25519(secret, point), portable.x25519(secret, point));
  }
});

Deno.test("this runtime's own primitives are chosen where they work", () => {
  const p = primitives();
  assertEquals(p, primitives());
  assertEquals(p.sha256, node.sha256);
  assertEquals(p.x25519, node.x25519);
  assertEquals(p.ed25519Verifier, node.ed25519Verifier);
});

Deno.test("records short and long are sealed and opened alike, whoever does it", () => {
  const chosen = primitives(), key = new Uint8Array(32).fill(1), nonce = new Uint8Array(12).fill(2);
  for (const size of [0, 1, 15, 16, 17, 63, 64, 65, 1_535, 1_536, 1_537, 4_000]) {
    const text = new Uint8Array(size).map((_, i) => i), ad = new Uint8Array(size % 20).fill(3);
    const sealed = [chosen, node, portable].map((each) => {
      const out = new Uint8Array(size + 16);
      each.seal(key, nonce, ad, text, out, 0);
      return out;
    });
    assertEquals(sealed[0], sealed[1]);
    assertEquals(sealed[0], sealed[2]);
    assertEquals(chosen.open(key, nonce, ad, sealed[0]!), text);
    sealed[0]![size >> 1]! ^= 1;
    assertEquals(chosen.open(key, nonce, ad, sealed[0]!), undefined);
  }
});

Deno.test("a primitive that is missing, broken or lies is replaced by its portable twin", () => {
  const throws = () => {
    throw new TypeError("not a function");
  };
  assertEquals(choose({ ...node, seal: throws }, portable, probeAead), portable);
  const trusting = { ...node, open: () => new Uint8Array(1) };
  assertEquals(choose(trusting, portable, probeAead), portable);
  assertEquals(choose({ ...node, hkdfSha256: throws }, portable, probeHash), portable);
  assertEquals(choose({ ...node, sha256: () => NOTHING }, portable, probeHash), portable);
  const zeros = { ...node, x25519PublicKey: () => new Uint8Array(32).fill(2) };
  assertEquals(choose(zeros, portable, probeAgreement), portable);
  const yes = { ...node, ed25519Verifier: () => () => true };
  assertEquals(choose(yes, portable, probeSignature), portable);
  for (const probe of [probeAead, probeAgreement, probeHash, probeSignature]) {
    assert(probe(node));
    assert(probe(portable));
  }
});

Deno.test("wipe leaves zeros", () => {
  const secret = new Uint8Array(3).fill(9);
  wipe(secret, undefined);
  assertEquals(secret, new Uint8Array(3));
});
