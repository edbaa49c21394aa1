/**
 * The one door of the protocol core: a received frame, a link that came up or ended, or a command goes from here to its
 * topic. Knows peers (sessions, records, scores) and topics (names, aliases); knows nothing of trees and views.
 *
 * @module
 */

import type { DownReason, Host, PeerId } from "./host.ts";
import type { Limits } from "../limits.ts";
import { BaseGrowth } from "./base_growth.ts";
import { AddressBook } from "./address_book.ts";
import { Rounds } from "./overlay/pace.ts";
import { Bans, type PeerSession, Sessions } from "./sessions.ts";
import { TopicCore, type TopicHandlers, type TopicSettings } from "./topic_core.ts";
import { Outbox } from "./outbox.ts";
import { encodeOpen, topicHead } from "../wire/node_messages.ts";
import { Frame, Lane } from "../wire/frames.ts";
import { Reader, toHex, WireError } from "../wire/bytes.ts";
import { decodeRecord, type SignedRecord } from "../wire/record.ts";

/** What the core tells the node's owner beside the handlers of each topic. */
export interface NodeHandlers {
  /** A peer told its record (HELLO). */
  hello(peer: PeerId, record: SignedRecord): void;
  /** A frame came for a topic that is not joined here; told once per peer and topic. */
  unknownTopic(peer: PeerId, key: string): void;
  /** A peer lost score; at -100 its link is ended. */
  misbehaved(peer: PeerId, points: number, what: string): void;
  /** Members of a topic that the directory knows, in random order. */
  members(topic: string, most: number): PeerId[];
  /** True where the directory knows that a peer is on a topic. */
  isMember(topic: string, peer: PeerId): boolean;
  /** The part of the nodes that the directory knows which it knows to be on a topic; 1 where it knows none. */
  presence(topic: string): number;
  /** A record that the address book does not have, from the directory. */
  lookup(peer: PeerId): SignedRecord | undefined;
  /** A bug of this library showed: the error that should not have been. */
  fault(error: unknown): void;
}

/**
 * What a node has counted of the frames that reached no topic, and of its own errors.
 *
 * @example
 * ```ts
 * import { Gossip, type NodeCounters } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * const { malformed, faults }: Readonly<NodeCounters> = node.metrics().core;
 * assertEquals([malformed, faults], [0, 0]);
 * ```
 */
export interface NodeCounters {
  /** Frames that were not what they claim to be; each ends its connection. */
  malformed: number;
  /** Frames of topics that are not joined here. */
  unknownTopic: number;
  /** Membership messages dropped because a peer sent too many (`limits.overlayPerSecond`). */
  overlayDropped: number;
  /** Errors that should not have been: bugs of this library, told as "fault" events. */
  faults: number;
}

const HELLO_KIND = new Uint8Array([Frame.HELLO]);
/** Score at which a link is ended, in lost points. */
const MISBEHAVED_POINTS = 100;
/** Points lost for a frame under an alias that is not open. */
const UNKNOWN_ALIAS_POINTS = 5;

/** The protocol core of one node, over all its topics and peers. */
export class Node {
  readonly host: Host;
  readonly limits: Limits;
  readonly handlers: NodeHandlers;
  readonly book: AddressBook;
  /** What its topics do from time to time. */
  readonly rounds: Rounds;
  readonly counters: NodeCounters = { malformed: 0, unknownTopic: 0, overlayDropped: 0, faults: 0 };
  readonly #sessions: Sessions;
  readonly #bans: Bans;
  readonly #outbox: Outbox;
  readonly #byKey = new Map<string, TopicCore>();
  readonly #byAlias = new Map<number, TopicCore>();
  #base: TopicCore | undefined;
  /** Told by the directory's topic. */
  readonly baseGrowth: BaseGrowth;
  #nextAlias = 1;

  constructor(host: Host, limits: Limits, handlers: NodeHandlers) {
    this.host = host;
    this.limits = limits;
    this.handlers = handlers;
    this.book = new AddressBook(limits.addressBook, host);
    this.rounds = new Rounds(host);
    this.baseGrowth = new BaseGrowth(host, (peers) => this.#grown(peers));
    this.#sessions = new Sessions(limits);
    this.#bans = new Bans(1_024, limits.banSeconds * 1_000);
    this.#outbox = new Outbox(limits.outboxFrames);
  }

  /** The topics that are joined. */
  get topics(): Iterable<TopicCore> {
    return this.#byKey.values();
  }

  /** The directory's topic, whose links the others share where they can. */
  get base(): TopicCore | undefined {
    return this.#base;
  }

  /** Joins a topic; its key must not be in use. */
  join(settings: TopicSettings, handlers: TopicHandlers): TopicCore {
    const topic = new TopicCore(this, this.#nextAlias++, settings, handlers);
    this.#byKey.set(topic.keyHex, topic);
    this.#byAlias.set(topic.alias, topic);
    if (topic.background) this.#base = topic;
    for (const session of this.#sessions.all()) session.bind(topic.keyHex, topic);
    return topic;
  }

  /** Leaves a topic: says so to its neighbours and forgets everything of it. */
  leave(topic: TopicCore): void {
    if (this.#byKey.get(topic.keyHex) !== topic) return;
    topic.close();
    this.#byKey.delete(topic.keyHex);
    this.#byAlias.delete(topic.alias);
    if (this.#base === topic) {
      this.#base = undefined;
      this.baseGrowth.stop();
    }
    for (const [peer, session] of this.#sessions.entries()) {
      session.bind(topic.keyHex, undefined);
      if (session.withdraw(topic.alias)) {
        this.host.send(peer, Lane.BULK, topicHead(Frame.TOPIC_CLOSE, topic.alias));
      }
    }
  }

  /** Leaves every topic. */
  close(): void {
    for (const topic of [...this.#byKey.values()]) this.leave(topic);
    this.#outbox.clear();
  }

  /** The names of joined topics on which `peer` has sent anything over its present link. */
  topicsOf(peer: PeerId): string[] {
    return this.#sessions.get(peer)?.topicNames() ?? [];
  }

  /** The score of a peer: 0 for a good one, falling towards -100. */
  score(peer: PeerId): number {
    const session = this.#sessions.get(peer);
    return session ? 0 - Math.round(session.points(this.host.now())) : 0;
  }

  /** True where a link to the peer is up. */
  connected(peer: PeerId): boolean {
    return this.#sessions.get(peer) !== undefined;
  }

  /** True where a link to the peer is up, or a dial to it on its way. */
  near(peer: PeerId): boolean {
    return this.connected(peer) || this.#outbox.has(peer);
  }

  /** Neighbours on other topics that are on this one too: they have opened it on their link, or the directory says so. */
  sharedOn(topic: TopicCore): PeerId[] {
    const peers: PeerId[] = [];
    for (const [peer] of this.#sessions.entries()) {
      if (!this.#mayBeOn(topic, peer)) continue;
      // Whoever is a neighbour on one of many topics mostly is on the first of them.
      for (const other of this.#byKey.values()) {
        if (other === topic || !other.overlay.isActive(peer)) continue;
        peers.push(peer);
        break;
      }
    }
    return peers;
  }

  /** The directory's overlay has new neighbours: other topics may have a slot for the same links. */
  #grown(peers: PeerId[]): void {
    const there = peers.filter((peer) => this.#base?.overlay.isActive(peer));
    if (there.length === 0) return;
    for (const topic of this.#byKey.values()) {
      if (topic !== this.#base && there.some((peer) => this.#mayBeOn(topic, peer))) {
        topic.overlay.candidatesChanged();
      }
    }
  }

  /** True for a peer that has opened a topic on its link, or is on it as the directory says. */
  #mayBeOn(topic: TopicCore, peer: PeerId): boolean {
    return this.#sessions.get(peer)?.isOn(topic.keyHex) === true ||
      this.handlers.isMember(topic.name, peer);
  }

  /** The newest record known of a peer. */
  recordOf(peer: PeerId): SignedRecord | undefined {
    return this.book.get(peer) ?? this.handlers.lookup(peer);
  }

  // --- what happens to links ---

  /** True for `limits.banSeconds` after a peer has lost all its score. */
  isBanned(peer: PeerId): boolean {
    return this.#bans.has(peer, this.host.now());
  }

  /** A link came up. */
  peerUp(peer: PeerId): void {
    // This node has dialled it, or it was under way when the ban began.
    if (this.isBanned(peer)) {
      this.host.disconnect(peer, "misbehaved");
      return;
    }
    this.#sessions.open(peer, this.host.now());
    this.sayHello(peer);
    // Where one connection took the place of another, neighbours stayed neighbours.
    for (const topic of this.#byKey.values()) {
      if (topic.overlay.isActive(peer)) this.openTopic(topic, peer);
    }
    for (const { topic, frame } of this.#outbox.take(peer)) {
      if (frame.length > 0) this.#sendOn(topic, peer, frame);
    }
  }

  /** Tells `peer` this node's record: where it can be dialled. */
  sayHello(peer: PeerId): void {
    this.host.send(peer, Lane.CONTROL, HELLO_KIND, this.host.record().encoded);
  }

  /** A link ended. */
  peerDown(peer: PeerId, reason: DownReason): void {
    if (!this.#sessions.close(peer, this.host.now())) return;
    for (const topic of this.#byKey.values()) topic.peerDown(peer, reason);
  }

  /** A dial that a topic asked for found no way. */
  unreachable(peer: PeerId): void {
    const topics = new Set(this.#outbox.take(peer).map(({ topic }) => topic));
    for (const topic of topics) if (!topic.closed) topic.unreachable(peer);
  }

  // --- sending, for the topics ---

  /** Sends an overlay frame, dialling first where no link is up; an empty one asks for the link only. */
  sendOverlay(topic: TopicCore, peer: PeerId, frame: Uint8Array): void {
    if (this.connected(peer)) return this.#sendOn(topic, peer, frame);
    this.#outbox.add(peer, topic, frame);
    const addresses = topic.overlay.recordOf(peer)?.addresses ?? [];
    if (addresses.length > 0 && !this.isBanned(peer)) {
      this.host.connect(peer, addresses, topic.lonely);
    } else {
      // Never inside the call: the overlay is in the middle of a step.
      this.host.after(0, () => {
        if (!this.connected(peer)) this.unreachable(peer);
      });
    }
  }

  #sendOn(topic: TopicCore, peer: PeerId, frame: Uint8Array): void {
    if (topic.closed && !topic.leaving) return;
    if (this.#sessions.get(peer)?.mayAnnounce(topic.alias) === false) {
      // As if it were not on this topic. Never inside the call.
      this.host.after(0, () => topic.closed || topic.refused(peer));
      return;
    }
    // A goodbye goes behind the last messages, which are in slower lanes, and so few that none of them is overtaken: see `Pacer.drain`.
    const lane = topic.leaving ? Lane.BULK : Lane.CONTROL;
    const head = topicHead(Frame.OVERLAY, topic.alias);
    if (!this.openTopic(topic, peer, lane) || !this.host.send(peer, lane, head, frame)) {
      // A control lane that is full belongs to a reader that has stopped reading.
      this.host.disconnect(peer, "slow");
    }
  }

  /**
   * Announces the topic's alias in a lane of a link, once: a lane that has waited for long goes before a faster one that is
   * full, so what is announced in one lane may not be known yet when a frame of another comes. False where the lane is full, or the peer knows as
   * many as it takes.
   */
  openTopic(topic: TopicCore, peer: PeerId, lane: Lane = Lane.CONTROL): boolean {
    const session = this.#sessions.get(peer);
    if (session === undefined) return false;
    if (session.announced(topic.alias, lane)) return true;
    if (!session.mayAnnounce(topic.alias)) return false;
    if (!this.host.send(peer, lane, encodeOpen(topic.alias, topic.key))) return false;
    session.announce(topic.alias, lane);
    return true;
  }

  /** Takes score from a peer; at -100 its link is ended and the peer refused for a while. */
  misbehaved(peer: PeerId, points: number, what: string): void {
    const session = this.#sessions.get(peer);
    if (!session) return;
    this.handlers.misbehaved(peer, points, what);
    const now = this.host.now();
    if (session.blame(points, now) < MISBEHAVED_POINTS) return;
    this.#bans.add(peer, now);
    this.host.disconnect(peer, "misbehaved");
  }

  // --- receiving ---

  /** One frame from a peer. Never throws. */
  receive(peer: PeerId, bytes: Uint8Array, start: number, end: number): void {
    const session = this.#sessions.get(peer);
    if (!session) return;
    try {
      this.#dispatch(peer, session, bytes, start, end);
    } catch (error) {
      if (error instanceof WireError) {
        this.counters.malformed++;
        this.misbehaved(peer, MISBEHAVED_POINTS, `malformed frame: ${error.message}`);
      } else {
        this.counters.faults++;
        this.handlers.fault(error);
      }
    }
  }

  #dispatch(
    peer: PeerId,
    session: PeerSession,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const kind = bytes[start]!;
    const reader = new Reader(bytes, start + 1, end);
    if (kind >= Frame.OVERLAY && kind <= Frame.SYNC || kind === Frame.APART) {
      const topic = this.#topicOf(peer, session, reader.varint(), kind);
      if (!topic) return;
      if (kind !== Frame.OVERLAY) topic.tree.receive(peer, kind, bytes, reader.at, end);
      else if (session.takeOverlayToken(this.host.now())) topic.receiveOverlay(peer, reader.rest());
      else this.counters.overlayDropped++;
      return;
    }
    switch (kind) {
      case Frame.HELLO:
        // Each new record costs a check of its signature.
        if (session.takeOverlayToken(this.host.now())) return this.#hello(peer, reader);
        this.counters.overlayDropped++;
        return;
      case Frame.TOPIC_OPEN: {
        const alias = reader.varint();
        const key = toHex(reader.view(32));
        reader.done();
        return session.open(alias, key, this.#byKey.get(key));
      }
      case Frame.TOPIC_CLOSE:
        session.leave(reader.varint());
        return reader.done();
      case Frame.TOPIC_NONE: {
        const topic = this.#byAlias.get(reader.varint());
        reader.done();
        return topic?.refused(peer);
      }
      default:
        throw new WireError(`unknown frame kind ${kind}`);
    }
  }

  /** The topic behind a peer's alias; tells the peer (once an alias) where this node is not on it. */
  #topicOf(peer: PeerId, session: PeerSession, alias: number, kind: number): TopicCore | undefined {
    const entry = session.topic(alias);
    if (!entry) {
      // A frame in a slower lane, long after the topic was closed; or an unfriendly peer.
      this.counters.unknownTopic++;
      this.misbehaved(peer, UNKNOWN_ALIAS_POINTS, "topic alias is not open");
      return undefined;
    }
    if (entry.topic) return entry.topic;
    this.counters.unknownTopic++;
    if (!entry.told || kind === Frame.OVERLAY) {
      if (!session.takeOverlayToken(this.host.now())) return undefined;
      // Behind what this node published before it left the topic, as its goodbye: whoever hears it gives up the neighbour.
      this.host.send(peer, Lane.BULK, topicHead(Frame.TOPIC_NONE, alias));
      if (!entry.told) this.handlers.unknownTopic(peer, entry.key);
      entry.told = true;
    }
    return undefined;
  }

  #hello(peer: PeerId, reader: Reader): void {
    const record = decodeRecord(reader.rest());
    if (record.id !== peer) throw new WireError("HELLO with the record of somebody else");
    if (!this.book.accept(record)) throw new WireError("HELLO with a bad signature");
    this.handlers.hello(peer, record);
  }
}
