/**
 * Making room in a full active view.
 *
 * An eviction is not the loss of a link but its bending: the evicted peer is told of the newcomer, which most likely has
 * room for it, and of others evicted or refused lately. Evictions are bounded in time, so that no storm of them goes round; who was
 * evicted here cannot evict others here for a while.
 *
 * @module
 */

import type { DownReason, PeerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayPort } from "./port.ts";
import type { ActiveView, PassiveView } from "./views.ts";
import type { Requests } from "./requests.ts";
import type { Shuffle } from "./shuffle.ts";
import type { Sharing } from "./sharing.ts";
import type { OverlayCounters } from "./overlay_metrics.ts";
import { Cooldown } from "./contacts.ts";
import { Budget } from "./pace.ts";

/** Refill intervals for which a peer that evicted or refused another is left alone by it. */
export const COOL_REFILLS = 8;
/** Refill intervals for which a peer is taken to have a free slot. */
const ROOM_REFILLS = 32;
/** How many times as much as the active view a node evicts per refill interval. */
const BUDGET_VIEWS = 2;

/** What evictions work with. */
export interface EvictionParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly active: ActiveView;
  readonly passive: PassiveView;
  readonly requests: Requests;
  readonly shuffle: Shuffle;
  readonly sharing: Sharing;
  readonly counters: OverlayCounters;
  /** Slots that are neither taken nor reserved. */
  free(): number;
}

/** See the module. */
export class Eviction {
  readonly #parts: EvictionParts;
  readonly #evicted: Cooldown;
  readonly #budget: Budget;
  #rooms: { readonly record: SignedRecord; readonly until: number }[] = [];

  constructor(parts: EvictionParts) {
    const { port, options } = this.#parts = parts;
    this.#evicted = new Cooldown(port, options.activeSize);
    this.#budget = new Budget(BUDGET_VIEWS * options.activeSize, options.refillMs);
  }

  /** How many peers are remembered. */
  get size(): number {
    return this.#evicted.size + this.#rooms.length;
  }

  /**
   * True where a NEIGHBOR is accepted, for which there is a free slot then. One of low priority is where there is one already, or where a neighbour
   * on the directory's overlay gets the place of a lone one.
   */
  takes(newcomer: PeerId, record: SignedRecord, high: boolean): boolean {
    const { sharing, free } = this.#parts;
    const shares = !high && sharing.fits(newcomer) && sharing.lone().length > 0;
    return high || shares ? this.makeRoom(newcomer, record) : free() > 0;
  }

  /** Sees to a free slot for `newcomer`, by evicting a member where need be: a random one of the lone, else of all. */
  makeRoom(newcomer: PeerId, record: SignedRecord | undefined): boolean {
    const { port, options, active, shuffle, sharing, counters, free } = this.#parts;
    if (free() > 0) return true;
    const lone = sharing.lone();
    const victim = lone.length > 0
      ? lone[Math.floor(port.random() * lone.length)]
      : active.random();
    if (victim === undefined || this.#evicted.has(newcomer)) return false;
    if (!this.#budget.take(port.now())) return false;
    counters.evictions++;
    if (lone.length === 0) sharing.insisted(newcomer);
    const first = record !== undefined && record.addresses.length > 0 ? [record] : [];
    const candidates = shuffle.candidates(victim, [...first, ...this.rooms()]);
    this.drop(victim, "evicted", candidates, true);
    this.#evicted.add(victim, COOL_REFILLS * options.refillMs);
    return true;
  }

  /** Ends a link from this side; `quiet` where another one follows at once. */
  drop(
    peer: PeerId,
    reason: DownReason,
    candidates: readonly SignedRecord[],
    quiet: boolean,
  ): void {
    const { port, active, requests } = this.#parts;
    requests.void(peer);
    port.send(peer, { type: "disconnect", alive: true, candidates });
    const record = active.remove(peer, reason, quiet);
    if (reason !== "evicted") return;
    this.shelve(record);
    this.noteRoom(record);
  }

  /** Puts a peer into the passive view if it can be dialled, by others or at least by this node. */
  shelve(record: SignedRecord | undefined): void {
    const { port, active, passive } = this.#parts;
    if (record === undefined || record.id === port.self || active.has(record.id)) return;
    if (record.addresses.length > 0 || port.connected(record.id)) passive.put(record);
  }

  /** Remembers a peer that most likely has a free slot: it was evicted or refused here. */
  noteRoom(record: SignedRecord | undefined): void {
    if (record === undefined || record.addresses.length === 0) return;
    const { port, options } = this.#parts;
    const until = port.now() + ROOM_REFILLS * options.refillMs;
    this.#rooms = this.#rooms.filter((room) => room.record.id !== record.id);
    this.#rooms.push({ record, until });
    if (this.#rooms.length > options.activeSize) this.#rooms.shift();
  }

  /** Records of such peers, last one first: whoever is evicted or refused next may fit one of them. */
  rooms(): SignedRecord[] {
    const { port, active } = this.#parts;
    const now = port.now();
    this.#rooms = this.#rooms.filter(({ record, until }) => until > now && !active.has(record.id));
    return this.#rooms.map((room) => room.record).reverse();
  }
}
