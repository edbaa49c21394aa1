/**
 * What a worker of the fault search is asked to do.
 *
 * @module
 */

import { withBug } from "./bugs.ts";
import { type FaultReport, searchFaults } from "./search.ts";

/** One seed, as plain data. */
export interface FaultTask {
  readonly seed: number;
  readonly trace: boolean;
  /** A deliberate bug that is in the library while the seed runs. */
  readonly bug?: string;
}

/** Runs a task. */
export function runFaultTask({ seed, trace, bug }: FaultTask): Promise<FaultReport> {
  if (bug === undefined) return searchFaults(seed, { trace });
  return withBug(bug, () => searchFaults(seed, { trace }));
}
