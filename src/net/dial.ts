/**
 * One wish for a link: the addresses to try and whoever waits for it.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/** Who waits for a dial. */
export interface Waiter {
  resolve(peer: PeerId): void;
  reject(cause: unknown): void;
}

/** Most addresses of one dial. */
const MOST_ADDRESSES = 8;
/** So many of those who asked for it are remembered. */
const MOST_WISHES = 8;

/** A dial that waits, is under way, or has ended. */
export class Dial {
  /** Who is wanted; undefined while an address without id is dialled and nobody has answered. */
  peer: PeerId | undefined;
  /** Under which the dialler finds it while the peer is unknown. */
  readonly key: string;
  /** Addresses still to try. */
  readonly addresses: string[] = [];
  /** Promises of explicit dials. */
  readonly waiters: Waiter[] = [];
  /** The node asked for it and wants to hear when it fails. */
  wanted = false;
  /** Its turn has come. */
  begun = false;
  /** The handshake's last message is out: the other side may have accepted. */
  committed = false;
  /** It has come to an end, whichever. */
  settled = false;
  /** The connection that waits to be accepted. */
  connection: Connection | undefined;
  /** Ends what is under way. */
  readonly controller = new AbortController();
  readonly #known = new Set<string>();
  /** Whether it is urgent, as those say who asked for it. */
  readonly #wishes = new Set<() => boolean>();

  constructor(peer: PeerId | undefined, key: string) {
    this.peer = peer;
    this.key = key;
  }

  /** Adds addresses that are not there yet, as far as there is room. */
  add(addresses: readonly string[]): void {
    for (const address of addresses) {
      if (this.#known.size >= MOST_ADDRESSES || this.#known.has(address)) continue;
      this.#known.add(address);
      this.addresses.push(address);
    }
  }

  /** Adds what tells whether it is urgent for one who asked. */
  wish(urgent: () => boolean): void {
    this.#wishes.add(urgent);
    if (this.#wishes.size <= MOST_WISHES) return;
    const [oldest] = this.#wishes;
    this.#wishes.delete([...this.#wishes].find((wish) => !wish()) ?? oldest!);
  }

  /** Has come to an end. */
  settle(): void {
    this.settled = true;
    this.#wishes.clear();
  }

  /** True where somebody awaits it, as this node's bootstrap does, or it is urgent for one of those who asked. */
  get urgent(): boolean {
    if (this.waiters.length > 0) return true;
    for (const wish of this.#wishes) if (wish()) return true;
    return false;
  }

  /** Takes over what another dial to the same peer wants. */
  absorb(other: Dial): void {
    this.add(other.addresses);
    this.waiters.push(...other.waiters.splice(0));
    this.wanted ||= other.wanted;
    for (const wish of other.#wishes) this.wish(wish);
    other.wanted = false;
  }
}

/** Thrown inside an attempt that stops although nothing failed: another connection to the same peer wins, or one is up. */
export class Stepped {
  constructor(readonly why: "linked" | "merged" | "superseded") {}
}

/** What stopped an attempt, as the error that callers see. */
export function asDialError(cause: unknown, address: string): GossipError {
  if (cause instanceof GossipError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new GossipError("dial-failed", `${address}: ${why}`, { cause });
}
