/**
 * How long an answer is waited for: as long as answers took lately. Where links are narrow it stands in a queue, and to ask everybody
 * for it only makes the queues longer.
 *
 * @module
 */

import type { TreeContext } from "./context.ts";
import type { Link } from "./links.ts";

/** What one answer leaves of the longest time that answers of a link took. */
const FADE = 0.9;
/** Room above it. */
const MARGIN = 1.5;

/** A payload came over a link `ms` after it was first asked for. */
export function answered(link: Link, ms: number): void {
  link.answerMs = Math.max(ms, link.answerMs * FADE);
}

/** T2 of the first round. */
export function answerWait({ options, port }: TreeContext, link: Link): number {
  const rtt = port.rtt(link.peer) ?? 0;
  return Math.max(options.graftMinMs, 2 * rtt, MARGIN * link.answerMs);
}
