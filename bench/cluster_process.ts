/**
 * One process of a cluster that is spread over several: its nodes, ordered about by lines on its input.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import { PlumtreeCluster } from "./plumtree_cluster.ts";
import type { Answer, Order } from "./spread_cluster.ts";
import { payloadOf } from "./workload.ts";

const [nodes, bootstrap, sign, topics] = Deno.args;
const encoder = new TextEncoder();

function say(answer: Answer): void {
  const bytes = encoder.encode(JSON.stringify(answer) + "\n");
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

const cluster = await PlumtreeCluster.start({
  nodes: Number(nodes),
  bootstrap: [bootstrap!],
  sign: sign === "1",
  topics: Number(topics),
});
/** Deliveries not yet reported: message and run to their number. */
let fresh = new Map<string, [message: number, run: number, count: number]>();
cluster.onDelivery = (_node, payload) => {
  const view = new DataView(payload.buffer, payload.byteOffset);
  const message = view.getUint32(0), run = view.getUint32(4), key = `${run} ${message}`;
  const entry = fresh.get(key);
  if (entry !== undefined) {
    entry[2]++;
    return;
  }
  if (fresh.size === 0) setTimeout(report, 0);
  fresh.set(key, [message, run, 1]);
};

function report(): void {
  const got = [...fresh.values()].flat();
  fresh = new Map();
  say({ got });
}

say({ ready: cluster.readyMs });
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const order = JSON.parse(line) as Order;
  if ("publish" in order) {
    const [node, message, run, size] = order.publish;
    void cluster.publish(node, payloadOf(message, run, new Uint8Array(size)));
  } else if ("counters" in order) {
    say({ counters: { ...cluster.counters(), rssMb: Math.round(Deno.memoryUsage().rss / 1e6) } });
  } else if ("fill" in order) {
    await cluster.filled(order.fill);
    say({ filled: true });
  } else break;
}
await cluster.close();
Deno.exit();
