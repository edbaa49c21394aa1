/**
 * Follows the swaps of links (X-BOT): the links that come must not cost more than the links that go.
 *
 * @module
 */

import type { GossipEvent } from "../../events.ts";
import type { SimFabric } from "../sim_fabric.ts";
import type { Records } from "./records.ts";
import type { SimHost } from "./sim_host.ts";

/** How long after the initiator's word the other links of a swap may change, in virtual ms. */
const SWAP_MS = 3_000;
/** What rounding may add, in ms. */
const ROUNDING_MS = 0.1;

/** A swap that its initiator has made, named as in the paper: i gives up o for c, c gives up d, and d takes o. */
interface Swap {
  readonly topic: string;
  readonly i: string;
  readonly o: string;
  readonly c: string;
  d: string | undefined;
  readonly at: number;
}

/** See the module. Costs are looked at only where they never change: where no node is slow at times. */
export class Swaps {
  /** Swaps of which all four links were seen to change. */
  completed = 0;
  readonly #fabric: SimFabric;
  readonly #records: Records;
  readonly #nameOf: (peer: string) => string;
  #open: Swap[] = [];

  constructor(fabric: SimFabric, records: Records, nameOf: (peer: string) => string) {
    this.#fabric = fabric;
    this.#records = records;
    this.#nameOf = nameOf;
  }

  /** Something happened on a node. */
  event(host: SimHost, event: GossipEvent): void {
    if (event.type === "swap") this.#began(host, event.topic, event.from, event.to, event.gainMs);
    else if (event.type === "neighbor-down" && event.reason === "swapped") {
      const swap = this.#find(event.topic, (open) => open.c === host.id && open.d === undefined);
      if (swap !== undefined && event.peer !== swap.i) swap.d = event.peer;
    } else if (event.type === "neighbor-up") {
      const swap = this.#find(
        event.topic,
        ({ d, o }) => d === host.id && o === event.peer || o === host.id && d === event.peer,
      );
      if (swap !== undefined) this.#ended(swap);
    }
  }

  #began(host: SimHost, topic: string, o: string, c: string, gainMs: number): void {
    const at = this.#fabric.clock.now();
    if (!(gainMs > 0)) this.#bad(`a swap by ${host.name} gains ${gainMs} ms`, host.name);
    this.#open = this.#open.filter((swap) => at - swap.at < SWAP_MS);
    this.#open.push({ topic, i: host.id, o, c, d: undefined, at });
  }

  #find(topic: string, fits: (swap: Swap) => boolean): Swap | undefined {
    if (this.#open.length === 0) return undefined;
    const since = this.#fabric.clock.now() - SWAP_MS;
    return this.#open.find((swap) => swap.topic === topic && swap.at >= since && fits(swap));
  }

  #ended(swap: Swap): void {
    const { i, o, c, d } = swap;
    this.#open = this.#open.filter((other) => other !== swap);
    this.completed++;
    const cost = (a: string, b: string) => this.#fabric.rtt(a, b);
    const before = cost(i, o) + cost(c, d!), after = cost(i, c) + cost(d!, o);
    if (after <= before + ROUNDING_MS) return;
    const [ni, no, nc, nd] = [i, o, c, d!].map((peer) => this.#nameOf(peer));
    const links = `${ni}-${no} and ${nc}-${nd} for ${ni}-${nc} and ${nd}-${no}`;
    this.#bad(`${links} costs ${after.toFixed(1)} ms in place of ${before.toFixed(1)}`, ni!);
  }

  #bad(what: string, node: string): void {
    this.#records.bad("swaps", what, node);
  }
}
