/**
 * Lazy push: announcements (IHAVE), gathered per link and sent together.
 *
 * Of the two ends of a lazy link one is enough to announce a message: the other one then knows that it is there. Which one goes first
 * follows from the id, by turns; the other end waits a round trip longer, and announces what it still has not heard of from the first.
 *
 * @module
 */

import { Frame, Lane } from "../../wire/frames.ts";
import { ANNOUNCEMENT_BYTES, treeFrame, writeAge } from "../../wire/tree_messages.ts";
import type { TreeContext } from "./context.ts";
import type { Link } from "./links.ts";
import { Seen } from "./message_log.ts";
import type { TimerId } from "../host.ts";

/** Frames' worth of announcements that may wait per link. */
const QUEUE_FRAMES = 8;
/**
 * Where so many messages wait for one link when `ihaveMs` are over, they come fast, and ids are gathered {@linkcode GATHERS} times as long: a record
 * costs as much as many announcements (1 KiB, one sender, `bench:cluster`: a third of the frames, and a tenth more deliveries a second).
 */
const FAST_MESSAGES = 8;
/** Ids are gathered for `ihaveMs`, and for so many times that while messages come fast. */
const GATHERS = 5;

/** For so long after a long gathering announcements of others may be as old, in ms. */
const FAST_MS = 1_000;
/** Ids are gathered for at most this part of the time for which payloads are retained at the present rate. */
const TURNOVERS = 8;

/** Entries that wait on while a queue is emptied: one array for all of them. */
const LATER: number[] = [];

/**
 * The longest honest time, in ms, from a message's arrival to its announcement by the end of the link that waits for the other; `fast` where messages
 * come fast.
 */
export function longestAge(ihaveMs: number, rttMs: number, fast: boolean): number {
  return 2 * (fast ? GATHERS : 1) * ihaveMs + Math.max(ihaveMs, rttMs);
}

/** The lazy queues of all links and the one timer that empties them. */
export class LazyPush {
  readonly #context: TreeContext;
  readonly #announced: (link: Link, entry: number) => void;
  readonly #ring = (): void => this.#fire();
  #timer: TimerId | undefined;
  /** How long the ids that wait now are gathered, in times of `ihaveMs`. */
  #gathers = 1;

  /** `announced` hears of the ids that go out and that the other end would have announced had it had them early. */
  constructor(context: TreeContext, announced: (link: Link, entry: number) => void) {
    this.#context = context;
    this.#announced = announced;
  }

  /** Queues an entry for one link. What is beyond the bound is left to the comparisons. */
  add(link: Link, entry: number): void {
    const { limits, log } = this.#context;
    if (link.waiting >= limits.idsPerFrame * QUEUE_FRAMES) return;
    link.announcements[link.waiting++] = entry;
    link.announced += log.messages(entry);
    if (this.#timer === undefined) this.#arm(1);
  }

  /** Stops the timer. */
  close(): void {
    if (this.#timer !== undefined) this.#context.port.cancel(this.#timer);
    this.#timer = undefined;
  }

  #arm(gathers: number): void {
    const { port, options } = this.#context;
    this.#timer = port.after(gathers * options.ihaveMs, this.#ring);
  }

  #fire(): void {
    this.#timer = undefined;
    const { port, links } = this.#context;
    const now = port.now();
    if (this.#gathers === 1 && this.#comeFast(now)) {
      this.#gathers = GATHERS;
      this.#context.fastUntil = now + FAST_MS;
      return this.#arm(GATHERS - 1);
    }
    let waiting = false;
    for (const link of links.list) {
      if (link.waiting > 0) waiting = !this.#flush(link, now) || waiting;
    }
    this.#gathers = 1;
    if (waiting && !this.#context.closed && this.#timer === undefined) this.#arm(1);
  }

  #comeFast(now: number): boolean {
    const { links, log, options } = this.#context;
    if (!links.list.some((link) => link.announced >= FAST_MESSAGES)) return false;
    return log.turnover(now) > TURNOVERS * GATHERS * options.ihaveMs;
  }

  /** Sends what waits for a link; false where its lane was full and something still waits. */
  #flush(link: Link, now: number): boolean {
    const { log, limits, port, counters } = this.#context;
    const { announcements } = link;
    link.announced = 0;
    const { ihaveMs } = this.#context.options;
    const patience = this.#gathers * ihaveMs + Math.max(ihaveMs, port.rtt(link.peer) ?? 0);
    const side = port.self < link.peer ? 0 : 1;
    let kept = 0, later = 0;
    for (let i = 0; i < link.waiting; i++) {
      const entry = announcements[i]!;
      // By now the neighbour may have announced or sent it: then it need not hear of it.
      if (!log.holds(entry) || log.has(entry, link.bit)) continue;
      if (log.state(entry) !== Seen.DELIVERED) continue;
      const first = (log.idHead(entry) & 1) === side;
      if (first || now - log.at(entry) >= patience) announcements[kept++] = entry;
      else LATER[later++] = entry;
    }
    let done = 0;
    while (done < kept) {
      const count = Math.min(limits.idsPerFrame, kept - done);
      const frame = treeFrame(Frame.IHAVE, port.alias, count * ANNOUNCEMENT_BYTES);
      let at = frame.length - count * ANNOUNCEMENT_BYTES;
      for (let i = done; i < done + count; i++) {
        const entry = announcements[i]!;
        const age = now - log.at(entry);
        at = writeAge(frame, log.writeId(entry, frame, at), log.tree(entry), age);
      }
      // Behind the payloads: an announcement that overtakes them only makes others ask for what is on its way.
      if (!port.send(link.peer, Lane.NORMAL, frame)) break;
      for (let i = done; i < done + count; i++) {
        const entry = announcements[i]!;
        // Gathered for long, what is this end's turn goes out whether or not the other end had it long before.
        if (this.#gathers === 1 || (log.idHead(entry) & 1) !== side) this.#announced(link, entry);
      }
      counters.ihaveSent += count;
      counters.ihaveFramesSent++;
      done += count;
    }
    if (done > 0) announcements.copyWithin(0, done, kept);
    link.waiting = kept - done;
    // Its places are kept for the next time, unless it grew large.
    if (link.waiting === 0 && announcements.length > 256) link.announcements = [];
    for (let i = 0; i < later; i++) link.announcements[link.waiting++] = LATER[i]!;
    return link.waiting === 0;
  }
}
