/**
 * X-BOT at those who are asked: c, the candidate; d, its neighbour; o, the neighbour that the initiator gives up.
 *
 * What a hostile peer gains: c takes an i that claims to lose much although it is far itself, up to some ten times the cost of the link that c gives up for it,
 * d takes an o that is cheaper by its own measurement than what c says, o loses i on i's word alone, none of them gives up a protected link, and of all parts a node takes a bounded number per period.
 *
 * @module
 */

import type { PeerId } from "../host.ts";
import { MAX_COST_US, type OverlayMessage, type SwapAnswer } from "../../wire/overlay_messages.ts";
import type { Cooldown } from "./contacts.ts";
import type { CostProbe, LinkCosts } from "./link_cost.ts";
import { Budget } from "./pace.ts";
import { isSigned } from "./blame.ts";
import { type Flight, type FlightSlot, protectedLinks, type XbotParts } from "./xbot_flight.ts";

/** Parts that a node takes in swaps of others, per period. */
const PARTS_PER_PERIOD = 6;
/** Neighbours that c asks for one swap. */
const PARTNERS = 2;
/** How much longer than the initiator the others wait. */
const PATIENCE = 1.5;
/** Periods for which a link that its other end protects is not asked for. */
const KEPT_PERIODS = 20;

type Of<T extends OverlayMessage["type"]> = OverlayMessage & { readonly type: T };
type CFlight = Flight & { readonly role: "c" };
type DFlight = Flight & { readonly role: "d" };

/** See the module. */
export class XbotRoles {
  readonly #parts: XbotParts;
  readonly #slot: FlightSlot;
  readonly #costs: LinkCosts;
  readonly #probe: CostProbe;
  readonly #kept: Cooldown;
  readonly #budget: Budget | undefined;

  constructor(
    parts: XbotParts,
    slot: FlightSlot,
    costs: LinkCosts,
    probe: CostProbe,
    kept: Cooldown,
  ) {
    this.#parts = parts;
    this.#slot = slot;
    this.#costs = costs;
    this.#probe = probe;
    this.#kept = kept;
    const { swapMs } = parts.options;
    if (swapMs > 0) this.#budget = new Budget(PARTS_PER_PERIOD, swapMs);
  }

  /** True where this node's own timers are too late for its measurements to be trusted. */
  get lagging(): boolean {
    const { port, options } = this.#parts;
    return (port.lag?.() ?? 0) > Math.max(1, options.swapGainMs);
  }

  /** The least gain worth a swap of links that cost `ms` together. */
  worth(ms: number): number {
    const { swapGainMs, swapGainPercent } = this.#parts.options;
    return Math.max(swapGainMs, ms * swapGainPercent / 100);
  }

  /** Takes in a message to c, d or o; false where it is none of X-BOT's. */
  receive(from: PeerId, message: OverlayMessage): boolean {
    switch (message.type) {
      case "optimization":
        this.#onOptimization(from, message);
        return true;
      case "replace":
        this.#onReplace(from, message);
        return true;
      case "switch":
        this.#onSwitch(from, message);
        return true;
      case "disconnect-wait":
        this.#onDisconnectWait(from, message.swap);
        return true;
      case "swapped":
        this.#onSwapped(from, message.swap);
        return true;
      default:
        return false;
    }
  }

  /** An answer, or the end of a swap that was agreed to. */
  reply(from: PeerId, swap: number, answer: SwapAnswer): void {
    const flight = this.#slot.flight;
    if (flight === undefined || flight.swap !== swap) return;
    if (flight.role === "c") {
      if (from === flight.d && !flight.ready) this.#partnerAnswered(flight, answer);
      else if (from === flight.i || from === flight.d) this.#giveUp(flight, from);
    } else if (flight.role === "d") {
      if (from === flight.o && flight.asked && !flight.ready) this.#oldAnswered(flight, answer);
      else if (from === flight.c || from === flight.o) this.#giveUp(flight, from);
    } else if (flight.role === "o" && from === flight.d) this.#slot.end();
  }

  /** The connection to a peer ended, or none can be made. */
  down(peer: PeerId): void {
    const flight = this.#slot.flight;
    if (flight === undefined || flight.role === "i") return;
    if (flight.role === "c") {
      // Once d has let go of its link, only i matters.
      if (peer === flight.i || (peer === flight.d && this.#slot.reserved === 0)) {
        this.#giveUp(flight, peer);
      }
    } else if (flight.role === "d") {
      if (peer === flight.o || (peer === flight.c && !flight.ready)) this.#giveUp(flight, peer);
    } else if (peer === flight.i || peer === flight.d) this.#giveUp(flight, peer);
  }

  #answer(to: PeerId, swap: number, answer: SwapAnswer): void {
    const { port } = this.#parts;
    if (port.connected(to)) port.send(to, { type: "swap-reply", swap, answer });
  }

  /** Ends the swap, and tells the neighbours in the chain but the one from whom it is known. */
  #giveUp(flight: Flight, but: PeerId): void {
    this.#probe.stop();
    this.#slot.end();
    const { swap } = flight;
    const told = flight.role === "c"
      ? [flight.i, flight.d]
      : flight.role === "d"
      ? flight.asked ? [flight.c, flight.o] : [flight.c]
      : flight.role === "o"
      ? [flight.d]
      : [];
    for (const peer of told) if (peer !== but) this.#answer(peer, swap, "no");
  }

  #protects(peer: PeerId): boolean {
    const { port, options, active } = this.#parts;
    return protectedLinks(active, port.self, options.swapUnbiased).includes(peer);
  }

  /** True where a part in a swap can be taken; otherwise `from` is told that it cannot now. */
  #takesPart(from: PeerId, swap: number): boolean {
    const { port } = this.#parts;
    if (this.#budget === undefined) this.#answer(from, swap, "no");
    else if (this.#slot.flight !== undefined || this.lagging || !this.#budget.take(port.now())) {
      this.#answer(from, swap, "busy");
    } else return true;
    return false;
  }

  #begin(flight: Flight): void {
    this.#slot.begin(flight, PATIENCE * this.#parts.options.swapWaitMs, () => {
      this.#probe.stop();
      this.#slot.end();
    });
  }

  // --- c ---

  #onOptimization(i: PeerId, { swap, old, oldUs, newUs }: Of<"optimization">): void {
    const { port, active } = this.#parts;
    if (!this.#takesPart(i, swap)) return;
    if (active.has(i) || old.id === port.self || old.id === i || !isSigned(port, i, old)) {
      return this.#answer(i, swap, "no");
    }
    // i may claim what it likes, but not to be nearer than it is: who answers no ping is no neighbour to want.
    const own = this.#costs.of(i);
    if (own === undefined) return this.#answer(i, swap, "busy");
    const flight: CFlight = {
      role: "c",
      swap,
      i,
      o: old,
      oldUs,
      newUs: Math.max(newUs, Math.round(own * 1_000)),
      asked: [],
      d: "",
      ready: false,
    };
    if (!this.#askPartner(flight)) return this.#answer(i, swap, "no");
    this.#begin(flight);
  }

  /** Asks the most expensive neighbour that was not asked yet; false where there is none to ask. */
  #askPartner(flight: CFlight): boolean {
    const { port, options, active } = this.#parts;
    if (flight.asked.length >= PARTNERS) return false;
    const held = protectedLinks(active, port.self, options.swapUnbiased);
    let d: PeerId | undefined, most = 0;
    for (const peer of active.ids) {
      const cost = this.#costs.of(peer) ?? 0;
      if (cost <= most || peer === flight.o.id || peer === flight.i) continue;
      if (held.includes(peer) || this.#kept.has(peer) || flight.asked.includes(peer)) continue;
      d = peer;
      most = cost;
    }
    const { swap, i, o, newUs } = flight;
    // Beyond what a frame can say d would take this node for hostile.
    const oldUs = Math.min(MAX_COST_US, flight.oldUs + Math.round(most * 1_000));
    // Were round trips a metric, d and o would be at least io - ic - cd apart, and the gain at most twice cd.
    const gainMs = Math.min((oldUs - newUs) / 1_000, 2 * most);
    if (d === undefined || gainMs < this.worth(oldUs / 1_000)) return false;
    flight.d = d;
    flight.asked.push(d);
    port.send(d, { type: "replace", swap, initiator: i, old: o, oldUs, newUs });
    return true;
  }

  #partnerAnswered(flight: CFlight, answer: SwapAnswer): void {
    const { options, active } = this.#parts;
    const { swap, i, d } = flight;
    if (answer === "yes") {
      if (!active.has(d) || active.has(i)) return this.#giveUp(flight, "");
      flight.ready = true;
      return this.#answer(i, swap, "yes");
    }
    if (answer === "kept") this.#kept.add(d, KEPT_PERIODS * options.swapMs);
    if (answer !== "old-kept" && this.#askPartner(flight)) return;
    this.#slot.end();
    this.#answer(i, swap, answer === "kept" ? "no" : answer);
  }

  // --- d ---

  #onReplace(c: PeerId, message: Of<"replace">): void {
    const { port, options, active } = this.#parts;
    const { swap, initiator: i, old } = message;
    if (!active.has(c)) return this.#answer(c, swap, "no");
    active.heard(c);
    if (this.#protects(c)) return this.#answer(c, swap, "kept");
    if (this.#probe.running) return this.#answer(c, swap, "busy");
    if (!this.#takesPart(c, swap)) return;
    const o = old.id;
    if (o === port.self || i === port.self || o === i || o === c || active.has(o)) {
      return this.#answer(c, swap, "no");
    }
    if (!isSigned(port, c, old)) return this.#answer(c, swap, "no");
    const flight: DFlight = { role: "d", swap, i, c, o, asked: false, ready: false };
    this.#begin(flight);
    this.#probe.start([o], options.swapWaitMs, () => this.#measured(flight, message));
  }

  #measured(flight: DFlight, { oldUs, newUs }: Of<"replace">): void {
    const { port, active } = this.#parts;
    const { swap, c, o, i } = flight;
    if (this.#slot.flight !== flight) return;
    const cost = this.#costs.of(o) ?? Infinity;
    const gain = (oldUs - newUs) / 1_000 - cost;
    const stands = active.has(c) && !active.has(o) && port.connected(o);
    if (!stands || gain < this.worth(oldUs / 1_000)) {
      this.#slot.end();
      return this.#answer(c, swap, "no");
    }
    flight.asked = true;
    port.send(o, { type: "switch", swap, initiator: i });
  }

  #oldAnswered(flight: DFlight, answer: SwapAnswer): void {
    const { swap, c } = flight;
    if (answer === "yes") flight.ready = true;
    else this.#slot.end();
    this.#answer(c, swap, answer);
  }

  // --- o ---

  #onSwitch(d: PeerId, { swap, initiator: i }: Of<"switch">): void {
    const { active } = this.#parts;
    if (!active.has(i) || active.has(d)) return this.#answer(d, swap, "no");
    if (this.#protects(i)) return this.#answer(d, swap, "old-kept");
    if (!this.#takesPart(d, swap)) return;
    this.#begin({ role: "o", swap, i, d });
    this.#answer(d, swap, "yes");
  }

  // --- the change itself ---

  /** A neighbour lets go. */
  #onDisconnectWait(from: PeerId, swap: number): void {
    const { port, active } = this.#parts;
    if (!active.has(from)) return;
    const flight = this.#slot.flight;
    if (flight?.swap === swap) {
      if (flight.role === "o" && flight.i === from && port.connected(flight.d)) {
        port.send(flight.d, { type: "swapped", swap });
        return void this.#slot.land(from, flight.d);
      }
      const expected = (flight.role === "c" && flight.d === from) ||
        (flight.role === "d" && flight.c === from);
      if (expected && flight.ready) return this.#slot.release(from);
    }
    this.#parts.unlink(from, false);
    this.#parts.renew();
  }

  /** A peer has this node in its view now, as agreed. */
  #onSwapped(from: PeerId, swap: number): void {
    const { port, active, refuse } = this.#parts;
    const flight = this.#slot.flight;
    const [old, other] = flight?.swap !== swap
      ? []
      : flight.role === "c"
      ? [flight.d, flight.i]
      : flight.role === "d"
      ? [flight.c, flight.o]
      : [];
    const agreed = flight?.role === "c" || flight?.role === "d" ? flight.ready : false;
    if (old === undefined || other !== from || !agreed) {
      if (active.has(from)) active.heard(from);
      else if (port.connected(from)) refuse(from);
      return;
    }
    if (active.has(old)) port.send(old, { type: "disconnect-wait", swap });
    if (!this.#slot.land(old, from)) refuse(from);
  }
}
