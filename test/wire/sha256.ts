/**
 * SHA-256 as the core has it, by plain `node:crypto`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Hash } from "../../src/wire/gossip.ts";

/** See {@linkcode Hash}. */
export const sha256: Hash = (bytes, start, end, out, at, front = new Uint8Array(0)) =>
  out.set(createHash("sha256").update(front).update(bytes.subarray(start, end)).digest(), at);
