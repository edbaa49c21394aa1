/**
 * One overlay alone: the test plays all its peers.
 *
 * @module
 */

import type { OverlayMessage, SwapAnswer } from "../../../src/wire/overlay_messages.ts";
import type { OverlayOptions } from "../../../src/options.ts";
import { type FakePort, peerId, recordFor, World } from "./fake_port.ts";

/** The messages of one type. */
export type Of<T extends OverlayMessage["type"]> = OverlayMessage & { type: T };

/** One overlay whose messages are kept, and whose peers the test plays. */
export class Lone {
  readonly world: World;
  readonly port: FakePort;

  constructor(overlay: Partial<OverlayOptions> = {}, seed = 1) {
    this.world = new World({ seed, overlay });
    this.port = this.world.add(0);
    this.port.wired = false;
  }

  get view() {
    return this.port.overlay;
  }

  receive(n: number, message: OverlayMessage): void {
    this.port.fakeConnected.add(peerId(n));
    this.view.receive(peerId(n), message);
  }

  /** Peer `n` asks to become a neighbour. */
  neighbor(n: number, high = true): void {
    this.receive(n, { type: "neighbor", record: recordFor(peerId(n)), high });
  }

  reply(n: number, accepted: boolean, candidates: number[] = []): void {
    const records = candidates.map((c) => recordFor(peerId(c)));
    this.receive(n, { type: "neighbor-reply", accepted, candidates: records });
  }

  disconnect(n: number, alive = true, candidates: number[] = []): void {
    const records = candidates.map((c) => recordFor(peerId(c)));
    this.receive(n, { type: "disconnect", alive, candidates: records });
  }

  /** Fills the passive view through the walk that leaves joiners there. */
  reserve(from: number, ...peers: number[]): void {
    for (const n of peers) {
      this.receive(from, { type: "forward-join", record: recordFor(peerId(n)), ttl: 3 });
    }
  }

  /** Peer `n` says something of X-BOT's. */
  swap(n: number, type: "disconnect-wait" | "swapped", swap = 7): void {
    this.receive(n, { type, swap });
  }

  answer(n: number, answer: SwapAnswer, swap = 7): void {
    this.receive(n, { type: "swap-reply", swap, answer });
  }

  /** What was sent since the last look, of one type. */
  take<T extends OverlayMessage["type"]>(type: T): [number, Of<T>][] {
    const taken = this.port.sentTo.splice(0).filter(([, message]) => message.type === type);
    return taken.map(([to, message]) => [parseInt(to, 16), message as Of<T>]);
  }

  active(): number[] {
    return this.view.active.map((peer) => parseInt(peer, 16));
  }

  passive(): number[] {
    return this.view.passive.map((peer) => parseInt(peer, 16)).sort((a, b) => a - b);
  }
}

/** One overlay with the neighbours 1 to 5. */
export function full(overlay: Partial<OverlayOptions> = {}, seed = 1): Lone {
  const lone = new Lone(overlay, seed);
  for (const n of [1, 2, 3, 4, 5]) lone.neighbor(n);
  lone.port.sentTo.length = 0;
  return lone;
}
