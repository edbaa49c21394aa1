/**
 * A dial under virtual time: one and a half round trips until the other side has the first handshake message, half of one more until
 * the dialler is sure, and another half until the other side is. Internal.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import { linkPair } from "./sim_link.ts";
import type { SimNode } from "./sim_node.ts";
import type { SimEvent } from "./virtual_clock.ts";

/** Bytes of a handshake on the wire, roughly: for the chance that a segment of it is lost. */
const HANDSHAKE_BYTES = 4_000;

interface Waiter {
  resolve(peer: PeerId): void;
  reject(cause: unknown): void;
  unlisten?: () => void;
}

/** One attempt after another over the addresses of a peer. */
export class Dial implements SimEvent {
  readonly from: SimNode;
  /** The other one of a simultaneous dial won; this one only waits for it. */
  superseded = false;
  /** `connect` asked for it: a failure is `unreachable`. */
  wanted = false;
  readonly #target: PeerId | undefined;
  readonly #addresses: readonly string[];
  readonly #waiters: Waiter[] = [];
  #index = 0;
  #began = 0;
  #rtt = 0;
  #stage: "waiting" | "arrive" | "complete" | "failed" = "waiting";
  #cause: GossipError | undefined;
  #event = 0;
  #over = false;

  constructor(from: SimNode, target: PeerId | undefined, addresses: readonly string[]) {
    this.from = from;
    this.#target = target;
    this.#addresses = addresses;
  }

  /** How far it is. */
  get stage(): "waiting" | "arrive" | "complete" | "failed" {
    return this.#stage;
  }

  get #speaks(): boolean {
    return this.#stage === "arrive" || this.#stage === "complete";
  }

  /** A promise for the peer. */
  wait(signal?: AbortSignal): Promise<PeerId> {
    if (signal?.aborted) {
      this.#leave();
      return Promise.reject(signal.reason);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject };
      this.#waiters.push(waiter);
      if (signal === undefined) return;
      const abort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        this.from.world.clock.touch();
        reject(signal.reason);
        this.#leave();
      };
      signal.addEventListener("abort", abort, { once: true });
      waiter.unlisten = () => signal.removeEventListener("abort", abort);
    });
  }

  /** Tries the next address. */
  begin(): void {
    const { world } = this.from;
    this.#began = world.clock.now();
    if (this.#index >= this.#addresses.length) {
      this.#failAt(0, new GossipError("unknown-peer", "no address is known"));
      return;
    }
    this.from.dials++;
    const target = world.places.get(this.#addresses[this.#index]!);
    if (target === undefined) {
      this.#failAt(world.dialTimeoutMs, new GossipError("dial-failed", "nobody answers"));
      return;
    }
    this.#rtt = world.rtt(this.from, target);
    const late = world.lossDelay(this.#rtt, HANDSHAKE_BYTES);
    this.#next("arrive", 1.5 * this.#rtt + late);
  }

  /** The next step's time has come. */
  fire(): void {
    this.#event = 0;
    if (this.#over || !this.from.running || this.#waitsFor(this.from)) return;
    if (this.#stage === "failed") this.#failed();
    else if (this.#stage === "arrive") this.#arrive();
    else this.#complete();
  }

  /** The link came up, by this dial or by the other side's. */
  succeed(): void {
    const peer = this.#target!;
    this.#end();
    this.from.world.clock.touch();
    for (const waiter of this.#waiters) {
      waiter.unlisten?.();
      waiter.resolve(peer);
    }
  }

  /** Gives up without a word to the sink. */
  give(cause: GossipError): void {
    this.#end();
    if (this.#waiters.length > 0) this.from.world.clock.touch();
    for (const waiter of this.#waiters) {
      waiter.unlisten?.();
      waiter.reject(cause);
    }
  }

  /** The other one's dial wins; where it fails too, this one ends by its timeout. */
  supersede(): void {
    this.superseded = true;
    this.from.superseded++;
    this.#timeout("superseded, and the other dial failed");
  }

  /** The first handshake message is at the other side. */
  #arrive(): void {
    const { from } = this;
    const target = this.#reach();
    if (target === undefined || this.#waitsFor(target)) return;
    if (target === from || (this.#target !== undefined && target.id !== this.#target)) {
      from.handshakesFailed++;
      const own = target === from;
      const cause = own
        ? new GossipError("own-id", "the address is this node's own")
        : new GossipError("wrong-peer", `${target.id} answered`);
      this.#failAt(0.5 * this.#rtt, cause);
      return;
    }
    if (target.live(from.id)?.other.closed === false) {
      this.supersede();
      return;
    }
    if (target.connections >= target.mostLinks) {
      target.refused++;
      target.sink.refused(from.address, "connections");
      this.#failAt(
        0.5 * this.#rtt,
        new GossipError("dial-failed", "refused: too many connections"),
      );
      return;
    }
    const opposite = target.dialTo(from.id);
    // One that waits for its turn or for a timeout has not spoken to anybody: it stands in no one's way.
    if (opposite !== undefined && !opposite.superseded && opposite.#speaks) {
      // As over TCP: of two dials between the same two, the smaller id's stays.
      if (from.id < target.id) {
        opposite.supersede();
      } else {
        this.supersede();
        return;
      }
    }
    this.#next("complete", 0.5 * this.#rtt);
  }

  /** The handshake's second message is back: the dialler's end is up, the third message opens the other. */
  #complete(): void {
    const target = this.#reach();
    if (target === undefined) return;
    if (this.superseded) return;
    const { from } = this;
    if (target.live(from.id)?.other.closed === false) {
      this.supersede();
      return;
    }
    const end = linkPair(from, target);
    end.other.enqueue(undefined);
    from.opened(end);
  }

  /** True where a node's event loop is blocked: this step is taken when it goes on. */
  #waitsFor(node: SimNode): boolean {
    const { world } = this.from;
    const late = node.loop?.blockedUntil;
    if (late === undefined) return false;
    if (node !== this.from && late - this.#began > world.dialTimeoutMs) {
      this.#timeout("no answer in time");
    } else {
      this.#event = world.clock.schedule(late, this);
    }
    return true;
  }

  /** The node at the address, if it can be spoken to; else plans the failure. */
  #reach(): SimNode | undefined {
    const { world } = this.from;
    const target = world.places.get(this.#addresses[this.#index]!);
    if (
      target === undefined || target.crashed || world.blocked(this.from, target) ||
      world.blocked(target, this.from)
    ) {
      this.#timeout("no answer in time");
      return undefined;
    }
    if (!target.running) {
      this.#failAt(0.5 * this.#rtt, new GossipError("dial-failed", "connection refused"));
      return undefined;
    }
    return target;
  }

  #failed(): void {
    const { from } = this;
    const address = this.#addresses[this.#index];
    const cause = this.#cause!;
    if (address !== undefined) {
      this.#index++;
      from.dialsFailed++;
      this.superseded = false;
      if (this.#index < this.#addresses.length) {
        from.sink.dialFailed(address, cause);
        if (!this.#over && from.running) this.begin();
        return;
      }
    }
    this.give(cause);
    if (address !== undefined) from.sink.dialFailed(address, cause);
    if (this.wanted && this.#target !== undefined) from.sink.unreachable(this.#target, cause);
  }

  #timeout(what: string): void {
    const { world } = this.from;
    const left = this.#began + world.dialTimeoutMs - world.clock.now();
    this.#failAt(Math.max(0, left), new GossipError("dial-failed", what));
  }

  #failAt(ms: number, cause: GossipError): void {
    this.#cause = cause;
    this.#next("failed", ms);
  }

  #next(stage: "arrive" | "complete" | "failed", ms: number): void {
    const { clock } = this.from.world;
    if (this.#event !== 0) clock.cancel(this.#event);
    this.#stage = stage;
    this.#event = clock.schedule(clock.now() + ms, this);
  }

  /** A waiter is gone; without others, and without `connect`, nobody wants the link any more. */
  #leave(): void {
    if (this.#waiters.length === 0 && !this.wanted) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#event !== 0) this.from.world.clock.cancel(this.#event);
    this.#event = 0;
    this.from.endDial(this.#target ?? this.#addresses[0]!, this);
  }
}
