/** Frames and ids; an iteration is the batch in its title. */

import { encodeCbor } from "../src/wire/cbor.ts";
import { buildGossip, gossipDigest, gossipShape, readGossip } from "../src/wire/gossip.ts";
import { decodeOverlay, encodeOverlay } from "../src/wire/overlay_messages.ts";
import {
  decodeRecord,
  type PeerRecord,
  type SignedRecord,
  signRecord,
} from "../src/wire/record.ts";
import { nodeHash } from "../src/secure/primitives_node.ts";
import { portablePrimitives } from "../src/secure/primitives.ts";

const KEY = new Uint8Array(32), digest = new Uint8Array(32);

function body(size: number): Uint8Array {
  return buildGossip({
    origin: new Uint8Array(8),
    seq: 300,
    priority: "normal",
    payload: new Uint8Array(size),
    key: KEY,
    hash: nodeHash.sha256Into,
    sign: undefined,
  }, digest);
}

for (const size of [100, 1_024]) {
  Deno.bench({
    name: `1,000 x build a message of ${size} B`,
    group: "messages",
    baseline: size === 100,
    fn() {
      for (let i = 0; i < 1_000; i++) body(size);
    },
  });
}

const small = body(100), kilobyte = body(1_024), shape = gossipShape();
Deno.bench("10,000 x read a message's head", { group: "messages" }, () => {
  for (let i = 0; i < 10_000; i++) readGossip(shape, kilobyte, 0, kilobyte.length, 1 << 20);
});

const portable = portablePrimitives();
const originAt = 1;
for (const [name, bytes] of [["100 B", small], ["1 KiB", kilobyte]] as const) {
  for (const [kind, hash] of [["node:crypto", nodeHash], ["noble", portable]] as const) {
    Deno.bench({
      name: `200 x id of ${name}, ${kind}`,
      group: `ids of ${name}`,
      baseline: kind === "node:crypto",
      fn() {
        for (let i = 0; i < 200; i++) {
          gossipDigest(hash.sha256Into, KEY, bytes, originAt, bytes.length, digest);
        }
      },
    });
  }
}

const peer: PeerRecord = {
  id: "ab".repeat(32),
  addresses: ["10.0.0.1:7946"],
  seq: 1,
  ttlSeconds: 300,
  topics: ["news"],
  shards: new Map([["tx", { count: 64, bits: new Uint8Array(8) }]]),
};
const record = signRecord(peer, () => new Uint8Array(64));
Deno.bench("100 x encode a peer's record", { group: "records", baseline: true }, () => {
  for (let i = 0; i < 100; i++) signRecord(peer, () => new Uint8Array(64));
});
Deno.bench("100 x decode a peer's record that is known", { group: "records" }, () => {
  for (let i = 0; i < 100; i++) decodeRecord(record.encoded);
});
const records = Array.from(
  { length: 100 },
  (_, seq) => signRecord({ ...peer, seq }, () => new Uint8Array(64)),
);
Deno.bench("100 x decode a peer's record that is new", { group: "records" }, () => {
  for (const { encoded } of records) decodeRecord(encoded);
});
Deno.bench("100 x its CBOR alone", { group: "records" }, () => {
  for (let i = 0; i < 100; i++) encodeCbor([1, KEY, 1, 300, ["10.0.0.1:7946"], ["news"], []]);
});

const shuffled = {
  type: "shuffle-reply",
  walk: 7,
  entries: Array<SignedRecord>(8).fill(record),
} as const;
const encoded = encodeOverlay(shuffled);
Deno.bench(
  "100 x encode an answer to a shuffle",
  { group: "overlay frames", baseline: true },
  () => {
    for (let i = 0; i < 100; i++) encodeOverlay(shuffled);
  },
);
Deno.bench("100 x decode an answer to a shuffle", { group: "overlay frames" }, () => {
  for (let i = 0; i < 100; i++) decodeOverlay(encoded, 16);
});
