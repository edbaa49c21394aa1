/**
 * Keeps both ends of a link of one mind about whether it is eager.
 *
 * GRAFT and PRUNE carry a stamp: the sender's own counter and the newest counter that it has seen of the other side. The
 * control lane keeps order, so a message that does not echo my newest one was sent before mine arrived: they crossed. Both ends
 * see that, and both apply the same rule: eager if either of the crossing messages is a GRAFT.
 *
 * The upper half of a counter is a random number of this life of the link, so that what was meant for an earlier life (the
 * peers were neighbours before) is told apart. Zero means "nothing seen yet".
 *
 * @module
 */

import type { Stamp } from "../../wire/tree_messages.ts";

/** One end of a link. */
export interface EagerRegister {
  /** True where payloads are pushed over it. */
  eager: boolean;
  /** The newest counter sent; its lower half is zero before the first message. */
  mine: number;
  /** The newest counter received; zero before the first. */
  theirs: number;
  /** True where the newest message sent was a GRAFT. */
  lastGraft: boolean;
  /** The value of {@linkcode mine} that the other side had not seen at its last report. */
  doubt: number;
}

/** What {@linkcode meet} found. */
export type Meeting =
  /** Both ends agree, or what will make them agree is on its way. */
  | "agreed"
  /** They don't: a GRAFT has to settle it. */
  | "apart";

/** The first counter of a link's life. */
export function newLife(random: () => number): number {
  return (1 + Math.floor(random() * 0xffff)) * 0x1_0000;
}

/** The stamp that the next message would carry. */
export function nextStamp(end: EagerRegister): Stamp {
  const counter = end.mine & 0xffff;
  const own = (end.mine - counter) + (counter === 0xffff ? 1 : counter + 1);
  return { own, seen: end.theirs };
}

/** Notes that a message with this stamp was sent. */
export function sent(end: EagerRegister, graft: boolean, stamp: Stamp): void {
  end.mine = stamp.own;
  end.lastGraft = graft;
  end.eager = graft;
}

/** Notes a peer's new life; false where the stamp was meant for an earlier life of this end, or is none. */
function admit(end: EagerRegister, stamp: Stamp): boolean {
  const life = stamp.own >>> 16;
  if (life === 0) return false;
  if (stamp.seen !== 0 && stamp.seen >>> 16 !== end.mine >>> 16) return false;
  if (end.theirs !== 0 && end.theirs >>> 16 !== life) {
    // The peer began anew, and a new link is eager.
    end.mine -= end.mine & 0xffff;
    end.eager = true;
    end.doubt = 0;
  }
  end.theirs = stamp.own;
  return true;
}

function unseen(end: EagerRegister, stamp: Stamp): boolean {
  return (end.mine & 0xffff) !== 0 && stamp.seen !== end.mine;
}

/** Applies a received GRAFT or PRUNE; false where it was meant for an earlier life and changed nothing. */
export function received(end: EagerRegister, graft: boolean, stamp: Stamp): boolean {
  if (!admit(end, stamp)) return false;
  end.eager = graft || (unseen(end, stamp) && end.lastGraft);
  return true;
}

/** Compares with the other side's view of the link, which a SYNC carries: mends what a lost message left. */
export function meet(end: EagerRegister, eager: boolean, stamp: Stamp): Meeting {
  if (!admit(end, stamp)) return "apart";
  if (unseen(end, stamp)) {
    // On its way the first time; lost, if the same one is still unseen at the next report.
    if (end.doubt === end.mine) return end.eager === eager ? "agreed" : "apart";
    end.doubt = end.mine;
    return "agreed";
  }
  return end.eager === eager ? "agreed" : "apart";
}
