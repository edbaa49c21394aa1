/**
 * Makes and drops copies of records, as a burst of large ones does, while much else is kept. Its argument: 1 where young collections are hurried.
 *
 * @module
 */

import { hurryYoung } from "../../src/secure/v8_memory.ts";

const RECORD = 32_000, MESSAGES = 31, RECORDS = 24_000, A_TURN = 50;

const hurried = Deno.args[0] === "1";
const retained = Array.from({ length: 200 }, () => new Uint8Array(2 ** 20));
let alive: unknown[] = [];

// What lives through collections makes the young generation large, as a start does.
for (let round = 0; round < 60; round++) {
  alive = Array.from({ length: 60_000 }, (_, at) => ({ round, at }));
}
const began = performance.now();
for (let i = 0; i < RECORDS; i++) {
  const record = new Uint8Array(RECORD);
  if (hurried) hurryYoung(record.length);
  const copy = new Uint8Array(record);
  alive = Array.from({ length: MESSAGES }, (_, at) => ({ at, view: copy.subarray(at, at + 1) }));
  if (i % A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}
// V8 writes its lines to standard output, with times.
if (alive.length + retained.length > 0) console.error(began);
