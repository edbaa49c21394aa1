/**
 * What links cost: measured round trips, of neighbours and of peers that might become some.
 *
 * @module
 */

import type { PeerId, TimerId } from "../host.ts";
import type { OverlayPort } from "./port.ts";

/** Costs of peers without a connection that are remembered; a passive view's worth. */
const REMEMBERED = 32;
/** Milliseconds for which they are: routes change, and a peer that could not be dialled may be back. */
const FRESH_MS = 600_000;
/** Milliseconds between looks at a measurement. */
const LOOK_MS = 200;
/** Looks for which a connection must have been up: the first pings of a link come within 700 ms. */
const SETTLED_LOOKS = 4;

/** Costs in ms. A cost of Infinity: the peer could not be reached. */
export class LinkCosts {
  readonly #port: OverlayPort;
  #known: Map<PeerId, { readonly ms: number; readonly at: number }> | undefined;

  constructor(port: OverlayPort) {
    this.#port = port;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#known?.size ?? 0;
  }

  /** The cost of a link to `peer`: the connection's round trip, the least of the last few, or what it was not long ago. */
  of(peer: PeerId): number | undefined {
    const cost = this.#port.cost(peer);
    if (cost !== undefined) return cost;
    const known = this.#known?.get(peer);
    if (known === undefined || this.#port.now() - known.at >= FRESH_MS) return undefined;
    // It could not be reached, and is connected all the same: nothing is known until its first ping is answered.
    return known.ms === Infinity && this.#port.connected(peer) ? undefined : known.ms;
  }

  /** Remembers a cost; beyond the bound the oldest is forgotten. */
  note(peer: PeerId, ms: number): void {
    this.#known ??= new Map();
    this.#known.delete(peer);
    this.#known.set(peer, { ms, at: this.#port.now() });
    if (this.#known.size <= REMEMBERED) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  /** The mean cost of links to `peers`, as far as it is known; 0 where none is. */
  mean(peers: readonly PeerId[]): number {
    let sum = 0, count = 0;
    for (const peer of peers) {
      const ms = this.#port.cost(peer);
      if (ms === undefined) continue;
      sum += ms;
      count++;
    }
    return count === 0 ? 0 : sum / count;
  }
}

/** One measurement of a few peers at a time, over connections that it dials where there are none. */
export class CostProbe {
  readonly #port: OverlayPort;
  readonly #costs: LinkCosts;
  #timer: TimerId | undefined;

  constructor(port: OverlayPort, costs: LinkCosts) {
    this.#port = port;
    this.#costs = costs;
  }

  /** True while one is under way. */
  get running(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * Sees to it that the costs of `peers` are known, as far as that can be done within `ms`, and calls `done`, never inside
   * this call; a measurement under way is given up. A peer that does not answer costs Infinity from then on.
   */
  start(peers: readonly PeerId[], ms: number, done: () => void): void {
    this.stop();
    const looks = new Map<PeerId, number>();
    for (const peer of peers) {
      if (this.#costs.of(peer) !== undefined) continue;
      looks.set(peer, 0);
      this.#port.connect(peer);
    }
    const until = this.#port.now() + ms;
    const look = () => {
      this.#timer = undefined;
      for (const [peer, seen] of looks) {
        const cost = this.#port.cost(peer);
        if (cost !== undefined && seen + 1 >= SETTLED_LOOKS) this.#settle(looks, peer, cost);
        else if (cost !== undefined) looks.set(peer, seen + 1);
        else if (this.#costs.of(peer) !== undefined) looks.delete(peer);
      }
      const over = this.#port.now() >= until;
      if (over) {
        for (const peer of looks.keys()) this.#costs.note(peer, this.#port.cost(peer) ?? Infinity);
      }
      if (over || looks.size === 0) done();
      else this.#timer = this.#port.after(LOOK_MS, look);
    };
    this.#timer = this.#port.after(looks.size === 0 ? 0 : LOOK_MS, look);
  }

  /** Gives it up. */
  stop(): void {
    if (this.#timer !== undefined) this.#port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #settle(looks: Map<PeerId, number>, peer: PeerId, ms: number): void {
    looks.delete(peer);
    this.#costs.note(peer, ms);
  }
}
