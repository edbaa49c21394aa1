/**
 * The addresses under which others can dial this node.
 *
 * @module
 */

import { formatAddress, hostOf, isLoopback, isUnspecified } from "./address.ts";

const MOST = 8;

/** Knows the bound address and learns from connections which of this machine's addresses others see. */
export class OwnAddresses {
  readonly #advertise: string | undefined;
  readonly #changed: () => void;
  #port = 0;
  #learn = false;
  #hosts: string[] = [];
  #list: readonly string[] = [];

  /** Makes one that only ever says `advertise`, where that is given. */
  constructor(advertise: string | undefined, changed: () => void) {
    this.#advertise = advertise;
    this.#changed = changed;
    if (advertise !== undefined) this.#list = Object.freeze([advertise]);
  }

  /** Best first. */
  get list(): readonly string[] {
    return this.#list;
  }

  /** The listener is bound there. */
  bound(hostname: string, port: number): void {
    if (this.#advertise !== undefined) return;
    this.#port = port;
    this.#learn = isUnspecified(hostname);
    if (!this.#learn) this.#list = Object.freeze([formatAddress(hostname, port)]);
  }

  /** A connection has this local address. Counts where every address of the machine is bound. */
  seen(localAddress: string): void {
    if (!this.#learn) return;
    const host = hostOf(localAddress);
    if (host === "" || isUnspecified(host) || this.#hosts.includes(host)) return;
    if (this.#hosts.length >= MOST) return;
    this.#hosts.push(host);
    const far = this.#hosts.filter((each) => !isLoopback(each));
    const near = this.#hosts.filter(isLoopback);
    this.#list = Object.freeze([...far, ...near].map((each) => formatAddress(each, this.#port)));
    this.#changed();
  }
}
