/**
 * Nodes join one after another through random others, and the overlay is looked at as it grows.
 *
 * @module
 */

import { Lab } from "./lab.ts";
import { round, type Scenario } from "./scenario.ts";

/** Virtual ms between joins. */
const EVERY_MS = 20;
const LOOKS = 20;

/** See the module. */
export const joining: Scenario = {
  name: "join",
  about: "nodes join one every 20 ms through random others: links, connectedness, frames per join",
  nodes: 1_000,
  async run({ nodes, seed, show }) {
    const lab = new Lab({ seed, latencyMs: [10, 50] });
    const degree: [number, number][] = [], whole: [number, number][] = [];
    const look = () => {
      const graph = lab.graph(), secs = round(lab.now / 1_000);
      degree.push([secs, 2 * graph.edges / graph.size]);
      whole.push([secs, graph.components()[0]!.length / graph.size]);
    };
    const step = Math.max(1, Math.floor(nodes / LOOKS));
    for (let joined = 0; joined < nodes; joined += step) {
      await lab.joinThroughAnybody(Math.min(step, nodes - joined), EVERY_MS);
      show(`joined ${joined + step} of ${nodes}`);
      look();
    }
    const { frames } = lab.fabric.metrics();
    const secs = lab.now / 1_000;
    // How long until the last view is as full as it gets.
    for (let i = 0; i < 30; i++) {
      await lab.run(1_000);
      if (i % 5 === 4) look();
    }
    const graph = lab.graph(), degrees = graph.degrees();
    const connected = graph.components().length === 1;
    await lab.close();
    const full = (degrees[5] ?? 0) / nodes;
    const figures = {
      framesPerJoin: round(frames / nodes, 1),
      meanDegreeAfterJoins: round(degree.findLast(([at]) => at <= secs)![1]),
      meanDegree: round(2 * graph.edges / nodes),
      fullViews: round(full, 4),
      degrees,
      oneSided: graph.oneSided,
      connected,
    };
    return {
      figures,
      table: [
        ["", "after the joins", "30 s later"],
        ["mean degree", figures.meanDegreeAfterJoins, figures.meanDegree],
        ["nodes with 5 neighbours", "", `${round(100 * full, 2)} %`],
        ["connected", "", String(connected)],
        ["frames per join", figures.framesPerJoin, ""],
      ],
      chart: {
        title: `${nodes} nodes join, one every ${EVERY_MS} ms`,
        x: "seconds",
        y: "links per node; share in one component",
        series: [
          { name: "mean degree", points: degree },
          { name: "share connected", points: whole },
        ],
      },
      claims: { connected, "95 % have 5 neighbours": full >= 0.95 },
    };
  },
};
