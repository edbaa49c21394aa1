/**
 * Makes `test/vectors/wire.json`: every encoding of the protocol from fixed inputs, for implementations in other languages.
 *
 * `deno run -A test/wire/vectors.ts --write` writes the file; nothing else does. `vectors_test.ts` compares.
 *
 * @module
 */

import { MessageLog, Seen } from "../../src/core/tree/message_log.ts";
import { RetainedIds } from "../../src/core/tree/retained_ids.ts";
import { encodeEqual, encodePage, encodePageRequest } from "../../src/directory/pages.ts";
import { DirectoryTable } from "../../src/directory/table.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { Lanes } from "../../src/net/lanes.ts";
import { Channel } from "../../src/secure/channel.ts";
import { handshakePrologue, proofMessage } from "../../src/secure/handshake.ts";
import { Identity } from "../../src/secure/identity.ts";
import { HandshakeState, PATTERNS, type Role } from "../../src/secure/noise.ts";
import { type KeyPair, primitives } from "../../src/secure/primitives.ts";
import { topicKey } from "../../src/topic_settings.ts";
import { Batch, signedRoot } from "../../src/wire/batch.ts";
import { BundleParts, draftBundle } from "../../src/wire/bundle.ts";
import { fromHex, toHex, varintSize, writeVarint } from "../../src/wire/bytes.ts";
import { encodeCbor } from "../../src/wire/cbor.ts";
import { Frame, Lane } from "../../src/wire/frames.ts";
import {
  draftGossip,
  finishGossip,
  type GossipDraft,
  gossipHead,
  type Hash,
  type Priority,
  signedBytes,
  signedOrigin,
} from "../../src/wire/gossip.ts";
import { encodeOpen, topicHead } from "../../src/wire/node_messages.ts";
import { encodeOverlay, type OverlayMessage } from "../../src/wire/overlay_messages.ts";
import { type PeerRecord, type SignedRecord, signRecord } from "../../src/wire/record.ts";
import * as request from "../../src/wire/request_messages.ts";
import { encodeSync, type SyncMessage } from "../../src/wire/sync_messages.ts";
import * as tree from "../../src/wire/tree_messages.ts";

/** What JSON has. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** One encoding: what it says, and its bytes. */
export type Vector = { name: string; fields: Json; hex: string };

const NETWORK = "vectors";
const ALIAS = 300;
const STAMP = { own: 0x1234_0002, seen: 0xabcd_0001 };
const ids = Array.from({ length: 3 }, (_, i) => sha256(new Uint8Array([i])).slice(0, 20));

/** SHA-256 by the library's own primitives. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return primitives().sha256(bytes);
}

/** Bytes as hex, records as the hex of what travels, maps as lists of pairs, everything else as it is. */
export function plain(value: unknown): Json {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Map) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value as Json;
  if ("encoded" in value) return plain(value.encoded);
  const pairs = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(pairs.map(([name, field]) => [name, plain(field)]));
}

function vector(name: string, fields: unknown, bytes: Uint8Array): Vector {
  return { name, fields: plain(fields), hex: toHex(bytes) };
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

const ALICE: Identity = Identity.fromSeed("plumtree vectors: alice");
const BOB = Identity.fromSeed("plumtree vectors: bob");

function recordOf(identity: Identity, more: Partial<PeerRecord>): SignedRecord {
  const record: PeerRecord = {
    id: identity.id,
    addresses: ["192.0.2.1:7946", "[2001:db8::1]:7946"],
    seq: 1_700_000_000_000,
    ttlSeconds: 86_400,
    topics: [],
    shards: new Map(),
    ...more,
  };
  return signRecord(record, (message) => identity.sign(message));
}

const alice = recordOf(ALICE, {});
const bob = recordOf(BOB, { addresses: [] });
const listed = recordOf(ALICE, {
  ttlSeconds: 300,
  topics: ["blocks", "größer"],
  shards: new Map([["tx", { count: 10, bits: new Uint8Array([0b1000_0001, 0b10]) }]]),
});

function varints(): Vector[] {
  return [0, 1, 127, 128, 300, 2 ** 32, Number.MAX_SAFE_INTEGER].map((value) => {
    const out = new Uint8Array(varintSize(value));
    writeVarint(out, 0, value);
    return vector(String(value), value, out);
  });
}

function keyPair(fill: number): KeyPair {
  const secretKey = new Uint8Array(32).fill(fill);
  return { secretKey, publicKey: primitives().x25519PublicKey(secretKey) };
}

/** One handshake with fixed keys, and the first records of both directions with a rekey after every second one. */
function handshake(): Json {
  const statics = { initiator: keyPair(0x11), responder: keyPair(0x22) };
  const ephemerals = { initiator: keyPair(0x33), responder: keyPair(0x44) };
  const identities = { initiator: ALICE, responder: BOB };
  const prologue = handshakePrologue(NETWORK);
  const side = (role: Role) =>
    new HandshakeState({
      primitives: primitives(),
      pattern: PATTERNS.XX,
      role,
      prologue,
      static: statics[role],
      ephemeral: { ...ephemerals[role], secretKey: ephemerals[role].secretKey.slice() },
    });
  const proofs: Json[] = [];
  const proof = (role: Role) => (hash: Uint8Array) => {
    const message = proofMessage(role, hash, statics[role].publicKey);
    const signature = identities[role].sign(message);
    proofs.push({ role, message: toHex(message), signature: toHex(signature) });
    return join(fromHex(identities[role].id), signature);
  };
  const initiator = side("initiator"), responder = side("responder");
  const messages: Uint8Array[] = [];
  responder.readMessage(messages[0] = initiator.writeMessage(new Uint8Array(0)));
  initiator.readMessage(messages[1] = responder.writeMessage(proof("responder")));
  responder.readMessage(messages[2] = initiator.writeMessage(proof("initiator")));
  const handshakeHash = initiator.handshakeHash;
  const records = (state: HandshakeState, words: string[]) => {
    const channel = new Channel({ ...state.split(), handshakeHash, rekeyAfter: 2 });
    return words.map((word) => ({ plaintext: word, record: toHex(channel.seal(text(word))) }));
  };
  return {
    network: NETWORK,
    prologue: toHex(prologue),
    keys: plain({ statics, ephemerals }),
    ids: { initiator: ALICE.id, responder: BOB.id },
    messages: messages.map(plain),
    proofs,
    handshakeHash: toHex(handshakeHash),
    rekeyAfter: 2,
    fromInitiator: records(initiator, ["one", "two", "three"]),
    fromResponder: records(responder, ["eins", "zwei", "drei"]),
  };
}

function keyOf(network: string, name: string): Uint8Array {
  return topicKey(network, name, { sha256: primitives().sha256Into });
}

function gossip(): Json[] {
  const cases: { priority: Priority; signed: boolean; payload: string; seq: number }[] = [
    { priority: "high", signed: true, payload: "", seq: 1 },
    { priority: "normal", signed: true, payload: "hello", seq: 300 },
    { priority: "bulk", signed: false, payload: "größer", seq: 2 },
  ];
  const key = keyOf(NETWORK, "blocks"), incarnation = 1_700_000_000_123;
  const hash: Hash = primitives().sha256Into;
  const origin = signedOrigin(fromHex(ALICE.id), incarnation);
  const stored = (
    { priority, signed, payload, seq }: typeof cases[0],
    draft: GossipDraft,
    body: Uint8Array,
  ) => {
    const hops = 3, { digest } = draft;
    return plain({
      topicKey: key,
      signed,
      priority,
      author: signed ? ALICE.id : undefined,
      incarnation: signed ? incarnation : undefined,
      seq,
      payload: text(payload),
      body,
      hash: digest,
      id: digest.slice(0, 20),
      alias: ALIAS,
      hops,
      frame: join(gossipHead(ALIAS, hops, 5 * hops), body),
    });
  };
  const draft = ({ priority, signed, payload, seq }: typeof cases[0]) =>
    draftGossip({
      origin: signed ? origin : new Uint8Array(8).fill(9),
      seq,
      priority,
      payload: text(payload),
      key,
      hash,
      signed,
    });
  const alone = cases.map((each) => {
    const made = draft(each);
    const signature = each.signed ? ALICE.sign(signedBytes(made.digest)) : undefined;
    return stored(each, made, finishGossip(made, signature && { signature }));
  });
  const batched = ["one", "two", "three"].map((payload, i) => {
    return { priority: "normal" as const, signed: true, payload, seq: 301 + i };
  });
  const drafts = batched.map(draft);
  const batch = new Batch(hash, drafts.map(({ digest }) => digest));
  const signature = ALICE.sign(signedRoot(batch.root));
  const together = drafts.map((made, place) => {
    const body = finishGossip(made, { signature, batch, place });
    const root = plain({ root: batch.root, height: batch.height, place });
    return { ...stored(batched[place]!, made, body) as object, ...root as object } as Json;
  });
  return [...alone, ...together];
}

function bundles(): Json[] {
  const key = keyOf(NETWORK, "blocks"), incarnation = 1_700_000_000_123;
  const hash: Hash = primitives().sha256Into;
  return [true, false].map((signed) => {
    const origin = signed
      ? signedOrigin(fromHex(ALICE.id), incarnation)
      : new Uint8Array(8).fill(9);
    const payloads = ["", "two", "drei"].map(text), seq = 127;
    const drafts = payloads.map((payload, i) =>
      draftGossip({ origin, seq: seq + i, priority: "normal", payload, key, hash, signed })
    );
    const draft = draftBundle(drafts, origin.length, key, hash);
    const signature = signed ? ALICE.sign(signedBytes(draft.digest)) : undefined;
    const body = finishGossip(draft, signature && { signature });
    const parts = new BundleParts(hash, key, body);
    return plain({
      topicKey: key,
      signed,
      author: signed ? ALICE.id : undefined,
      seq,
      payloads,
      hashes: drafts.map(({ digest }) => digest),
      root: body.slice(-32),
      hash: draft.digest,
      body,
      parts: drafts.map((_, i) => parts.part(i)),
    });
  });
}

function overlay(): Vector[] {
  const messages: OverlayMessage[] = [
    { type: "join", record: alice },
    { type: "forward-join", record: alice, ttl: 6 },
    { type: "neighbor", record: alice, high: true },
    { type: "neighbor-reply", accepted: false, candidates: [alice, bob] },
    { type: "disconnect", alive: true, candidates: [] },
    { type: "shuffle", walk: 0xc0ffee, origin: alice, ttl: 5, entries: [bob] },
    { type: "shuffle-reply", walk: 0xc0ffee, entries: [alice] },
    { type: "check" },
    { type: "optimization", swap: 0xdecade, old: bob, oldUs: 150_000, newUs: 4_250 },
    {
      type: "replace",
      swap: 0xdecade,
      initiator: alice.id,
      old: bob,
      oldUs: 230_000,
      newUs: 4_250,
    },
    { type: "switch", swap: 0xdecade, initiator: alice.id },
    { type: "swap-reply", swap: 0xdecade, answer: "yes" },
    { type: "swap-reply", swap: 0xdecade, answer: "old-kept" },
    { type: "disconnect-wait", swap: 0xdecade },
    { type: "swapped", swap: 0xdecade },
  ];
  return messages.map((message) => {
    const frame = join(topicHead(Frame.OVERLAY, ALIAS), encodeOverlay(message));
    return vector(message.type, { alias: ALIAS, message }, frame);
  });
}

function node(): Vector[] {
  const key = keyOf(NETWORK, "blocks");
  return [
    vector("HELLO", { record: alice }, join(new Uint8Array([Frame.HELLO]), alice.encoded)),
    vector("TOPIC_OPEN", { alias: ALIAS, key }, encodeOpen(ALIAS, key)),
    vector("TOPIC_CLOSE", { alias: ALIAS }, topicHead(Frame.TOPIC_CLOSE, ALIAS)),
    vector("TOPIC_NONE", { alias: ALIAS }, topicHead(Frame.TOPIC_NONE, ALIAS)),
  ];
}

function withTail(frame: Uint8Array, tail: Uint8Array): Uint8Array {
  frame.set(tail, frame.length - tail.length);
  return frame;
}

function trees(): Vector[] {
  const announced = join(
    ...ids.map((id, i) => {
      const age = new Uint8Array(2);
      tree.writeAge(age, 0, i, 1_000 * i);
      return join(id, age);
    }),
  );
  const all = join(...ids), alias = ALIAS;
  const ihave = withTail(tree.treeFrame(Frame.IHAVE, alias, announced.length), announced);
  const graft = withTail(tree.graftFrame(alias, 0, STAMP, ids.length), all);
  const gone = withTail(tree.treeFrame(Frame.GONE, alias, all.length), all);
  return [
    vector("IHAVE", { alias, ids, trees: [0, 1, 2], agesMs: [0, 1_000, 2_000] }, ihave),
    vector("GRAFT", { alias, tree: 0, stamp: STAMP, ids }, graft),
    vector(
      "GRAFT without ids",
      { alias, tree: 15, stamp: STAMP, ids: [] },
      tree.graftFrame(alias, 15, STAMP, 0),
    ),
    vector(
      "GRAFT for payloads only",
      { alias, tree: 0, ids },
      withTail(tree.fetchFrame(alias, ids.length), all),
    ),
    vector("PRUNE", { alias, tree: 0, stamp: STAMP }, tree.pruneFrame(alias, 0, STAMP)),
    vector(
      "PRUNE in another tree",
      { alias, tree: 3, stamp: STAMP },
      tree.pruneFrame(alias, 3, STAMP),
    ),
    vector("GONE", { alias, ids }, gone),
  ];
}

function fingerprint(set: readonly Uint8Array[], salt: number): Json {
  const bounds = { seenIds: 64, retainMessages: 64, retainBytes: 4_096, retainSeconds: 60 };
  const log = new MessageLog(bounds, () => 0.5);
  for (const id of set) {
    log.retain(log.add(id, 0, Seen.DELIVERED, 0, 0, 1, 0), new Uint8Array(1), 0, 1, 0);
  }
  return plain(new RetainedIds(log, 0).fingerprint({ depth: 0, prefix: 0 }, 0, salt));
}

function sync(): Vector[] {
  const print = (i: number) => ({ count: i % 3, high: i % 3 * 0x1000_0001, low: i % 3 * 7 });
  const children = Array.from({ length: 16 }, (_, i) => print(i));
  const messages: SyncMessage[] = [
    {
      type: "open",
      salt: 0xdead_beef,
      windowMs: 60_000,
      stamp: STAMP,
      eager: true,
      all: { count: 3, high: 0x8000_0001, low: 2 },
    },
    { type: "same" },
    {
      type: "parts",
      salt: 1,
      windowMs: 60_000,
      parts: [
        { type: "split", depth: 1, prefix: 0xa000_0000, children },
        {
          type: "list",
          depth: 0,
          prefix: 0,
          reply: true,
          more: false,
          ids: join(...ids),
          ages: [0, 300, 70_000],
        },
        {
          type: "list",
          depth: 8,
          prefix: 0x1234_5678,
          reply: false,
          more: true,
          ids: new Uint8Array(0),
          ages: [],
        },
      ],
    },
  ];
  return messages.map((message) =>
    vector(message.type, { alias: ALIAS, message }, encodeSync(ALIAS, message))
  );
}

function requests(): Vector[] {
  const chunk = text("chunk"), { encodeRequest, encodeReply, encodeReplyEnd } = request;
  const name = request.encodeProtocol("block/get");
  const frames: [request.RequestFrame, Uint8Array][] = [
    [
      { type: "request", id: 7, protocol: "block/get", body: text("42") },
      join(encodeRequest(7, name), text("42")),
    ],
    [{ type: "reply", id: 7, streamed: true, data: chunk }, join(encodeReply(7, true), chunk)],
    [
      { type: "reply-end", id: 7, streamed: false, found: true, data: chunk },
      join(encodeReplyEnd(7, false, true), chunk),
    ],
    [
      { type: "reply-end", id: 7, streamed: false, found: false, data: new Uint8Array(0) },
      encodeReplyEnd(7, false, false),
    ],
    [
      { type: "reply-error", id: 7, code: "busy", text: "später" },
      request.encodeReplyError(7, "busy", "später"),
    ],
    [{ type: "cancel", id: 300 }, request.encodeRequestCancel(300)],
    [{ type: "credit", id: 7, credit: 65_600 }, request.encodeRequestCredit(7, 65_600)],
  ];
  return frames.map(([frame, bytes]) => vector(frame.type, frame, bytes));
}

function directory(): Vector[] {
  const table = new DirectoryTable(
    BOB.id,
    DEFAULT_LIMITS,
    primitives().sha256Into,
  );
  table.put(listed, 300, 0);
  const { fingerprint } = table;
  const page = { more: false, cursor: 1, records: [{ seconds: 250, bytes: listed.encoded }] };
  return [
    vector("request", { cursor: 0, fingerprint }, encodePageRequest({ cursor: 0, fingerprint })),
    vector("equal", { more: false, cursor: 0, records: [] }, encodeEqual()),
    vector("page", page, encodePage(table.entries(), 0, 50_000, 4_096)),
  ];
}

function chunks(): Json {
  const payload = new Uint8Array(34_000).fill(0x61), lanes = new Lanes(100_000);
  lanes.push(Lane.BULK, new Uint8Array([Frame.GOSSIP]), payload);
  const out = new Uint8Array(40_000);
  const cut = lanes.fill(out, 0, 20_000), end = lanes.fill(out, cut, cut + 20_000);
  const parts = [out.slice(0, cut), out.slice(cut, end)];
  return parts.map((part) => ({ head: toHex(part, 0, 6), bytes: part.length }));
}

/** Everything. */
export function build(): Record<string, Json> {
  const cbor = [0, -1, 255, 65_536, 2 ** 32, 1.5, true, null, "größer", [1, []], { a: 1 }];
  return {
    about:
      "Encodings of the plumtree protocol, version 1, see PROTOCOL.md. Bytes are hex; a record stands as the hex of what travels.",
    varint: varints(),
    cbor: cbor.map((value) => vector("", value, encodeCbor(value))),
    identity: [{ seed: "plumtree vectors: alice", id: ALICE.id }, {
      seed: "plumtree vectors: bob",
      id: BOB.id,
    }],
    handshake: handshake(),
    topicKey: [["vectors", "blocks"], ["plumtree", "plumtree/directory"], ["", "ä"]].map((
      [network, name],
    ) => ({ network: network!, name: name!, key: toHex(keyOf(network!, name!)) })),
    record: [alice, bob, listed].map(({ encoded, ...fields }) =>
      vector(fields.id.slice(0, 8), fields, encoded)
    ),
    node: node(),
    overlay: overlay(),
    gossip: gossip(),
    bundles: bundles(),
    tree: trees(),
    fingerprint: [0, 0xdead_beef].map((salt) => ({
      salt,
      ids: ids.map(plain),
      ...(fingerprint(ids, salt) as object),
    })),
    sync: sync(),
    request: requests(),
    directory: directory(),
    chunk: chunks(),
  };
}

/** The file. */
export const FILE: URL = new URL("../vectors/wire.json", import.meta.url);

if (import.meta.main && Deno.args.includes("--write")) {
  Deno.writeTextFileSync(FILE, JSON.stringify(build(), null, 2) + "\n");
}
