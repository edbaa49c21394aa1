/**
 * Sharing: which links of the directory's overlay a topic's overlay takes for its own, and how many.
 *
 * A shared link costs no connection. But whoever is many of a node's neighbours on the directory's overlay would be as many on all of its topics,
 * and claims to be on all of them, while of honest neighbours only some are: so a view takes no more than chance would give it, and keeps one
 * link at least that it found for itself.
 *
 * @module
 */

import type { PeerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { OverlayPort } from "./port.ts";
import type { ActiveView } from "./views.ts";
import { Cooldown } from "./contacts.ts";

/** Views below this share nothing: with one or two links the one that goes leaves somebody alone, who insists on another. */
const LEAST_VIEW = 3;
/** Slots that no link of the directory's overlay gets. */
const DRAWN = 1;
/** Check intervals for which a link that took the place of a shared one is not given for a shared one again, and a peer that left at once gets none. */
const KEPT_CHECKS = 16;

/** What sharing works with. */
export interface SharingParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly active: ActiveView;
}

/** See the module. */
export class Sharing {
  readonly #parts: SharingParts;
  readonly #insisted: Cooldown;
  readonly #fickle: Cooldown;
  /** Neighbours whose links came by sharing, and when: they count after the directory's overlay has moved on, too. */
  readonly #came = new Map<PeerId, number>();
  readonly #startedAt: number;
  #most = 0;
  #mostUntil = -Infinity;

  constructor(parts: SharingParts) {
    const { port, options } = this.#parts = parts;
    this.#insisted = new Cooldown(port, options.activeSize);
    this.#fickle = new Cooldown(port, options.passiveSize);
    this.#startedAt = port.now();
  }

  /** How many peers are remembered. */
  get size(): number {
    return this.#insisted.size + this.#fickle.size + this.#came.size;
  }

  /** True for a peer whose link may be taken. */
  fits(peer: PeerId): boolean {
    return this.#parts.port.base()?.isActive(peer) === true && !this.#fickle.has(peer);
  }

  /** True where one more may be taken while `waiting` peers are being asked. */
  hasRoom(waiting: number): boolean {
    return this.#taken() + waiting < this.#bound();
  }

  /**
   * Neighbours that one of the directory's overlay may replace at no loss: their links are none of its own, came by no swap, and have not
   * just taken the place of one that was. Where no more links may be taken, only those of them that were. Without a directory there are none.
   */
  lone(): PeerId[] {
    const { port, active } = this.#parts;
    const base = port.base(), bound = this.#bound();
    if (base === undefined || bound === 0) return [];
    const lone = active.unswapped.filter((peer) =>
      !base.isActive(peer) && !this.#insisted.has(peer)
    );
    return this.#taken() < bound ? lone : lone.filter((peer) => this.#came.has(peer));
  }

  /** A peer became a neighbour. */
  linked(peer: PeerId): void {
    const { port, active } = this.#parts;
    for (const each of this.#came.keys()) if (!active.has(each)) this.#came.delete(each);
    if (port.base()?.isActive(peer)) this.#came.set(peer, port.now());
    else this.#came.delete(peer);
  }

  /** A neighbour is gone, by its own will: where that was at once, its link is not taken again for a while. */
  gone(peer: PeerId): void {
    const { port, options: { checkMs } } = this.#parts;
    if (port.now() - (this.#came.get(peer) ?? -Infinity) < checkMs) {
      this.#fickle.add(peer, KEPT_CHECKS * checkMs);
    }
  }

  /** A peer got the place of a link that may have been shared: whoever came back for that would be sent away and insist again, for ever. */
  insisted(peer: PeerId): void {
    const { port, options } = this.#parts;
    // Without a directory, nobody does.
    if (port.base() !== undefined) this.#insisted.add(peer, KEPT_CHECKS * options.checkMs);
  }

  #taken(): number {
    const { port, active } = this.#parts, base = port.base();
    return active.ids.filter((peer) => base?.isActive(peer) || this.#came.has(peer)).length;
  }

  /** How many may be taken: the part of the view that is the topic's part of all nodes. */
  #bound(): number {
    const { port, options: { activeSize, checkMs, refillMs } } = this.#parts;
    if (activeSize < LEAST_VIEW || port.base() === undefined) return 0;
    const now = port.now();
    if (now >= this.#mostUntil) {
      const wanted = Math.round(activeSize * port.presence());
      this.#most = Math.min(Math.max(1, wanted), activeSize - DRAWN);
      // Counting members takes long; at first there are more of them with every moment.
      this.#mostUntil = now + (now - this.#startedAt < checkMs ? refillMs : checkMs);
    }
    return this.#most;
  }
}
