/** What the tests of `src/secure` share. */

import { GossipError, type GossipErrorCode } from "../../src/errors.ts";
import type { Channel } from "../../src/secure/channel.ts";
import { Handshake, type HandshakeOptions } from "../../src/secure/handshake.ts";
import { Identity } from "../../src/secure/identity.ts";
import {
  nodePrimitives,
  portablePrimitives,
  type Primitives,
} from "../../src/secure/primitives.ts";
import { assertEquals, assertThrows } from "@std/assert";

export const NETWORK = "test-net";
export const twins: readonly [string, Primitives][] = [
  ["node:crypto", nodePrimitives()],
  ["portable", portablePrimitives()],
];

export function hex(text: string): Uint8Array {
  const pairs = text.replace(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function flipped(bytes: Uint8Array, at: number, bit = 1): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= bit;
  return copy;
}

/** The same key everywhere, so that tests never depend on chance. */
export const alice: Identity = Identity.fromSeed("alice");
export const bob: Identity = Identity.fromSeed("bob");

export function initiator(options: Partial<HandshakeOptions> = {}): Handshake {
  return new Handshake({ role: "initiator", identity: alice, network: NETWORK, ...options });
}

export function responder(options: Partial<HandshakeOptions> = {}): Handshake {
  return new Handshake({ role: "responder", identity: bob, network: NETWORK, ...options });
}

/** A whole handshake; throws what either side throws. */
export function shake(
  dialer: Handshake = initiator(),
  listener: Handshake = responder(),
): { near: Channel; far: Channel; nearPeer: string; farPeer: string; messages: Uint8Array[] } {
  assertEquals(listener.start(), undefined);
  const first = dialer.start()!;
  const { send: second } = listener.receive(first);
  const near = dialer.receive(second!);
  const far = listener.receive(near.send!);
  return {
    near: near.channel!,
    far: far.channel!,
    nearPeer: near.peer!,
    farPeer: far.peer!,
    messages: [first, second!, near.send!],
  };
}

/** Asserts that `run` throws a GossipError of this code, and returns it. */
export function assertRefused(run: () => unknown, code: GossipErrorCode): GossipError {
  const error = assertThrows(run, GossipError);
  assertEquals((error as GossipError).code, code);
  return error as GossipError;
}

/** The seven encodings of X25519 points of small order, and the same with the ignored top bit set. */
export const SMALL_ORDER_POINTS: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].flatMap((text) => [hex(text), flipped(hex(text), 31, 0x80)]);
