/**
 * One life of one node: what it sends is checked against what it was cleared to pass on.
 *
 * @module
 */

import type { DownReason, PeerId } from "../../core/host.ts";
import { coreOf, type Gossip, startOn } from "../../gossip.ts";
import { fillOptions, type FullOptions, type GossipOptions } from "../../gossip_options.ts";
import { Reader, toHex } from "../../wire/bytes.ts";
import { Frame } from "../../wire/frames.ts";
import { bundleDigest, BundleParts } from "../../wire/bundle.ts";
import { gossipDigest, gossipShape, ID_BYTES, MARK_BYTES, readGossip } from "../../wire/gossip.ts";
import { ANNOUNCEMENT_BYTES } from "../../wire/tree_messages.ts";
import { simCrypto, simSha256, simSign } from "../sim_crypto.ts";
import type { SimTransport } from "../sim_transport.ts";
import type { Membership, Records } from "./records.ts";
import type { TraceLog } from "./trace_log.ts";
import { WatchedTransport, type Watcher } from "./watched_transport.ts";

const SHAPE = gossipShape();
const DIGEST = new Uint8Array(32);
const KINDS = new Map(Object.entries(Frame).map(([name, kind]) => [kind as number, name]));

/** What a {@linkcode SimHost} is made of. */
export interface SimHostParts {
  readonly name: string;
  readonly id: PeerId;
  readonly transport: SimTransport;
  readonly options: GossipOptions;
  readonly directory: boolean;
  readonly records: Records;
  readonly log: TraceLog;
  /** Whether it knows turns of the event loop. */
  readonly turns: boolean;
  /** The name of a peer. */
  readonly nameOf: (peer: PeerId) => string;
}

/** See the module. */
export class SimHost implements Watcher {
  readonly name: string;
  readonly id: PeerId;
  readonly address: string;
  readonly gossip: Gossip;
  readonly transport: WatchedTransport;
  /** Its options with every default filled in. */
  readonly full: FullOptions;
  /** Its present memberships by topic. */
  readonly members: Map<string, Membership> = new Map();
  /** Every membership of this life by the number that the node gave it. */
  readonly byAlias: Map<number, Membership> = new Map();
  /** Messages published per topic in this life. */
  readonly published: Map<string, number> = new Map();
  alive = true;
  slow = false;
  /** Ids that go out while a message is being published, before its own is known. */
  publishing: Set<string> | undefined;
  readonly #parts: SimHostParts;
  #lastBody: Uint8Array | undefined;
  #lastIds: readonly string[] = [];

  constructor(parts: SimHostParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.id = parts.id;
    this.full = fillOptions(parts.options);
    this.transport = new WatchedTransport(parts.transport, this, parts.turns);
    this.address = this.transport.address;
    this.gossip = startOn({
      transport: this.transport,
      identity: { id: parts.id, sign: (message) => simSign(parts.id, message) },
      crypto: simCrypto,
      directory: parts.directory,
      paced: false,
    }, parts.options);
  }

  /** Slots of its active views. */
  get activeSize(): number {
    return this.full.overlay.activeSize;
  }

  /** Every overlay of the node: its memberships' and the directory's. */
  get topics(): ReturnType<typeof coreOf>["topics"] {
    return coreOf(this.gossip).topics;
  }

  sent(peer: PeerId, head: Uint8Array, body: Uint8Array | undefined, taken: boolean): void {
    const { log } = this.#parts;
    if (log.on) this.#trace("->", peer, head[0]!, head.length + (body?.length ?? 0), taken);
    if (head[0] === Frame.GOSSIP && body !== undefined) this.#checkPayload(peer, head, body);
    else if (head[0] === Frame.IHAVE) this.#checkAnnouncements(peer, head);
  }

  received(peer: PeerId, bytes: Uint8Array, start: number, end: number): void {
    if (this.#parts.log.on) this.#trace("<-", peer, bytes[start]!, end - start, true);
  }

  up(peer: PeerId): void {
    const { log, nameOf } = this.#parts;
    if (log.on) log.add(this.name, `link up to ${nameOf(peer)}`);
  }

  down(peer: PeerId, reason: DownReason): void {
    const { log, nameOf } = this.#parts;
    if (log.on) log.add(this.name, `link down to ${nameOf(peer)}: ${reason}`);
  }

  misuse(what: string): void {
    this.#parts.records.bad("transport", `${this.name} ${what}`, this.name);
  }

  /** Nothing of a node that has ended may be armed. */
  checkEnded(): void {
    const { size } = this.transport.timers;
    if (size === 0) return;
    this.#parts.records.bad("timers", `${this.name} has ended and left ${size} timers`, this.name);
  }

  #trace(arrow: string, peer: PeerId, kind: number, length: number, taken: boolean): void {
    const { log, nameOf } = this.#parts;
    const what = KINDS.get(kind) ?? kind;
    log.frame(this.name, `${arrow} ${nameOf(peer)} ${what} ${length} B${taken ? "" : " refused"}`);
  }

  /** A payload may go out when it is the node's own or was accepted here. */
  #checkPayload(peer: PeerId, head: Uint8Array, body: Uint8Array): void {
    const member = this.byAlias.get(new Reader(head, 1, head.length).varint());
    if (member === undefined) return;
    if (body !== this.#lastBody) {
      this.#lastIds = this.#idsOf(member, body);
      this.#lastBody = body;
    }
    for (const id of this.#lastIds) this.#checkCleared(member, id, peer, "sends");
  }

  /** The ids of the messages in a body. */
  #idsOf({ topic, core: { key } }: Membership, body: Uint8Array): readonly string[] {
    readGossip(SHAPE, body, 0, body.length, Infinity);
    const { originAt, bundle, partAt, seqAt, payloadEnd } = SHAPE;
    const gapAt = partAt > 0 ? partAt - MARK_BYTES : originAt;
    const gapEnd = partAt > 0 ? seqAt : originAt;
    gossipDigest(simSha256, key, body, originAt, payloadEnd, DIGEST, gapAt, gapEnd);
    if (!bundle) return [toHex(DIGEST, 0, ID_BYTES)];
    bundleDigest(simSha256, DIGEST, 0, body, payloadEnd, DIGEST);
    const parts = new BundleParts(simSha256, key, body);
    const ids = Array.from(
      { length: parts.count },
      (_, i) => toHex(parts.digest(i), 0, ID_BYTES),
    );
    this.#parts.records.bundles.set(`${topic.name} ${toHex(DIGEST, 0, ID_BYTES)}`, ids);
    return ids;
  }

  #checkAnnouncements(peer: PeerId, frame: Uint8Array): void {
    const reader = new Reader(frame, 1, frame.length);
    const member = this.byAlias.get(reader.varint());
    if (member === undefined) return;
    for (let at = reader.at; at < frame.length; at += ANNOUNCEMENT_BYTES) {
      const ids = this.#parts.records.idsOf(member.topic, toHex(frame, at, at + ID_BYTES));
      for (const id of ids) this.#checkCleared(member, id, peer, "announces");
    }
  }

  #checkCleared(member: Membership, id: string, peer: PeerId, does: string): void {
    if (member.cleared.has(id)) return;
    const { records, nameOf } = this.#parts;
    const post = records.post(member.topic, id);
    if (post === undefined) {
      if (this.publishing !== undefined) return void this.publishing.add(id);
      const what = `${member.name} ${does} what nobody published to ${nameOf(peer)}`;
      return records.bad("authentic", what, this.name);
    }
    // Where nobody judges, what is authentic may pass at once.
    if (!member.judges) return;
    const judged = member.judged.get(id) ?? "unseen";
    const what = `${member.name} ${does} #${post.number} (${judged}) to ${nameOf(peer)}`;
    records.bad("validated first", what, this.name);
  }
}
