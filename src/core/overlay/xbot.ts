/**
 * X-BOT (Leitão, Marques, Pereira, Rodrigues, TPDS 23(11), 2012): links are swapped in groups of four so that they get
 * cheaper while every degree stays. This is the initiator's side; the others are in xbot_roles.ts.
 *
 * i gives up o for c, and c gives up d, which takes o. First all four agree, in a chain i, c, d, o and back, and nothing
 * changes; then i acts, and its word to c and o sets off the rest. So every link that goes is ended by one of its
 * ends, and every new one is told of by the end that has it already. Who hears nothing in time forgets the swap; who hears
 * of a link that it cannot take says so with a DISCONNECT, as HyParView does.
 *
 * @module
 */

import type { DownReason, PeerId } from "../host.ts";
import type { OverlayMessage, SwapAnswer } from "../../wire/overlay_messages.ts";
import { MAX_COST_US } from "../../wire/overlay_messages.ts";
import { Cooldown } from "./contacts.ts";
import { CostProbe, LinkCosts } from "./link_cost.ts";
import { Periodic } from "./pace.ts";
import { sample } from "./views.ts";
import { FlightSlot, protectedLinks, type XbotParts } from "./xbot_flight.ts";
import { XbotRoles } from "./xbot_roles.ts";

/** Periods for which a candidate that refused is left alone, one that was busy, and a link that its other end protects. */
const REFUSED_PERIODS = 6;
const BUSY_PERIODS = 1.5;
const KEPT_PERIODS = 20;
/** Candidates that are asked in one period, as long as they refuse. */
const ASKED_PER_PERIOD = 4;
/** Fruitless periods in a row after which a node tries half as often, and so on up to an eighth. */
const PATIENCE = 12;
const MOST_HALVINGS = 3;

/** Periods without a new neighbour before peers are measured: while views still fill, most of it would be for nothing. */
const SETTLING = 2;

/** A cost as it travels. */
export function toMicros(ms: number): number {
  return Math.min(MAX_COST_US, Math.max(0, Math.round(ms * 1_000)));
}

/** See the module. */
export class Xbot {
  readonly #parts: XbotParts;
  readonly #slot: FlightSlot;
  readonly #roles: XbotRoles;
  readonly #costs: LinkCosts;
  readonly #probe: CostProbe;
  readonly #periodic: Periodic | undefined;
  readonly #resting: Cooldown;
  readonly #kept: Cooldown;
  #fruitless = 0;
  #skip = SETTLING;
  #asked = 0;
  #gainMs = 0;

  constructor(parts: XbotParts) {
    const { port, options } = this.#parts = parts;
    this.#costs = new LinkCosts(port);
    this.#probe = new CostProbe(port, this.#costs);
    this.#slot = new FlightSlot(parts);
    this.#resting = new Cooldown(port, options.passiveSize);
    this.#kept = new Cooldown(port, options.activeSize);
    this.#roles = new XbotRoles(parts, this.#slot, this.#costs, this.#probe, this.#kept);
    if (options.swapMs > 0) {
      this.#periodic = new Periodic(port, options.swapMs, (lateMs) => this.#tick(lateMs));
    }
  }

  /** Slots kept free for a swap. */
  get reserved(): number {
    return this.#slot.reserved;
  }

  /** How many peers are remembered. */
  get size(): number {
    return this.#costs.size + this.#resting.size + this.#kept.size;
  }

  /** The mean round trip of the active view's links. */
  get meanCostMs(): number {
    return this.#costs.mean(this.#parts.active.ids);
  }

  /** Starts trying. */
  start(): void {
    this.#periodic?.start();
  }

  /** Stops for good. */
  stop(): void {
    this.#periodic?.stop();
    this.#probe.stop();
    this.#slot.end();
  }

  /** Takes in a message of X-BOT's; false where it is none. */
  receive(from: PeerId, message: OverlayMessage): boolean {
    if (message.type === "swap-reply") {
      const flight = this.#slot.flight;
      if (flight?.role !== "i") this.#roles.reply(from, message.swap, message.answer);
      else if (flight.c === from && flight.swap === message.swap) this.#answered(message.answer);
      return true;
    }
    return this.#roles.receive(from, message);
  }

  /** A neighbour came other than by a swap: there may be something to gain again. */
  renew(): void {
    this.#fruitless = 0;
    this.#skip = SETTLING;
  }

  /** The connection to a peer ended, or none can be made. */
  down(peer: PeerId, reason: DownReason | undefined): void {
    if (reason === undefined) this.#costs.note(peer, Infinity);
    const flight = this.#slot.flight;
    if (flight?.role !== "i") return this.#roles.down(peer);
    if (peer === flight.c) this.#fail(BUSY_PERIODS);
    else if (peer === flight.o) this.#cancel();
  }

  /** The least gain worth a swap of links that cost `ms` together. */
  #worth(ms: number): number {
    return this.#roles.worth(ms);
  }

  #tick(lateMs: number): void {
    const { port, options, active } = this.#parts;
    if (this.#slot.flight !== undefined || this.#probe.running) return;
    if (active.size < options.activeSize || active.size < 2) return;
    if (lateMs > options.swapMs / 2 || this.#roles.lagging) return;
    if (this.#skip > 0) return void this.#skip--;
    this.#asked = 0;
    const worst = this.#worst();
    if (worst === undefined) return this.#rest();
    if (this.#try(worst)) return;
    const unknown = this.#candidates().filter((peer) => this.#costs.of(peer) === undefined);
    const scanned = sample(unknown, options.swapScan, () => port.random());
    if (scanned.length === 0) return this.#rest();
    this.#probe.start(scanned, options.swapWaitMs, () => {
      const old = this.#worst();
      if (this.#slot.flight === undefined && (old === undefined || !this.#try(old))) this.#rest();
    });
  }

  /** Nothing came of a period. */
  #rest(): void {
    this.#fruitless++;
    const halvings = Math.min(MOST_HALVINGS, Math.floor(this.#fruitless / PATIENCE));
    this.#skip = 2 ** halvings - 1;
  }

  /** The most expensive neighbour that a swap may take and whose cost leaves something to gain. */
  #worst(): PeerId | undefined {
    const { port, options, active } = this.#parts;
    const held = protectedLinks(active, port.self, options.swapUnbiased);
    let worst: PeerId | undefined, most = 0;
    for (const peer of active.ids) {
      const cost = this.#costs.of(peer) ?? 0;
      if (cost <= most || cost < this.#worth(cost)) continue;
      if (held.includes(peer) || this.#kept.has(peer)) continue;
      // d must be able to dial it.
      if ((active.recordOf(peer)?.addresses.length ?? 0) === 0) continue;
      worst = peer;
      most = cost;
    }
    return worst;
  }

  #candidates(): PeerId[] {
    const { port, active, passive } = this.#parts;
    return passive.ids.filter((peer) =>
      peer !== port.self && !active.has(peer) && !this.#resting.has(peer)
    );
  }

  /** Asks the cheapest candidate that is known to be worth it; false where there is none. */
  #try(o: PeerId): boolean {
    const { port, options, active, counters } = this.#parts;
    const record = active.recordOf(o);
    const oldMs = this.#costs.of(o);
    if (record === undefined || oldMs === undefined) return false;
    let c: PeerId | undefined, newMs = oldMs - this.#worth(oldMs);
    for (const peer of this.#candidates()) {
      const cost = this.#costs.of(peer);
      if (cost === undefined || cost > newMs) continue;
      c = peer;
      newMs = cost;
    }
    if (c === undefined) return false;
    const swap = Math.floor(port.random() * 2 ** 32);
    this.#gainMs = oldMs - newMs;
    this.#asked++;
    counters.swapsTried++;
    this.#slot.begin({ role: "i", swap, o, c }, options.swapWaitMs, () => this.#cancel());
    port.send(c, {
      type: "optimization",
      swap,
      old: record,
      oldUs: toMicros(oldMs),
      newUs: toMicros(newMs),
    });
    return true;
  }

  #answered(answer: SwapAnswer): void {
    const { port, active, options } = this.#parts;
    const flight = this.#slot.flight;
    if (flight?.role !== "i") return;
    const { swap, o, c } = flight;
    if (answer === "old-kept") {
      this.#kept.add(o, KEPT_PERIODS * options.swapMs);
      return this.#fail(0);
    }
    if (answer !== "yes") return this.#fail(answer === "busy" ? BUSY_PERIODS : REFUSED_PERIODS);
    const held = protectedLinks(active, port.self, options.swapUnbiased);
    const stands = active.has(o) && !active.has(c) && !held.includes(o) && port.connected(c);
    if (!stands) return this.#cancel();
    this.#commit(swap, o, c);
  }

  /** Everybody agreed: i gives up o and takes c in one breath, and tells both. */
  #commit(swap: number, o: PeerId, c: PeerId): void {
    const { port, counters } = this.#parts;
    counters.swapsDone++;
    this.#fruitless = 0;
    port.send(o, { type: "disconnect-wait", swap });
    port.send(c, { type: "swapped", swap });
    this.#slot.land(o, c);
    port.swapped(o, c, this.#gainMs);
  }

  /** Tells c that nothing comes of it. */
  #cancel(): void {
    const { port } = this.#parts;
    const flight = this.#slot.flight;
    if (flight?.role !== "i") return;
    if (port.connected(flight.c)) {
      port.send(flight.c, { type: "swap-reply", swap: flight.swap, answer: "no" });
    }
    this.#fail(BUSY_PERIODS);
  }

  /** Nothing comes of the swap in flight; its candidate is left alone for a while. */
  #fail(periods: number): void {
    const { counters, options } = this.#parts;
    const flight = this.#slot.flight;
    if (flight?.role === "i") this.#resting.add(flight.c, periods * options.swapMs);
    counters.swapsFailed++;
    this.#slot.end();
    const old = this.#asked < ASKED_PER_PERIOD ? this.#worst() : undefined;
    if (old === undefined || !this.#try(old)) this.#rest();
  }
}
