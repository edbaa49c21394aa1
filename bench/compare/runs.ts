/**
 * The results of all runs, and their medians.
 *
 * @module
 */

import type { RunResult } from "./contenders.ts";

/** A statement that is to hold, and whether it does. */
export interface Outcome {
  readonly wanted: string;
  readonly bound: string;
  readonly measured: string;
  readonly ok: boolean;
}

const FIELDS = [
  ...["deliveriesPerSec", "mbPerSec", "p50Ms", "p99Ms", "cpuUsPerDelivery"],
  ...["duplicatesPerDelivery", "wireBytesPerDelivery", "rssMb"],
] as readonly string[] as readonly (keyof RunResult)[];

/** Medians of the fields over the rounds. */
export type Medians = Record<keyof RunResult, number>;

/** See the module. */
export class Runs {
  readonly #results = new Map<string, Map<string, RunResult[]>>();

  /** True where nobody lost a message. */
  complete = true;

  add(load: string, contender: string, result: RunResult): void {
    if (result.delivered !== result.expected) this.complete = false;
    const byName = this.#results.get(load) ?? new Map<string, RunResult[]>();
    this.#results.set(load, byName);
    byName.set(contender, [...byName.get(contender) ?? [], result]);
  }

  /** Undefined where there was no such run. */
  median(load: string, contender: string): Medians | undefined {
    const results = this.#results.get(load)?.get(contender);
    if (results === undefined) return undefined;
    const medians = {} as Medians;
    for (const field of Object.keys(results[0]!) as (keyof RunResult)[]) {
      medians[field] = median(results.map((result) => result[field]));
    }
    return medians;
  }

  /** A table of one workload for people. */
  rows(load: string, contenders: readonly string[]): (string | number)[][] {
    const ours = this.median(load, "ours")?.deliveriesPerSec;
    const rows: (string | number)[][] = [["", ...FIELDS, "ours/it"]];
    for (const name of contenders) {
      const medians = this.median(load, name);
      if (medians === undefined) continue;
      const ratio = ours === undefined ? "" : (ours / medians.deliveriesPerSec).toFixed(2);
      rows.push([name, ...FIELDS.map((field) => medians[field]), ratio]);
    }
    return rows;
  }

  /** Medians and ratios per workload. */
  report(): { loads: Record<string, Record<string, unknown>> } {
    const loads: Record<string, Record<string, unknown>> = {};
    for (const [load, byName] of this.#results) {
      const ours = this.median(load, "ours");
      const medians: Record<string, unknown> = {}, ratios: Record<string, number> = {};
      for (const name of byName.keys()) {
        const theirs = this.median(load, name)!;
        medians[name] = theirs;
        if (ours && name !== "ours") {
          ratios[name] = Number((ours.deliveriesPerSec / theirs.deliveriesPerSec).toFixed(3));
        }
      }
      loads[load] = { ...medians, ratios };
    }
    return { loads };
  }
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
