/**
 * What happens to a bundle: it is taken as a whole where all of its messages are accepted at once, and else taken apart, so that each stands for
 * itself, here and on its further way.
 *
 * @module
 */

import { BundleParts } from "../../wire/bundle.ts";
import { toHex } from "../../wire/bytes.ts";
import { Frame, Lane } from "../../wire/frames.ts";
import { type Hash, ID_BYTES } from "../../wire/gossip.ts";
import { treeFrame } from "../../wire/tree_messages.ts";
import { Bundle, type BundledMessage } from "./bundled.ts";
import type { TreeContext } from "./context.ts";
import { retainsBundles } from "./departures.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Link } from "./links.ts";
import type { HeldMessage } from "./message.ts";
import { Seen } from "./message_log.ts";
import type { Verdict } from "./port.ts";

/** An APART is passed on at most so often, in ms. */
const APART_MS = 100;

/** What becomes of a bundle that was judged. */
export interface BundleIntakeParts {
  readonly hash: Hash;
  /** Takes a bundle as a whole. */
  accept(message: HeldMessage, now: number): void;
  /** Takes in a message of a bundle as a message of its own; undefined where it is known. */
  separate(
    bundle: HeldMessage,
    member: BundledMessage,
    digest: Uint8Array,
    body: () => Uint8Array,
    now: number,
  ): HeldMessage | undefined;
  /** The verdict on such a message. */
  settle(message: HeldMessage, verdict: Verdict, now: number): void;
  readonly fetcher: Fetcher;
  /** Own messages are to leave one by one for a while. */
  pause(): void;
}

/** Judges bundles. */
export class BundleIntake {
  readonly #context: TreeContext;
  readonly #parts: BundleIntakeParts;
  /** Bundles of which a part was taken, with the part's log entry, oldest first. */
  readonly #apart = new Map<string, number>();
  #toldAt = -Infinity;

  /** Works on the log of a context. */
  constructor(context: TreeContext, parts: BundleIntakeParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** A part of the bundle with that digest is taken as `entry`: as long as its id is remembered only the rest of the bundle is new. */
  tookPart(digest: Uint8Array, entry: number): void {
    const apart = this.#apart, id = toHex(digest, 0, ID_BYTES);
    apart.delete(id);
    apart.set(id, entry);
    for (const [oldest, part] of apart) {
      if (this.#context.log.holds(part)) break;
      apart.delete(oldest);
    }
  }

  /** A bundle came. */
  judge(message: HeldMessage, now: number): void {
    const { port } = this.#context, judged = !this.#context.options.bundle;
    const bundle = message.bundle = new Bundle(message, this.#parts.hash, port.key);
    const apart = this.#apart.size > 0 && this.#apart.delete(message.id);
    // Where somebody judges, before he is asked: what waits for a verdict must count as waiting, and nobody is asked twice. An author can put what
    // he has sent before into any number of bundles.
    if (judged && !bundle.parts.sound) return this.#takeApart(bundle, now);
    if (judged || apart) {
      this.#known(bundle);
      if (bundle.members.every(({ known }) => known)) {
        this.#context.log.setState(message.entry, Seen.APART);
        return;
      }
    }
    for (const member of bundle.members) {
      if (member.known) continue;
      const verdict = port.validate(member);
      if (verdict !== undefined) member.verdict = verdict;
    }
    const { closed, log, options } = this.#context;
    if (closed || !log.holds(message.entry)) return;
    const accepted = bundle.members.every(({ verdict }) => verdict === "accept");
    if (accepted && retainsBundles(options)) this.#parts.accept(message, now);
    else this.#takeApart(bundle, now);
  }

  /**
   * A part came that names the bundle of entry `whole`, which is here as a whole: where it is of it, it is known by its own id, too, from now on. A
   * bundle's author could have put other messages' hashes under its root, so only what really is in it counts.
   */
  knows(
    { digest, seq, chased, rest }: {
      digest: Uint8Array;
      seq: number;
      chased: number;
      /** What it has from the origin on. */
      rest: Uint8Array;
    },
    whole: number,
    link: Link | undefined,
    now: number,
  ): boolean {
    const { log, counters, port } = this.#context, { hash, fetcher } = this.#parts;
    const body = log.body(whole);
    const parts = body && new BundleParts(hash, port.key, body);
    if (parts?.holds(seq, digest) === false) return false;
    if (link === undefined) {
      counters.strangers++;
      return true;
    }
    counters.duplicates++;
    if (body === undefined || parts === undefined) {
      // Whether it is of it nobody can tell any more; it is marked as nothing.
      if (chased >= 0) fetcher.refuse(chased, link, now);
      return true;
    }
    const tree = log.tree(whole), hops = log.hops(whole), at = log.at(whole);
    const entry = log.add(digest, 0, Seen.DELIVERED, tree, link.slot, hops, at);
    log.setHas(entry, link.bit);
    // Kept although the bundle is: comparisons with those who have parts only would find nothing else to do. With the bundle's signature: nobody has
    // looked at this one's.
    const own = new Uint8Array(parts.originAt + rest.length);
    own.set(body.subarray(0, parts.originAt));
    own.set(rest, parts.originAt);
    log.retain(entry, own, 0, own.length, now, 0);
    if (chased >= 0) fetcher.arrived(chased, entry, link, now);
    return true;
  }

  /** An APART came: somebody took the bundle with the id at `bytes[at]` apart. Its author is told, by the way that it came. */
  apart(bytes: Uint8Array, at: number, now: number): void {
    const { log } = this.#context, entry = log.find(bytes, at);
    // Once is enough for a while, whoever asks how often.
    if (entry < 0 || log.state(entry) !== Seen.DELIVERED || now < this.#toldAt + APART_MS) return;
    this.#toldAt = now;
    this.#tellApart(entry);
  }

  #tellApart(entry: number): void {
    const { log, links, port } = this.#context;
    // Whoever it was would do the same to what is published here.
    this.#parts.pause();
    const link = log.holds(entry) ? links.at(log.via(entry)) : undefined;
    if (link === undefined) return;
    const frame = treeFrame(Frame.APART, port.alias, ID_BYTES);
    log.writeId(entry, frame, frame.length - ID_BYTES);
    port.send(link.peer, Lane.CONTROL, frame);
  }

  /** A verdict that came later than it was asked for, or while it was. */
  verdict(member: BundledMessage, verdict: Verdict, now: number): void {
    member.verdict ??= verdict;
    if (member.part !== undefined) this.#parts.settle(member.part, verdict, now);
  }

  /** Notes which of its messages came by themselves before. */
  #known({ members, parts }: Bundle): void {
    const { log } = this.#context;
    members.forEach((member, i) => {
      const entry = log.find(parts.digest(i), 0);
      member.known = entry >= 0;
      if (entry >= 0 && log.state(entry) === Seen.DELIVERED) member.verdict = "accept";
    });
  }

  #takeApart(bundle: Bundle, now: number): void {
    const { log, counters } = this.#context;
    const { message, parts } = bundle;
    log.setState(message.entry, Seen.APART);
    // Who relayed one with a false root need not have looked.
    if (parts.sound) this.#separate(bundle, now);
    else counters.ignored += message.count;
    bundle.release();
    this.#tellApart(message.entry);
  }

  #separate({ message, members, parts }: Bundle, now: number): void {
    members.forEach((member, i) => {
      const part = this.#parts.separate(message, member, parts.digest(i), () => parts.part(i), now);
      if (part === undefined) return;
      member.part = part;
      if (member.verdict !== undefined) this.#parts.settle(part, member.verdict, now);
    });
  }
}
