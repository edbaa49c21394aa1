/**
 * Decoded records that all simulated nodes of a process share: each in its own copy at every node would be most of their memory.
 *
 * @module
 */

import { rememberRecords } from "../wire/record.ts";

const RECORDS_PER_NODE = 4;
let room = 2_048;

/** Makes room for the records of so many nodes; a power of two. */
export function shareRecords(nodes: number): void {
  const before = room;
  while (room < nodes * RECORDS_PER_NODE) room *= 2;
  if (room > before) rememberRecords(room);
}
