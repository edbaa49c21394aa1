/**
 * The two views of HyParView as plain small arrays: 5 and 30 entries are searched faster than they are hashed, and a
 * hundred thousand simulated nodes fit in memory.
 *
 * @module
 */

import type { DownReason, PeerId } from "../host.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayPort } from "./port.ts";

/** Moves `count` random members of `list` to its front (all where it has fewer) and cuts the rest off. */
export function sample<T>(list: T[], count: number, random: () => number): T[] {
  const taken = Math.min(count, list.length);
  for (let i = 0; i < taken; i++) {
    const j = i + Math.floor(random() * (list.length - i));
    const other = list[j]!;
    list[j] = list[i]!;
    list[i] = other;
  }
  list.length = taken;
  return list;
}

/** One member of the active view. */
interface Neighbor {
  readonly id: PeerId;
  record: SignedRecord | undefined;
  heardAt: number;
  /** The link came by a swap. */
  readonly swapped: boolean;
  /** When the last CHECK went to it. */
  toldAt: number;
  /** A CHECK of its came, and none of this node's own has gone to it since. */
  owed: boolean;
}

/** The active view: tells the port of every coming and going, of isolation and its end. */
export class ActiveView {
  readonly #port: OverlayPort;
  #neighbors: Neighbor[] = [];
  #ids: readonly PeerId[] = [];
  #isolated = false;
  #isolations = 0;

  constructor(port: OverlayPort) {
    this.#port = port;
  }

  /** The members; a new array after every change, so that it can be kept and walked while the view changes. */
  get ids(): readonly PeerId[] {
    return this.#ids;
  }

  /** How many there are. */
  get size(): number {
    return this.#ids.length;
  }

  /** How many times the last member went away. */
  get isolations(): number {
    return this.#isolations;
  }

  /** True for a member. */
  has(peer: PeerId): boolean {
    return this.#ids.includes(peer);
  }

  /** Members whose links did not come by a swap. */
  get unswapped(): PeerId[] {
    return this.#neighbors.filter(({ swapped }) => !swapped).map(({ id }) => id);
  }

  /** Adds a peer that is no member; `swapped` where a swap brings it. */
  add(peer: PeerId, record: SignedRecord | undefined, swapped = false): void {
    const now = this.#port.now();
    this.#neighbors.push({
      id: peer,
      record,
      heardAt: now,
      swapped,
      toldAt: -Infinity,
      owed: false,
    });
    this.#ids = [...this.#ids, peer];
    const rejoined = this.#isolated;
    this.#isolated = false;
    this.#port.hold(peer);
    this.#port.neighborUp(peer);
    if (rejoined) this.#port.rejoined();
  }

  /**
   * Removes a member and gives its record, as far as it is known. Isolation is told unless `quiet`: where another member
   * comes in the same breath, or the topic is being left.
   */
  remove(peer: PeerId, reason: DownReason, quiet = false): SignedRecord | undefined {
    const record = this.recordOf(peer);
    this.#neighbors = this.#neighbors.filter((neighbor) => neighbor.id !== peer);
    this.#ids = this.#neighbors.map((neighbor) => neighbor.id);
    const isolated = !quiet && this.#ids.length === 0;
    if (isolated) {
      this.#isolated = true;
      this.#isolations++;
    }
    this.#port.neighborDown(peer, reason);
    this.#port.release(peer);
    if (isolated) this.#port.isolated();
    return record;
  }

  /** A random member that is neither `not` nor `nor`. */
  random(not?: PeerId, nor?: PeerId): PeerId | undefined {
    let count = 0;
    let chosen: PeerId | undefined;
    for (const id of this.#ids) {
      if (id === not || id === nor) continue;
      if (this.#port.random() * ++count < 1) chosen = id;
    }
    return chosen;
  }

  /** Notes a sign that a member has this node in its own active view. */
  heard(peer: PeerId): void {
    const neighbor = this.#find(peer);
    if (neighbor !== undefined) neighbor.heardAt = this.#port.now();
  }

  /**
   * Notes a CHECK of a member; true where one is to go back: it is the second without a CHECK of this node's own between them. What comes within
   * `freshMs` of that most likely answers it, and two nodes that answer each other's answers would never stop.
   */
  checked(peer: PeerId, freshMs: number): boolean {
    const neighbor = this.#find(peer);
    if (neighbor === undefined) return false;
    const now = neighbor.heardAt = this.#port.now();
    if (now - neighbor.toldAt < freshMs) return false;
    neighbor.owed = !neighbor.owed;
    if (!neighbor.owed) neighbor.toldAt = now;
    return !neighbor.owed;
  }

  /** Notes that a CHECK goes to every member. */
  checksAll(): void {
    const now = this.#port.now();
    for (const neighbor of this.#neighbors) {
      neighbor.toldAt = now;
      neighbor.owed = false;
    }
  }

  /** Forgives every silence: this node itself was late. */
  heardAll(): void {
    for (const neighbor of this.#neighbors) neighbor.heardAt = this.#port.now();
  }

  /** Members without such a sign since `time`. */
  silentSince(time: number): PeerId[] {
    return this.#neighbors.filter(({ heardAt }) => heardAt < time).map(({ id }) => id);
  }

  /** The newest record known of a member. */
  recordOf(peer: PeerId): SignedRecord | undefined {
    const own = this.#find(peer)?.record;
    const known = this.#port.recordOf(peer);
    return own === undefined || (known !== undefined && known.seq > own.seq) ? known : own;
  }

  /** Records of the members that others can dial. */
  dialable(): SignedRecord[] {
    const records: SignedRecord[] = [];
    for (const id of this.#ids) {
      const record = this.recordOf(id);
      if (record !== undefined && record.addresses.length > 0) records.push(record);
    }
    return records;
  }

  #find(peer: PeerId): Neighbor | undefined {
    return this.#neighbors.find((neighbor) => neighbor.id === peer);
  }
}

/** Former members that a passive view remembers, as a multiple of its size. */
const FORMER_VIEWS = 4;

/**
 * The passive view: records of peers in reserve, no two of one peer. Behind it stand its former members, whom others have replaced: of 35
 * known peers all may be gone when nine tenths of a topic crash, of five times as many hardly ever.
 */
export class PassiveView {
  readonly #most: number;
  readonly #random: () => number;
  #records: SignedRecord[] = [];
  /** Oldest first. */
  readonly #former = new Map<PeerId, SignedRecord>();

  constructor(most: number, random: () => number) {
    this.#most = most;
    this.#random = random;
  }

  /** The records, in no order; not to be kept or changed. */
  get records(): readonly SignedRecord[] {
    return this.#records;
  }

  /** The peers. */
  get ids(): PeerId[] {
    return this.#records.map((record) => record.id);
  }

  /** How many former members are remembered. */
  get formerCount(): number {
    return this.#former.size;
  }

  /** Former members, not found dead since. */
  get former(): PeerId[] {
    return [...this.#former.keys()];
  }

  /** The record of a member. */
  get(peer: PeerId): SignedRecord | undefined {
    return this.#records.find((record) => record.id === peer);
  }

  /** The record of a member or former member. */
  recall(peer: PeerId): SignedRecord | undefined {
    return this.get(peer) ?? this.#former.get(peer);
  }

  /**
   * Puts a peer in, or its newer record in the place of the older one. A full view gives up the first member that is in
   * `sacrifice` (what the other side of a shuffle was just told), else a random one.
   */
  put(record: SignedRecord, sacrifice: readonly PeerId[] = []): void {
    const records = this.#records;
    const at = records.findIndex((known) => known.id === record.id);
    if (at >= 0) {
      if (record.seq > records[at]!.seq) records[at] = record;
    } else if (this.#most > 0) {
      const former = this.#former.get(record.id);
      if (former !== undefined && former.seq > record.seq) record = former;
      this.#former.delete(record.id);
      if (records.length < this.#most) records.push(record);
      else {
        const victim = this.#victim(sacrifice);
        this.#retire(records[victim]!);
        records[victim] = record;
      }
    }
  }

  /** Removes a peer, from the former members too. */
  delete(peer: PeerId): void {
    this.#former.delete(peer);
    const at = this.#records.findIndex((record) => record.id === peer);
    if (at < 0) return;
    const last = this.#records.pop()!;
    if (at < this.#records.length) this.#records[at] = last;
  }

  /** Records of members that others can dial. */
  dialable(): SignedRecord[] {
    return this.#records.filter((record) => record.addresses.length > 0);
  }

  #retire(record: SignedRecord): void {
    this.#former.set(record.id, record);
    if (this.#former.size <= FORMER_VIEWS * this.#most) return;
    for (const oldest of this.#former.keys()) {
      this.#former.delete(oldest);
      return;
    }
  }

  #victim(sacrifice: readonly PeerId[]): number {
    for (const peer of sacrifice) {
      const at = this.#records.findIndex((record) => record.id === peer);
      if (at >= 0) return at;
    }
    return Math.floor(this.#random() * this.#records.length);
  }
}
