/**
 * Plumtree (Leitão, Pereira, Rodrigues, "Epidemic Broadcast Trees", SRDS 2007) for one topic, with the corrections and
 * additions that PROTOCOL.md lists.
 *
 * @module
 */

import { GossipError } from "../../errors.ts";
import type { Limits } from "../../limits.ts";
import { draftBundle } from "../../wire/bundle.ts";
import { fromHex, WireError } from "../../wire/bytes.ts";
import { Frame } from "../../wire/frames.ts";
import {
  draftGossip,
  GOSSIP_WAY,
  type GossipDraft,
  laneOf,
  originMark,
  type Priority,
  signedOrigin,
  treeOf,
  UNSIGNED_ORIGIN_BYTES,
} from "../../wire/gossip.ts";
import { readApart, readPrune } from "../../wire/tree_messages.ts";
import type { PeerId } from "../host.ts";
import {
  type PlumtreeOptions,
  type TreeContext,
  TreeCounters,
  type TreeMetrics,
} from "./context.ts";
import { Departures, retainsBundles } from "./departures.ts";
import { Fetcher } from "./fetcher.ts";
import { Intake } from "./intake.ts";
import { LazyPush } from "./lazy_push.ts";
import { type Link, Links, NO_SLOT } from "./links.ts";
import { HeldMessage } from "./message.ts";
import { MessageLog, Seen } from "./message_log.ts";
import { Optimizer } from "./optimize.ts";
import type { TreeMessage, TreePort, Verdict } from "./port.ts";
import { Repair } from "./repair.ts";
import { Server } from "./server.ts";
import { TreeChoice } from "./tree_choice.ts";
import { TreeLinks } from "./tree_links.ts";

export type { PlumtreeOptions, TreeMetrics } from "./context.ts";

/** Of own messages, which nobody judges. */
const NO_ENTRY = -1;
/** A link that ends so soon may not have carried what was pushed when it came up. */
const FIRST_PUSH_MS = 5_000;

/** The broadcast tree, message log and repair of one topic. Acts through its port only; never throws on what a peer sent. */
export class Plumtree {
  readonly #context: TreeContext;
  readonly #treeLinks: TreeLinks;
  readonly #fetcher: Fetcher;
  readonly #lazyPush: LazyPush;
  readonly #server: Server;
  readonly #intake: Intake;
  readonly #repair: Repair;
  readonly #choice: TreeChoice;
  #departures: Departures | undefined;
  #origin: Uint8Array | undefined;
  #seq = 0;
  /** Own messages that never left this node. */
  #unsent: number[] | undefined;

  /** A tree without neighbours. Holds next to nothing before the first message. */
  constructor(port: TreePort, options: PlumtreeOptions, limits: Limits) {
    const random = () => port.random();
    const { retainMessages, retainBytes, retainSeconds } = options;
    const { seenIds } = limits;
    const context: TreeContext = this.#context = {
      port,
      options,
      limits,
      links: new Links(),
      log: new MessageLog({ seenIds, retainMessages, retainBytes, retainSeconds }, random),
      counters: new TreeCounters(),
      startedAt: port.now(),
      closed: false,
      fastUntil: -Infinity,
    };
    const treeLinks = this.#treeLinks = new TreeLinks(context);
    const optimizer = new Optimizer(context, treeLinks);
    const fetcher = this.#fetcher = new Fetcher(context, treeLinks, optimizer);
    const lazyPush = this.#lazyPush = new LazyPush(context, lostToRival);
    const server = this.#server = new Server(context, treeLinks);
    const choice = this.#choice = new TreeChoice(options.trees, random);
    const repair = this.#repair = new Repair(context, fetcher, treeLinks);
    const pause = () => this.#departuresOf().pause();
    const parts = { fetcher, lazyPush, treeLinks, choice, server, repair, pause };
    this.#intake = new Intake(context, parts);

    /** A link that has to be told of a message did not bring it first. */
    function lostToRival(link: Link, entry: number): void {
      const branch = link.branch(context.log.tree(entry));
      if (branch.rival?.slot === context.log.via(entry)) branch.wins = 0;
    }
  }

  /** Neighbours that payloads are pushed to, in one tree at least. */
  get eagerPeers(): PeerId[] {
    return this.#context.links.list.filter((link) => link.eager).map((link) => link.peer);
  }

  /** Neighbours that are only told of messages. */
  get lazyPeers(): PeerId[] {
    return this.#context.links.list.filter((link) => !link.eager).map((link) => link.peer);
  }

  /**
   * Publishes: pushes to the neighbours, or keeps it for the first one that comes. The payload is copied. What leaves with others of this
   * turn of the event loop goes out at its end.
   */
  publish(payload: Uint8Array, priority: Priority = "normal"): TreeMessage {
    const { port, options, limits } = this.#context;
    if (this.#context.closed) throw new GossipError("closed", "the topic is closed");
    if (payload.length > limits.messageBytes) {
      throw new GossipError("too-large", `a message has at most ${limits.messageBytes} bytes`);
    }
    const departures = this.#departuresOf();
    const tree = this.#choice.best();
    const draft = draftGossip({
      origin: this.#origin!,
      seq: options.nextSeq?.() ?? ++this.#seq,
      priority,
      tree,
      depth: this.#choice.depth(tree),
      marked: this.#treeLinks.rule(tree).mark(port.now()),
      payload,
      key: port.key,
      hash: port.sha256,
      signed: options.sign,
    });
    this.#context.counters.published++;
    const body = departures.add(draft) ?? draft.bytes.subarray(draft.originAt);
    return new HeldMessage({
      entry: NO_ENTRY,
      body,
      count: 1,
      payloadAt: body.length - payload.length,
      from: options.sign ? port.self : undefined,
      seq: draft.seq,
      via: port.self,
      hops: 0,
      old: false,
    }, draft.digest);
  }

  /** A frame came: `kind` is its first byte, `bytes[at, end)` what is behind the alias. */
  receive(from: PeerId, kind: number, bytes: Uint8Array, at: number, end: number): void {
    const { port, closed, links } = this.#context;
    if (closed) return;
    try {
      this.#dispatch(from, links.get(from), kind, bytes, at, end);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      port.misbehaved(from, 25, error.message);
    }
  }

  /**
   * Takes in the body of a GOSSIP from a peer that publishes through this node, as if it were a neighbour. False where it
   * was refused.
   */
  inject(from: PeerId, body: Uint8Array): boolean {
    const { port, closed, counters } = this.#context;
    if (closed) return false;
    const refused = counters.rejected + counters.dropped + counters.ignored;
    const frame = new Uint8Array(GOSSIP_WAY + body.length);
    frame.set(body, GOSSIP_WAY);
    try {
      this.#intake.gossip(from, undefined, frame, 0, frame.length, port.now(), true);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      port.misbehaved(from, 25, error.message);
      return false;
    }
    return counters.rejected + counters.dropped + counters.ignored === refused;
  }

  /** The verdict on a message for which `port.validate` gave none at once. */
  verdict(message: TreeMessage, verdict: Verdict): void {
    this.#intake.verdict(message, verdict);
  }

  /** A neighbour came: its link is eager at first. */
  neighborUp(peer: PeerId): void {
    const { port, closed, links, limits } = this.#context;
    if (closed) return;
    const now = port.now();
    const link = links.add(peer, limits, now, () => port.random());
    if (link === undefined) return;
    this.#repair.linkUp(link, now);
    if (this.#unsent !== undefined) this.#pushUnsent(link);
  }

  /** A neighbour went: nothing of it stays. */
  neighborDown(peer: PeerId): void {
    const { port, closed, links, log } = this.#context;
    const link = links.get(peer);
    if (closed || link === undefined) return;
    const now = port.now();
    links.remove(link);
    if (link.bit !== 0) log.clearBit(link.bit);
    for (const other of links.list) other.forgetRival(link);
    this.#fetcher.linkDown(link, now);
    for (const tree of link.eagerTrees) this.#treeLinks.ensureEager(tree, undefined, now);
    // What only this link had carried, and not for long, counts as never sent.
    if (link.firstPush !== undefined && now - link.upAt < FIRST_PUSH_MS) {
      this.#unsent = [...link.firstPush, ...this.#unsent ?? []];
      const next = links.list[0];
      if (next !== undefined) this.#pushUnsent(next);
    }
  }

  /** Messages that came in or were published here so far. */
  get carried(): number {
    const { delivered, published } = this.#context.counters;
    return delivered + published;
  }

  /** Counters and gauges, frozen. */
  metrics(): TreeMetrics {
    const { counters, links, log } = this.#context;
    const { graftsSent, prunesSent, ...rest } = counters;
    const eager = this.eagerPeers.length;
    return Object.freeze({
      ...rest,
      grafts: graftsSent,
      prunes: prunesSent,
      eager,
      lazy: links.list.length - eager,
      seen: log.seen,
      missing: this.#fetcher.missing.size,
      validating: this.#intake.validating,
      retainedMessages: log.retainedMessages,
      retainedBytes: log.retainedBytes,
    });
  }

  /**
   * Before the goodbye: what waits for the end of the turn leaves, and own messages that lazy links have not been told of yet go there as payloads, since nobody will be
   * here to answer a GRAFT.
   */
  flush(): void {
    const { links, log, port } = this.#context;
    this.#departures?.flush();
    for (const link of links.list) {
      for (const entry of link.announcements.slice(0, link.waiting)) {
        if (!log.holds(entry) || log.via(entry) !== NO_SLOT || log.has(entry, link.bit)) continue;
        const body = log.body(entry);
        if (body === undefined) continue;
        if (!port.send(link.peer, laneOf(body), this.#server.head(entry), body)) break;
        log.setHas(entry, link.bit);
      }
    }
  }

  /** Ends everything; no timer stays. Idempotent. */
  close(): void {
    this.#context.closed = true;
    this.#fetcher.close();
    this.#lazyPush.close();
    this.#repair.close();
    this.#server.close();
  }

  #dispatch(
    from: PeerId,
    link: Link | undefined,
    kind: number,
    bytes: Uint8Array,
    at: number,
    end: number,
  ): void {
    const { port, counters } = this.#context;
    const now = port.now();
    if (kind === Frame.GOSSIP) {
      if (end - at < GOSSIP_WAY) throw new WireError("gossip: truncated");
      this.#intake.gossip(from, link, bytes, at, end, now);
    } else if (kind === Frame.GRAFT) {
      if (link === undefined) counters.strangers++;
      this.#server.graft(from, link, bytes, at, end, now);
    } else if (link === undefined) {
      counters.strangers++;
    } else if (kind === Frame.IHAVE) {
      this.#fetcher.ihave(link, bytes, at, end, now);
    } else if (kind === Frame.PRUNE) {
      const { tree, stamp } = readPrune(bytes, at, end);
      counters.prunesReceived++;
      this.#treeLinks.change(link.branch(tree), false, stamp, now);
    } else if (kind === Frame.GONE) {
      this.#fetcher.gone(link, bytes, at, end, now);
    } else if (kind === Frame.APART) {
      readApart(at, end);
      this.#intake.apart(bytes, at, now);
    } else if (kind === Frame.SYNC) {
      this.#repair.sync(link, bytes, at, end, now);
    } else {
      throw new WireError("tree: unknown kind");
    }
  }

  #departuresOf(): Departures {
    if (this.#departures !== undefined) return this.#departures;
    const { port, options, limits } = this.#context;
    const origin = this.#origin ??= this.#makeOrigin();
    const hash = port.sha256;
    return this.#departures = new Departures({
      port,
      sign: options.sign,
      bundleBytes: options.bundle && retainsBundles(options) ? limits.messageBytes : 0,
      bundle: (drafts) => draftBundle(drafts, origin.length, port.key, hash),
      depart: (draft, body, count) => this.#spread(draft, body, count),
    });
  }

  /** Sends `count` own messages on their way. */
  #spread(draft: GossipDraft, body: Uint8Array, count: number): void {
    const { port, log, links, closed } = this.#context;
    if (closed) return;
    const now = port.now(), tree = treeOf(body);
    const entry = log.add(draft.digest, 0, Seen.DELIVERED, tree, NO_SLOT, 0, now);
    log.retain(entry, body, 0, body.length, now, count);
    this.#treeLinks.rule(tree).news(originMark(this.#origin!, 0), undefined, now);
    if (links.list.length === 0) this.#keepUnsent(entry);
    else this.#intake.relay(entry, body, now, undefined);
    this.#repair.wake(now);
  }

  #makeOrigin(): Uint8Array {
    const { port, options } = this.#context;
    if (options.sign) return signedOrigin(fromHex(port.self), options.incarnation);
    const origin = new Uint8Array(UNSIGNED_ORIGIN_BYTES);
    for (let i = 0; i < origin.length; i++) origin[i] = Math.floor(port.random() * 256);
    return origin;
  }

  #keepUnsent(entry: number): void {
    const { log } = this.#context;
    const unsent = this.#unsent ??= [];
    unsent.push(entry);
    // Those that are no longer retained cannot be sent any more.
    if (unsent.length > 2 * log.retainedBodies + 16) {
      this.#unsent = unsent.filter((old) => log.holds(old) && log.retains(old));
    }
  }

  #pushUnsent(link: Link): void {
    const { log, port } = this.#context;
    const unsent = this.#unsent ?? [];
    this.#unsent = undefined;
    for (const entry of unsent) {
      const body = log.holds(entry) ? log.body(entry) : undefined;
      if (body === undefined) continue;
      (link.firstPush ??= []).push(entry);
      this.#intake.relay(entry, body, port.now(), undefined);
    }
  }
}
