/**
 * SHUFFLE: the walks that keep passive views fresh.
 *
 * @module
 */

import type { PeerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { Limits } from "../../limits.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayMessage } from "../../wire/overlay_messages.ts";
import type { OverlayPort } from "./port.ts";
import { FORGED_RECORD_POINTS } from "./blame.ts";
import type { ActiveView, PassiveView } from "./views.ts";
import { sample } from "./views.ts";
import type { Census } from "./contacts.ts";

/** What a shuffle works with. */
export interface ShuffleParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly limits: Limits;
  readonly active: ActiveView;
  readonly passive: PassiveView;
  readonly census: Census;
}

/** A walk that passed through: its reply comes from `to` and goes to `from`. */
interface Passage {
  readonly walk: number;
  readonly from: PeerId;
  readonly to: PeerId;
}

/** Walks whose way is remembered. In its time a node forwards about `shuffleTtl` of them per `shuffleMs`; replies are there within seconds. */
const MOST_PASSAGES = 64;
/** Of these, by one neighbour: one that floods with walks displaces its own. */
const MOST_BY_ONE = 16;

/** Sends, forwards and answers shuffles, and takes records of others into the passive view. */
export class Shuffle {
  readonly #parts: ShuffleParts;
  readonly #random: () => number;
  /** The last walk and what it told, until its reply comes. */
  #sent: { readonly walk: number; readonly to: PeerId; readonly told: PeerId[] } | undefined;
  /** Oldest first. */
  readonly #passages: Passage[] = [];

  constructor(parts: ShuffleParts) {
    this.#parts = parts;
    this.#random = () => parts.port.random();
  }

  /** Sends one shuffle; false where there is no neighbour. */
  send(): boolean {
    const { port, options, active, passive } = this.#parts;
    const target = active.random();
    if (target === undefined) return false;
    const known = active.dialable().filter((record) => record.id !== target);
    const entries = sample(known, options.shuffleActive, this.#random);
    const reserve = sample(passive.dialable(), options.shufflePassive, this.#random);
    const walk = Math.floor(this.#random() * 2 ** 32);
    this.#sent = { walk, to: target, told: reserve.map((record) => record.id) };
    entries.push(...reserve);
    port.send(target, {
      type: "shuffle",
      walk,
      origin: port.record(),
      ttl: options.shuffleTtl,
      entries,
    });
    return true;
  }

  /** A neighbour sent or forwarded a shuffle: passes it on or, at the end of the walk, answers. */
  receive(from: PeerId, message: OverlayMessage & { type: "shuffle" }): void {
    const { port, options, active } = this.#parts;
    const { walk, origin, entries } = message;
    if (origin.id === port.self) return;
    const ttl = Math.min(message.ttl, options.shuffleTtl) - 1;
    const next = ttl > 0 ? active.random(from, origin.id) : undefined;
    if (next !== undefined) {
      this.#pass({ walk, from, to: next });
      port.send(next, { type: "shuffle", walk, origin, ttl, entries });
      return;
    }
    // Who only forwards a walk does not check its records, so only the origin itself is blamed.
    const blamed = from === origin.id ? from : undefined;
    const told = this.#answer(from, walk, origin);
    this.integrate([origin, ...entries], blamed, told);
  }

  /** A reply on its way back: taken where it answers the last shuffle (true), else passed on along the walk that it answers. */
  receiveReply(from: PeerId, message: OverlayMessage & { type: "shuffle-reply" }): boolean {
    const { walk, entries } = message;
    const sent = this.#sent;
    if (sent === undefined || sent.walk !== walk || sent.to !== from) {
      this.#passBack(from, message);
      return false;
    }
    this.#sent = undefined;
    // Whoever passed it on has not checked its records either.
    this.integrate(entries, undefined, sent.told);
    return true;
  }

  #pass(passage: Passage): void {
    const passages = this.#passages;
    const byOne = passages.reduce(
      (count, { from }) => from === passage.from ? count + 1 : count,
      0,
    );
    if (byOne >= MOST_BY_ONE) {
      passages.splice(passages.findIndex(({ from }) => from === passage.from), 1);
    } else if (passages.length >= MOST_PASSAGES) passages.shift();
    passages.push(passage);
  }

  #passBack(from: PeerId, message: OverlayMessage & { type: "shuffle-reply" }): void {
    const { port } = this.#parts;
    // A walk may have come by twice: the last passage is the first that it takes back.
    const at = this.#passages.findLastIndex(({ walk, to }) => walk === message.walk && to === from);
    if (at < 0) return;
    const [passage] = this.#passages.splice(at, 1);
    if (port.connected(passage!.from)) port.send(passage!.from, message);
  }

  /**
   * Takes records into the passive view: not this node's, not a neighbour's, none that nobody can dial, none whose
   * signature does not hold.
   *
   * @param blamed Who answers for the signatures.
   * @param sacrifice The members to give up first in a full view; left out where the records are no random sample.
   */
  integrate(
    records: readonly SignedRecord[],
    blamed: PeerId | undefined,
    sacrifice?: readonly PeerId[],
  ): void {
    const { port, options, limits, active, passive, census } = this.#parts;
    const most = Math.min(records.length, limits.shuffleEntries + 1);
    const filling = passive.records.length < options.passiveSize;
    let forged = false;
    for (let i = 0; i < most; i++) {
      const record = records[i]!;
      if (record.id === port.self) continue;
      const known = passive.get(record.id);
      const neighbor = active.has(record.id);
      if (sacrifice !== undefined) census.note(neighbor || known !== undefined, filling);
      if (known !== undefined && known.seq >= record.seq) continue;
      if (record.addresses.length === 0 && !port.connected(record.id)) continue;
      if (!port.accept(record)) forged = true;
      else if (!neighbor) passive.put(record, sacrifice);
    }
    if (forged && blamed !== undefined) {
      port.misbehaved(blamed, FORGED_RECORD_POINTS, "forged record");
    }
  }

  /** A sample of both views for a peer that looks for neighbours, without that peer; `first` come first. */
  candidates(asker: PeerId, first: readonly SignedRecord[]): SignedRecord[] {
    const { limits, active, passive } = this.#parts;
    const most = limits.shuffleEntries >> 1;
    const others = [...active.dialable(), ...passive.dialable()].filter((record) =>
      record.id !== asker && !first.some(({ id }) => id === record.id)
    );
    const head = first.filter(({ id }) => id !== asker).slice(0, most);
    return [...head, ...sample(others, most - head.length, this.#random)];
  }

  /** Answers the origin of a walk, by whom it came last; gives the peers that are told. */
  #answer(from: PeerId, walk: number, origin: SignedRecord): PeerId[] {
    const { port, options, active, passive } = this.#parts;
    if (!port.accept(origin)) return [];
    const most = 1 + options.shuffleActive + options.shufflePassive;
    const others = passive.dialable().filter((record) => record.id !== origin.id);
    const entries = sample(others, most, this.#random);
    if (entries.length < most) {
      const neighbors = active.dialable().filter((record) => record.id !== origin.id);
      entries.push(...sample(neighbors, most - entries.length, this.#random));
    }
    port.send(from, { type: "shuffle-reply", walk, entries });
    return entries.map((record) => record.id);
  }
}
