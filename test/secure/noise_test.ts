import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { CipherState, HandshakeState, NoiseError, PATTERNS } from "../../src/secure/noise.ts";
import type { KeyPair, Primitives } from "../../src/secure/primitives.ts";
import vectors from "../vectors/noise_25519_chachapoly.json" with { type: "json" };
import { flipped, hex, twins, utf8 } from "./util.ts";

const NOTHING = new Uint8Array(0);

interface Vector {
  protocol_name: string;
  init_prologue: string;
  init_ephemeral: string;
  init_static?: string;
  init_remote_static?: string;
  resp_prologue: string;
  resp_ephemeral: string;
  resp_static?: string;
  handshake_hash: string;
  messages: { payload: string; ciphertext: string }[];
}

function pair(p: Primitives, secret: string | undefined): KeyPair | undefined {
  if (secret === undefined) return undefined;
  return { secretKey: hex(secret), publicKey: p.x25519PublicKey(hex(secret)) };
}

function sides(p: Primitives, vector: Vector): [HandshakeState, HandshakeState] {
  const pattern = PATTERNS[vector.protocol_name.split("_")[1] as keyof typeof PATTERNS];
  return [
    new HandshakeState({
      primitives: p,
      pattern,
      role: "initiator",
      prologue: hex(vector.init_prologue),
      static: pair(p, vector.init_static),
      ephemeral: pair(p, vector.init_ephemeral),
      remoteStatic: vector.init_remote_static ? hex(vector.init_remote_static) : undefined,
    }),
    new HandshakeState({
      primitives: p,
      pattern,
      role: "responder",
      prologue: hex(vector.resp_prologue),
      static: pair(p, vector.resp_static),
      ephemeral: pair(p, vector.resp_ephemeral),
    }),
  ];
}

const spoken = (vectors.vectors as Vector[]).filter((vector) =>
  /^Noise_(NN|XK|IK|XX)_25519_ChaChaPoly_SHA256$/.test(vector.protocol_name)
);

Deno.test("the vectors of NN, XK, IK and XX are all there", () => {
  assertEquals(spoken.map((vector) => vector.protocol_name.split("_")[1]), [
    "NN",
    "XK",
    "IK",
    "XX",
  ]);
});

for (const [name, p] of twins) {
  for (const vector of spoken) {
    Deno.test(`${name}: ${vector.protocol_name} answers its published vector`, () => {
      const [initiator, responder] = sides(p, vector);
      const handshake = PATTERNS[vector.protocol_name.split("_")[1] as keyof typeof PATTERNS]
        .messages.length;
      vector.messages.slice(0, handshake).forEach(({ payload, ciphertext }, i) => {
        const [from, to] = i % 2 === 0 ? [initiator, responder] : [responder, initiator];
        assertEquals(from.writeMessage(hex(payload)), hex(ciphertext));
        assertEquals(to.readMessage(hex(ciphertext)), hex(payload));
      });
      assert(initiator.finished && responder.finished);
      assertEquals(initiator.handshakeHash, hex(vector.handshake_hash));
      assertEquals(responder.handshakeHash, hex(vector.handshake_hash));
      const near = initiator.split(), far = responder.split();
      vector.messages.slice(handshake).forEach(({ payload, ciphertext }, i) => {
        const fromInitiator = (handshake + i) % 2 === 0;
        const [from, to] = fromInitiator ? [near, far] : [far, near];
        assertEquals(from.send.encryptWithAd(NOTHING, hex(payload)), hex(ciphertext));
        assertEquals(to.receive.decryptWithAd(NOTHING, hex(ciphertext)), hex(payload));
      });
    });
  }
}

const p = twins[0]![1];
const xx = spoken.find((vector) => vector.protocol_name.includes("_XX_"))!;

Deno.test("HandshakeState refuses to speak out of turn, twice, or after the end", () => {
  const [initiator, responder] = sides(p, xx);
  assertThrows(() => initiator.readMessage(NOTHING), NoiseError);
  assertThrows(() => responder.writeMessage(NOTHING), NoiseError);
  assertThrows(() => initiator.split(), NoiseError);
  const first = initiator.writeMessage(NOTHING);
  assertThrows(() => initiator.writeMessage(NOTHING), NoiseError);
  responder.readMessage(first);
  initiator.readMessage(responder.writeMessage(NOTHING));
  responder.readMessage(initiator.writeMessage(NOTHING));
  assertThrows(() => responder.writeMessage(NOTHING), NoiseError);
  initiator.split();
  assertThrows(() => initiator.split(), NoiseError);
});

Deno.test("HandshakeState is dead after an error", () => {
  const [initiator, responder] = sides(p, xx);
  const first = initiator.writeMessage(NOTHING);
  assertThrows(() => responder.readMessage(first.subarray(0, 31)), NoiseError);
  assertThrows(() => responder.readMessage(first), NoiseError);
  assertThrows(() => responder.writeMessage(NOTHING), NoiseError);
});

Deno.test("HandshakeState reads no message of XX that is cut anywhere", () => {
  const messages = xx.messages.map(({ ciphertext }) => hex(ciphertext));
  for (const [index, message] of messages.slice(0, 3).entries()) {
    // A first message has no tag yet: cutting its payload is found out by the next one.
    const end = index === 0 ? 32 : message.length;
    for (let length = 0; length < end; length++) {
      const [initiator, responder] = sides(p, xx);
      initiator.writeMessage(hex(xx.messages[0]!.payload));
      if (index > 0) responder.readMessage(messages[0]!);
      if (index > 0) responder.writeMessage(hex(xx.messages[1]!.payload));
      const reader = index === 1 ? initiator : responder;
      assertThrows(() => reader.readMessage(message.subarray(0, length)), NoiseError);
    }
  }
});

Deno.test("HandshakeState wipes a given ephemeral secret when it splits", () => {
  const ephemeral = pair(p, xx.init_ephemeral)!;
  const state = new HandshakeState({
    primitives: p,
    pattern: PATTERNS.NN,
    role: "initiator",
    prologue: NOTHING,
    ephemeral,
  });
  const other = new HandshakeState({
    primitives: p,
    pattern: PATTERNS.NN,
    role: "responder",
    prologue: NOTHING,
  });
  other.readMessage(state.writeMessage(NOTHING));
  state.readMessage(other.writeMessage(NOTHING));
  assertEquals(ephemeral.secretKey, hex(xx.init_ephemeral));
  state.split();
  assertEquals(ephemeral.secretKey, new Uint8Array(32));
});

Deno.test("CipherState counts nonces as 64-bit little-endian over the borders of its halves", () => {
  const key = new Uint8Array(32).fill(8);
  for (const [name, twin] of twins) {
    const cipher = new CipherState(twin, key);
    for (const start of [0n, 255n, 2n ** 32n - 1n, 2n ** 53n - 1n, 2n ** 64n - 3n]) {
      cipher.setNonce(start);
      for (const n of [start, start + 1n]) {
        assertEquals(cipher.nonce, n, name);
        const nonce = new Uint8Array(12), expected = new Uint8Array(17);
        new DataView(nonce.buffer).setBigUint64(4, n, true);
        twin.seal(key, nonce, NOTHING, Uint8Array.of(1), expected, 0);
        assertEquals(cipher.encryptWithAd(NOTHING, Uint8Array.of(1)), expected);
      }
    }
  }
});

Deno.test("CipherState refuses the reserved nonce for ever instead of beginning anew", () => {
  const cipher = new CipherState(p, new Uint8Array(32));
  cipher.setNonce(2n ** 64n - 2n);
  const last = cipher.encryptWithAd(NOTHING, NOTHING);
  for (let i = 0; i < 3; i++) {
    assertThrows(() => cipher.encryptWithAd(NOTHING, NOTHING), NoiseError);
    assertEquals(cipher.nonce, 2n ** 64n - 1n);
  }
  const reader = new CipherState(p, new Uint8Array(32));
  reader.setNonce(2n ** 64n - 2n);
  assertEquals(reader.decryptWithAd(NOTHING, last), NOTHING);
  assertThrows(() => reader.decryptWithAd(NOTHING, last), NoiseError);
});

Deno.test("CipherState spends a nonce even where sealing fails, and keeps it where opening fails", () => {
  const failing = {
    ...p,
    seal: () => {
      throw new Error("no memory");
    },
  };
  const cipher = new CipherState(failing, new Uint8Array(32));
  assertThrows(() => cipher.encryptWithAd(NOTHING, NOTHING), Error, "no memory");
  assertEquals(cipher.nonce, 1n);

  const writer = new CipherState(p, new Uint8Array(32));
  const reader = new CipherState(p, new Uint8Array(32));
  const sealed = writer.encryptWithAd(utf8("ad"), utf8("text"));
  assertThrows(() => reader.decryptWithAd(utf8("ad"), flipped(sealed, 0)), NoiseError);
  assertThrows(() => reader.decryptWithAd(NOTHING, sealed), NoiseError);
  assertEquals(reader.nonce, 0n);
  assertEquals(reader.decryptWithAd(utf8("ad"), sealed), utf8("text"));
});

Deno.test("CipherState rekeys as the specification says and goes on counting", () => {
  const key = new Uint8Array(32).fill(6);
  for (const [, twin] of twins) {
    const cipher = new CipherState(twin, key);
    cipher.encryptWithAd(NOTHING, NOTHING);
    cipher.rekey();
    assertEquals(cipher.nonce, 1n);
    // REKEY(k): the first 32 bytes of ENCRYPT(k, 2^64 - 1, empty, 32 zeros).
    const out = new Uint8Array(48);
    const last = hex("00000000ffffffffffffffff");
    twin.seal(key, last, NOTHING, new Uint8Array(32), out, 0);
    const byHand = new CipherState(twin, out.subarray(0, 32));
    byHand.setNonce(1n);
    const text = utf8("after");
    assertEquals(cipher.encryptWithAd(NOTHING, text), byHand.encryptWithAd(NOTHING, text));
    assertNotEquals(out.subarray(0, 32), key);
  }
});

Deno.test("CipherState without a key passes through, and after destroy lets nothing through", () => {
  const cipher = new CipherState(p);
  assertEquals(cipher.encryptWithAd(NOTHING, utf8("clear")), utf8("clear"));
  assertEquals(cipher.decryptWithAd(NOTHING, utf8("clear")), utf8("clear"));
  assertThrows(() => cipher.rekey(), NoiseError);
  cipher.initializeKey(new Uint8Array(32));
  cipher.destroy();
  assertThrows(() => cipher.encryptWithAd(NOTHING, utf8("clear")), NoiseError);
  assertThrows(() => cipher.decryptWithAd(NOTHING, utf8("clear")), NoiseError);
});
