/** X-BOT against plain HyParView: `deno run -A bench/xbot.ts --nodes 1000 --preset wan --seed 1 [--swaps 0] [--clusters] [--seconds 300]` */
import { Network } from "@x/plumtree/testing";
import type { Gossip, Preset } from "@x/plumtree";

const args = new Map<string, string>();
for (let i = 0; i < Deno.args.length; i++) {
  if (Deno.args[i]!.startsWith("--")) args.set(Deno.args[i]!.slice(2), Deno.args[i + 1] ?? "");
}
const nodes = Number(args.get("nodes") ?? 1000);
const seed = Number(args.get("seed") ?? 1);
const preset = (args.get("preset") ?? "wan") as Preset;
const seconds = Number(args.get("seconds") ?? 300);
const swaps = args.get("swaps") !== "0";
const overlay = JSON.parse(args.get("overlay") ?? "{}");

const data = JSON.parse(Deno.readTextFileSync("/work/shared/data/region_latency.json"));
const regions = Object.keys(data.weight);
const total = regions.reduce((s, r) => s + data.weight[r], 0);
function hash(id: string): number {
  return parseInt(id.slice(0, 8), 16) / 2 ** 32;
}
function region(id: string): string {
  let x = hash(id) * total;
  for (const r of regions) if ((x -= data.weight[r]) < 0) return r;
  return regions[0]!;
}
const cache = new Map<string, string>();
function regionOf(id: string): string {
  let r = cache.get(id);
  if (r === undefined) cache.set(id, r = region(id));
  return r;
}
const latencyMs = args.has("clusters")
  ? (a: string, b: string) => (hash(a) < 0.5) === (hash(b) < 0.5) ? 2.5 : 75
  : (a: string, b: string) => data.latencyMs[regionOf(a)][regionOf(b)];

await using net = new Network({ seed, latencyMs });
const started = performance.now();
await net.spawn(nodes, {
  preset,
  join: ["t"],
  directory: false,
  overlay: { ...overlay, ...(swaps ? {} : { swapMs: 0 }) },
});
function view(g: Gossip): readonly string[] {
  return g.topic("t")!.neighbors;
}
function stats() {
  let cost = 0, links = 0;
  const degrees: Record<number, number> = {};
  const by = new Map(net.nodes.map((g) => [g.id, view(g)]));
  let half = 0;
  for (const [id, v] of by) {
    degrees[v.length] = (degrees[v.length] ?? 0) + 1;
    for (const p of v) {
      cost += latencyMs(id, p);
      links++;
      if (!by.get(p)?.includes(id)) half++;
    }
  }
  const seen = new Set([net.nodes[0]!.id]);
  for (const id of seen) for (const p of by.get(id) ?? []) seen.add(p);
  return { mean: cost / links, links, half, connected: seen.size, degrees };
}
async function broadcasts(count: number, gap: number) {
  const rows: number[] = [];
  const worst: number[] = [];
  let reached = 0;
  const all = net.nodes;
  for (let k = 0; k < count; k++) {
    const from = all[(k * 7919 + 13) % all.length]!;
    const t0 = net.now;
    const lat: number[] = [];
    const iters = all.filter((g) => g !== from).map((g) => {
      const it = g.topic("t")!.messages()[Symbol.asyncIterator]();
      it.next().then((r) => {
        if (!r.done) lat.push(net.now - t0);
        it.return?.();
      });
      return it;
    });
    await from.topic("t")!.publish("m" + k);
    await net.run({ seconds: gap });
    for (const it of iters) it.return?.();
    reached += lat.length / (all.length - 1);
    rows.push(...lat);
    worst.push(Math.max(...lat));
  }
  rows.sort((a, b) => a - b);
  const q = (p: number) => rows[Math.min(rows.length - 1, Math.floor(p * rows.length))];
  worst.sort((a, b) => a - b);
  return { p50: q(0.5), p99: q(0.99), max: rows.at(-1), reliability: reached / count, medianLast: worst[worst.length >> 1] };
}
const base: number[] = [];
let cut = 0;
for (let s = 0; s < seconds; s++) {
  await net.run({ seconds: 1 });
  if (s < 20) continue;
  const st = stats();
  if (st.connected !== nodes) cut++;
  if (s % 30 === 0) console.log(s, st.mean.toFixed(1), st.half, st.connected, JSON.stringify(st.degrees));
  base.push(st.mean);
}
const m = { tried: 0, done: 0, failed: 0, conn: 0, dials: 0, misses: 0 };
for (const g of net.nodes) {
  const t = g.topic("t")!.metrics();
  m.tried += t.swapsTried;
  m.done += t.swapsDone;
  m.failed += t.swapsFailed;
  const tr = g.metrics().transport;
  m.conn += tr.connections;
  m.dials += tr.dials;
}
const end = stats();
console.log("final", end.mean.toFixed(2), "half", end.half, JSON.stringify(end.degrees), "seconds not connected", cut, m, `${((performance.now() - started) / 1000).toFixed(1)} s`);
if (args.has("broadcast")) {
  const n = Number(args.get("broadcast") || 20);
  await broadcasts(10, 5);
  console.log("broadcast", await broadcasts(n, 5));
  const all = net.nodes;
  const victims = all.filter((_, i) => (i * 2654435761 >>> 0) % 100 < 50);
  net.kill(victims);
  console.log("after 50%", await broadcasts(1, 0.001 + 10), stats());
  console.log("later", await broadcasts(10, 3));
  console.log(stats());
}
