/**
 * What a scenario is, and what all of them need.
 *
 * @module
 */

import type { Chart } from "./chart.ts";
import { Lab, type LabOptions } from "./lab.ts";

/** What a scenario is given. */
export interface ScenarioSettings {
  readonly nodes: number;
  readonly seed: number;
  /** Takes a line of progress. */
  show(line: string): void;
}

/** What a scenario found. */
export interface ScenarioReport {
  /** For machines: numbers by name. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** For people: rows of cells, the first one the heading. */
  readonly table: readonly (readonly (string | number)[])[];
  readonly chart: Chart;
  /** What the scenario claims, and whether it held. */
  readonly claims: Readonly<Record<string, boolean>>;
}

/** One scenario. */
export interface Scenario {
  readonly name: string;
  /** What it shows, in one line. */
  readonly about: string;
  /** Nodes where none are named. */
  readonly nodes: number;
  run(settings: ScenarioSettings): Promise<ScenarioReport>;
}

/** Lets the view of every node fill: joins through random nodes, then two shuffle periods. */
export async function settled(
  settings: ScenarioSettings,
  options: Omit<LabOptions, "seed"> = {},
): Promise<Lab> {
  const { nodes, seed, show } = settings;
  const lab = new Lab({ seed, latencyMs: [10, 50], ...options });
  await lab.joinThroughAnybody(nodes, 20, (done) => show(`joined ${done} of ${nodes}`));
  show("settling");
  await lab.run(30_000);
  return lab;
}

/** The mean of numbers; NaN of none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Rounded for people and for JSON. */
export function round(value: number, digits = 3): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/** The value below which a share of the sorted numbers lies; NaN of none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
