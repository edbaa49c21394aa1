/**
 * Broadcasts on a settled overlay: of one sender, and of random ones.
 *
 * @module
 */

import type { Broadcast } from "./lab.ts";
import { mean, quantile, round, type Scenario, type ScenarioReport, settled } from "./scenario.ts";

const MESSAGES = 60;
/** A tree is as still as its overlay: each link that a swap brings costs a copy. So there are none here. */
const STILL = { swapMs: 0 };

function means(broadcasts: readonly Broadcast[]) {
  const of = (value: (broadcast: Broadcast) => number) => round(mean(broadcasts.map(value)), 4);
  return {
    reliability: of(({ delivered, expected }) => delivered / expected),
    rmr: of(({ rmr }) => rmr),
    ldh: of(({ ldh }) => ldh),
    p50Ms: of(({ ms }) => quantile(ms, 0.5)),
    p99Ms: of(({ ms }) => quantile(ms, 0.99)),
    ihaveFrames: of(({ ihaveFrames }) => ihaveFrames),
    grafts: of(({ grafts }) => grafts),
    prunes: of(({ prunes }) => prunes),
  };
}

type Means = ReturnType<typeof means>;

function rowsOf(columns: Readonly<Record<string, Means>>): (string | number)[][] {
  const names: [keyof Means, string][] = [
    ["reliability", "reliability"],
    ["rmr", "redundancy (RMR)"],
    ["ldh", "last delivery, hops"],
    ["p50Ms", "delivery p50, ms"],
    ["p99Ms", "delivery p99, ms"],
    ["ihaveFrames", "IHAVE frames"],
    ["grafts", "GRAFTs"],
    ["prunes", "PRUNEs"],
  ];
  return [
    ["per broadcast", ...Object.keys(columns)],
    ...names.map(([key, name]) => [name, ...Object.values(columns).map((one) => one[key])]),
  ];
}

/** One sender. */
export const broadcast: Scenario = {
  name: "broadcast",
  about: "60 broadcasts of one sender, without X-BOT: redundancy, depth and time as the tree forms",
  nodes: 1_000,
  async run(settings): Promise<ScenarioReport> {
    const lab = await settled(settings, { overlay: STILL });
    const all: Broadcast[] = [];
    for (let i = 0; i < MESSAGES; i++) {
      all.push(await lab.broadcast(lab.nodes[0]!));
      settings.show(`broadcast ${i + 1} of ${MESSAGES}`);
    }
    await lab.close();
    const later = means(all.slice(MESSAGES / 2));
    return {
      figures: { ...later, rmrs: all.map(({ rmr }) => round(rmr, 4)), ldhs: all.map((b) => b.ldh) },
      table: rowsOf({ "the first": means(all.slice(0, 1)), "the later half": later }),
      chart: {
        title: `Broadcasts of one sender to ${settings.nodes} nodes`,
        x: "broadcast",
        y: "hops; copies beyond the first",
        series: [
          { name: "last delivery, hops", points: all.map(({ ldh }, i) => [i, ldh]) },
          { name: "redundancy (RMR)", points: all.map(({ rmr }, i) => [i, rmr]) },
        ],
      },
      claims: {
        "everything arrives": all.every(({ delivered, expected }) => delivered === expected),
        "redundancy of the later half below 0.02": later.rmr < 0.02,
      },
    };
  },
};

/** Numbers of trees that are compared. */
const TREES = [1, 4, 8];

/** Every message of another node, over one tree and over several. */
export const manySenders: Scenario = {
  name: "many-senders",
  about:
    "60 broadcasts of random senders over 1, 4 and 8 trees, without X-BOT: redundancy, depth, time",
  nodes: 1_000,
  async run(settings): Promise<ScenarioReport> {
    const columns: Record<string, Means> = {};
    const series: { name: string; points: [number, number][] }[] = [];
    let whole = true;
    for (const trees of TREES) {
      const lab = await settled(settings, { overlay: STILL, tree: { trees } });
      const all: Broadcast[] = [];
      for (let i = 0; i < MESSAGES; i++) {
        all.push(await lab.broadcast(lab.someone()));
        settings.show(`trees ${trees}: broadcast ${i + 1} of ${MESSAGES}`);
      }
      await lab.close();
      const name = trees === 1 ? "1 tree" : `${trees} trees`;
      columns[name] = means(all.slice(MESSAGES / 2));
      series.push({ name: `${name}: hops`, points: all.map(({ ldh }, i) => [i, ldh]) });
      series.push({ name: `${name}: RMR`, points: all.map(({ rmr }, i) => [i, rmr]) });
      whole &&= all.every(({ delivered, expected }) => delivered === expected);
    }
    return {
      figures: { trees: columns },
      table: rowsOf(columns),
      chart: {
        title: `Broadcasts of random senders among ${settings.nodes} nodes`,
        x: "broadcast",
        y: "hops of the last delivery; RMR",
        series,
      },
      claims: {
        "everything arrives": whole,
        "redundancy of the later halves below 0.05": Object.values(columns).every(({ rmr }) =>
          rmr < 0.05
        ),
      },
    };
  },
};
