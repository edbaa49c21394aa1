/**
 * One topic in the core: its overlay and its tree, and what each of them asks of the node.
 *
 * @module
 */

import type { DownReason, PeerId, TimerId } from "./host.ts";
import type { Node } from "./node.ts";
import type { BaseOverlay, OverlayPort } from "./overlay/port.ts";
import type { TreeMessage, TreePort, Verdict } from "./tree/port.ts";
import { HyParView } from "./overlay/hyparview.ts";
import { Plumtree, type PlumtreeOptions } from "./tree/plumtree.ts";
import type { OverlayOptions } from "../options.ts";
import type { Lane } from "../wire/frames.ts";
import type { SignedRecord } from "../wire/record.ts";
import { toHex } from "../wire/bytes.ts";
import { decodeOverlay, encodeOverlay, type OverlayMessage } from "../wire/overlay_messages.ts";

/** Waits for a dial in the place of a frame, where the connection is all that is wanted. */
const NOTHING = new Uint8Array(0);

/** What a topic is made of. */
export interface TopicSettings {
  /** Its name, for people and the directory. */
  readonly name: string;
  /** SHA-256 of network and name, 32 bytes. */
  readonly key: Uint8Array;
  /** The directory's: nobody waits for it, so its dials are not urgent, and the other topics share its links. */
  readonly background?: boolean;
  readonly overlay: OverlayOptions;
  readonly tree: PlumtreeOptions;
}

/** What a topic tells its owner. */
export interface TopicHandlers {
  validate(message: TreeMessage): Verdict | undefined;
  deliver(message: TreeMessage): void;
  neighborUp(peer: PeerId): void;
  neighborDown(peer: PeerId, reason: DownReason): void;
  missed(id: string, why: "gone" | "no-answer" | "overflow"): void;
  rejected(id: string, via: PeerId, why: string): void;
  swapped(from: PeerId, to: PeerId, gainMs: number): void;
  isolated(): void;
  rejoined(): void;
}

/** A joined topic. */
export class TopicCore {
  readonly name: string;
  readonly key: Uint8Array;
  readonly keyHex: string;
  readonly alias: number;
  readonly overlay: HyParView;
  readonly tree: Plumtree;
  readonly handlers: TopicHandlers;
  readonly #node: Node;
  /** See {@linkcode TopicSettings.background}. */
  readonly background: boolean;
  /** True while the goodbyes of {@linkcode close} are sent. */
  leaving = false;
  /** True from {@linkcode close} on. */
  closed = false;

  constructor(node: Node, alias: number, settings: TopicSettings, handlers: TopicHandlers) {
    this.#node = node;
    this.alias = alias;
    this.name = settings.name;
    this.key = settings.key;
    this.keyHex = toHex(settings.key);
    this.handlers = handlers;
    this.background = settings.background ?? false;
    this.overlay = new HyParView(new OverlayDoor(node, this), settings.overlay, node.limits);
    this.tree = new Plumtree(new TreeDoor(node, this), settings.tree, node.limits);
  }

  /** Whether somebody may wait for its first neighbour; one function for all dials. */
  readonly lonely = (): boolean =>
    !this.background && !this.closed && this.overlay.active.length === 0;

  /** The CBOR of an overlay message came in. */
  receiveOverlay(peer: PeerId, bytes: Uint8Array): void {
    this.overlay.receive(peer, decodeOverlay(bytes, this.#node.limits.shuffleEntries));
  }

  /** A peer is not on this topic. */
  refused(peer: PeerId): void {
    if (this.overlay.isActive(peer)) {
      this.overlay.receive(peer, { type: "disconnect", alive: false, candidates: [] });
    } else {
      this.overlay.receive(peer, { type: "neighbor-reply", accepted: false, candidates: [] });
    }
  }

  /** A link ended. */
  peerDown(peer: PeerId, reason: DownReason): void {
    this.overlay.peerDown(peer, reason);
  }

  /** A dial of the overlay's found no way. */
  unreachable(peer: PeerId): void {
    this.overlay.unreachable(peer);
  }

  /** Says goodbye to the neighbours and stops every timer. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.leaving = true;
    this.tree.flush();
    this.overlay.leave();
    this.tree.close();
    this.leaving = false;
  }
}

/** What overlay and tree share: time and chance. */
abstract class Door {
  protected readonly node: Node;
  protected readonly topic: TopicCore;

  constructor(node: Node, topic: TopicCore) {
    this.node = node;
    this.topic = topic;
  }

  get self(): PeerId {
    return this.node.host.self;
  }
  now(): number {
    return this.node.host.now();
  }
  random(): number {
    return this.node.host.random();
  }
  after(ms: number, fire: () => void): TimerId {
    return this.node.host.after(ms, fire);
  }
  cancel(timer: TimerId): void {
    this.node.host.cancel(timer);
  }
  lag(): number {
    return this.node.host.lag?.() ?? 0;
  }
  rtt(peer: PeerId): number | undefined {
    return this.node.host.rtt(peer);
  }
  misbehaved(peer: PeerId, points: number, what: string): void {
    this.node.misbehaved(peer, points, what);
  }
}

class OverlayDoor extends Door implements OverlayPort {
  every(ms: number, fire: (lateMs: number) => void): () => void {
    return this.node.rounds.join(ms, fire);
  }
  cost(peer: PeerId): number | undefined {
    return this.node.host.leastRtt?.(peer) ?? this.rtt(peer);
  }
  record(): SignedRecord {
    return this.node.host.record();
  }
  recordOf(peer: PeerId): SignedRecord | undefined {
    return this.node.recordOf(peer);
  }
  accept(record: SignedRecord): boolean {
    return this.node.book.accept(record);
  }
  members(most: number): PeerId[] {
    return this.node.handlers.members(this.topic.name, most);
  }
  connected(peer: PeerId): boolean {
    return this.node.connected(peer);
  }
  near(peer: PeerId): boolean {
    return this.node.near(peer);
  }
  queued(peer: PeerId): boolean {
    return this.node.host.queued?.(peer) ?? false;
  }
  base(): BaseOverlay | undefined {
    return this.topic.background ? undefined : this.node.base?.overlay;
  }
  presence(): number {
    return this.node.handlers.presence(this.topic.name);
  }
  carried(): number {
    return this.topic.tree.carried;
  }
  shared(): PeerId[] {
    return this.node.sharedOn(this.topic);
  }
  send(peer: PeerId, message: OverlayMessage): void {
    this.node.sendOverlay(this.topic, peer, encodeOverlay(message));
  }
  connect(peer: PeerId): void {
    if (!this.node.connected(peer)) this.node.sendOverlay(this.topic, peer, NOTHING);
  }
  hold(peer: PeerId): void {
    this.node.host.hold(peer);
  }
  release(peer: PeerId): void {
    this.node.host.release(peer);
  }
  neighborUp(peer: PeerId): void {
    this.node.openTopic(this.topic, peer);
    this.topic.tree.neighborUp(peer);
    this.topic.handlers.neighborUp(peer);
    if (this.topic.background) this.node.baseGrowth.add(peer);
  }
  neighborDown(peer: PeerId, reason: DownReason): void {
    this.topic.tree.neighborDown(peer);
    this.topic.handlers.neighborDown(peer, reason);
  }
  swapped(from: PeerId, to: PeerId, gainMs: number): void {
    this.topic.handlers.swapped(from, to, gainMs);
  }
  isolated(): void {
    this.topic.handlers.isolated();
  }
  rejoined(): void {
    this.topic.handlers.rejoined();
  }
}

class TreeDoor extends Door implements TreePort {
  readonly sha256: TreePort["sha256"];
  readonly soon: TreePort["soon"];

  constructor(node: Node, topic: TopicCore) {
    super(node, topic);
    const { host } = node;
    this.sha256 = host.sha256;
    this.soon = host.soon === undefined ? undefined : (fire) => host.soon!(fire);
  }

  get alias(): number {
    return this.topic.alias;
  }
  get key(): Uint8Array {
    return this.topic.key;
  }
  send(peer: PeerId, lane: Lane, head: Uint8Array, body?: Uint8Array): boolean {
    // Answers go to peers that are no neighbours too, which may not know the alias yet.
    return this.node.openTopic(this.topic, peer, lane) &&
      this.node.host.send(peer, lane, head, body);
  }
  sign(message: Uint8Array): Uint8Array {
    return this.node.host.sign(message);
  }
  verify(author: PeerId, message: Uint8Array, signature: Uint8Array): boolean {
    return this.node.host.verify(author, message, signature);
  }
  validate(message: TreeMessage): Verdict | undefined {
    return this.topic.handlers.validate(message);
  }
  deliver(message: TreeMessage): void {
    this.topic.handlers.deliver(message);
  }
  missed(id: string, why: "gone" | "no-answer" | "overflow"): void {
    this.topic.handlers.missed(id, why);
  }
  rejected(id: string, via: PeerId, why: string): void {
    this.topic.handlers.rejected(id, via, why);
  }
}
