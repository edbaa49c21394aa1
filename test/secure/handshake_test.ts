import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  frameHandshakeMessage,
  Handshake,
  HANDSHAKE_MESSAGE_BYTES,
  handshakePrologue,
  MAX_HANDSHAKE_BYTES,
  proofMessage,
} from "../../src/secure/handshake.ts";
import { Identity } from "../../src/secure/identity.ts";
import {
  alice,
  assertRefused,
  bob,
  hex,
  initiator,
  NETWORK,
  responder,
  shake,
  twins,
  utf8,
} from "./util.ts";

Deno.test("two sides shake hands, know each other and share a channel both ways", () => {
  const { near, far, nearPeer, farPeer, messages } = shake();
  assertEquals([nearPeer, farPeer], [bob.id, alice.id]);
  assertEquals(near.handshakeHash, far.handshakeHash);
  assertEquals(messages.map((message) => message.length), [...HANDSHAKE_MESSAGE_BYTES]);
  assertEquals(far.open(near.seal(utf8("ping")).subarray(2)), utf8("ping"));
  assertEquals(near.open(far.seal(utf8("pong")).subarray(2)), utf8("pong"));
});

Deno.test("the bytes of a handshake are what the protocol says", () => {
  assertEquals(HANDSHAKE_MESSAGE_BYTES, [32, 192, 160]);
  assertEquals(MAX_HANDSHAKE_BYTES, 192);
  assertEquals(handshakePrologue("é"), hex("706c756d747265652f3100c3a9"));
  const hash = new Uint8Array(32).fill(1), key = new Uint8Array(32).fill(2);
  const label = "706c756d747265652f312068616e647368616b6500";
  assertEquals(
    proofMessage("initiator", hash, key),
    hex(label + "00" + "01".repeat(32) + "02".repeat(32)),
  );
  assertEquals(
    proofMessage("responder", hash, key),
    hex(label + "01" + "01".repeat(32) + "02".repeat(32)),
  );
  assertEquals(frameHandshakeMessage(new Uint8Array(300).fill(3)).subarray(0, 3), hex("012c03"));
});

Deno.test("the primitives of either twin shake hands with the other's", () => {
  for (const [, one] of twins) {
    for (const [, other] of twins) {
      const dialer = initiator({ primitives: one }), listener = responder({ primitives: other });
      const { near, far } = shake(dialer, listener);
      assertEquals(far.open(near.seal(utf8("hello")).subarray(2)), utf8("hello"));
    }
  }
});

Deno.test("a side says exactly how many bytes it expects next", () => {
  const dialer = initiator(), listener = responder();
  assertEquals([dialer.expects, listener.expects], [0, 32]);
  const first = dialer.start()!;
  assertEquals(dialer.expects, 192);
  const second = listener.receive(first).send!;
  assertEquals(listener.expects, 160);
  const third = dialer.receive(second).send!;
  listener.receive(third);
  assertEquals([dialer.expects, listener.expects], [0, 0]);
});

Deno.test("the network's name and nothing else decides whether two nodes meet", () => {
  const cases = ["", "test-nets", "test-ne", "Test-net", "test-net\0"];
  for (const network of cases) {
    const listener = responder({ network }), dialer = initiator();
    const second = listener.receive(dialer.start()!).send!;
    assertRefused(() => dialer.receive(second), "handshake-failed");
    shake(initiator({ network }), responder({ network }));
  }
});

Deno.test("the dialled id is met, or the initiator leaves before it says who it is", () => {
  shake(initiator({ expected: bob.id }));
  const dialer = initiator({ expected: Identity.fromSeed("carol").id }), listener = responder();
  const second = listener.receive(dialer.start()!).send!;
  const error = assertRefused(() => dialer.receive(second), "wrong-peer");
  assert(error.message.includes(bob.id));
  assertRefused(() => dialer.receive(second), "handshake-failed");
});

Deno.test("a node that dials itself learns it, even where the address names its own id", () => {
  for (const expected of [undefined, alice.id, bob.id]) {
    const dialer = initiator({ expected }), listener = responder({ identity: alice });
    const second = listener.receive(dialer.start()!).send!;
    assertRefused(() => dialer.receive(second), "own-id");
  }
});

Deno.test("two handshakes of the same identities have no message and no hash in common", () => {
  const one = shake(), other = shake();
  assertNotEquals(one.near.handshakeHash, other.near.handshakeHash);
  one.messages.forEach((message, i) => assertNotEquals(message, other.messages[i]!));
});

Deno.test("wrong options are refused when a handshake is made", () => {
  for (const expected of ["", "00", alice.id.toUpperCase(), alice.id + "0"]) {
    assertThrows(() => initiator({ expected }), RangeError);
  }
});

Deno.test("a finished handshake takes nothing more and leaves its channel alone", () => {
  const dialer = initiator(), listener = responder();
  const { near, far, messages } = shake(dialer, listener);
  for (const side of [dialer, listener]) {
    assertRefused(() => side.start(), "handshake-failed");
    for (const message of messages) {
      assertRefused(() => side.receive(message), "handshake-failed");
    }
    side.abort();
  }
  assertEquals(far.open(near.seal(utf8("still")).subarray(2)), utf8("still"));
});

Deno.test("an aborted handshake is over", () => {
  const dialer = initiator(), listener = responder();
  const first = dialer.start()!;
  const second = listener.receive(first).send!;
  dialer.abort();
  dialer.abort();
  assertEquals(dialer.expects, 0);
  assertRefused(() => dialer.receive(second), "handshake-failed");
});

Deno.test("a handshake shows no secret to an inspector or JSON", () => {
  const handshake = new Handshake({ role: "initiator", identity: alice, network: NETWORK });
  handshake.start();
  assertEquals(JSON.stringify(handshake), "{}");
  assert(!/[0-9]{2}/.test(Deno.inspect(handshake, { depth: 9 })));
});
