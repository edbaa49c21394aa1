import { assert, assertEquals } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { handshakePrologue, proofMessage } from "../../src/secure/handshake.ts";
import type { Handshake, HandshakeStep } from "../../src/secure/handshake.ts";
import { Identity } from "../../src/secure/identity.ts";
import { HandshakeState, PATTERNS, type Role } from "../../src/secure/noise.ts";
import { type KeyPair, primitives } from "../../src/secure/primitives.ts";
import {
  alice,
  assertRefused,
  bob,
  concat,
  flipped,
  hex,
  initiator,
  NETWORK,
  responder,
  shake,
  SMALL_ORDER_POINTS,
} from "./util.ts";

const NOTHING = new Uint8Array(0);

/** A side that is free to lie: the same Noise, any keys, any payload. */
function liar(role: Role, keys: { static?: KeyPair; ephemeral?: KeyPair } = {}): HandshakeState {
  const staticPair = keys.static ?? primitives().x25519Generate();
  return new HandshakeState({
    primitives: primitives(),
    pattern: PATTERNS.XX,
    role,
    prologue: handshakePrologue(NETWORK),
    static: staticPair,
    ephemeral: keys.ephemeral,
  });
}

function proof(identity: Identity, signed: Uint8Array): Uint8Array {
  return concat(hex(identity.id), identity.sign(signed));
}

/** Message 3 of a liar to an honest responder. */
function third(
  payload: (hash: Uint8Array, staticKey: Uint8Array) => Uint8Array,
): { listener: Handshake; message: Uint8Array } {
  const listener = responder(), pair = primitives().x25519Generate();
  const state = liar("initiator", { static: pair });
  state.readMessage(listener.receive(state.writeMessage(NOTHING)).send!);
  return { listener, message: state.writeMessage((hash) => payload(hash, pair.publicKey)) };
}

/** Message 2 of a liar to an honest initiator. */
function second(
  payload: (hash: Uint8Array, staticKey: Uint8Array) => Uint8Array,
): { dialer: Handshake; message: Uint8Array } {
  const dialer = initiator(), pair = primitives().x25519Generate();
  const state = liar("responder", { static: pair });
  state.readMessage(dialer.start()!);
  return { dialer, message: state.writeMessage((hash) => payload(hash, pair.publicKey)) };
}

/** Gives a message to a side; true where a channel came of it. Anything but a GossipError fails the test. */
function yields(side: Handshake, message: Uint8Array): HandshakeStep | undefined {
  try {
    return side.receive(message);
  } catch (error) {
    if (error instanceof GossipError && error.code === "handshake-failed") return undefined;
    throw error;
  }
}

Deno.test("a message changed at any byte yields no channel at the side that reads it", () => {
  for (let index = 0; index < 3; index++) {
    const length = [32, 192, 160][index]!;
    for (let at = 0; at < length; at++) {
      const bit = 1 << at % 8;
      const dialer = initiator(), listener = responder();
      const first = dialer.start()!;
      const step = yields(listener, index === 0 ? flipped(first, at, bit) : first)!;
      const reply = yields(dialer, index === 1 ? flipped(step.send!, at, bit) : step.send!);
      if (index < 2) {
        assertEquals(reply, undefined);
        continue;
      }
      assertEquals(yields(listener, flipped(reply!.send!, at, bit)), undefined);
      assertRefused(() => listener.receive(reply!.send!), "handshake-failed");
    }
  }
});

Deno.test("the ignored top bit of an ephemeral key is bound by the hash as well", () => {
  const dialer = initiator(), listener = responder();
  const step = listener.receive(flipped(dialer.start()!, 31, 0x80));
  assertRefused(() => dialer.receive(step.send!), "handshake-failed");
});

Deno.test("a message cut or lengthened anywhere yields no channel", () => {
  const lengths = (full: number) => Array.from({ length: full }, (_, i) => i).concat(full + 1, 700);
  for (const length of lengths(32)) {
    assertEquals(yields(responder(), new Uint8Array(length)), undefined);
  }
  for (const length of lengths(192)) {
    const dialer = initiator(), message = new Uint8Array(length);
    message.set(responder().receive(dialer.start()!).send!.subarray(0, length));
    assertEquals(yields(dialer, message), undefined);
  }
  for (const length of lengths(160)) {
    const dialer = initiator(), listener = responder(), message = new Uint8Array(length);
    const full = dialer.receive(listener.receive(dialer.start()!).send!).send!;
    message.set(full.subarray(0, length));
    assertEquals(yields(listener, message), undefined);
  }
});

Deno.test("after one refused message a side is dead, even for the right one", () => {
  const dialer = initiator(), listener = responder(), late = responder();
  const first = dialer.start()!;
  assertEquals(yields(late, first.subarray(1)), undefined);
  assertEquals(late.expects, 0);
  assertEquals(yields(late, first), undefined);
  const second = listener.receive(first).send!;
  assertEquals(yields(dialer, second.subarray(1)), undefined);
  assertEquals(dialer.expects, 0);
  assertEquals(yields(dialer, second), undefined);
  assertRefused(() => dialer.start(), "handshake-failed");
});

Deno.test("messages replayed from another session yield no channel", () => {
  const old = shake().messages;
  const listener = responder();
  const step = listener.receive(old[0]!);
  assert(step.send !== undefined && step.channel === undefined);
  assertRefused(() => listener.receive(old[2]!), "handshake-failed");

  const dialer = initiator();
  dialer.start();
  assertRefused(() => dialer.receive(old[1]!), "handshake-failed");

  const honest = initiator(), other = responder();
  honest.receive(other.receive(honest.start()!).send!);
  assertRefused(() => other.receive(old[2]!), "handshake-failed");
});

Deno.test("own messages reflected yield no channel", () => {
  const dialer = initiator();
  const first = dialer.start()!;
  assertRefused(() => dialer.receive(first), "handshake-failed");
  const listener = responder();
  const reply = listener.receive(initiator().start()!).send!;
  assertRefused(() => listener.receive(reply), "handshake-failed");
});

Deno.test("a responder refuses its own identity even from a peer that does not look", () => {
  const { listener, message } = third((hash, key) =>
    proof(bob, proofMessage("initiator", hash, key))
  );
  assertRefused(() => listener.receive(message), "own-id");
  assertRefused(() => listener.receive(message), "handshake-failed");
});

Deno.test("an initiator refuses its own identity", () => {
  const { dialer, message } = second((hash, key) =>
    proof(alice, proofMessage("responder", hash, key))
  );
  assertRefused(() => dialer.receive(message), "own-id");
});

Deno.test("a liar with a right proof would be accepted, so that the next tests prove something", () => {
  const mallory = Identity.fromSeed("mallory");
  const { listener, message } = third((hash, key) =>
    proof(mallory, proofMessage("initiator", hash, key))
  );
  assertEquals(listener.receive(message).peer, mallory.id);
  const answer = second((hash, key) => proof(mallory, proofMessage("responder", hash, key)));
  assertEquals(answer.dialer.receive(answer.message).peer, mallory.id);
});

Deno.test("a proof for another role, hash, key, label or identity is refused by both roles", () => {
  const mallory = Identity.fromSeed("mallory");
  const zeros = new Uint8Array(32);
  for (const mine of ["initiator", "responder"] as const) {
    const other = mine === "initiator" ? "responder" : "initiator";
    const lies: ((hash: Uint8Array, key: Uint8Array) => Uint8Array)[] = [
      (hash, key) => proof(mallory, proofMessage(other, hash, key)),
      (_, key) => proof(mallory, proofMessage(mine, zeros, key)),
      (hash) => proof(mallory, proofMessage(mine, hash, zeros)),
      (hash, key) => proof(mallory, proofMessage(mine, hash, key).subarray(1)),
      (hash, key) => concat(hex(alice.id), mallory.sign(proofMessage(mine, hash, key))),
      () => new Uint8Array(96),
      // The neutral element "signs" everything where keys of small order are let in.
      () => concat(hex("01" + "00".repeat(31)), hex("01" + "00".repeat(63))),
    ];
    for (const lie of lies) {
      if (mine === "initiator") {
        const { listener, message } = third(lie);
        assertRefused(() => listener.receive(message), "handshake-failed");
      } else {
        const { dialer, message } = second(lie);
        assertRefused(() => dialer.receive(message), "handshake-failed");
      }
    }
  }
});

Deno.test("a proof of another length is refused by the message's length", () => {
  for (const length of [0, 95, 97, 300]) {
    const { listener, message } = third(() => new Uint8Array(length));
    const error = assertRefused(() => listener.receive(message), "handshake-failed");
    assert(error.message.includes("length"));
  }
});

Deno.test("every point of small order is refused as ephemeral and as static key, in both roles", () => {
  const { secretKey } = primitives().x25519Generate();
  const agreementFailed = (run: () => unknown) => {
    const error = assertRefused(run, "handshake-failed");
    assertEquals((error.cause as Error).message, "the key agreement failed");
  };
  for (const publicKey of SMALL_ORDER_POINTS) {
    agreementFailed(() => responder().receive(publicKey));

    const pair: KeyPair = { secretKey: secretKey.slice(), publicKey };
    const dialer = initiator();
    const withEphemeral = liar("responder", { ephemeral: pair });
    withEphemeral.readMessage(dialer.start()!);
    const bad = withEphemeral.writeMessage(new Uint8Array(96));
    agreementFailed(() => dialer.receive(bad));

    const met = initiator();
    const withStatic = liar("responder", { static: { secretKey, publicKey } });
    withStatic.readMessage(met.start()!);
    const worse = withStatic.writeMessage(new Uint8Array(96));
    agreementFailed(() => met.receive(worse));

    const listener = responder();
    const client = liar("initiator", { static: { secretKey, publicKey } });
    client.readMessage(listener.receive(client.writeMessage(NOTHING)).send!);
    const last = client.writeMessage(new Uint8Array(96));
    agreementFailed(() => listener.receive(last));
  }
});
