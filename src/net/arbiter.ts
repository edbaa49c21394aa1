/**
 * Which of two connections between the same two peers stays. The responder decides, when the dialler has proved who it is.
 *
 * Both sides may dial at once. A dialler commits when it sends the handshake's last message; the connection is up for it only when
 * the responder's first frame comes. The dial of the smaller id wins: the smaller side refuses a dial once it has committed to its own,
 * the larger side gives up its own for one that arrives. As no dial can be accepted before it is committed to, exactly one remains.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";

/** What the responder knows when a peer has proved itself. */
export interface Arrival {
  /** This node. */
  readonly self: PeerId;
  /** Who dialled. */
  readonly peer: PeerId;
  /** This node's own dial to the peer is past the point of no return. */
  readonly committed: boolean;
  /** The link that is up between the two, if there is one. */
  readonly link: { readonly direction: "in" | "out"; readonly ageMs: number } | undefined;
  /** For how long after a link came up the peer's own dial may still be on its way: the time for a handshake. */
  readonly raceMs: number;
}

/** What to do with the connection that arrived. */
export type Verdict =
  /** It is the link; a dial of ours to the same peer is given up. */
  | "accept"
  /** Our own dial, or the link that came of it, wins. */
  | "supersede"
  /** The peer has lost the link that we think is up: this one takes its place. */
  | "replace";

/** Decides. */
export function arbitrate(arrival: Arrival): Verdict {
  const { self, peer, link } = arrival;
  const smaller = self < peer;
  if (link === undefined) return arrival.committed && smaller ? "supersede" : "accept";
  const race = link.direction === "out" && link.ageMs < arrival.raceMs && smaller;
  return race ? "supersede" : "replace";
}
