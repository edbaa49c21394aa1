/**
 * What happens to a payload: shape, known id, signature, validation; then eager push, lazy push and delivery.
 *
 * @module
 */

import { HASH_BYTES, rootOf, signedRoot } from "../../wire/batch.ts";
import { bundleDigest, countBundle } from "../../wire/bundle.ts";
import { toHex, WireError } from "../../wire/bytes.ts";
import {
  GOSSIP_WAY,
  gossipDigest,
  type GossipShape,
  gossipShape,
  type Hash,
  ID_BYTES,
  laneOf,
  MARK_BYTES,
  originMark,
  originOf,
  readGossip,
  readIncarnation,
  SIGNATURE_BYTES,
  signedBytes,
} from "../../wire/gossip.ts";
import type { PeerId } from "../host.ts";
import { Authors } from "./authors.ts";
import { BundledMessage } from "./bundled.ts";
import { BundleIntake } from "./bundle_intake.ts";
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
  /** Own messages are to leave one by one for a while. */
  pause(): void;
}

const SHAPE: GossipShape = gossipShape();
const DIGEST = new Uint8Array(32);
/** Of a part, the digest of its bundle, which is what is signed. */
const WHOLE = new Uint8Array(32);
const ROOT = new Uint8Array(32);

/** Takes payloads in and passes accepted ones on. */
export class Intake {
  readonly #context: TreeContext;
  readonly #parts: IntakeParts;
  readonly #authors: Authors;
  #roots: CheckedRoots | undefined;
  readonly #hash: Hash;
  #bundles: BundleIntake | undefined;
  #validating = 0;
  #validatingBytes = 0;

  /** Works on the log of a context. */
  constructor(context: TreeContext, parts: IntakeParts) {
    this.#context = context;
    this.#parts = parts;
    const { options, limits, port } = context;
    this.#hash = port.sha256;
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
    const { signed, tree, depth, marked, originAt, bundle, partAt, seq, payloadAt } = SHAPE;
    if (signed !== options.sign) {
      counters.rejected++;
      port.misbehaved(peer, 10, signed ? "signed message" : "unsigned message");
      return;
    }
    const count = bundle ? countBundle(bytes, payloadAt, SHAPE.payloadEnd) : 1;
    // Nobody could pass the last ones on.
    if (seq > Number.MAX_SAFE_INTEGER - (count - 1)) throw new WireError("bundle: seq too large");
    this.#digest(bytes, end);
    const known = log.find(DIGEST, 0);
    if (known >= 0) {
      this.#duplicate(link, known, count, originMark(bytes, originAt), marked, now);
      return;
    }
    const chased = fetcher.missing.find(DIGEST, 0);
    const whole = partAt > 0 ? log.find(WHOLE, 0) : -1;
    if (whole >= 0 && log.state(whole) === Seen.DELIVERED) {
      const part = { digest: DIGEST, seq, chased, rest: bytes.subarray(originAt, end) };
      if (this.#bundleIntake().knows(part, whole, link, now)) return;
    }
    if (link === undefined && chased < 0 && !invited) {
      counters.strangers++;
      return;
    }
    if (!this.#hasRoom(count, end - start)) {
      counters.dropped += count;
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
      counters.ignored += count;
      return;
    }
    const from = signed ? this.#authors.idOf(bytes, originAt) : undefined;
    const body = bytes.subarray(start, end);
    const message = new HeldMessage(
      { entry, body, count, payloadAt: payloadAt - start, from, seq, via: peer, hops, old },
      DIGEST,
    );
    if (partAt > 0) this.#bundleIntake().tookPart(WHOLE, entry);
    if (bundle) this.#bundleIntake().judge(message, now);
    else this.#judge(message, now);
  }

  /** The verdict on a message whose validation was asynchronous. */
  verdict(message: TreeMessage, verdict: Verdict): void {
    const { port } = this.#context;
    if (message instanceof BundledMessage) this.#bundles?.verdict(message, verdict, port.now());
    else if (message instanceof HeldMessage) this.#settle(message, verdict, port.now());
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

  /** Made with the first bundle: a quiet topic holds little. */
  #bundleIntake(): BundleIntake {
    return this.#bundles ??= new BundleIntake(this.#context, {
      hash: this.#hash,
      accept: (message, now) => this.#accept(message, now),
      separate: (...args) => this.#separate(...args),
      settle: (message, verdict, now) => this.#settle(message, verdict, now),
      fetcher: this.#parts.fetcher,
      pause: () => this.#parts.pause(),
    });
  }

  /** An APART came. */
  apart(bytes: Uint8Array, at: number, now: number): void {
    this.#bundleIntake().apart(bytes, at, now);
  }

  /** Writes the digest of what {@linkcode SHAPE} is of, and that of what is signed. */
  #digest(bytes: Uint8Array, end: number): void {
    const { key } = this.#context.port, hash = this.#hash;
    const { originAt, bundle, partAt, seqAt, payloadEnd } = SHAPE;
    if (partAt > 0) {
      gossipDigest(hash, key, bytes, originAt, end, DIGEST, partAt - MARK_BYTES, seqAt);
      rootOf(hash, DIGEST, bytes, partAt + HASH_BYTES, ROOT);
      bundleDigest(hash, bytes, partAt, ROOT, 0, WHOLE);
      return;
    }
    gossipDigest(hash, key, bytes, originAt, payloadEnd, DIGEST);
    if (bundle) bundleDigest(hash, DIGEST, 0, bytes, payloadEnd, DIGEST);
  }

  #hasRoom(count: number, size: number): boolean {
    const { limits } = this.#context;
    if (this.#validating === 0) return true;
    return this.#validating + count <= limits.validating &&
      this.#validatingBytes + size <= limits.validatingBytes;
  }

  #duplicate(
    link: Link | undefined,
    entry: number,
    count: number,
    origin: number,
    marked: boolean,
    now: number,
  ): void {
    const { log, links, counters } = this.#context;
    if (link === undefined) {
      counters.strangers++;
      return;
    }
    counters.duplicates += count;
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
    const alone = bytes[wayAt] === 0;
    if (alone && SHAPE.partAt === 0) return port.verify(author, signedBytes(DIGEST), signature);
    const digest = SHAPE.partAt > 0 ? WHOLE : DIGEST;
    if (alone) ROOT.set(digest);
    else rootOf(this.#hash, digest, bytes, wayAt, ROOT);
    if (this.#roots?.has(bytes, originAt, ROOT, signatureAt)) return true;
    const signed = alone ? signedBytes(ROOT) : signedRoot(ROOT);
    if (!port.verify(author, signed, signature)) return false;
    this.#roots ??= new CheckedRoots();
    this.#roots.add(bytes, originAt, ROOT, signatureAt);
    return true;
  }

  #judge(message: HeldMessage, now: number): void {
    const { port } = this.#context;
    // Before the call, for a verdict that comes inside it.
    this.#pend(message);
    const verdict = port.validate(message);
    if (verdict !== undefined) {
      this.#settle(message, verdict, now);
    } else if (message.pending && message.body.buffer.byteLength > 2 * message.body.length) {
      // It may wait for long: it must not pin the record that it came in.
      message.body = message.body.slice();
    }
  }

  #pend(message: HeldMessage): void {
    message.pending = true;
    this.#validating++;
    this.#validatingBytes += message.body.length;
  }

  /** A message of a bundle that is taken apart: what came by the bundle's way. */
  #separate(
    bundle: HeldMessage,
    face: BundledMessage,
    digest: Uint8Array,
    makeBody: () => Uint8Array,
    now: number,
  ): HeldMessage | undefined {
    const { log, links } = this.#context, { fetcher } = this.#parts;
    if (log.find(digest, 0) >= 0) return undefined;
    const { from, via, hops, old } = bundle, { seq } = face;
    const link = links.get(via), slot = link?.slot ?? NO_SLOT, whole = bundle.entry;
    const tree = log.tree(whole), at = log.at(whole), path = log.path(whole);
    const chased = fetcher.missing.find(digest, 0);
    const entry = log.add(digest, 0, Seen.VALIDATING, tree, slot, hops, at);
    log.setPath(entry, path);
    if (link !== undefined) log.setHas(entry, link.bit);
    if (chased >= 0) fetcher.arrived(chased, entry, link, now);
    const body = makeBody(), payloadAt = body.length - (face.payloadEnd - face.payloadAt);
    const message = new HeldMessage(
      { entry, body, count: 1, payloadAt, from, seq, via, hops, old },
      digest,
    );
    message.face = face;
    this.#pend(message);
    return message;
  }

  /** The verdict is there; a second one changes nothing. */
  #settle(message: HeldMessage, verdict: Verdict, now: number): void {
    const { closed, port, log, counters } = this.#context;
    if (!message.pending) return;
    message.pending = false;
    this.#validating--;
    this.#validatingBytes -= message.body.length;
    const { entry } = message;
    if (closed || !log.holds(entry)) return;
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
      const last = message.seq + message.count - 1;
      if (incarnation !== undefined) log.setAuthor(entry, incarnation, last);
    }
    message.body = log.retain(entry, body, 0, body.length, now, message.count);
    const fresh = message.bundle?.members.filter(({ known }) => !known);
    counters.delivered += fresh?.length ?? 1;
    if (message.old) this.#parts.repair.tell(entry, now);
    else this.relay(entry, message.body, now, links.get(message.via));
    if (fresh === undefined) port.deliver(message.face ?? message);
    else for (const member of fresh) port.deliver(member);
  }
}
