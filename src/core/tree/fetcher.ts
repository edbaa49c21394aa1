/**
 * Fetches what was announced and did not come: one graft chain per id, one timer for all.
 *
 * @module
 */

import { toHex } from "../../wire/bytes.ts";
import { Lane } from "../../wire/frames.ts";
import { ID_BYTES } from "../../wire/gossip.ts";
import {
  announcedAge,
  announcedTree,
  ANNOUNCEMENT_BYTES,
  fetchFrame,
  readGone,
  readIhave,
} from "../../wire/tree_messages.ts";
import type { TimerId } from "../host.ts";
import type { TreeContext } from "./context.ts";
import { longestAge } from "./lazy_push.ts";
import { FirstWait } from "./first_wait.ts";
import { type Branch, type Link, NO_SLOT } from "./links.ts";
import { Chase, Missing } from "./missing.ts";
import type { Optimizer } from "./optimize.ts";
import { answered, answerWait } from "./patience.ts";
import type { TreeLinks } from "./tree_links.ts";

/** Payloads asked of one link at a time after a comparison: what is learned in thousands is fetched in portions. */
const PORTION = 256;
/** Deadlines this near are handled together. */
const TOGETHER_MS = 5;
/** T1 is up to so much longer, at random. */
const SPREAD = 0.5;
/**
 * An id is not given up before so many times `graftMaxMs` since it was first asked for: an answer may stand in a long queue. One
 * that announces what it never gives is blamed so much later.
 */
const PATIENCE = 12;
/** And so many times that where a neighbour gives one after the other. */
const SLOW = 10;
/** An id that finds no room any more blames who announced it where payloads are retained for so many times its age. */
const OVERFLOW_AGES = 4;
/** After `graftRetries` GRAFTs another one goes after so many times `graftMaxMs`. */
const RARELY = 2;
/** The deadline of what is asked for whatever T1 says. */
const LOST = -Infinity;
/** Unanswered ids that cost an announcer score. */
const BLAME_AT = 64;

/** Asks of the links that announced, in turn, for what does not come by itself. */
export class Fetcher {
  /** The ids that are being chased. */
  readonly missing: Missing;
  readonly #context: TreeContext;
  readonly #treeLinks: TreeLinks;
  readonly #optimizer: Optimizer;
  /** T1; made with the first message: a quiet topic holds little. */
  #waits: FirstWait | undefined;
  #timer: TimerId | undefined;
  #firesAt = Infinity;
  #starved = false;

  /** Works on the links of a context. */
  constructor(context: TreeContext, treeLinks: TreeLinks, optimizer: Optimizer) {
    const { limits, port } = context;
    this.#context = context;
    this.#treeLinks = treeLinks;
    this.#optimizer = optimizer;
    this.missing = new Missing(
      limits.missingIds,
      limits.announcers,
      () => port.random(),
      (handle) => {
        // Where payloads are dropped about as fast as they can be asked for, those who announced it are not to blame.
        const now = port.now(), age = now - this.missing.firstAt(handle);
        if (OVERFLOW_AGES * age <= context.log.turnover(now)) this.#blame(handle, 1);
        this.#report(handle, "overflow");
      },
    );
  }

  /** An IHAVE came. */
  ihave(link: Link, bytes: Uint8Array, at: number, end: number, now: number): void {
    const { limits, counters, log, links, options, port, fastUntil } = this.#context;
    const count = readIhave(at, end, limits.idsPerFrame);
    const most = longestAge(options.ihaveMs, port.rtt(link.peer) ?? 0, now < fastUntil);
    const taken = link.ihaves.take(count, now);
    counters.ihaveReceived += taken;
    for (let i = 0; i < taken; i++, at += ANNOUNCEMENT_BYTES) {
      // The age is a claim: an honest one is hardly above the time for which announcements are gathered.
      const learned = now - Math.min(announcedAge(bytes, at), most);
      const entry = log.find(bytes, at);
      if (entry < 0) {
        this.#announce(link, bytes, at, announcedTree(bytes, at), learned, false, now);
        continue;
      }
      if (link.bit !== 0 && log.has(entry, link.bit)) continue;
      log.setHas(entry, link.bit);
      this.#firstWait.calm();
      const via = links.at(log.via(entry));
      if (via === undefined) continue;
      this.#optimizer.sample(log.tree(entry), link, via, log.at(entry) - learned, now);
    }
  }

  /** A comparison told that the link's other end has had an id since `bornAt`; returns true where it is not here. */
  learn(link: Link, bytes: Uint8Array, at: number, bornAt: number, now: number): boolean {
    const { log } = this.#context;
    const entry = log.find(bytes, at);
    if (entry >= 0) {
      log.setHas(entry, link.bit);
      return false;
    }
    this.#announce(link, bytes, at, 0, bornAt, true, now);
    return true;
  }

  /** A payload could not be taken now; it is to be fetched again. */
  later(link: Link, digest: Uint8Array, now: number): void {
    this.#announce(link, digest, 0, 0, now, true, now);
  }

  /** A payload came that was new; `asked` where it was asked for. */
  news(asked: boolean, now: number): void {
    this.#firstWait.news(asked, now);
  }

  /** The payload of a missing id came as `entry`. */
  arrived(handle: number, entry: number, link: Link | undefined, now: number): void {
    const { missing } = this;
    const { links, log, options } = this.#context;
    const asked = missing.asked(handle), askedAt = missing.askedAt(handle);
    let lostBefore = -Infinity;
    if (link !== undefined && missing.wasAsked(handle, link.slot)) {
      answered(link, Math.min(options.graftMaxMs, now - askedAt));
      link.gaveAt = now;
      link.gaveAsked = askedAt;
      if (++link.answered > 1_024) link.answered = link.unanswered = 0;
      if (asked === link.slot && missing.bornAt(handle) === Infinity) {
        const silent = this.#firstWait.silent(this.#wait(link), now);
        lostBefore = silent ? askedAt : missing.firstAt(handle);
      }
    } else if (link !== undefined) {
      if (missing.learnedAt(handle, 0) !== Infinity) {
        this.#firstWait.came(missing.firstAt(handle), now);
      }
    }
    if (link !== undefined && asked !== NO_SLOT && asked !== link.slot) {
      const hasty = links.at(asked);
      if (hasty !== undefined) hasty.branch(missing.tree(handle)).graceUntil = -Infinity;
    }
    for (let i = missing.announcers(handle) - 1; i >= 0; i--) {
      const other = links.at(missing.announcer(handle, i));
      if (other === undefined) continue;
      log.setHas(entry, other.bit);
      const learned = missing.learnedAt(handle, i);
      if (link !== undefined && learned !== Infinity) {
        this.#optimizer.sample(log.tree(entry), other, link, now - learned, now);
      }
    }
    missing.remove(handle);
    if (lostBefore > -Infinity) this.#fetchLost(log.tree(entry), lostBefore);
    if (this.#starved && link !== undefined && missing.outstanding(link.slot) < PORTION / 4) {
      this.#starved = false;
      this.#arm(now);
    }
  }

  /** A link's copy of a missing id was worthless: the next announcer is asked. */
  refuse(handle: number, link: Link | undefined, now: number): void {
    if (link === undefined) return;
    this.missing.forget(handle, link.slot);
    this.#advance(handle, now);
  }

  /** A GONE came. */
  gone(link: Link, bytes: Uint8Array, at: number, end: number, now: number): void {
    const { limits, counters } = this.#context;
    const count = readGone(at, end, limits.idsPerFrame);
    for (let i = 0; i < count; i++, at += ID_BYTES) {
      const handle = this.missing.find(bytes, at);
      if (handle < 0 || this.missing.asked(handle) !== link.slot) continue;
      counters.goneReceived++;
      this.missing.forget(handle, link.slot);
      if (this.missing.announcers(handle) === 0) this.#giveUp(handle, "gone");
      else this.#advance(handle, now);
    }
  }

  /** A neighbour is gone: nobody is to be asked through it. */
  linkDown(link: Link, now: number): void {
    const { missing } = this;
    for (let handle = 0; handle < missing.high; handle++) {
      if (missing.state(handle) === 0) continue;
      const asked = missing.forget(handle, link.slot);
      if (asked || missing.announcers(handle) === 0) this.#advance(handle, now);
    }
  }

  /** Stops the timer. */
  close(): void {
    if (this.#timer !== undefined) this.#context.port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #announce(
    link: Link,
    bytes: Uint8Array,
    at: number,
    tree: number,
    learned: number,
    quiet: boolean,
    now: number,
  ): void {
    const { port } = this.#context;
    let handle = this.missing.find(bytes, at);
    if (handle >= 0 && this.missing.state(handle) <= Chase.ASKED) {
      this.missing.announce(handle, link.slot, learned, quiet, Infinity);
      return;
    }
    // Spread: the first who asks brings the message to others who lack it.
    const deadline = now + this.#wait(link) * (1 + SPREAD * port.random());
    if (handle < 0) handle = this.missing.add(bytes, at, tree, link.slot, now, deadline);
    this.missing.announce(handle, link.slot, learned, quiet, deadline);
    this.#arm(this.missing.deadline(handle));
  }

  /** The one that was asked is out of question: on to the next one at once, or wait for another announcement. */
  #advance(handle: number, now: number): void {
    const { missing } = this;
    const { options } = this.#context;
    if (missing.state(handle) === Chase.GIVEN_UP) return;
    if (missing.announcers(handle) === 0) {
      const until = now + 2 * options.syncMs + options.graftMaxMs;
      missing.stop(handle, Chase.IDLE, until);
      this.#arm(until);
    } else if (missing.state(handle) === Chase.ASKED) {
      missing.setDeadline(handle, now);
      this.#arm(now);
    }
  }

  /**
   * What was asked for came, so it was lost: what was announced in the same tree before it and is still missing, too, and where nothing has come by
   * itself for a T1, all that was announced before the GRAFT. A torn tree costs one T1, not one for every message. What only comparisons told of is
   * fetched in portions as ever.
   */
  #fetchLost(tree: number, before: number): void {
    const { missing } = this;
    let lost = 0;
    for (let handle = 0; handle < missing.high; handle++) {
      if (missing.state(handle) !== Chase.WAITING || missing.firstAt(handle) > before) continue;
      if (missing.tree(handle) !== tree || missing.bornAt(handle) !== Infinity) continue;
      missing.setDeadline(handle, LOST);
      lost++;
    }
    if (lost === 0) return;
    this.close();
    this.#fire();
  }

  get #firstWait(): FirstWait {
    return this.#waits ??= new FirstWait(this.#context);
  }

  /** T1 for an id that `link` announced. */
  #wait(link: Link): number {
    return this.#firstWait.wait(link, this.missing.open);
  }

  #arm(at: number): void {
    const { port, closed } = this.#context;
    if (closed || at >= this.#firesAt - TOGETHER_MS) return;
    if (this.#timer !== undefined) port.cancel(this.#timer);
    this.#firesAt = at;
    this.#timer = port.after(Math.max(0, at - port.now()), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    const { missing } = this;
    const now = this.#context.port.now();
    const live = new Map<Branch, number[]>(), quiet = new Map<Branch, number[]>();
    let next = Infinity;
    for (let handle = 0; handle < missing.high; handle++) {
      if (missing.state(handle) === 0) continue;
      if (missing.deadline(handle) <= now + 1) this.#step(handle, now, live, quiet);
      // Reporting may have emptied the handle.
      if (missing.state(handle) !== 0) next = Math.min(next, missing.deadline(handle));
    }
    for (const [branch, handles] of live) this.#send(branch, handles, true, now);
    for (const [branch, handles] of quiet) this.#send(branch, handles, false, now);
    if (next < Infinity) this.#arm(Math.max(next, now + TOGETHER_MS));
  }

  #step(
    handle: number,
    now: number,
    live: Map<Branch, number[]>,
    quiet: Map<Branch, number[]>,
  ): void {
    const { missing } = this;
    const { options, links } = this.#context;
    const often = missing.tries(handle) >= options.graftRetries;
    // Who gives what was asked for before this one has not refused it yet: a long history comes slowly over a narrow link. But not for ever.
    const askedAt = missing.askedAt(handle), asked = links.at(missing.asked(handle));
    const inTurn = asked !== undefined && asked.gaveAsked <= askedAt &&
      now - askedAt < SLOW * PATIENCE * options.graftMaxMs;
    const since = inTurn ? Math.max(askedAt, asked.gaveAt) : askedAt;
    const long = now - since >= PATIENCE * options.graftMaxMs;
    if (missing.announcers(handle) === 0 || often && long) {
      this.#blame(handle, 4);
      this.#giveUp(handle, "no-answer");
      return;
    }
    const index = missing.next(handle);
    const link = links.at(missing.announcer(handle, index))!;
    if (missing.state(handle) === Chase.WAITING && missing.deadline(handle) !== LOST) {
      // What has come in the meantime may have shown that payloads take longer now.
      const due = this.#firstWait.due(missing.firstAt(handle), this.#wait(link), now);
      if (due > now + 1) {
        missing.setDeadline(handle, due);
        return;
      }
    }
    const calm = missing.isQuiet(handle, index);
    if (calm && missing.outstanding(link.slot) >= PORTION) {
      this.#starved = true;
      missing.setDeadline(handle, now + options.graftMinMs);
      return;
    }
    missing.ask(handle, now);
    const round = Math.floor((missing.tries(handle) - 1) / missing.announcers(handle));
    const wait = answerWait(this.#context, link) * 2 ** Math.min(8, round);
    const most = options.graftMaxMs;
    missing.setDeadline(handle, now + (often ? RARELY * most : Math.min(most, wait)));
    const asks = calm ? quiet : live;
    const branch = link.branch(calm ? 0 : missing.tree(handle));
    const list = asks.get(branch);
    if (list === undefined) asks.set(branch, [handle]);
    else list.push(handle);
  }

  #send(branch: Branch, handles: number[], live: boolean, now: number): void {
    const { limits, port, counters } = this.#context;
    const { link } = branch;
    for (let done = 0; done < handles.length && link.up; done += limits.idsPerFrame) {
      const some = handles.slice(done, done + limits.idsPerFrame);
      if (live) {
        this.#treeLinks.graft(branch, now, this.missing, some);
        continue;
      }
      const frame = fetchFrame(port.alias, some.length);
      let at = frame.length - some.length * ID_BYTES;
      for (const handle of some) at = this.missing.writeId(handle, frame, at);
      if (port.send(link.peer, Lane.CONTROL, frame)) counters.graftsSent++;
    }
  }

  #giveUp(handle: number, why: "gone" | "no-answer"): void {
    if (this.missing.stop(handle, Chase.GIVEN_UP, Infinity)) this.#report(handle, why);
  }

  #report(handle: number, why: "gone" | "no-answer" | "overflow"): void {
    const { counters, port } = this.#context;
    const id = new Uint8Array(ID_BYTES);
    this.missing.writeId(handle, id, 0);
    counters.missed++;
    port.missed(toHex(id), why);
  }

  /** Announcing what one cannot give costs score, in the long run. */
  #blame(handle: number, weight: number): void {
    const { links, port } = this.#context;
    if (this.missing.tries(handle) === 0) return;
    for (let i = this.missing.announcers(handle) - 1; i >= 0; i--) {
      const link = links.at(this.missing.announcer(handle, i));
      if (link === undefined) continue;
      link.unanswered += weight;
      if (link.unanswered < BLAME_AT || link.unanswered <= link.answered) continue;
      link.unanswered = link.answered = 0;
      port.misbehaved(link.peer, 20, "announces what it does not give");
    }
  }
}
