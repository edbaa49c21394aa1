/**
 * Own messages on their way out: where many are published in one turn of the event loop, those after the first leave together at its end, in
 * bundles (see wire/bundle.ts) where the topic may, under one signature that receivers check once where it signs.
 *
 * @module
 */

import { Batch, MOST_HEIGHT, signedRoot } from "../../wire/batch.ts";
import { BUNDLE_BYTES, BUNDLE_MESSAGES, bundledBytes } from "../../wire/bundle.ts";
import { finishGossip, type GossipDraft, sameWay, signedBytes } from "../../wire/gossip.ts";
import type { TreePort } from "./port.ts";

/** Messages, or bundles, under one signature. */
const MOST_TOGETHER = 2 ** MOST_HEIGHT;
/** After a turn with so many messages the first of the next one waits for company too. */
const STREAM = 4;

/** Where fewer messages or bytes are retained none are bundled, and no bundle is taken as a whole: what is dropped of it is all of it. */
const BUNDLED_FROM = { messages: 16 * BUNDLE_MESSAGES, bytes: 32 * BUNDLE_BYTES };
/** For so long nothing is bundled after somebody took a bundle apart: he will do so again, and what he passes on is larger. */
const APART_PAUSE_MS = 60_000;

/** Whether so much is retained that bundles may be. */
export function retainsBundles(options: { retainMessages: number; retainBytes: number }): boolean {
  return options.retainMessages >= BUNDLED_FROM.messages &&
    options.retainBytes >= BUNDLED_FROM.bytes;
}

/** What departures work with. */
export interface DepartureParts {
  readonly port: TreePort;
  /** Bodies are signed. */
  readonly sign: boolean;
  /** Most bytes of payload in a bundle; 0: messages leave one by one. */
  readonly bundleBytes: number;
  /** Makes one draft of several that travel the same way, with seqs in a row. */
  bundle(drafts: readonly GossipDraft[]): GossipDraft;
  /** Takes every body. */
  depart(draft: GossipDraft, body: Uint8Array, count: number): void;
}

/** What leaves as one body: a message, or a bundle of `count`. */
interface Departure {
  readonly draft: GossipDraft;
  readonly count: number;
}

/** Bundles and signs drafts and hands their bodies on, in the order in which they came. */
export class Departures {
  readonly #parts: DepartureParts;
  readonly #mostBytes: number;
  #aloneUntil = -Infinity;
  #drafts: GossipDraft[] = [];
  /** Messages in this turn of the event loop; 0 where none has begun. */
  #inTurn = 0;
  #streaming = false;

  /** Nothing waits yet. */
  constructor(parts: DepartureParts) {
    this.#parts = parts;
    this.#mostBytes = Math.min(BUNDLE_BYTES, parts.bundleBytes);
  }

  /** Somebody took a bundle apart. */
  pause(): void {
    this.#aloneUntil = this.#parts.port.now() + APART_PAUSE_MS;
  }

  get #bundleBytes(): number {
    if (this.#aloneUntil === -Infinity) return this.#mostBytes;
    return this.#parts.port.now() < this.#aloneUntil ? 0 : this.#mostBytes;
  }

  /** Takes one; gives its body where it leaves at once: it comes alone, nothing is gained by waiting, or the host has no turns. */
  add(draft: GossipDraft): Uint8Array | undefined {
    const { port, sign } = this.#parts, most = this.#bundleBytes;
    const bundled = sizeOf(draft) * 2 <= most;
    if (port.soon === undefined || !sign && !bundled) {
      this.flush();
      return this.#leave({ draft, count: 1 });
    }
    if (this.#inTurn++ === 0) {
      port.soon(() => this.#endTurn());
      if (!this.#streaming) return this.#leave({ draft, count: 1 });
    }
    this.#drafts.push(draft);
    if (this.#drafts.length >= (most > 0 ? BUNDLE_MESSAGES : MOST_TOGETHER)) {
      this.flush();
    }
    return undefined;
  }

  /** Sends what waits. */
  flush(): void {
    const drafts = this.#drafts;
    if (drafts.length === 0) return;
    this.#drafts = [];
    const leaving = this.#gather(drafts);
    if (!this.#parts.sign) return leaving.forEach((each) => void this.#leave(each));
    for (let i = 0; i < leaving.length; i += MOST_TOGETHER) {
      this.#sign(leaving.slice(i, i + MOST_TOGETHER));
    }
  }

  #endTurn(): void {
    this.#streaming = this.#inTurn >= STREAM;
    this.#inTurn = 0;
    this.flush();
  }

  /** Makes bundles of neighbours that travel the same way, as large as may be. */
  #gather(drafts: readonly GossipDraft[]): Departure[] {
    const leaving: Departure[] = [], most = this.#bundleBytes;
    for (let i = 0; i < drafts.length;) {
      const first = i;
      let bytes = sizeOf(drafts[i++]!);
      if (2 * bytes > most) bytes = Infinity;
      while (i < drafts.length && sameWay(drafts[i - 1]!, drafts[i]!)) {
        const size = sizeOf(drafts[i]!);
        bytes += size;
        if (bytes > most || 2 * size > most) break;
        i++;
      }
      const count = i - first;
      const draft = count === 1 ? drafts[first]! : this.#parts.bundle(drafts.slice(first, i));
      leaving.push({ draft, count });
    }
    return leaving;
  }

  #leave({ draft, count }: Departure): Uint8Array {
    const { port, sign, depart } = this.#parts;
    const signature = sign ? { signature: port.sign(signedBytes(draft.digest)) } : undefined;
    const body = finishGossip(draft, signature);
    depart(draft, body, count);
    return body;
  }

  #sign(leaving: readonly Departure[]): void {
    if (leaving.length === 1) return void this.#leave(leaving[0]!);
    const { port, depart } = this.#parts;
    const batch = new Batch(port.sha256, leaving.map(({ draft }) => draft.digest));
    const signature = port.sign(signedRoot(batch.root));
    leaving.forEach(({ draft, count }, place) =>
      depart(draft, finishGossip(draft, { signature, batch, place }), count)
    );
  }
}

function sizeOf({ bytes, payloadAt }: GossipDraft): number {
  return bundledBytes(bytes.length - payloadAt);
}
