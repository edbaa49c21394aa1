/**
 * Nodes that are busy: large messages over links of a bandwidth, and event loops that are late.
 *
 * @module
 */

import { mean, quantile, round, type Scenario, settled } from "./scenario.ts";

const SIZES = [1_000, 16_000, 64_000, 256_000, 1_000_000];
/** Full nodes of libp2p's test plans: 50 Mbit/s. */
const BYTES_PER_SECOND = 6_250_000;
const EACH = 5;

/** Messages of growing size. */
export const largeMessages: Scenario = {
  name: "large-messages",
  about:
    "messages of 1 kB to 1 MB over 50 Mbit/s up and down at every node: delivery times by size",
  nodes: 200,
  async run(settings) {
    const lab = await settled(settings, {
      bandwidth: { up: BYTES_PER_SECOND, down: BYTES_PER_SECOND },
    });
    for (let i = 0; i < 5; i++) await lab.broadcast(lab.nodes[0]!);
    const p50: [string, number][] = [], p99: [string, number][] = [];
    const copies: [string, number][] = [];
    let whole = true;
    for (const size of SIZES) {
      const ms: number[] = [], rmr: number[] = [];
      for (let i = 0; i < EACH; i++) {
        const broadcast = await lab.broadcast(lab.nodes[0]!, { size, quietMs: 5_000 });
        whole &&= broadcast.delivered === broadcast.expected;
        for (const receipt of broadcast.receipts) ms.push(receipt.ms);
        rmr.push(broadcast.rmr);
      }
      ms.sort((a, b) => a - b);
      const name = `${size / 1_000} kB`;
      p50.push([name, round(quantile(ms, 0.5), 0)]);
      p99.push([name, round(quantile(ms, 0.99), 0)]);
      copies.push([name, round(mean(rmr), 4)]);
      settings.show(name);
    }
    await lab.close();
    return {
      figures: {
        p50Ms: Object.fromEntries(p50),
        p99Ms: Object.fromEntries(p99),
        rmr: Object.fromEntries(copies),
      },
      table: [
        ["size", "p50 ms", "p99 ms", "redundancy"],
        ...p50.map(([name, ms], i) => [name, ms, p99[i]![1], copies[i]![1]]),
      ],
      chart: {
        title: `Delivery times by size, ${settings.nodes} nodes of 50 Mbit/s`,
        x: "size of the message",
        y: "ms",
        kind: "bar",
        log: true,
        series: [{ name: "p50", points: p50 }, { name: "p99", points: p99 }],
      },
      claims: { "everything arrives": whole },
    };
  },
};

const SECONDS = 60;
/** How late, in ms: well below the silence that ends a link. */
const STALL_MS = 2_000;

/** Event loops that are blocked now and then. */
export const lateLoop: Scenario = {
  name: "late-loop",
  about:
    "every second a tenth of the nodes block their event loop for 2 s: links stay, all is delivered",
  nodes: 300,
  async run(settings) {
    // Without swaps by cost, which change links for reasons of their own.
    const lab = await settled(settings, { detectMs: 5_000, overlay: { swapMs: 0 } });
    for (let i = 0; i < 5; i++) await lab.broadcast(lab.nodes[0]!);
    const before = new Set(lab.links().map(({ from, to }) => from + to));
    const reliability: [number, number][] = [], p99: [number, number][] = [];
    for (let second = 0; second < SECONDS; second++) {
      for (const { id } of lab.pick(Math.ceil(settings.nodes / 10))) lab.fabric.stall(id, STALL_MS);
      const { delivered, expected, ms } = await lab.broadcast(lab.nodes[0]!, { quietMs: 3_000 });
      reliability.push([second, delivered / expected]);
      p99.push([second, quantile(ms, 0.99)]);
      settings.show(`message ${second + 1} of ${SECONDS}`);
    }
    const kept = lab.links().filter(({ from, to }) => before.has(from + to)).length;
    await lab.close();
    const figures = {
      reliability: round(mean(reliability.map(([, y]) => y)), 5),
      p99Ms: round(mean(p99.map(([, y]) => y)), 0),
      linksKept: round(kept / before.size, 4),
    };
    return {
      figures,
      table: [
        ["", ""],
        ["reliability", figures.reliability],
        ["delivery p99, ms", figures.p99Ms],
        ["links that stayed", figures.linksKept],
      ],
      chart: {
        title: `A tenth of ${settings.nodes} nodes is ${STALL_MS} ms late at every message`,
        x: "message",
        y: "ms until 99 % have it",
        series: [{ name: "p99", points: p99 }],
      },
      claims: {
        "everything arrives": figures.reliability === 1,
        "four of five links stay": figures.linksKept > 0.8,
      },
    };
  },
};
