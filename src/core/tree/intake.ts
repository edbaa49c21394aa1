/**
 * What happens to a payload: shape, known id, signature, validation; then eager push, lazy push and delivery.
 *
 * @module
 */

import { rootOf, signedRoot } from "../../wire/batch.ts";
import { toHex } from "../../wire/bytes.ts";
import {
  GOSSIP_WAY,
  gossipDigest,
  type GossipShape,
  gossipShape,
  type Hash,
  ID_BYTES,
  laneOf,
  originMark,
  originOf,
  readGossip,
  readIncarnation,
  SIGNATURE_BYTES,
  signedBytes,
} from "../../wire/gossip.ts";
import type { PeerId } from "../host.ts";
import { Authors } from "./authors.ts";
import { CheckedRoots } from "./checked_roots.ts";
import type { TreeContext } from "./context.ts";
import type { Fetcher } from "./fetcher.ts";
import type { LazyPush } from "./lazy_push.ts";
import { type Link, NO_SLOT } from "./links.ts";
import { HeldMessage } from "./message.ts";
import { Seen } from "./message_log.ts";
import type { TreeMessage, Verdict } from "./port.ts";
import type { Repair } from "./repair.ts";
import type { Server } from "./server.ts";
import { type TreeChoice, wayCost } from "./tree_choice.ts";
import type { TreeLinks } from "./tree_links.ts";

/** The parts that the intake hands on to. */
export interface IntakeParts {
  readonly fetcher: Fetcher;
  readonly lazyPush: LazyPush;
  readonly treeLinks: TreeLinks;
  readonly choice: TreeChoice;
  readonly server: Server;
  readonly repair: Repair;
}

const SHAPE: GossipShape = gossipShape();
const DIGEST = new Uint8Array(32);
const ROOT = new Uint8Array(32);

/** Takes payloads in and passes accepted ones on. */
export class Intake {
  readonly #context: TreeContext;
  readonly #parts: IntakeParts;
  readonly #authors: Authors;
  #roots: CheckedRoots | undefined;
  readonly #hash: Hash;
  #validating = 0;
  #validatingBytes = 0;

  /** Works on the log of a context. */
  constructor(context: TreeContext, parts: IntakeParts) {
    this.#context = context;
    this.#parts = parts;
    const { options, limits, port } = context;
    this.#hash = (bytes, start, end, out, at) => port.sha256(bytes, start, end, out, at);
    this.#authors = new Authors(limits.authors, options.retainSeconds * 1_000);
  }

  /** Messages that wait for their verdict. */
  get validating(): number {
    return this.#validating;
  }

  /** A GOSSIP came: hops and path at `at`, the body behind them. Of peers that are no neighbours only what was asked for, or is `invited`. */
  gossip(
    peer: PeerId,
    link: Link | undefined,
    bytes: Uint8Array,
    at: number,
    end: number,
    now: number,
    invited = false,
  ): void {
    const { port, options, limits, log, counters } = this.#context;
    const { fetcher, treeLinks } = this.#parts;
    const start = at + GOSSIP_WAY;
    readGossip(SHAPE, bytes, start, end, limits.messageBytes);
    const { signed, tree, depth, marked, originAt, seq, payloadAt } = SHAPE;
    if (signed !== options.sign) {
      counters.rejected++;
      port.misbehaved(peer, 10, signed ? "signed message" : "unsigned message");
      return;
    }
    gossipDigest(this.#hash, port.key, bytes, originAt, end, DIGEST);
    const known = log.find(DIGEST, 0);
    if (known >= 0) {
      this.#duplicate(link, known, originMark(bytes, originAt), marked, now);
      return;
    }
    const chased = fetcher.missing.find(DIGEST, 0);
    if (link === undefined && chased < 0 && !invited) {
      counters.strangers++;
      return;
    }
    if (!this.#hasRoom(end - start)) {
      counters.dropped++;
      if (link !== undefined) fetcher.later(link, DIGEST, now);
      return;
    }
    if (signed && !this.#verify(peer, bytes)) {
      if (chased >= 0) fetcher.refuse(chased, link, now);
      return;
    }
    const hops = Math.max(1, bytes[at]!);
    // Fetched on the word of a comparison; what comes by itself is being spread.
    const asked = chased >= 0 && link !== undefined && fetcher.missing.wasAsked(chased, link.slot);
    const born = asked ? fetcher.missing.bornAt(chased) : Infinity;
    const old = born < now;
    const receivedAt = old ? born : now;
    const entry = log.add(
      DIGEST,
      0,
      Seen.VALIDATING,
      tree,
      link?.slot ?? NO_SLOT,
      hops,
      receivedAt,
    );
    if (link !== undefined) log.setHas(entry, link.bit);
    fetcher.news(asked, now);
    treeLinks.rule(tree).news(originMark(bytes, originAt), link?.branch(tree), now);
    const rtt = link === undefined ? undefined : port.rtt(link.peer);
    const path = Math.min(255, bytes[at + 1]! + wayCost(rtt ?? 0));
    log.setPath(entry, path);
    if (!old) this.#parts.choice.heard(tree, path, depth);
    if (chased >= 0) fetcher.arrived(chased, entry, link, now);
    if (
      signed && this.#authors.stale(bytes, originAt, readIncarnation(bytes, originAt), seq, now)
    ) {
      log.setState(entry, Seen.IGNORED);
      counters.ignored++;
      return;
    }
    const from = signed ? this.#authors.idOf(bytes, originAt) : undefined;
    const body = bytes.subarray(start, end);
    const message = new HeldMessage(
      { entry, body, payloadAt: payloadAt - start, from, seq, via: peer, hops, old },
      DIGEST,
    );
    this.#judge(message, now);
  }

  /** The verdict on a message whose validation was asynchronous. */
  verdict(message: TreeMessage, verdict: Verdict): void {
    const { closed, log, port } = this.#context;
    if (!(message instanceof HeldMessage) || !message.pending) return;
    message.pending = false;
    this.#validating--;
    this.#validatingBytes -= message.body.length;
    if (closed || !log.holds(message.entry)) return;
    this.#settle(message, verdict, port.now());
  }

  /** Sends an entry to every link that does not have it: payload to the eager ones, its id to the others. */
  relay(entry: number, body: Uint8Array, now: number, preferred: Link | undefined): void {
    const { links, log, port, counters } = this.#context;
    const { treeLinks, server, lazyPush } = this.#parts;
    const tree = log.tree(entry);
    treeLinks.ensureEager(tree, preferred, now);
    const head = server.head(entry), lane = laneOf(body);
    for (const link of links.list) {
      if (link === preferred || log.has(entry, link.bit)) continue;
      if (!link.branch(tree).eager) {
        lazyPush.add(link, entry);
      } else if (port.send(link.peer, lane, head, body)) {
        log.setHas(entry, link.bit);
      } else {
        // Its lane is full: it hears of the message and asks for it when it can.
        counters.congested++;
        lazyPush.add(link, entry);
      }
    }
  }

  #hasRoom(size: number): boolean {
    const { limits } = this.#context;
    if (this.#validating === 0) return true;
    return this.#validating < limits.validating &&
      this.#validatingBytes + size <= limits.validatingBytes;
  }

  #duplicate(
    link: Link | undefined,
    entry: number,
    origin: number,
    marked: boolean,
    now: number,
  ): void {
    const { log, links, counters } = this.#context;
    if (link === undefined) {
      counters.strangers++;
      return;
    }
    counters.duplicates++;
    log.setHas(entry, link.bit);
    // Twice through the same link is a repeated answer, not a cycle.
    const via = log.via(entry);
    if (via === link.slot) return;
    const branch = link.branch(log.tree(entry));
    this.#parts.treeLinks.duplicate(origin, branch, links.at(via), log.at(entry), marked, now);
  }

  #verify(peer: PeerId, bytes: Uint8Array): boolean {
    const { port, counters } = this.#context;
    if (this.#isSigned(bytes)) return true;
    // The id is not marked: the same message may yet come with its true signature.
    const id = toHex(DIGEST, 0, ID_BYTES);
    counters.rejected++;
    port.rejected(id, peer, "bad signature");
    port.misbehaved(peer, 25, "bad signature");
    return false;
  }

  /** Checks the signature of the body that {@linkcode SHAPE} and {@linkcode DIGEST} are of. */
  #isSigned(bytes: Uint8Array): boolean {
    const { port } = this.#context, { signatureAt, originAt } = SHAPE;
    const wayAt = signatureAt + SIGNATURE_BYTES;
    const signature = bytes.subarray(signatureAt, wayAt);
    const author = this.#authors.idOf(bytes, originAt);
    if (bytes[wayAt] === 0) return port.verify(author, signedBytes(DIGEST), signature);
    rootOf(this.#hash, DIGEST, bytes, wayAt, ROOT);
    if (this.#roots?.has(bytes, originAt, ROOT, signatureAt)) return true;
    if (!port.verify(author, signedRoot(ROOT), signature)) return false;
    this.#roots ??= new CheckedRoots();
    this.#roots.add(bytes, originAt, ROOT, signatureAt);
    return true;
  }

  #judge(message: HeldMessage, now: number): void {
    const { port } = this.#context;
    // Set before the call, for a verdict that comes inside it.
    message.pending = true;
    this.#validating++;
    this.#validatingBytes += message.body.length;
    const verdict = port.validate(message);
    if (verdict !== undefined) {
      if (!message.pending) return;
      message.pending = false;
      this.#validating--;
      this.#validatingBytes -= message.body.length;
      if (this.#context.closed) return;
      this.#settle(message, verdict, now);
    } else if (message.pending && message.body.buffer.byteLength > 2 * message.body.length) {
      // It may wait for long: it must not pin the record that it came in.
      message.body = message.body.slice();
    }
  }

  #settle(message: HeldMessage, verdict: Verdict, now: number): void {
    const { port, log, counters } = this.#context;
    const { entry } = message;
    if (verdict === "accept") {
      this.#accept(message, now);
    } else if (verdict === "ignore") {
      log.setState(entry, Seen.IGNORED);
      counters.ignored++;
    } else {
      log.setState(entry, Seen.REJECTED);
      counters.rejected++;
      port.rejected(message.id, message.via, "rejected by validation");
      port.misbehaved(message.via, 10, "relayed a message that validation rejects");
    }
  }

  #accept(message: HeldMessage, now: number): void {
    const { port, log, links, counters, options } = this.#context;
    const { entry, body } = message;
    log.setState(entry, Seen.DELIVERED);
    if (options.sign) {
      const originAt = originOf(body);
      const number = readIncarnation(body, originAt);
      const incarnation = this.#authors.accept(body, originAt, number, now);
      if (incarnation !== undefined) log.setAuthor(entry, incarnation, message.seq);
    }
    message.body = log.retain(entry, body, 0, body.length, now);
    counters.delivered++;
    if (message.old) this.#parts.repair.tell(entry, now);
    else this.relay(entry, message.body, now, links.get(message.via));
    port.deliver(message);
  }
}
