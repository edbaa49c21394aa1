/**
 * Encoders and decoders against the stored `test/vectors/wire.json`. After a change that is meant,
 * `deno run -A test/wire/vectors.ts --write` makes the file anew; the tests only compare.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodePage, decodePageRequest } from "../../src/directory/pages.ts";
import { Reassembly } from "../../src/net/reassembly.ts";
import { Channel } from "../../src/secure/channel.ts";
import { handshakePrologue } from "../../src/secure/handshake.ts";
import { HandshakeState, PATTERNS, type Role } from "../../src/secure/noise.ts";
import { primitives } from "../../src/secure/primitives.ts";
import { rootOf, signedRoot } from "../../src/wire/batch.ts";
import { bundleDigest, eachBundled } from "../../src/wire/bundle.ts";
import { fromHex, Reader, toHex } from "../../src/wire/bytes.ts";
import { decodeCbor } from "../../src/wire/cbor.ts";
import { Frame } from "../../src/wire/frames.ts";
import {
  gossipDigest,
  gossipShape,
  laneOf,
  type Priority,
  priorityLane,
  readGossip,
  readIncarnation,
  signedBytes,
} from "../../src/wire/gossip.ts";
import { decodeOverlay } from "../../src/wire/overlay_messages.ts";
import { decodeRecord, type SignedRecord, verifyRecord } from "../../src/wire/record.ts";
import { decodeRequestFrame } from "../../src/wire/request_messages.ts";
import { decodeSync } from "../../src/wire/sync_messages.ts";
import {
  announcedAge,
  announcedTree,
  readGone,
  readGraft,
  readIhave,
  readPrune,
} from "../../src/wire/tree_messages.ts";
import { sha256 } from "./sha256.ts";
import { build, FILE, plain, type Vector } from "./vectors.ts";

interface StoredGossip extends Record<"topicKey" | "author" | "payload" | "body", string> {
  signed: boolean;
  priority: Priority;
  incarnation: number;
  seq: number;
  hash: string;
  id: string;
  alias: number;
  hops: number;
  frame: string;
  /** Of messages that were signed together. */
  root?: string;
  height?: number;
  place?: number;
}

interface StoredBundle extends Record<"topicKey" | "author" | "root" | "hash" | "body", string> {
  signed: boolean;
  seq: number;
  payloads: string[];
  hashes: string[];
  parts: string[];
}

interface StoredRecord {
  plaintext: string;
  record: string;
}

interface StoredHandshake extends Record<"network" | "prologue" | "handshakeHash", string> {
  keys: Record<string, Record<Role, Record<"secretKey" | "publicKey", string>>>;
  ids: Record<Role, string>;
  messages: [string, string, string];
  proofs: [StoredProof, StoredProof];
  rekeyAfter: number;
  fromInitiator: StoredRecord[];
  fromResponder: StoredRecord[];
}

interface StoredProof {
  role: Role;
  message: string;
  signature: string;
}

// The shape is that of `build`, to which the first test holds the file.
const stored: Record<string, unknown> = JSON.parse(Deno.readTextFileSync(FILE));

function decodes(section: string, decode: (bytes: Uint8Array, vector: Vector) => unknown): void {
  const vectors = stored[section] as Vector[];
  assert(vectors.length > 0);
  for (const vector of vectors) {
    assertEquals(plain(decode(fromHex(vector.hex), vector)), vector.fields, vector.name);
  }
}

/** Kind and alias of a topic frame; the rest is left. */
function topicFrame(bytes: Uint8Array): { kind: number; alias: number; reader: Reader } {
  const reader = new Reader(bytes);
  return { kind: reader.u8(), alias: reader.varint(), reader };
}

function verify(author: string, message: Uint8Array, signature: Uint8Array): boolean {
  return primitives().ed25519Verifier(fromHex(author))!(message, signature);
}

Deno.test("the encoders give the stored bytes", () => {
  const made = build();
  assertEquals(Object.keys(made), Object.keys(stored));
  for (const [section, vectors] of Object.entries(made)) {
    assertEquals(vectors, stored[section], section);
  }
});

Deno.test("the decoders read the stored numbers, CBOR, records and frames", () => {
  decodes("varint", (bytes) => {
    const reader = new Reader(bytes), value = reader.varint();
    reader.done();
    return value;
  });
  decodes("cbor", (bytes) => decodeCbor(bytes));
  decodes("record", (bytes) => {
    const { encoded, ...fields } = decodeRecord(bytes);
    assert(verifyRecord({ encoded, ...fields } as SignedRecord, verify));
    return fields;
  });
  decodes("overlay", (bytes) => {
    const { kind, alias, reader } = topicFrame(bytes);
    assertEquals(kind, Frame.OVERLAY);
    return { alias, message: decodeOverlay(reader.rest(), 16) };
  });
  decodes("sync", (bytes) => {
    const { kind, alias, reader } = topicFrame(bytes);
    assertEquals(kind, Frame.SYNC);
    return { alias, message: decodeSync(bytes, reader.at, bytes.length, 1_024) };
  });
  decodes("request", (bytes) => decodeRequestFrame(bytes));
  decodes("directory", (bytes, { name }) => {
    return name === "request" ? decodePageRequest(bytes) : decodePage(bytes);
  });
});

Deno.test("the decoders read the stored frames of the node and of the tree", () => {
  decodes("node", (bytes, { name }) => {
    assertEquals(bytes[0], Frame[name as keyof typeof Frame]);
    if (name === "HELLO") return { record: decodeRecord(bytes.subarray(1)) };
    const { alias, reader } = topicFrame(bytes);
    const key = name === "TOPIC_OPEN" ? reader.view(32) : undefined;
    reader.done();
    return { alias, key };
  });
  decodes("tree", (bytes, { name }) => {
    const { kind, alias, reader } = topicFrame(bytes), { at, end } = reader;
    assertEquals(kind, Frame[name.split(" ")[0] as keyof typeof Frame]);
    if (kind === Frame.PRUNE) return { alias, ...readPrune(bytes, at, end) };
    if (kind === Frame.IHAVE) {
      const each = Array.from({ length: readIhave(at, end, 1_024) }, () => reader.view(22));
      return {
        alias,
        ids: each.map((one) => one.subarray(0, 20)),
        trees: each.map((one) => announcedTree(one, 0)),
        agesMs: each.map((one) => announcedAge(one, 0)),
      };
    }
    const read = kind === Frame.GRAFT
      ? readGraft(bytes, at, end, 1_024)
      : { tree: undefined, stamp: undefined, count: readGone(at, end, 1_024) };
    reader.view(end - at - 20 * read.count);
    const ids = Array.from({ length: read.count }, () => reader.view(20));
    reader.done();
    return { alias, tree: read.tree, stamp: read.stamp, ids };
  });
});

Deno.test("the stored messages have the ids and signatures that follow from their bytes", () => {
  const messages = stored.gossip as StoredGossip[];
  assert(messages.length > 0);
  for (const expected of messages) {
    const frame = fromHex(expected.frame), body = fromHex(expected.body), shape = gossipShape();
    const { kind, alias, reader } = topicFrame(frame);
    assertEquals([kind, alias, reader.u8()], [Frame.GOSSIP, expected.alias, expected.hops]);
    assertEquals(reader.u8(), 5 * expected.hops, "path");
    assertEquals(toHex(reader.rest()), expected.body);
    readGossip(shape, body, 0, body.length, 1_024);
    const digest = new Uint8Array(32);
    gossipDigest(sha256, fromHex(expected.topicKey), body, shape.originAt, body.length, digest);
    assertEquals(
      [shape.signed, shape.seq, laneOf(body), toHex(body.subarray(shape.payloadAt))],
      [expected.signed, expected.seq, priorityLane(expected.priority), expected.payload],
    );
    assertEquals([toHex(digest), toHex(digest, 0, 20)], [expected.hash, expected.id]);
    if (!shape.signed) continue;
    assertEquals(toHex(body, shape.originAt, shape.originAt + 32), expected.author);
    assertEquals(readIncarnation(body, shape.originAt), expected.incarnation);
    const signature = body.subarray(shape.signatureAt, shape.signatureAt + 64);
    const wayAt = shape.signatureAt + 64;
    assertEquals([body[wayAt], body[wayAt]! > 0 && body[wayAt + 1]], [
      expected.height ?? 0,
      expected.place ?? false,
    ]);
    if (expected.root === undefined) {
      assert(verify(expected.author, signedBytes(digest), signature));
      continue;
    }
    const root = new Uint8Array(32);
    rootOf(sha256, digest, body, wayAt, root);
    assertEquals(toHex(root), expected.root);
    assert(verify(expected.author, signedRoot(root), signature));
  }
});

Deno.test("the stored bundles and their parts have the hashes and signatures that follow from their bytes", () => {
  const shape = gossipShape(), own = new Uint8Array(32);
  for (const expected of stored.bundles as StoredBundle[]) {
    const body = fromHex(expected.body), key = fromHex(expected.topicKey);
    const root = fromHex(expected.root), whole = new Uint8Array(32);
    readGossip(shape, body, 0, body.length, 1_024);
    const { originAt, payloadAt, payloadEnd } = shape, payloads: string[] = [];
    assertEquals([shape.bundle, shape.signed, shape.seq], [true, expected.signed, expected.seq]);
    eachBundled(body, payloadAt, payloadEnd, (start, end) => {
      payloads.push(toHex(body, start, end));
    });
    assertEquals(payloads, expected.payloads);
    gossipDigest(sha256, key, body, originAt, payloadEnd, own);
    bundleDigest(sha256, own, 0, body, payloadEnd, whole);
    assertEquals([toHex(whole), toHex(body, payloadEnd)], [expected.hash, expected.root]);
    const signature = body.subarray(shape.signatureAt, shape.signatureAt + 64);
    if (expected.signed) assert(verify(expected.author, signedBytes(whole), signature));
    expected.parts.forEach((stored, i) => {
      const part = fromHex(stored);
      readGossip(shape, part, 0, part.length, 1_024);
      const { partAt, seqAt } = shape;
      assertEquals([shape.bundle, shape.seq], [false, expected.seq + i]);
      assertEquals(toHex(part, shape.payloadAt), payloads[i]);
      gossipDigest(sha256, key, part, shape.originAt, part.length, own, partAt - 2, seqAt);
      assertEquals(toHex(own), expected.hashes[i]);
      rootOf(sha256, own, part, partAt + 32, root);
      bundleDigest(sha256, part, partAt, root, 0, whole);
      assertEquals([toHex(root), toHex(whole)], [expected.root, expected.hash]);
    });
  }
});

Deno.test("the stored handshake is read by both sides, and its records by the other one", () => {
  const handshake = stored.handshake as StoredHandshake;
  assertEquals(toHex(handshakePrologue(handshake.network)), handshake.prologue);
  const pair = (kind: string, role: Role) => {
    const { secretKey, publicKey } = handshake.keys[kind]![role];
    return { secretKey: fromHex(secretKey), publicKey: fromHex(publicKey) };
  };
  const side = (role: Role) =>
    new HandshakeState({
      primitives: primitives(),
      pattern: PATTERNS.XX,
      role,
      prologue: fromHex(handshake.prologue),
      static: pair("statics", role),
      ephemeral: pair("ephemerals", role),
    });
  const initiator = side("initiator"), responder = side("responder");
  const messages = handshake.messages.map(fromHex);
  assertEquals(messages.map((message) => message.length), [32, 192, 160]);
  const proved = (payload: Uint8Array, { role, message, signature }: StoredProof) => {
    assertEquals(toHex(payload), handshake.ids[role] + signature);
    assert(verify(handshake.ids[role], fromHex(message), fromHex(signature)));
    return payload;
  };
  initiator.writeMessage(new Uint8Array(0));
  responder.readMessage(messages[0]!);
  proved(initiator.readMessage(messages[1]!), handshake.proofs[0]);
  responder.writeMessage(fromHex(handshake.ids.responder + handshake.proofs[0].signature));
  proved(responder.readMessage(messages[2]!), handshake.proofs[1]);
  initiator.writeMessage(fromHex(handshake.ids.initiator + handshake.proofs[1].signature));
  for (const state of [initiator, responder]) {
    assertEquals(toHex(state.handshakeHash), handshake.handshakeHash);
  }
  const opens = (state: HandshakeState, records: StoredRecord[]) => {
    const options = { handshakeHash: state.handshakeHash, rekeyAfter: handshake.rekeyAfter };
    const channel = new Channel({ ...state.split(), ...options });
    for (const { plaintext, record } of records) {
      const opened = channel.open(fromHex(record).subarray(2));
      assertEquals(new TextDecoder().decode(opened), plaintext);
    }
  };
  opens(initiator, handshake.fromResponder);
  opens(responder, handshake.fromInitiator);
});

Deno.test("the stored chunks come together as one message", () => {
  const parts = stored.chunk as { head: string; bytes: number }[];
  const reassembly = new Reassembly(100_000);
  let message: Uint8Array | undefined;
  for (const { head, bytes } of parts) {
    const part = new Uint8Array(bytes).fill(0x61);
    part.set(fromHex(head));
    const reader = new Reader(part), length = reader.varint();
    assertEquals([length, reader.u8()], [reader.left + 1, Frame.CHUNK]);
    assertEquals(message, undefined);
    message = reassembly.add(part, reader.at, part.length);
  }
  assertEquals(message?.length, 34_001);
  assertEquals(message?.[0], Frame.GOSSIP);
});

Deno.test("a changed byte in the file would be noticed", () => {
  const changed = structuredClone(stored.gossip) as StoredGossip[];
  changed[0]!.body = "00";
  assertThrows(() => assertEquals(changed as unknown, build().gossip as unknown));
});
