/**
 * Filling the free slots of an active view: who is asked, when, and how often.
 *
 * A round looks through the passive view, then the members that the directory knows, then the remembered contacts. An
 * answer of "no" or none leads to the next one at once; a round asks a bounded number of peers, and rounds without fruit
 * come further and further apart (for ever, where the view is empty).
 *
 * @module
 */

import type { PeerId, TimerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { OverlayPort } from "./port.ts";
import type { ActiveView, PassiveView } from "./views.ts";
import type { Requests } from "./requests.ts";
import type { Contacts, Cooldown } from "./contacts.ts";
import type { Sharing } from "./sharing.ts";
import { jittered } from "./pace.ts";

/** What a refill works with. */
export interface RefillParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly active: ActiveView;
  readonly passive: PassiveView;
  readonly requests: Requests;
  readonly contacts: Contacts;
  readonly cooldown: Cooldown;
  readonly sharing: Sharing;
  /** Slots that are neither taken nor reserved. */
  free(): number;
  /** Sends JOIN or NEIGHBOR, the latter with high or low priority; with `force` a full view makes room when it is accepted. */
  ask(peer: PeerId, type: "join" | "neighbor", high: boolean, force: boolean): void;
}

/** Peers asked at the same time while the view is empty; each would make room for this node. */
const ASKED_WHEN_EMPTY = 2;
/** Peers asked when the directory tells of new members, at most once per half of `refillMs`. */
const OFFERED = 2;
/** Slots that are not filled with neighbours on other topics (of the directory's see sharing.ts): links drawn at random hold an overlay together. */
const DRAWN_SLOTS = 2;
/** Fruitless rounds after which a node with two free slots asks one peer per round with high priority. */
const PATIENCE = 2;
/** Checks for which a full view asks for no shared link, at most. */
const SHARE_PAUSE = 15;
/** Rounds come up to 2^3 times further apart while there are neighbours, 2^6 times while there are none. */
const BACKOFF_SOME = 3;
const BACKOFF_NONE = 6;

/** See the module. */
export class Refill {
  readonly #parts: RefillParts;
  #timer: TimerId | undefined;
  #left = 0;
  #startedAt = -Infinity;
  #fruitless = 0;
  #insisted = false;
  #members: PeerId[] | undefined;
  #lone = 0;
  #carried = 0;
  #skip = 0;
  #pause = 0;

  constructor(parts: RefillParts) {
    this.#parts = parts;
  }

  /** The view changed: back to the shortest interval, and a new round unless the last one has only just begun. */
  renew(hint?: PeerId): void {
    this.#fruitless = 0;
    this.stop();
    const { port, options } = this.#parts;
    if (port.now() - this.#startedAt >= options.refillMs / 2) this.#begin();
    this.more(hint);
  }

  /**
   * Members were heard of that were not known: a few are asked before the next round is due. The pace stays as it is, or whoever invents
   * members could make this node dial without end.
   */
  offer(): void {
    const { port, options } = this.#parts;
    if (port.now() - this.#startedAt >= options.refillMs / 2) {
      this.#startedAt = port.now();
      this.#members = undefined;
      this.#left = Math.max(this.#left, OFFERED);
    }
    this.more();
  }

  /**
   * Asks as many peers as there are slots, as far as the round goes.
   *
   * @param hint A passive member to ask before all others: somebody says that it has room.
   */
  more(hint?: PeerId): void {
    if (hint !== undefined && this.#goesOn() && this.#mayAsk(hint)) {
      if (this.#parts.passive.get(hint) !== undefined) this.#ask(hint);
    }
    while (this.#goesOn()) {
      const peer = this.#next();
      if (peer === undefined) break;
      this.#ask(peer);
    }
    this.arm();
  }

  /** Sees to it that the next round comes while slots are free. */
  arm(): void {
    const { port, options, active, free } = this.#parts;
    if (this.#timer !== undefined || free() <= 0) return;
    const backoff = Math.min(this.#fruitless, active.size > 0 ? BACKOFF_SOME : BACKOFF_NONE);
    this.#timer = port.after(jittered(port, options.refillMs * 2 ** backoff), () => {
      this.#timer = undefined;
      if (free() <= 0) return;
      this.#fruitless++;
      this.#begin();
      this.more();
    });
  }

  /** True while there are free slots and rounds that may fill them. */
  get filling(): boolean {
    return this.#parts.free() > 0 && this.#fruitless < PATIENCE;
  }

  /** What a given contact is asked. The walks of JOIN bring links: with a directory, those of its JOIN are for all topics. */
  get first(): "join" | "neighbor" {
    return this.#parts.port.base() === undefined ? "join" : "neighbor";
  }

  /**
   * A full view asks for a link that the directory's overlay has, in the place of one with a connection of its own; half as often after each
   * time that nothing came of it, down to a sixteenth.
   */
  share(): void {
    const { port, sharing, ask, free } = this.#parts;
    const lone = sharing.lone().length;
    if (lone < this.#lone) this.#skip = this.#pause = 0;
    this.#lone = lone;
    if (lone === 0 || free() > 0) return;
    // A link that changes costs the tree something while messages travel.
    const carried = port.carried(), quiet = carried === this.#carried;
    this.#carried = carried;
    if (!quiet) return;
    if (this.#skip > 0) return void this.#skip--;
    const peer = this.#pick(port.shared().filter((each) => sharing.fits(each)));
    if (peer === undefined) return;
    this.#skip = this.#pause;
    this.#pause = Math.min(SHARE_PAUSE, 2 * this.#pause + 1);
    ask(peer, "neighbor", false, true);
  }

  /** Cancels the next round. */
  stop(): void {
    if (this.#timer !== undefined) this.#parts.port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    const { port, options, active, passive, cooldown } = this.#parts;
    this.#startedAt = port.now();
    this.#insisted = false;
    const few = 2 * options.activeSize;
    // One slot that is free is no emergency: full views all round refuse most requests, and each may cost a dial.
    const calm = 2 * active.size > options.activeSize;
    this.#left = calm ? few : Math.max(options.passiveSize, few);
    this.#members = undefined;
    if (active.size > 0) return;
    // With nobody left there is no reason to leave anybody alone, and whoever is asked now is dead or says yes.
    this.#left += passive.formerCount;
    cooldown.clear();
  }

  #goesOn(): boolean {
    return this.#left > 0 && this.#slots() > 0;
  }

  #slots(): number {
    const { active, requests, free } = this.#parts;
    const slots = active.size === 0 ? Math.min(free(), ASKED_WHEN_EMPTY) : free();
    return slots - requests.waiting;
  }

  #ask(peer: PeerId): void {
    const { active, requests, contacts, ask } = this.#parts;
    this.#left--;
    const given = active.size === 0 && contacts.isGiven(peer) && !requests.joining;
    ask(peer, given ? this.first : "neighbor", active.size === 0 || this.#insists(), false);
  }

  /**
   * Where all views round about are full, a node with two free slots takes the place between two neighbours: one of them
   * evicts the other for it, and the evicted one, told of this node, fills the second slot. All other degrees stay.
   */
  #insists(): boolean {
    if (this.#insisted || this.#fruitless < PATIENCE || this.#parts.free() < 2) return false;
    this.#insisted = true;
    return true;
  }

  #mayAsk(peer: PeerId): boolean {
    const { port, active, requests, cooldown } = this.#parts;
    return peer !== port.self && !active.has(peer) && requests.may(peer) && !cooldown.has(peer);
  }

  #next(): PeerId | undefined {
    const { port, options, active, passive, requests, contacts, sharing } = this.#parts;
    const shared = this.#pick(this.#shared());
    if (shared !== undefined) return shared;
    // What the directory's overlay is about to find is for this one too.
    const waits = active.size > 0 && this.#fruitless < PATIENCE && port.base()?.filling === true;
    if (waits && sharing.hasRoom(requests.waiting)) return undefined;
    const reserve = this.#pick(passive.ids);
    if (reserve !== undefined) return reserve;
    this.#members ??= port.members(4 * options.activeSize);
    for (let peer = this.#members.pop(); peer !== undefined; peer = this.#members.pop()) {
      if (this.#mayAsk(peer)) return peer;
    }
    // One JOIN at a time: each one spreads this node over the overlay.
    const contact = active.size === 0 && requests.joining ? undefined : this.#pick(contacts.all());
    return contact ?? (this.#short() ? this.#pick(passive.former) : undefined);
  }

  /** Many that this node knew are gone: what it has left may be a small part of those who are still there. */
  #short(): boolean {
    const { options, active, passive } = this.#parts;
    return 2 * active.size <= options.activeSize || passive.records.length < options.activeSize;
  }

  /** Neighbours on other topics, as far as the view may be filled with them: they cost no new connection. */
  #shared(): PeerId[] {
    const { port, options, active, passive, requests, contacts, sharing } = this.#parts;
    const drawn = active.size + requests.waiting >= options.activeSize - DRAWN_SLOTS;
    const more = sharing.hasRoom(requests.waiting);
    if (drawn && !more) return [];
    // Who is alone asks first whom it dials already, for whatever topic.
    const near = active.size > 0 ? [] : passive.ids.filter((peer) => port.near(peer));
    if (near.some((peer) => this.#mayAsk(peer))) return near;
    const shared = port.shared();
    const based = more ? shared.filter((peer) => sharing.fits(peer)) : [];
    if (drawn || based.some((peer) => this.#mayAsk(peer))) return based;
    // A given contact is asked by JOIN, which is not for every round.
    return shared.filter((peer) =>
      active.size === 0 ? !contacts.isGiven(peer) : !port.base()?.isActive(peer)
    );
  }

  /** One of two random peers that may be asked: the one that is near, since it costs no new socket. */
  #pick(peers: PeerId[]): PeerId | undefined {
    const { port } = this.#parts;
    let first: PeerId | undefined, second: PeerId | undefined;
    let count = 0;
    for (const peer of peers) {
      if (!this.#mayAsk(peer)) continue;
      count++;
      // Reservoir of two: each pair is equally likely.
      if (first === undefined) first = peer;
      else if (second === undefined) second = peer;
      else {
        const at = Math.floor(port.random() * count);
        if (at === 0) first = peer;
        else if (at === 1) second = peer;
      }
    }
    if (first === undefined || second === undefined) return first;
    const [a, b] = port.random() < 0.5 ? [first, second] : [second, first];
    return port.near(b) && !port.near(a) ? b : a;
  }
}
