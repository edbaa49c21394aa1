/**
 * HyParView (Leitão, Pereira, Rodrigues, DSN 2007): few open links, a reserve of peers, and repair of both.
 *
 * Why both ends of a link agree in the end: messages between two peers keep their order, and every JOIN or NEIGHBOR is
 * answered once. Whoever is asked takes the asker in as it answers "accepted"; so an acceptance tells that the other
 * side has this node, unless a DISCONNECT is on its way to it, and then the request was marked void. A DISCONNECT tells
 * that the other side does not have this node any more, or never had; a request still open is answered after it. Where
 * a connection ends, both ends are told and forget links and requests alike. What slips through (a peer restarted, a
 * message lost) is found by the symmetry check.
 *
 * @module
 */

import type { DownReason, PeerId } from "../host.ts";
import type { OverlayOptions } from "../../options.ts";
import type { Limits } from "../../limits.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayMessage } from "../../wire/overlay_messages.ts";
import type { OverlayPort } from "./port.ts";
import { ActiveView, PassiveView } from "./views.ts";
import { type Request, Requests } from "./requests.ts";
import { Census, Contacts, Cooldown } from "./contacts.ts";
import { Refill } from "./refill.ts";
import { isOwn } from "./blame.ts";
import { JoinWalks } from "./join_walks.ts";
import { Shuffle } from "./shuffle.ts";
import { Upkeep } from "./upkeep.ts";
import { COOL_REFILLS, Eviction } from "./eviction.ts";
import { Sharing } from "./sharing.ts";
import { Xbot } from "./xbot.ts";
import { countOverlay, type OverlayCounters, type OverlayMetrics } from "./overlay_metrics.ts";

/** The membership of one node in one topic. */
export class HyParView {
  readonly #port: OverlayPort;
  readonly #options: OverlayOptions;
  readonly #active: ActiveView;
  readonly #passive: PassiveView;
  readonly #requests: Requests;
  readonly #contacts = new Contacts();
  readonly #census = new Census();
  readonly #cooldown: Cooldown;
  readonly #refill: Refill;
  readonly #shuffle: Shuffle;
  readonly #sharing: Sharing;
  readonly #eviction: Eviction;
  readonly #walks: JoinWalks;
  readonly #upkeep: Upkeep;
  readonly #xbot: Xbot;
  readonly #counters: OverlayCounters = countOverlay();
  #left = false;

  /** Makes an overlay that does nothing before {@linkcode join}. */
  constructor(port: OverlayPort, options: OverlayOptions, limits: Limits) {
    this.#port = port;
    this.#options = options;
    const { activeSize, passiveSize } = options;
    const active = this.#active = new ActiveView(port);
    const passive = this.#passive = new PassiveView(passiveSize, () => port.random());
    const cooldown = this.#cooldown = new Cooldown(port, Math.max(passiveSize, 2 * activeSize));
    const requests = this.#requests = new Requests(
      port,
      options.answerMs,
      4 * activeSize,
      (request) => this.#silent(request),
    );
    const views = { port, options, active, passive };
    const sharing = this.#sharing = new Sharing(views);
    this.#refill = new Refill({
      ...views,
      requests,
      contacts: this.#contacts,
      cooldown,
      sharing,
      free: () => this.#left ? 0 : this.#free(),
      ask: (peer, type, high, force) => this.#ask(peer, type, high, force),
    });
    this.#shuffle = new Shuffle({ ...views, limits, census: this.#census });
    this.#eviction = new Eviction({
      ...views,
      requests,
      shuffle: this.#shuffle,
      sharing,
      counters: this.#counters,
      free: () => this.#free(),
    });
    this.#walks = new JoinWalks({
      port,
      options,
      active,
      requests,
      eviction: this.#eviction,
      counters: this.#counters,
      take: (peer) => this.#ask(peer, "neighbor", true, true),
    });
    this.#upkeep = new Upkeep({
      ...views,
      requests,
      contacts: this.#contacts,
      census: this.#census,
      counters: this.#counters,
      shuffle: this.#shuffle,
      probe: (peer) => this.#ask(peer, "neighbor", true, true),
      share: () => this.#refill.share(),
      drop: (peer) => {
        this.#eviction.drop(peer, "lost", [], false);
        this.#refill.renew();
      },
    });
    this.#xbot = new Xbot({
      ...views,
      counters: this.#counters,
      free: () => this.#left ? 0 : this.#free(),
      link: (peer) => this.#link(peer, this.recordOf(peer), true),
      unlink: (peer, quiet) => this.#unlink(peer, quiet),
      renew: () => this.#refill.renew(),
      refuse: (peer) => this.#refuse(peer),
    });
  }

  /** The active view; a new array after every change. */
  get active(): readonly PeerId[] {
    return this.#active.ids;
  }

  /** The passive view. */
  get passive(): readonly PeerId[] {
    return this.#passive.ids;
  }

  /** The record of a peer that may be dialled, also where the address book has dropped it for newer ones. */
  recordOf(peer: PeerId): SignedRecord | undefined {
    return this.#port.recordOf(peer) ?? this.#passive.recall(peer);
  }

  /** True for a member of the active view. */
  isActive(peer: PeerId): boolean {
    return this.#active.has(peer);
  }

  /** Counters since the start and the sizes of everything that is remembered; a snapshot. */
  metrics(): OverlayMetrics {
    return Object.freeze({
      ...this.#counters,
      isolations: this.#active.isolations,
      active: this.#active.size,
      passive: this.#passive.records.length,
      former: this.#passive.formerCount,
      openRequests: this.#requests.size,
      cooling: this.#cooldown.size + this.#eviction.size + this.#sharing.size,
      costs: this.#xbot.size,
      meanCostMs: this.#xbot.meanCostMs,
    });
  }

  /** Starts, and asks one of the contacts to be taken in; the others are for when it fails. They are remembered for ever. */
  join(contacts: readonly PeerId[]): void {
    if (this.#left) return;
    const others = contacts.filter((peer) => peer !== this.#port.self);
    this.#contacts.give(others);
    this.#upkeep.start();
    this.#xbot.start();
    if (this.#active.size === 0 && this.#requests.waiting === 0 && others.length > 0) {
      this.#ask(
        others[Math.floor(this.#port.random() * others.length)]!,
        this.#refill.first,
        true,
        false,
      );
      this.#refill.arm();
    } else this.#refill.renew();
  }

  /** Says goodbye to every neighbour and stops for good. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#upkeep.stop();
    this.#xbot.stop();
    this.#refill.stop();
    const goodbye: OverlayMessage = { type: "disconnect", alive: false, candidates: [] };
    // Who has not answered yet may have taken this node in already.
    for (const peer of this.#requests.stop()) {
      if (!this.#active.has(peer) && this.#port.connected(peer)) this.#port.send(peer, goodbye);
    }
    for (const peer of this.#active.ids) {
      this.#port.send(peer, goodbye);
      this.#active.remove(peer, "closed", true);
    }
  }

  /** Takes in a message of a peer. */
  receive(from: PeerId, message: OverlayMessage): void {
    if (this.#left || from === this.#port.self) return;
    switch (message.type) {
      case "join":
        return this.#onJoin(from, message.record);
      case "forward-join":
        return this.#walks.receive(from, message.record, message.ttl);
      case "neighbor":
        return this.#onNeighbor(from, message.record, message.high);
      case "neighbor-reply":
        return this.#onReply(from, message.accepted, message.candidates);
      case "disconnect":
        return this.#onDisconnect(from, message.alive, message.candidates);
      case "shuffle":
        if (!this.#active.has(from)) return;
        this.#active.heard(from);
        this.#shuffle.receive(from, message);
        return this.#refill.more();
      case "shuffle-reply":
        if (!this.#shuffle.receiveReply(from, message)) return;
        this.#counters.shuffleReplies++;
        return this.#refill.more();
      case "check":
        if (this.#active.has(from)) this.#upkeep.checked(from);
        else if (!this.#requests.waits(from)) this.#upkeep.correct(from);
        return;
      default:
        this.#xbot.receive(from, message);
    }
  }

  /** A message could not be brought to a peer: no address of it answers. */
  unreachable(peer: PeerId): void {
    if (this.#left) return;
    this.#counters.unreachable++;
    const asked = this.#requests.take(peer) !== undefined;
    this.#xbot.down(peer, undefined);
    // It cannot be dialled, but it has dialled this node meanwhile: the link over that connection stands.
    if (this.#port.connected(peer)) return asked ? this.#refill.more() : undefined;
    this.#passive.delete(peer);
    this.#cooldown.add(peer, this.#options.refillMs / 2);
    if (this.#active.has(peer)) this.#lose(peer, "lost");
    else if (asked) this.#refill.more();
  }

  /** The connection to a peer ended. */
  peerDown(peer: PeerId, reason: DownReason): void {
    // Another connection to the same peer takes over: nothing ended.
    if (this.#left || reason === "superseded") return;
    const asked = this.#requests.take(peer);
    this.#xbot.down(peer, reason);
    if (reason === "left" || (this.#passive.get(peer)?.addresses.length === 0)) {
      this.#passive.delete(peer);
    }
    if (this.#active.has(peer)) this.#lose(peer, reason);
    else if (asked?.state === "waiting") {
      this.#cooldown.add(peer, this.#options.refillMs / 2);
      this.#refill.more();
    }
  }

  /** The directory learned of members: looks whether they can fill free slots. */
  candidatesChanged(): void {
    if (!this.#left && this.#free() > this.#requests.waiting) this.#refill.offer();
  }

  /** True while there are free slots, and rounds that may fill them. */
  get filling(): boolean {
    return this.#refill.filling;
  }

  /** Ends a link that the other side ends too, without a DISCONNECT. */
  abandon(peer: PeerId, reason: DownReason, quiet = false): void {
    this.#requests.void(peer);
    this.#eviction.shelve(this.#active.remove(peer, reason, quiet));
    this.#refill.arm();
  }

  /** Slots that are neither taken nor reserved. */
  #free(): number {
    return this.#options.activeSize - this.#active.size - this.#xbot.reserved;
  }

  #ask(peer: PeerId, type: Request["type"], high: boolean, force: boolean): void {
    this.#counters.requestsSent++;
    this.#requests.add(peer, type, force);
    const record = this.#port.record();
    this.#port.send(peer, type === "join" ? { type, record } : { type, record, high });
  }

  /** A request was not answered in time. */
  #silent(request: Request): void {
    this.#counters.silent++;
    this.#cooldown.add(request.peer, this.#options.refillMs / 2);
    // A peer that is still being dialled is not silent; of its failure `unreachable` tells.
    if (request.linked) this.#passive.delete(request.peer);
    this.#refill.more();
  }

  #link(peer: PeerId, record: SignedRecord | undefined, swapped = false): void {
    this.#passive.delete(peer);
    this.#contacts.find(peer);
    const first = this.#active.size === 0;
    this.#active.add(peer, record, swapped);
    this.#sharing.linked(peer);
    if (!swapped) this.#xbot.renew();
    if (first) this.#refill.stop();
    this.#refill.arm();
  }

  /** Tells a peer, once it has taken this node in, that there is no room for it. */
  #refuse(peer: PeerId): void {
    this.#requests.void(peer);
    this.#port.send(peer, { type: "disconnect", alive: true, candidates: [] });
  }

  /** Ends a link in a swap: nobody asks the peer back at once. */
  #unlink(peer: PeerId, quiet: boolean): void {
    this.#cooldown.add(peer, COOL_REFILLS * this.#options.refillMs);
    this.abandon(peer, "swapped", quiet);
  }

  /** A neighbour is gone, and does not go to the passive view. */
  #lose(peer: PeerId, reason: DownReason): void {
    this.#sharing.gone(peer);
    if (reason === "lost" || reason === "slow") this.#contacts.lose(peer);
    this.#active.remove(peer, reason);
    this.#refill.renew();
  }

  #answer(to: PeerId, accepted: boolean): void {
    if (accepted) this.#counters.requestsAccepted++;
    else this.#counters.requestsRefused++;
    const first = accepted ? [] : this.#eviction.rooms();
    const candidates = this.#shuffle.candidates(to, first);
    this.#port.send(to, { type: "neighbor-reply", accepted, candidates });
  }

  #onJoin(from: PeerId, record: SignedRecord): void {
    if (!isOwn(this.#port, from, record)) return;
    this.#counters.joins++;
    if (this.#active.has(from)) return this.#answer(from, true);
    const accepted = this.#eviction.makeRoom(from, record);
    const walkers = this.#active.ids;
    // The answer first: what the tree sends to a new neighbour must find it expecting that.
    this.#answer(from, accepted);
    if (accepted) this.#link(from, record);
    this.#walks.begin(record, walkers);
  }

  #onNeighbor(from: PeerId, record: SignedRecord, high: boolean): void {
    if (!isOwn(this.#port, from, record)) return;
    const known = this.#active.has(from);
    const accepted = known || this.#eviction.takes(from, record, high);
    this.#answer(from, accepted);
    if (accepted && !known) this.#link(from, record);
    if (!accepted) this.#eviction.noteRoom(record);
  }

  #onReply(from: PeerId, accepted: boolean, candidates: readonly SignedRecord[]): void {
    const request = this.#requests.take(from);
    const active = this.#active.has(from);
    if (request === undefined) {
      if (accepted && !active) this.#upkeep.correct(from);
      return;
    }
    this.#shuffle.integrate(candidates, from);
    if (!accepted) {
      this.#counters.refused++;
      this.#cooldown.add(from, COOL_REFILLS * this.#options.refillMs);
      return this.#refill.more(candidates[0]?.id);
    }
    if (!active && request.state !== "void") {
      const record = this.recordOf(from);
      const room = request.force ? this.#eviction.makeRoom(from, record) : this.#free() > 0;
      room ? this.#link(from, record) : this.#refuse(from);
      // The walks of a JOIN bring more links in a moment; asking around now would be one too many.
      if (request.type === "join" && room) return;
    }
    this.#refill.more();
  }

  #onDisconnect(from: PeerId, alive: boolean, candidates: readonly SignedRecord[]): void {
    const active = this.#active.has(from);
    if (alive) {
      if (!active) return;
      this.#counters.evicted++;
      this.#cooldown.add(from, COOL_REFILLS * this.#options.refillMs);
      this.#sharing.gone(from);
      const record = this.#active.recordOf(from);
      this.#shuffle.integrate(candidates, from);
      this.#active.remove(from, "evicted");
      this.#eviction.shelve(record);
      return this.#refill.renew(candidates[0]?.id);
    }
    this.#passive.delete(from);
    this.#contacts.find(from);
    const asked = this.#requests.take(from);
    if (active) this.#lose(from, "left");
    else if (asked?.state === "waiting") this.#refill.more();
  }
}
