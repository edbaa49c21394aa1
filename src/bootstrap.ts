/**
 * The way into the network, and back into it: bootstrap and known-good addresses, kept for ever and probed at a bounded
 * rate, so that islands merge again.
 *
 * @module
 */

import type { Clock, PeerId, TimerId } from "./core/host.ts";
import { GossipError } from "./errors.ts";

/** What the bootstrap asks of its node. */
export interface BootstrapPort {
  /** Time and chance. */
  readonly clock: Clock;
  /** Dials an address and resolves with who is there. */
  dial(address: string, signal: AbortSignal): Promise<PeerId>;
  /** True where a link to the peer is up. */
  connected(peer: PeerId): boolean;
  /** True while the node has no neighbour. */
  alone(): boolean;
  /** About how many nodes the network has, as far as this one knows. */
  population(): number;
  /** Somebody was found: overlays may join through that peer. */
  found(peer: PeerId): void;
}

/** Known-good addresses beside the given ones. */
const MOST_KNOWN = 64;
/** Waits between dials of an address that does not answer. */
const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 30_000;
/** What a node that has lost its last neighbour waits for: most often its overlay knows somebody who takes its place. */
const ALONE_MS = 1_000;

interface Contact {
  readonly address: string;
  /** Who answered last. */
  peer: PeerId | undefined;
  failures: number;
  timer: TimerId | undefined;
  dialing: boolean;
}

/** Dials contacts at the start, again when the node is alone, and now and then for ever. */
export class Bootstrap {
  readonly #port: BootstrapPort;
  readonly #probeMs: number;
  readonly #given: Contact[];
  readonly #known = new Map<string, Contact>();
  readonly #stop = new AbortController();
  #probe: TimerId | undefined;
  #alone: TimerId | undefined;

  constructor(port: BootstrapPort, addresses: readonly string[], probeMs: number) {
    this.#port = port;
    this.#probeMs = probeMs;
    this.#given = [...new Set(addresses)].map(contact);
  }

  /** Begins. */
  start(): void {
    for (const contact of this.#given) this.#dial(contact);
    this.#schedule();
  }

  /** A dial succeeded: its address is good. */
  learned(address: string, peer: PeerId): void {
    const given = this.#given.find((contact) => contact.address === address);
    const known = given ?? this.#known.get(address) ?? contact(address);
    known.peer = peer;
    if (given) return;
    this.#known.delete(address);
    this.#known.set(address, known);
    if (this.#known.size > MOST_KNOWN) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
  }

  /** The node has lost its last neighbour: where it finds none soon, it tries everything that is known, each with its own back-off. */
  alone(): void {
    const { clock } = this.#port;
    if (this.#alone !== undefined || this.#stop.signal.aborted) return;
    this.#alone = clock.after(ALONE_MS * (0.5 + 0.5 * clock.random()), () => {
      this.#alone = undefined;
      if (this.#port.alone()) this.#tryAll();
    });
  }

  #tryAll(): void {
    for (const contact of [...this.#given, ...this.#known.values()]) {
      if (contact.timer !== undefined) continue;
      if (contact.peer === undefined || !this.#port.connected(contact.peer)) this.#dial(contact);
      else this.#port.found(contact.peer);
    }
  }

  /** Stops dialling. Idempotent. */
  close(): void {
    this.#stop.abort(new GossipError("closed", "the node was closed"));
    if (this.#probe !== undefined) this.#port.clock.cancel(this.#probe);
    if (this.#alone !== undefined) this.#port.clock.cancel(this.#alone);
    for (const contact of [...this.#given, ...this.#known.values()]) this.#clear(contact);
  }

  #schedule(): void {
    const { clock } = this.#port;
    const ms = this.#probeMs * (0.8 + 0.4 * clock.random());
    this.#probe = clock.after(ms, () => {
      this.#schedule();
      // Three probes per period in the whole network, whatever its size (ringpop's rule for healing partitions).
      if (clock.random() < 3 / Math.max(3, this.#port.population())) this.#probeOne();
    });
  }

  #probeOne(): void {
    const away = [...this.#given, ...this.#known.values()].filter((contact) =>
      !contact.dialing && (contact.peer === undefined || !this.#port.connected(contact.peer))
    );
    const contact = away[Math.floor(this.#port.clock.random() * away.length)];
    if (contact) this.#dial(contact);
  }

  #dial(contact: Contact): void {
    if (contact.dialing || this.#stop.signal.aborted) return;
    this.#clear(contact);
    contact.dialing = true;
    this.#port.dial(contact.address, this.#stop.signal).then((peer) => {
      contact.dialing = false;
      contact.failures = 0;
      contact.peer = peer;
      if (!this.#stop.signal.aborted) this.#port.found(peer);
    }, (error) => {
      contact.dialing = false;
      // One's own address in the list is no contact; it is common in lists that all nodes share.
      const own = error instanceof GossipError && error.code === "own-id";
      if (own || this.#stop.signal.aborted) return;
      // An address that has answered before is left to the probes.
      if (contact.peer === undefined) this.#retry(contact);
    });
  }

  #retry(contact: Contact): void {
    const { clock } = this.#port;
    const most = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** contact.failures++);
    contact.timer = clock.after(most * (0.5 + 0.5 * clock.random()), () => {
      contact.timer = undefined;
      this.#dial(contact);
    });
  }

  #clear(contact: Contact): void {
    if (contact.timer !== undefined) this.#port.clock.cancel(contact.timer);
    contact.timer = undefined;
  }
}

function contact(address: string): Contact {
  return { address, peer: undefined, failures: 0, timer: undefined, dialing: false };
}
