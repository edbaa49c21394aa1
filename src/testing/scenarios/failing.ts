/**
 * A part of the nodes crashes at once, under the library's default timing.
 *
 * @module
 */

import { mean, quantile, round, type Scenario, settled } from "./scenario.ts";

/** Milliseconds until silence ends a link. */
const DETECT_MS = 5_000;
const MESSAGES = 20;

/** Half of the nodes are gone. */
export const massiveFailure: Scenario = {
  name: "massive-failure",
  about:
    "half of the nodes crash at once: reliability and redundancy of the messages right after it",
  nodes: 1_000,
  async run(settings) {
    const lab = await settled(settings, { detectMs: DETECT_MS });
    for (let i = 0; i < 5; i++) await lab.broadcast(lab.someone());
    lab.kill(lab.pick(settings.nodes >> 1));
    const share = lab.graph().components()[0]!.length / lab.living.length;
    const reliability: [number, number][] = [], rmr: [number, number][] = [];
    for (let i = 0; i < MESSAGES; i++) {
      const at = lab.now;
      const broadcast = await lab.broadcast(lab.someone(), { mostMs: 1_000, quietMs: 1_000 });
      reliability.push([i, broadcast.delivered / broadcast.expected]);
      rmr.push([i, broadcast.rmr]);
      settings.show(`message ${i + 1} of ${MESSAGES}`);
      await lab.run(Math.max(0, at + 1_000 - lab.now));
    }
    const after = mean(reliability.slice(-10).map(([, y]) => y));
    await lab.close();
    return {
      figures: {
        giantComponent: round(share),
        reliability: reliability.map(([, y]) => round(y, 4)),
        rmr: rmr.map(([, y]) => round(y, 4)),
        after: round(after, 4),
      },
      table: [
        ["message", "reliability", "redundancy"],
        ...reliability.map(([i, y]) => [i, round(y, 4), round(rmr[i]![1], 4)]),
      ],
      chart: {
        title: `Half of ${settings.nodes} nodes crash; one message a second`,
        x: "seconds after the crash",
        y: "share of the survivors reached; RMR",
        series: [
          { name: "reliability", points: reliability },
          { name: "redundancy (RMR)", points: rmr },
        ],
      },
      claims: { "everything arrives after the repair": after === 1 },
    };
  },
};

const SHARES = [0.3, 0.5, 0.7, 0.9];
const MOST_SECONDS = 120;

/** How many seconds it takes until everybody alive gets everything. */
export const healing: Scenario = {
  name: "healing",
  about: "30, 50, 70 and 90 % of the nodes crash: seconds until everybody alive gets everything",
  nodes: 1_000,
  async run(settings) {
    const secs: [string, number][] = [], one: [string, number][] = [];
    for (const share of SHARES) {
      const lab = await settled(settings, { detectMs: DETECT_MS });
      lab.kill(lab.pick(Math.floor(share * settings.nodes)));
      const from = lab.now, name = `${100 * share} %`;
      let joined = Infinity, healed = Infinity;
      while (Math.max(joined, healed) === Infinity && lab.now < from + MOST_SECONDS * 1_000) {
        await lab.run(500);
        if (joined === Infinity && lab.graph().components().length === 1) {
          joined = (lab.now - from) / 1_000;
        }
        const { delivered, expected } = await lab.broadcast(lab.someone());
        if (healed === Infinity && delivered === expected) healed = (lab.now - from) / 1_000;
        settings.show(`${name}: ${Math.round((lab.now - from) / 1_000)} s`);
      }
      await lab.close();
      secs.push([name, round(healed, 1)]);
      one.push([name, round(joined, 1)]);
    }
    return {
      figures: { seconds: Object.fromEntries(secs), connected: Object.fromEntries(one) },
      table: [
        ["crashed", "connected after, s", "everything everywhere after, s"],
        ...secs.map(([name, value], i) => [name, one[i]![1], value]),
      ],
      chart: {
        title:
          `Seconds from the crash until all survivors of ${settings.nodes} nodes get everything`,
        x: "crashed nodes",
        y: "seconds",
        kind: "bar",
        series: [
          { name: "the overlay is connected", points: one },
          { name: "everything gets everywhere", points: secs },
        ],
      },
      claims: {
        [`whole within ${MOST_SECONDS} s`]: [...secs, ...one].every(([, value]) =>
          value < MOST_SECONDS
        ),
      },
    };
  },
};

const CHURN_SECONDS = 60;

/** One percent of the nodes crash and as many join, every second. */
export const churn: Scenario = {
  name: "churn",
  about:
    "1 % of the nodes crash and as many join every second for a minute: who stays gets everything",
  nodes: 1_000,
  async run(settings) {
    const lab = await settled(settings, { detectMs: DETECT_MS });
    const steady = lab.nodes.slice(0, settings.nodes >> 1);
    const each = Math.max(1, Math.round(settings.nodes / 100));
    const reliability: [number, number][] = [], late: number[] = [];
    const rmr: [number, number][] = [];
    for (let second = 0; second < CHURN_SECONDS; second++) {
      const loose = lab.living.filter((node) => !steady.includes(node));
      lab.kill(loose.slice(0, each));
      for (let i = 0; i < each; i++) lab.start(lab.someone());
      const at = lab.now;
      const counted = new Map(steady.map((node) => [node, node.core.tree.metrics().delivered]));
      const sender = steady[lab.rng.int(steady.length)]!;
      const broadcast = await lab.broadcast(sender, { mostMs: 900, quietMs: 900 });
      await lab.run(Math.max(0, at + 1_000 - lab.now));
      const reached = steady.filter((node) =>
        node !== sender && node.core.tree.metrics().delivered > counted.get(node)!
      ).length;
      reliability.push([second, reached / (steady.length - 1)]);
      rmr.push([second, broadcast.rmr]);
      late.push(quantile(broadcast.ms, 0.99));
      settings.show(`second ${second + 1} of ${CHURN_SECONDS}`);
    }
    // What a message could not reach in its second comes by repair.
    await lab.run(20_000);
    const due = CHURN_SECONDS;
    const missing = steady.reduce((sum, node) => {
      const { delivered, published } = node.core.tree.metrics();
      return sum + Math.max(0, due - delivered - published);
    }, 0);
    await lab.close();
    const within = mean(reliability.map(([, y]) => y));
    return {
      figures: {
        reliabilityWithinASecond: round(within, 5),
        missingInTheEnd: missing,
        rmr: round(mean(rmr.map(([, y]) => y)), 4),
        p99Ms: round(mean(late), 1),
        churned: each * CHURN_SECONDS,
      },
      table: [
        ["", ""],
        ["crashed and joined", each * CHURN_SECONDS],
        ["reliability within a second, nodes that stay", round(within, 5)],
        ["deliveries missing in the end", missing],
        ["redundancy (RMR)", round(mean(rmr.map(([, y]) => y)), 4)],
        ["delivery p99, ms", round(mean(late), 1)],
      ],
      chart: {
        title: `1 % of ${settings.nodes} nodes crash and as many join, every second`,
        x: "second",
        y: "share reached within a second; RMR",
        series: [
          { name: "reliability, nodes that stay", points: reliability },
          { name: "redundancy (RMR)", points: rmr },
        ],
      },
      claims: { "nothing is missing": missing === 0 },
    };
  },
};
