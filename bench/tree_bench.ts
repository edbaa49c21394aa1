/**
 * The broadcast tree alone: 16 nodes in memory, 1 KiB, a free hash; and the message log alone.
 *
 * @module
 */

import { MessageLog, Seen } from "../src/core/tree/message_log.ts";
import { Plumtree } from "../src/core/tree/plumtree.ts";
import type { TreePort } from "../src/core/tree/port.ts";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import { treeDefaults } from "../src/options.ts";

const NODES = 16;
const MESSAGES = 20_000;

interface Frame {
  to: number;
  from: number;
  bytes: Uint8Array;
  at: number;
  end: number;
}

/** Publishes `count` messages of `size` bytes and returns nanoseconds per delivery. */
function relay(count: number, size: number): number {
  let now = 0, delivered = 0, order = 0;
  const queue: Frame[] = [];
  const timers = new Map<number, { at: number; fire: () => void }>();
  const names = Array.from({ length: NODES }, (_, i) => i.toString(16).padStart(64, "0"));
  let record = new Uint8Array(32 * 1024), used = 0;
  const trees = names.map((self, from) => {
    const port: TreePort = {
      self,
      alias: 3,
      key: new Uint8Array(32),
      now: () => now,
      random: Math.random,
      after: (ms, fire) => {
        timers.set(++order, { at: now + ms, fire });
        return order;
      },
      cancel: (timer) => {
        timers.delete(timer);
      },
      send: (peer, _lane, head, body) => {
        const length = head.length + (body?.length ?? 0);
        if (used + length > record.length) {
          record = new Uint8Array(Math.max(length, 32 * 1024));
          used = 0;
        }
        record.set(head, used);
        if (body) record.set(body, used + head.length);
        queue.push({ to: parseInt(peer, 16), from, bytes: record, at: used, end: used += length });
        return true;
      },
      rtt: () => 1,
      sha256: (bytes, start, _end, out, at, front) => {
        // The counter is what differs: origin behind the key, 8 bytes, then the varint.
        const from = start + (front === undefined ? 32 : 0);
        for (let i = 0; i < 32; i++) out[at + i] = bytes[from + (i % 12)]! ^ i;
      },
      sign: () => new Uint8Array(64),
      verify: () => true,
      validate: () => "accept",
      deliver: () => {
        delivered++;
      },
      missed: () => {},
      rejected: () => {},
      misbehaved: () => {},
    };
    return new Plumtree(
      port,
      { ...treeDefaults("lan"), sign: false, history: "none", incarnation: 1 },
      DEFAULT_LIMITS,
    );
  });
  for (let i = 0; i < NODES; i++) {
    for (const step of [1, 4]) {
      const j = (i + step) % NODES;
      trees[i]!.neighborUp(names[j]!);
      trees[j]!.neighborUp(names[i]!);
    }
  }
  const drain = () => {
    for (let i = 0; i < queue.length; i++) {
      const { to, from, bytes, at, end } = queue[i]!;
      trees[to]!.receive(names[from]!, bytes[at]!, bytes, at + 2, end);
    }
    queue.length = 0;
    for (const [timer, { at, fire }] of [...timers]) {
      if (at > now || !timers.delete(timer)) continue;
      fire();
    }
  };
  const payload = new Uint8Array(size);
  for (let i = 0; i < 500; i++, now += 10) {
    trees[0]!.publish(payload);
    drain();
  }
  delivered = 0;
  const start = performance.now();
  for (let i = 0; i < count; i++, now += 0.25) {
    trees[0]!.publish(payload);
    if (i % 16 === 15) drain();
  }
  drain();
  const elapsed = performance.now() - start;
  for (const tree of trees) tree.close();
  return elapsed * 1e6 / delivered;
}

Deno.bench("tree: 20,000 messages of 1 KiB to 15 nodes", { n: 5, warmup: 1 }, () => {
  relay(MESSAGES, 1_024);
});

Deno.bench("message log: 65,536 inserts and as many lookups", () => {
  const log = new MessageLog(
    { seenIds: 65_536, retainMessages: 1, retainBytes: 1, retainSeconds: 1 },
    Math.random,
  );
  const ids = crypto.getRandomValues(new Uint8Array(20 * 3_000));
  for (let i = 0; i < 65_536; i++) {
    const at = 20 * (i % 3_000);
    ids[at] = i;
    ids[at + 1] = i >> 8;
    if (log.find(ids, at) < 0) log.add(ids, at, Seen.DELIVERED, 0, 0, 1, i);
  }
});

if (import.meta.main) {
  relay(2_000, 1_024);
  for (let i = 0; i < 3; i++) {
    console.log(`${Math.round(relay(MESSAGES, 1_024))} ns per delivery of 1 KiB`);
  }
  const log = new MessageLog(
    { seenIds: 65_536, retainMessages: 1, retainBytes: 1, retainSeconds: 1 },
    Math.random,
  );
  const count = 1_000_000, ids = new Uint8Array(20 * count);
  for (let i = 0; i < ids.length; i += 65_536) {
    crypto.getRandomValues(ids.subarray(i, Math.min(ids.length, i + 65_536)));
  }
  let start = performance.now();
  for (let i = 0; i < count; i++) log.add(ids, 20 * i, Seen.DELIVERED, 0, 0, 1, i);
  console.log(`${((performance.now() - start) * 1e6 / count).toFixed(0)} ns per insert (evicting)`);
  start = performance.now();
  let hits = 0;
  for (let i = 0; i < count; i++) if (log.find(ids, 20 * i) >= 0) hits++;
  console.log(
    `${((performance.now() - start) * 1e6 / count).toFixed(0)} ns per lookup (${hits} hits)`,
  );
}
