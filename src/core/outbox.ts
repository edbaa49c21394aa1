/**
 * Overlay frames that wait for a dial: at most so many per peer, and peers are bounded by what overlays have pending.
 *
 * @module
 */

import type { PeerId } from "./host.ts";
import type { TopicCore } from "./topic_core.ts";

/** A frame and the topic it is of. */
export interface WaitingFrame {
  readonly topic: TopicCore;
  readonly frame: Uint8Array;
}

/** How many peers may be waited for at once; every overlay asks only a handful at a time. */
const MOST_PEERS = 1_024;
const NONE: readonly WaitingFrame[] = [];

/** Frames by peer, in the order they were sent. */
export class Outbox {
  readonly #waiting = new Map<PeerId, WaitingFrame[]>();
  readonly #mostFrames: number;

  constructor(mostFrames: number) {
    this.#mostFrames = mostFrames;
  }

  /** Keeps a frame; beyond the bounds the oldest is dropped. */
  add(peer: PeerId, topic: TopicCore, frame: Uint8Array): void {
    const frames = this.#waiting.get(peer) ?? [];
    frames.push({ topic, frame });
    if (frames.length > this.#mostFrames) frames.shift();
    this.#waiting.set(peer, frames);
    if (this.#waiting.size > MOST_PEERS) {
      const [oldest] = this.#waiting.keys();
      this.#waiting.delete(oldest!);
    }
  }

  /** True where something waits for a peer. */
  has(peer: PeerId): boolean {
    return this.#waiting.has(peer);
  }

  /** Takes out what waits for a peer. */
  take(peer: PeerId): readonly WaitingFrame[] {
    const frames = this.#waiting.get(peer);
    if (!frames) return NONE;
    this.#waiting.delete(peer);
    return frames;
  }

  /** Forgets everything. */
  clear(): void {
    this.#waiting.clear();
  }
}
