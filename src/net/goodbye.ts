/**
 * Why a connection ends, as one byte in a GOODBYE frame.
 *
 * @module
 */

import type { DownReason } from "../core/host.ts";

/** A {@linkcode DownReason}, or "busy": refused because a bound of the other side is reached. */
export type EndReason = DownReason | "busy";

/** In the order of their codes; a code that is not here reads as "left". */
const REASONS: readonly EndReason[] = [
  "lost",
  "left",
  "evicted",
  "swapped",
  "slow",
  "misbehaved",
  "idle",
  "superseded",
  "replaced",
  "busy",
];

/** The byte for a reason. This node's own "closed" is "left" to the other side. */
export function goodbyeCode(reason: EndReason): number {
  return Math.max(1, REASONS.indexOf(reason));
}

/** The reason for a byte. */
export function goodbyeReason(code: number): EndReason {
  return code === 0 ? "left" : REASONS[code] ?? "left";
}

/** What a node is told about a link that was up: "busy" and "superseded" are for those that never were. */
export function downReason(reason: EndReason): DownReason {
  return reason === "busy" || reason === "superseded" ? "left" : reason;
}

/** True where the connection's end says nothing against the peer. */
export function isHarmless(reason: EndReason): boolean {
  return reason === "superseded" || reason === "replaced" || reason === "idle" ||
    reason === "closed";
}
