/**
 * The one swap that a node may have in flight, whatever its part in it; and which links no swap may take.
 *
 * @module
 */

import type { PeerId, TimerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayPort } from "./port.ts";
import type { ActiveView, PassiveView } from "./views.ts";
import type { OverlayCounters } from "./overlay_metrics.ts";

/** What X-BOT works with. */
export interface XbotParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly active: ActiveView;
  readonly passive: PassiveView;
  readonly counters: OverlayCounters;
  /** Slots that are neither taken nor reserved. */
  free(): number;
  /** Takes a peer into the active view, by a swap. */
  link(peer: PeerId): void;
  /** Takes a neighbour out; `quiet` where its slot is filled or reserved at once. */
  unlink(peer: PeerId, quiet: boolean): void;
  /** Looks for peers to fill free slots. */
  renew(): void;
  /** Tells a peer that took this node in that there is no room for it. */
  refuse(peer: PeerId): void;
}

/** A node's part in a swap of the links i-o and c-d for i-c and d-o; parties are named as in the paper. */
export type Flight =
  /** i: has asked c. */
  | { readonly role: "i"; readonly swap: number; readonly o: PeerId; readonly c: PeerId }
  /** c: has asked d; `ready` once i was told that everybody agrees. */
  | {
    readonly role: "c";
    readonly swap: number;
    readonly i: PeerId;
    readonly o: SignedRecord;
    readonly oldUs: number;
    readonly newUs: number;
    readonly asked: PeerId[];
    d: PeerId;
    ready: boolean;
  }
  /** d: measures o, then has asked it; `ready` once it agreed. */
  | {
    readonly role: "d";
    readonly swap: number;
    readonly i: PeerId;
    readonly c: PeerId;
    readonly o: PeerId;
    asked: boolean;
    ready: boolean;
  }
  /** o: waits for i to let go. */
  | { readonly role: "o"; readonly swap: number; readonly i: PeerId; readonly d: PeerId };

/** Holds the swap in flight, its deadline, and the slot that it keeps free. */
export class FlightSlot {
  readonly #parts: XbotParts;
  #flight: Flight | undefined;
  #timer: TimerId | undefined;
  #reserved = false;

  constructor(parts: XbotParts) {
    this.#parts = parts;
  }

  /** The swap in flight. */
  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** Slots kept free: 1 between the end of an old link and the coming of the new one. */
  get reserved(): number {
    return this.#reserved ? 1 : 0;
  }

  /** Begins; the node must have none in flight. `expired` is called unless it ends within `ms`. */
  begin(flight: Flight, ms: number, expired: () => void): void {
    this.#flight = flight;
    this.#timer = this.#parts.port.after(ms, expired);
  }

  /** Takes the old neighbour out and keeps its slot until {@linkcode end}. */
  release(peer: PeerId): void {
    this.#reserved = true;
    this.#parts.unlink(peer, true);
  }

  /** Ends it; a slot that is still reserved is free again. */
  end(): void {
    if (this.#timer !== undefined) this.#parts.port.cancel(this.#timer);
    this.#timer = undefined;
    this.#flight = undefined;
    if (!this.#reserved) return;
    this.#reserved = false;
    this.#parts.renew();
  }

  /** Ends it with `peer` in the slot of the old neighbour, or of any that is free; false where there is none. */
  land(old: PeerId, peer: PeerId): boolean {
    const { active, free, link, unlink, renew } = this.#parts;
    this.#reserved = false;
    if (active.has(old)) unlink(old, true);
    if (!active.has(peer) && free() > 0) link(peer);
    this.end();
    if (free() > 0) renew();
    return active.has(peer);
  }
}

/** 32 bits of an id (FNV-1a). */
function hashId(id: PeerId): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash;
}

/** A number for a pair of peers, the same at both ends and otherwise as if drawn at random. */
export function pairHash(a: PeerId, b: PeerId): number {
  let hash = hashId(a) ^ hashId(b);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

/**
 * Neighbours whose links no swap may take: of those that did not come by a swap the `count` with the lowest
 * {@linkcode pairHash}. Both ends often agree on them, so that no more links are barred than need be.
 */
export function protectedLinks(active: ActiveView, self: PeerId, count: number): PeerId[] {
  const random = active.unswapped;
  if (random.length <= count) return random;
  const hashes = new Map(random.map((peer) => [peer, pairHash(self, peer)]));
  return random.sort((a, b) => hashes.get(a)! - hashes.get(b)!).slice(0, count);
}
