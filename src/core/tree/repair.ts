/**
 * Repair: two neighbours compare the ids of what they retain and learn what they lack.
 *
 * Range-based set reconciliation (Meyer 2022): equal fingerprints end a range, others are split 16 ways until few ids are
 * left, which are listed with their age. The answerer keeps no state. Equal sets cost two frames of about 30 and 3 bytes.
 *
 * @module
 */

import { Lane } from "../../wire/frames.ts";
import { ID_BYTES } from "../../wire/gossip.ts";
import {
  decodeSync,
  encodeSync,
  type Fingerprint,
  type Range,
  SYNC_DEPTH,
  type SyncList,
  type SyncMessage,
  type SyncPart,
} from "../../wire/sync_messages.ts";
import type { TimerId } from "../host.ts";
import type { TreeContext } from "./context.ts";
import { meet } from "./eager_relation.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Link } from "./links.ts";
import { RetainedIds } from "./retained_ids.ts";
import type { TreeLinks } from "./tree_links.ts";

/** A range of so few ids is listed, not split. */
const FEW = 32;
/** Parts in one answer; what is beyond is left to the next comparison. */
const ANSWER_PARTS = 64;
/** A snapshot serves for this long. */
const SNAPSHOT_MS = 100;
/** Wait for the other side to open, for an answer, and before going on where there was more. */
const PATIENCE_MS = 1_000;
const TRIES = 3;
/** The longest window that a frame names; longer than any process lives. */
const MOST_WINDOW_MS = 2 ** 42;
/** Room for the way of a frame, beside two round trips. */
const TRANSIT_MS = 100;
/** Messages that are listed to all neighbours together; what is beyond is left to the comparisons. */
const MOST_TOLD = 8_192;
/** How much further apart the regular comparisons of a node are that retains nothing: who retains something opens them itself. */
const EMPTY_SYNCS = 4;
const EVERYTHING: Range = { depth: 0, prefix: 0 };

/** One session as the answerer sees it. */
interface Session {
  readonly link: Link;
  readonly salt: number;
  readonly windowMs: number;
  readonly since: number;
  readonly now: number;
  readonly ids: RetainedIds;
  readonly answer: SyncPart[];
}

/** Compares with neighbours: with each new one, and with a random one now and then. */
export class Repair {
  readonly #context: TreeContext;
  readonly #fetcher: Fetcher;
  readonly #treeLinks: TreeLinks;
  #snapshot: RetainedIds | undefined;
  #timer: TimerId | undefined;
  #firesAt = Infinity;
  #regularAt = Infinity;
  #told: number[] | undefined;
  #tellAt = Infinity;

  /** Works on the log of a context. */
  constructor(context: TreeContext, fetcher: Fetcher, treeLinks: TreeLinks) {
    this.#context = context;
    this.#fetcher = fetcher;
    this.#treeLinks = treeLinks;
  }

  /** A neighbour came: the one with the lower id opens, the other waits for it and opens where nothing comes. */
  linkUp(link: Link, now: number): void {
    const { port, options } = this.#context;
    link.syncAt = now + options.ihaveMs + (port.self < link.peer ? 0 : PATIENCE_MS);
    this.wake(now);
  }

  /** Something is retained or a neighbour is there: the timer has to run. */
  wake(now: number): void {
    const { options, port, links, log } = this.#context;
    const most = log.retainedMessages === 0 ? EMPTY_SYNCS : 1;
    if (this.#regularAt > now + 1.2 * most * options.syncMs) {
      this.#regularAt = now + most * options.syncMs * (0.8 + 0.4 * port.random());
    }
    let next = Math.min(this.#regularAt, this.#tellAt);
    for (const link of links.list) next = Math.min(next, link.syncAt);
    this.#arm(next, now);
  }

  /**
   * A message came that others had before: it is not spread as a new one, which would bring it to members who did not ask
   * for history, but listed with its age to every neighbour.
   */
  tell(entry: number, now: number): void {
    const { options } = this.#context;
    this.#told ??= [];
    if (this.#told.length < MOST_TOLD) this.#told.push(entry);
    this.#tellAt = Math.min(this.#tellAt, now + options.ihaveMs);
    this.wake(now);
  }

  /** Stops the timer. */
  close(): void {
    if (this.#timer !== undefined) this.#context.port.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** A SYNC came. */
  sync(link: Link, bytes: Uint8Array, at: number, end: number, now: number): void {
    const { limits, counters } = this.#context;
    if (link.syncs.take(1, now) === 0) return;
    counters.syncsReceived++;
    const message = decodeSync(bytes, at, end, limits.idsPerFrame);
    link.syncTries = 0;
    link.syncAt = Infinity;
    if (message.type === "same") return;
    const windowMs = Math.min(message.windowMs, this.#window(link, now));
    const session: Session = {
      link,
      salt: message.salt,
      windowMs,
      since: now - windowMs,
      now,
      ids: this.#take(now),
      answer: [],
    };
    session.ids.work = 0;
    if (message.type === "open") this.#opened(session, message);
    else this.#parts(session, message.parts);
    if (session.answer.length > 0) {
      const { salt, answer: parts } = session;
      this.#send(link, Lane.BULK, { type: "parts", salt, windowMs, parts });
    }
  }

  #opened(session: Session, message: SyncMessage & { type: "open" }): void {
    const { link, now } = session;
    // The comparison also tells how the other side sees the link in the first tree: what a lost message left is mended here.
    const trunk = link.branch(0);
    if (meet(trunk, message.eager, message.stamp) === "apart") this.#treeLinks.graft(trunk, now);
    const own = session.ids.fingerprint(EVERYTHING, session.since, session.salt);
    if (same(own, message.all)) this.#send(link, Lane.CONTROL, { type: "same" });
    else this.#differ(session, EVERYTHING, own, message.all);
  }

  #parts(session: Session, parts: readonly SyncPart[]): void {
    // Ranges of an honest frame do not overlap: two passes over everything are plenty.
    const most = 2 * session.ids.size + 4_096;
    for (const part of parts) {
      if (session.ids.work > most) return;
      if (part.type === "list") {
        this.#listed(session, part);
        continue;
      }
      const depth = part.depth + 1, step = 2 ** (32 - 4 * depth);
      for (let i = 0; i < 16; i++) {
        const range = { depth, prefix: part.prefix + i * step };
        const own = session.ids.fingerprint(range, session.since, session.salt);
        const theirs = part.children[i]!;
        if (!same(own, theirs)) this.#differ(session, range, own, theirs);
      }
    }
  }

  /** A range differs: list it where few ids are in it, split it otherwise. */
  #differ(session: Session, range: Range, own: Fingerprint, theirs: Fingerprint): void {
    const { answer, ids, since, salt } = session;
    if (answer.length >= ANSWER_PARTS) return;
    if (own.count <= FEW || theirs.count === 0 || range.depth === SYNC_DEPTH) {
      this.#list(session, range, theirs.count > 0, undefined);
      return;
    }
    const depth = range.depth + 1, step = 2 ** (32 - 4 * depth);
    const children: Fingerprint[] = [];
    for (let i = 0; i < 16; i++) {
      children.push(ids.fingerprint({ depth, prefix: range.prefix + i * step }, since, salt));
    }
    answer.push({ type: "split", depth: range.depth, prefix: range.prefix, children });
  }

  /** Lists own ids of a range, without those that the other side is known to hold. */
  #list(session: Session, range: Range, reply: boolean, known: Set<number> | undefined): void {
    const { limits, log } = this.#context;
    const { link, now, ids, since, answer } = session;
    const entries: number[] = [];
    ids.each(range, since, (entry) => {
      if (!known?.has(entry)) entries.push(entry);
    });
    const granted = link.grafts.take(entries.length, now);
    const more = granted < entries.length;
    entries.length = granted;
    if (granted === 0 && !reply && !more) return;
    const { depth, prefix } = range;
    for (let done = 0; done === 0 || done < granted; done += limits.idsPerFrame) {
      const some = entries.slice(done, done + limits.idsPerFrame);
      const part: SyncList = {
        type: "list",
        depth,
        prefix,
        // What is listed in several frames cannot be answered in one.
        reply: reply && granted <= limits.idsPerFrame && !more,
        more,
        ids: ids.ids(some),
        ages: some.map((entry) => Math.max(0, Math.round(now - log.at(entry)))),
      };
      if (listed(answer) + some.length > limits.idsPerFrame) this.#sendAnswer(session);
      answer.push(part);
    }
  }

  #listed(session: Session, part: SyncList): void {
    const { options, limits, startedAt, counters, log } = this.#context;
    const { link, now } = session;
    const oldest = options.history === "none" ? now - startedAt : Infinity;
    const known = new Set<number>();
    let learned = 0, left = part.more;
    for (let i = 0, at = 0; i < part.ages.length; i++, at += ID_BYTES) {
      if (part.reply) {
        const entry = log.find(part.ids, at);
        if (entry >= 0) known.add(entry);
      }
      if (part.ages[i]! > oldest) continue;
      if (this.#fetcher.missing.open >= limits.missingIds / 2) left = true;
      else if (this.#fetcher.learn(link, part.ids, at, now - part.ages[i]!, now)) learned++;
    }
    counters.repairs += learned;
    if (part.reply) this.#list(session, part, false, known);
    if (!left) return;
    // There is more than one portion: go on when this one is likely to be here.
    link.syncAt = now + PATIENCE_MS;
    this.wake(now);
  }

  #sendAnswer(session: Session): void {
    const { link, salt, windowMs, answer } = session;
    this.#send(link, Lane.BULK, { type: "parts", salt, windowMs, parts: answer });
    answer.length = 0;
  }

  #open(link: Link, now: number): void {
    const { port } = this.#context;
    const salt = Math.floor(port.random() * 0x1_0000_0000);
    const windowMs = this.#window(link, now);
    const all = this.#take(now).fingerprint(EVERYTHING, now - windowMs, salt);
    const { mine, theirs, eager } = link.branch(0);
    const stamp = { own: mine, seen: theirs };
    link.syncTries++;
    link.syncAt = link.syncTries < TRIES ? now + PATIENCE_MS * link.syncTries : Infinity;
    this.#send(link, Lane.CONTROL, { type: "open", salt, windowMs, stamp, eager, all });
  }

  #send(link: Link, lane: Lane, message: SyncMessage): void {
    const { port, counters } = this.#context;
    if (port.send(link.peer, lane, encodeSync(port.alias, message))) counters.syncsSent++;
  }

  /**
   * How far back this instance wants to compare, in ms. A little further than it is there: the frame takes its time, and
   * what is listed with an age above our own is left out when it comes.
   */
  #window(link: Link, now: number): number {
    const { options, port, startedAt } = this.#context;
    const retained = Math.round(Math.min(options.retainSeconds * 1_000, MOST_WINDOW_MS));
    if (options.history !== "none") return retained;
    const transit = 2 * (port.rtt(link.peer) ?? 0) + TRANSIT_MS;
    return Math.round(Math.min(retained, now - startedAt + transit));
  }

  #tellAll(now: number): void {
    const { links, log, limits } = this.#context;
    const told = (this.#told ?? []).filter((entry) => log.holds(entry) && log.retains(entry));
    this.#told = undefined;
    this.#tellAt = Infinity;
    for (const link of links.list) {
      const windowMs = this.#window(link, now);
      const entries = told.filter((entry) => !log.has(entry, link.bit));
      for (let done = 0; done < entries.length; done += limits.idsPerFrame) {
        const some = entries.slice(done, done + limits.idsPerFrame);
        const part: SyncList = {
          type: "list",
          ...EVERYTHING,
          reply: false,
          more: false,
          ids: this.#take(now).ids(some),
          ages: some.map((entry) => Math.max(0, Math.round(now - log.at(entry)))),
        };
        this.#send(link, Lane.BULK, { type: "parts", salt: 0, windowMs, parts: [part] });
      }
    }
  }

  #take(now: number): RetainedIds {
    const { log } = this.#context;
    if (this.#snapshot === undefined || now - this.#snapshot.takenAt > SNAPSHOT_MS) {
      log.expire(now);
      this.#snapshot = new RetainedIds(log, now);
    }
    return this.#snapshot;
  }

  #arm(at: number, now: number): void {
    const { port, closed } = this.#context;
    if (closed || at >= this.#firesAt) return;
    if (this.#timer !== undefined) port.cancel(this.#timer);
    this.#firesAt = at;
    this.#timer = port.after(Math.max(0, at - now), () => this.#fire());
  }

  #fire(): void {
    const { port, links, log } = this.#context;
    this.#timer = undefined;
    this.#firesAt = Infinity;
    this.#snapshot = undefined;
    const now = port.now();
    log.expire(now);
    for (const link of links.list) if (link.syncAt <= now) this.#open(link, now);
    if (this.#tellAt <= now) this.#tellAll(now);
    if (this.#regularAt <= now) {
      this.#regularAt = Infinity;
      const { list } = links;
      const link = list[Math.floor(port.random() * list.length)];
      // An unanswered regular one is not repeated: the next follows soon enough.
      if (link !== undefined) {
        this.#open(link, now);
        link.syncAt = Infinity;
      }
    }
    if (links.list.length > 0 || log.retainedMessages > 0) this.wake(now);
  }
}

function same(a: Fingerprint, b: Fingerprint): boolean {
  return a.count === b.count && a.high === b.high && a.low === b.low;
}

function listed(parts: readonly SyncPart[]): number {
  let count = 0;
  for (const part of parts) if (part.type === "list") count += part.ages.length;
  return count;
}
