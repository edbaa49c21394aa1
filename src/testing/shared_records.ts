/**
 * Memory of many simulated nodes in one process: what all of them know is kept once.
 *
 * @module
 */

import { rememberRecords } from "../wire/record.ts";

/** Decoded records that all nodes of this process share: a power of two, some times the nodes. */
let sharedRecords = 1_024;
const RECORDS_PER_NODE = 4;

/** Makes room for the records of so many nodes: each in its own copy at every node would be most of the memory. */
export function shareRecords(nodes: number): void {
  const before = sharedRecords;
  while (sharedRecords < nodes * RECORDS_PER_NODE) sharedRecords *= 2;
  if (sharedRecords > before) rememberRecords(sharedRecords);
}
