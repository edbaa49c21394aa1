/**
 * One reason to keep a connection for all requests of a peer together.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import type { RequestPort } from "./port.ts";

/** Counts requests in progress per peer; the port hears of the first and of the last. */
export class Holds {
  readonly #port: RequestPort;
  readonly #counts = new Map<PeerId, number>();

  constructor(port: RequestPort) {
    this.#port = port;
  }

  /** One request more. */
  hold(peer: PeerId): void {
    const count = this.#counts.get(peer) ?? 0;
    this.#counts.set(peer, count + 1);
    if (count === 0) this.#port.hold(peer);
  }

  /** One request less. */
  release(peer: PeerId): void {
    const count = this.#counts.get(peer) ?? 0;
    if (count > 1) {
      this.#counts.set(peer, count - 1);
    } else if (count === 1) {
      this.#counts.delete(peer);
      this.#port.release(peer);
    }
  }
}
