/**
 * What happened in a simulated run, as one number and, where wanted, as a stream of events.
 *
 * @module
 */

import type { DownReason, PeerId } from "../core/host.ts";

/**
 * One thing that happened between two nodes.
 *
 * @example
 * ```ts
 * import { Network, type TraceEvent } from "@x/plumtree/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const faults: TraceEvent[] = [];
 * await using net = new Network({ seed: 1 });
 * net.trace = (event) => void (event.type === "fault" && faults.push(event));
 * net.kill(await net.spawn(1));
 * assertEquals(faults, [{ type: "fault", time: 0, what: "kill", nodes: 1 }]);
 * ```
 */
export type TraceEvent =
  /** A frame reached its receiver. */
  | {
    readonly type: "frame";
    readonly time: number;
    readonly from: PeerId;
    readonly to: PeerId;
    /** First byte of the frame. */
    readonly kind: number;
    readonly length: number;
  }
  /** A link came up at `to`; `from` is the other end. */
  | {
    readonly type: "up";
    readonly time: number;
    readonly from: PeerId;
    readonly to: PeerId;
    readonly direction: "in" | "out";
  }
  /** A link ended at `to`. */
  | {
    readonly type: "down";
    readonly time: number;
    readonly from: PeerId;
    readonly to: PeerId;
    readonly reason: DownReason;
  }
  /** A fault was injected. */
  | {
    readonly type: "fault";
    readonly time: number;
    readonly what: "kill" | "restart" | "partition" | "heal" | "slow" | "break" | "stall";
    readonly nodes: number;
  };

/** A running hash of 64 bits over numbers; the order counts. */
export class TraceHash {
  #a = 0x6a09e667;
  #b = 0xbb67ae85 | 0;

  /** Takes in a time in ms, by its 1/65536 parts. */
  time(ms: number): void {
    const ticks = ms * 65_536;
    this.word(ticks >>> 0);
    this.word(Math.floor(ticks / 4294967296));
  }

  /** Takes in 32 bits. */
  word(value: number): void {
    const a = Math.imul(this.#a ^ value, 0x9e3779b1 | 0);
    this.#a = (a << 13) | (a >>> 19);
    this.#b = (Math.imul(this.#b ^ this.#a, 0x85ebca6b | 0) + value) | 0;
  }

  /** The hash so far, 16 hex digits. */
  hex(): string {
    return (this.#a >>> 0).toString(16).padStart(8, "0") +
      (this.#b >>> 0).toString(16).padStart(8, "0");
  }
}

const DOWN_REASONS: readonly DownReason[] = [
  "left",
  "closed",
  "evicted",
  "swapped",
  "lost",
  "slow",
  "misbehaved",
  "idle",
  "superseded",
  "replaced",
];

/** The reason as a small number, for {@linkcode TraceHash}. */
export function reasonCode(reason: DownReason): number {
  return DOWN_REASONS.indexOf(reason);
}
