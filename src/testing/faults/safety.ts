/**
 * What must hold at every moment, looked at again and again while a run goes on.
 *
 * @module
 */

import type { TopicCore } from "../../core/topic_core.ts";
import type { Cluster } from "./cluster.ts";
import type { SimHost } from "./sim_host.ts";

/** Looks at whatever changed, and at one node after another as a whole. */
export class Safety {
  readonly #cluster: Cluster;
  readonly #views = new WeakMap<TopicCore, readonly string[]>();
  #turn = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** One look; cheap where nothing changed. */
  look(): void {
    const { hosts, records } = this.#cluster;
    records.checks++;
    for (const host of hosts) {
      for (const core of host.topics) {
        const view = core.overlay.active;
        if (this.#views.get(core) === view) continue;
        this.#views.set(core, view);
        this.#checkViews(host, core);
      }
    }
    const host = hosts[this.#turn++ % Math.max(1, hosts.length)];
    if (host !== undefined) this.#checkAll(host);
  }

  #checkAll(host: SimHost): void {
    const needed = new Map<string, number>();
    for (const core of host.topics) {
      this.#checkViews(host, core);
      this.#checkTree(host, core);
      this.#checkMemory(host, core);
      for (const peer of core.overlay.active) needed.set(peer, (needed.get(peer) ?? 0) + 1);
    }
    for (const [peer, count] of needed) {
      if ((host.transport.holds.get(peer) ?? 0) >= count) continue;
      this.#bad("views", host, `does not hold the link to its neighbour ${this.#name(peer)}`);
    }
  }

  #checkViews(host: SimHost, core: TopicCore): void {
    const { overlay } = core;
    const { active, passive } = overlay;
    const { activeSize, passiveSize } = host.full.overlay;
    const bad = (what: string) => this.#bad("views", host, `${what} on ${core.name}`);
    if (active.length > activeSize) bad(`has ${active.length} neighbours of ${activeSize}`);
    if (passive.length > passiveSize) bad(`has ${passive.length} in reserve of ${passiveSize}`);
    if (new Set(active).size < active.length) bad("has a neighbour twice");
    if (new Set(passive).size < passive.length) bad("has somebody twice in reserve");
    for (const peer of active) {
      if (peer === host.id) bad("is its own neighbour");
      if (!host.transport.linked.has(peer)) bad(`has no link to its neighbour ${this.#name(peer)}`);
      if (passive.includes(peer)) bad(`has its neighbour ${this.#name(peer)} in reserve too`);
    }
    if (passive.includes(host.id)) bad("has itself in reserve");
  }

  #checkTree(host: SimHost, core: TopicCore): void {
    const { active } = core.overlay;
    const { eagerPeers, lazyPeers } = core.tree;
    const bad = (what: string) => this.#bad("tree links", host, `${what} on ${core.name}`);
    for (const peer of eagerPeers) {
      if (lazyPeers.includes(peer)) bad(`has ${this.#name(peer)} eager and lazy`);
      if (!active.includes(peer)) bad(`pushes to the stranger ${this.#name(peer)}`);
    }
    for (const peer of lazyPeers) {
      if (!active.includes(peer)) bad(`announces to the stranger ${this.#name(peer)}`);
    }
    if (eagerPeers.length + lazyPeers.length < active.length) bad("has forgotten a neighbour");
  }

  #checkMemory(host: SimHost, core: TopicCore): void {
    const { limits, overlay, tree: options } = host.full;
    const tree = core.tree.metrics(), members = core.overlay.metrics();
    const retain = host.byAlias.get(core.alias)?.topic.retain;
    const bounds: [string, number, number][] = [
      ["seen ids", tree.seen, limits.seenIds],
      ["missing ids", tree.missing, limits.missingIds],
      ["messages awaiting a verdict", tree.validating, limits.validating],
      ["retained messages", tree.retainedMessages, retain?.messages ?? options.retainMessages],
      ["retained bytes", tree.retainedBytes, retain?.bytes ?? options.retainBytes],
      ["former members", members.former, 4 * overlay.passiveSize],
      ["open requests", members.openRequests, 4 * overlay.activeSize],
    ];
    for (const [what, count, most] of bounds) {
      if (count > most) {
        this.#bad("memory", host, `has ${count} ${what} of ${most} on ${core.name}`);
      }
    }
  }

  #name(peer: string): string {
    return this.#cluster.nameOf(peer);
  }

  #bad(check: string, host: SimHost, what: string): void {
    this.#cluster.records.bad(check, `${host.name} ${what}`, host.name);
  }
}
