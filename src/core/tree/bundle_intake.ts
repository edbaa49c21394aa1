/**
 * What happens to a bundle: it is taken as a whole where all of its messages are accepted at once, and else taken apart, so that each stands for
 * itself, here and on its further way.
 *
 * @module
 */

import type { Hash } from "../../wire/gossip.ts";
import { ID_BYTES } from "../../wire/gossip.ts";
import { toHex } from "../../wire/bytes.ts";
import { Bundle, type BundledMessage } from "./bundled.ts";
import type { TreeContext } from "./context.ts";
import type { HeldMessage } from "./message.ts";
import { Seen } from "./message_log.ts";
import type { Verdict } from "./port.ts";

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
}

/** Judges bundles. */
export class BundleIntake {
  readonly #context: TreeContext;
  readonly #parts: BundleIntakeParts;
  /** Bundles of which a part was taken, with the part's log entry, oldest first. */
  readonly #apart = new Map<string, number>();

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
    const { port } = this.#context;
    const bundle = message.bundle = new Bundle(message, this.#parts.hash, port.key);
    if (this.#apart.size > 0 && this.#apart.delete(message.id)) this.#known(bundle);
    for (const member of bundle.members) {
      if (member.known) continue;
      const verdict = port.validate(member);
      if (verdict !== undefined) member.verdict = verdict;
    }
    if (this.#context.closed) return;
    if (bundle.members.every(({ verdict }) => verdict === "accept")) {
      this.#parts.accept(message, now);
    } else {
      this.#takeApart(bundle, now);
    }
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
    const { message, members, parts } = bundle;
    log.setState(message.entry, Seen.APART);
    if (!parts.sound) {
      // Whoever relayed it need not have looked.
      counters.ignored += message.count;
      return;
    }
    members.forEach((member, i) => {
      const part = this.#parts.separate(message, member, parts.digest(i), () => parts.part(i), now);
      if (part === undefined) return;
      member.part = part;
      if (member.verdict !== undefined) this.#parts.settle(part, member.verdict, now);
    });
    // Those whose verdict is awaited must not pin the record that the bundle came in.
    message.body = message.body.slice();
  }
}
