/**
 * Own messages on their way to their signature: where many are published in one turn of the event loop, those after the first are signed
 * together at its end, with one signature that receivers check once.
 *
 * @module
 */

import { Batch, MOST_HEIGHT, signedRoot } from "../../wire/batch.ts";
import { finishGossip, type GossipDraft, signedBytes } from "../../wire/gossip.ts";
import type { TreePort } from "./port.ts";

/** Messages under one signature. */
const MOST_TOGETHER = 2 ** MOST_HEIGHT;
/** After a turn with so many messages the first of the next one waits for company too. */
const STREAM = 4;

/** Signs drafts and hands their bodies on, in the order in which they came. */
export class Signing {
  readonly #port: TreePort;
  readonly #signed: (draft: GossipDraft, body: Uint8Array) => void;
  #drafts: GossipDraft[] = [];
  /** Messages in this turn of the event loop; 0 where none has begun. */
  #inTurn = 0;
  #streaming = false;

  /** `signed` takes every body. */
  constructor(port: TreePort, signed: (draft: GossipDraft, body: Uint8Array) => void) {
    this.#port = port;
    this.#signed = signed;
  }

  /** Takes one; gives its body where it is signed at once, since it comes alone or the host has no turns. */
  add(draft: GossipDraft): Uint8Array | undefined {
    const port = this.#port;
    if (port.soon === undefined) return this.#signAlone(draft);
    if (this.#inTurn++ === 0) {
      port.soon(() => this.#endTurn());
      if (!this.#streaming) return this.#signAlone(draft);
    }
    this.#drafts.push(draft);
    if (this.#drafts.length === MOST_TOGETHER) this.flush();
    return undefined;
  }

  /** Signs what waits. */
  flush(): void {
    const drafts = this.#drafts;
    this.#drafts = [];
    if (drafts.length > 1) this.#signTogether(drafts);
    else if (drafts.length === 1) this.#signAlone(drafts[0]!);
  }

  #endTurn(): void {
    this.#streaming = this.#inTurn >= STREAM;
    this.#inTurn = 0;
    this.flush();
  }

  #signAlone(draft: GossipDraft): Uint8Array {
    const signature = this.#port.sign(signedBytes(draft.digest));
    const body = finishGossip(draft, { signature });
    this.#signed(draft, body);
    return body;
  }

  #signTogether(drafts: readonly GossipDraft[]): void {
    const port = this.#port;
    const batch = new Batch(
      (bytes, start, end, out, at) => port.sha256(bytes, start, end, out, at),
      drafts.map(({ digest }) => digest),
    );
    const signature = port.sign(signedRoot(batch.root));
    drafts.forEach((draft, place) =>
      this.#signed(draft, finishGossip(draft, { signature, batch, place }))
    );
  }
}
