/**
 * Two clusters as a latency model.
 *
 * @module
 */

import type { Latency } from "../sim_fabric.ts";
import { hashText } from "../rng.ts";

/** Every id in one of two halves, near inside and far between; one-way delays in ms. */
export function twoClusterLatency(insideMs: number, betweenMs: number): Latency {
  return (from, to) => (hashText(from) & 1) === (hashText(to) & 1) ? insideMs : betweenMs;
}
