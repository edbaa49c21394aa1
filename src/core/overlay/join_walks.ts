/**
 * The random walks of FORWARDJOIN, by which a joiner gets links all over the overlay.
 *
 * @module
 */

import type { PeerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayPort } from "./port.ts";
import type { ActiveView } from "./views.ts";
import type { Requests } from "./requests.ts";
import type { Eviction } from "./eviction.ts";
import type { OverlayCounters } from "./overlay_metrics.ts";
import { isSigned } from "./blame.ts";

/** What the walks work with. */
export interface WalkParts {
  readonly port: OverlayPort;
  readonly options: OverlayOptions;
  readonly active: ActiveView;
  readonly requests: Requests;
  readonly eviction: Eviction;
  readonly counters: OverlayCounters;
  /** Asks the joiner to become a neighbour, for whom a member makes room. */
  take(peer: PeerId): void;
}

/** See the module. */
export class JoinWalks {
  readonly #parts: WalkParts;

  constructor(parts: WalkParts) {
    this.#parts = parts;
  }

  /** A joiner was taken in: sends a walk to each of those who were neighbours before. */
  begin(record: SignedRecord, walkers: readonly PeerId[]): void {
    // Nobody could dial a peer without addresses: it fills its view from the candidates.
    if (record.addresses.length === 0) return;
    const { port, options } = this.#parts;
    for (const peer of walkers) {
      port.send(peer, { type: "forward-join", record, ttl: options.arwl });
    }
  }

  /** A neighbour sent or forwarded a walk: passes it on or, at its end, takes the joiner in. */
  receive(from: PeerId, record: SignedRecord, ttl: number): void {
    const { port, options, active, requests, eviction, counters } = this.#parts;
    if (!active.has(from)) return;
    active.heard(from);
    if (!isSigned(port, from, record)) return;
    if (record.id === from) return;
    if (record.addresses.length === 0 && !port.connected(record.id)) return;
    counters.forwardJoins++;
    const { arwl, prwl } = options;
    const hops = Math.min(ttl, arwl);
    const next = hops > 0 ? active.random(from, record.id) : undefined;
    const strange = record.id !== port.self && !active.has(record.id);
    if (next !== undefined) {
      if (strange && hops === prwl) eviction.shelve(record);
      port.send(next, { type: "forward-join", record, ttl: hops - 1 });
    } else if (strange) {
      // Counted only when the joiner answers, so that an unreachable one takes no slot.
      if (requests.may(record.id)) this.#parts.take(record.id);
      else eviction.shelve(record);
    }
  }
}
