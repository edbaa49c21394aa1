/**
 * What an overlay does from time to time: shuffle, check that links are symmetric, look for other islands.
 *
 * @module
 */

import type { PeerId, TimerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { OverlayPort } from "./port.ts";
import type { ActiveView, PassiveView } from "./views.ts";
import type { Requests } from "./requests.ts";
import type { Census, Contacts } from "./contacts.ts";
import type { OverlayCounters } from "./overlay_metrics.ts";
import type { Shuffle } from "./shuffle.ts";
import { Budget, Periodic } from "./pace.ts";

/** Check intervals without a sign from a neighbour after which it is dropped. */
const SILENT_CHECKS = 3.5;
/** Beside a round trip, the time within which a CHECK is taken for the answer to this node's own. */
const ANSWER_MS = 50;
/** Strangers whose error is corrected, per check interval. */
const CORRECTIONS = 64;
/** Probes per probe interval that all the nodes of a topic send together, about (ringpop's rule). */
const PROBES = 3;
/** The same of nodes with free slots soon after their start. */
const EAGER_PROBES = 4 * PROBES;
/** The first of them waits for this part of `probeMs`, the last for that. */
const FIRST_EARLY = 16, LAST_EAGER = 8;
/** The last early probe of all, which full nodes send as well. */
const LAST_EARLY = 2;
/** Members of the directory that are counted to tell the size of the topic. */
const COUNTED_MEMBERS = 4_096;
/** Members of the directory of which one is probed. */
const PROBED_MEMBERS = 4;
/** While nothing changes, shuffles come up to 2^4 times further apart. */
const SHUFFLE_BACKOFF = 4;
/** The part of a passive view, and the multiple of it in former members, that are reserve enough, whether or not they change. */
const STOCKED = 0.75, STOCKED_FORMER = 2;
/** How much less often a peer is probed that stands in the passive view: most likely it is on the same island. */
const KNOWN_PROBE = 1 / 4;

/** What the upkeep works with. */
export interface UpkeepParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly active: ActiveView;
  readonly passive: PassiveView;
  readonly requests: Requests;
  readonly contacts: Contacts;
  readonly census: Census;
  readonly counters: OverlayCounters;
  readonly shuffle: Shuffle;
  /** Asks a peer to become a neighbour though the view is full. */
  probe(peer: PeerId): void;
  /** Asks for a link that the directory's overlay has, in the place of one that costs a connection. */
  share(): void;
  /** Ends the link to a neighbour that does not seem to know of it. */
  drop(peer: PeerId): void;
}

/** See the module. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #mixing: Periodic;
  readonly #probing: Periodic;
  readonly #corrections: Budget;
  #endChecks: (() => void) | undefined;
  #early: TimerId | undefined;
  #stock = 0;
  #changes = 0;
  #calm = 0;
  #skip = 0;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    const { port, options } = parts;
    this.#corrections = new Budget(CORRECTIONS, options.checkMs);
    this.#mixing = new Periodic(port, options.shuffleMs, () => this.#mix());
    this.#probing = new Periodic(port, options.probeMs, () => this.#probe());
  }

  /** Starts the timers. */
  start(): void {
    const { port, options } = this.#parts;
    this.#mixing.start();
    this.#endChecks ??= port.every(options.checkMs, (lateMs) => this.#check(lateMs));
    this.#probing.start();
    // A join may be repeated with more contacts.
    if (this.#early === undefined) this.#probeSoon(FIRST_EARLY);
  }

  /** Stops them. */
  stop(): void {
    this.#mixing.stop();
    this.#endChecks?.();
    this.#endChecks = undefined;
    this.#probing.stop();
    if (this.#early !== undefined) this.#parts.port.cancel(this.#early);
  }

  /** A neighbour's CHECK came. One that checks more often, and expects as much, is answered every other time. */
  checked(peer: PeerId): void {
    const { port, active } = this.#parts;
    if (active.checked(peer, (port.rtt(peer) ?? 0) + ANSWER_MS)) port.send(peer, { type: "check" });
  }

  /** Tells a peer that it is not in the active view here, though it seems to think so. */
  correct(peer: PeerId): void {
    const { port, requests, counters } = this.#parts;
    if (!port.connected(peer) || !this.#corrections.take(port.now())) return;
    counters.corrections++;
    requests.void(peer);
    port.send(peer, { type: "disconnect", alive: true, candidates: [] });
  }

  /**
   * Nodes that start together may fill each other's views and leave some outside, with free slots that nobody takes: these probe soon, and
   * again after twice as long. A few nodes may also be islands from the first moment that know each other from the joins: twice more who
   * has all it heard of in its views probes one of them, once a shuffle has told something of how many there are.
   */
  #probeSoon(part: number): void {
    const { port, options, active, passive, census } = this.#parts;
    const wait = options.probeMs / part * (0.75 + port.random() / 2);
    this.#early = port.after(wait, () => {
      if (part >= LAST_EAGER) {
        if (active.size < options.activeSize) this.#probe(EAGER_PROBES);
      } else if (!census.empty && passive.records.length < options.passiveSize) {
        this.#probe(PROBES, 1);
      }
      if (part > LAST_EARLY) this.#probeSoon(part / 2);
    });
  }

  /**
   * Shuffles, at half the pace after each time that nothing had changed, down to a sixteenth: a walk and its way back are a dozen records.
   * New links, evictions and a passive view that is being used up bring the full pace back within one period.
   */
  #mix(): void {
    const { options, passive, counters, shuffle } = this.#parts;
    const { passiveSize } = options;
    const members = passive.records.length, former = passive.formerCount;
    const stock = members + former;
    const enough = members >= STOCKED * passiveSize && former >= STOCKED_FORMER * passiveSize;
    const stocked = enough || stock === this.#stock;
    const { evictions, evicted, requestsAccepted } = counters;
    const changes = evictions + evicted + requestsAccepted;
    if (!stocked || changes !== this.#changes) this.#calm = this.#skip = 0;
    this.#stock = stock;
    this.#changes = changes;
    if (this.#skip > 0) return void this.#skip--;
    if (!shuffle.send()) return;
    counters.shuffles++;
    this.#skip = 2 ** this.#calm - 1;
    this.#calm = Math.min(SHUFFLE_BACKOFF, this.#calm + 1);
  }

  #check(lateMs: number): void {
    const { port, options, active, counters } = this.#parts;
    for (const peer of active.ids) port.send(peer, { type: "check" });
    active.checksAll();
    // This node was asleep: the checks of its neighbours may lie unread.
    if (lateMs > options.checkMs / 2) return active.heardAll();
    for (const peer of active.silentSince(port.now() - SILENT_CHECKS * options.checkMs)) {
      counters.halfLinks++;
      this.#parts.drop(peer);
    }
    this.#parts.share();
  }

  /**
   * Looks for another island. Two islands with full views never ask each other for anything, so now and then one link is
   * forced: NEIGHBOR(high) to a remembered contact or known member that is no neighbour. Both ends evict one member for it
   * and name the displaced ones as candidates, so that those find each other: a second link across. Not JOIN: its walks
   * would bring so many links from over there that this node would merely move to the other island.
   *
   * Every node does so with probability 3/n per interval, so all together about three times, whatever their number. Where
   * the peer stands in the passive view it is a quarter of that: it is most likely of the same island, but a stale entry
   * from before a partition must not bar the way for ever.
   */
  #probe(probes = PROBES, known = KNOWN_PROBE): void {
    const { port, active, passive, requests, contacts, census, counters } = this.#parts;
    if (active.size === 0) return;
    const views = active.size + passive.records.length;
    const guess = census.estimate(views);
    const drawn = port.random() / probes;
    if (drawn * guess >= 1) return;
    // Counting members takes long, so only who may win does it.
    if (drawn * (1 + port.members(COUNTED_MEMBERS).length) >= 1) return;
    const targets = [...contacts.all(), ...port.members(PROBED_MEMBERS)].filter((peer) =>
      peer !== port.self && !active.has(peer) && requests.may(peer)
    );
    const target = targets[Math.floor(port.random() * targets.length)];
    if (target === undefined) return;
    if (passive.get(target) !== undefined && port.random() >= known) return;
    counters.probes++;
    this.#parts.probe(target);
  }
}
