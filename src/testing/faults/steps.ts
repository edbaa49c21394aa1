/**
 * What happens to a cluster while faults go on: one random step after another.
 *
 * @module
 */

import type { Rng } from "../rng.ts";
import type { Cluster } from "./cluster.ts";
import { chance, oneOf } from "./setup.ts";
import type { SimHost } from "./sim_host.ts";

/** A run keeps so many nodes alive. */
const LEAST_ALIVE = 2;
/** Most nodes that a run starts beside the first ones. */
const MOST_SPAWNED = 4;

/** See the module. */
export class Steps {
  readonly #cluster: Cluster;
  readonly #rng: Rng;
  #cut = false;
  #spawned = 0;

  constructor(cluster: Cluster, rng: Rng) {
    this.#cluster = cluster;
    this.#rng = rng;
  }

  /** One step. */
  async take(): Promise<void> {
    const cluster = this.#cluster, rng = this.#rng;
    const { hosts } = cluster;
    const host = oneOf(rng, hosts);
    switch (rng.int(25)) {
      case 0:
      case 1:
        return await this.#end(host, true);
      case 2:
        return await this.#end(host, false);
      case 3:
      case 4:
        return void await cluster.restart(true);
      case 5:
        return void await cluster.restart(false);
      case 6:
      case 7:
        return this.#partition();
      case 8:
        return this.#slow(host);
      case 9:
      case 10:
        return this.#breakLinks(host);
      case 11:
        return await this.#membership(host);
      case 12:
        return await this.#membership(host);
      case 13:
        if (this.#spawned++ >= MOST_SPAWNED) return;
        cluster.records.count("new node");
        return void cluster.spawn();
      case 14:
        return this.#stall(host);
      case 15:
        return this.#ask(host);
      default:
        return await this.#publish();
    }
  }

  /** Cuts the nodes into two halves. */
  divide(): void {
    const { fabric, hosts, log, records } = this.#cluster;
    records.count("partition: long");
    const half = this.#rng.shuffle([...hosts]).slice(0, hosts.length >> 1);
    fabric.partition([half.map(({ id }) => id)]);
    log.add("", `cut for long: ${names(half)} | others`);
  }

  /** Ends what lasts: cuts and slowness. */
  stop(): void {
    const { fabric, hosts } = this.#cluster;
    fabric.heal();
    for (const host of hosts) if (host.slow) fabric.slow(host.id, 0);
    this.#cluster.log.add("", "faults stop");
  }

  async #end(host: SimHost, crash: boolean): Promise<void> {
    const cluster = this.#cluster;
    if (cluster.hosts.length <= LEAST_ALIVE) return;
    cluster.records.count(crash ? "kill" : "close");
    await cluster.end(host, crash);
  }

  #partition(): void {
    const cluster = this.#cluster, rng = this.#rng;
    const { fabric, hosts, log, records } = cluster;
    if (this.#cut && chance(rng, 0.7)) {
      this.#cut = false;
      records.count("heal");
      log.add("", "the cut is healed");
      return fabric.heal();
    }
    this.#cut = true;
    const kind = oneOf(rng, ["halves", "one node", "random", "one way"] as const);
    records.count(`partition: ${kind}`);
    const all = rng.shuffle([...hosts]);
    const count = kind === "halves" || kind === "one way"
      ? all.length >> 1
      : kind === "one node"
      ? 1
      : rng.int(all.length);
    const side = all.slice(0, count), other = all.slice(count);
    const groups = kind === "random" ? [side, other.splice(0, rng.int(other.length))] : [side];
    fabric.partition(groups.map((group) => group.map(({ id }) => id)), {
      oneWay: kind === "one way",
    });
    log.add("", `cut, ${kind}: ${groups.map((group) => names(group)).join(" | ")} | others`);
  }

  #slow(host: SimHost): void {
    const { fabric, log, records, setup } = this.#cluster;
    if (!setup.slows) return;
    host.slow = !host.slow;
    const ms = host.slow ? 20 + this.#rng.int(400) : 0;
    if (host.slow) records.count("slow node");
    log.add(host.name, host.slow ? `is slow by ${ms} ms` : "is fast again");
    fabric.slow(host.id, ms);
  }

  #stall(host: SimHost): void {
    const { fabric, log, records, setup } = this.#cluster;
    if (!setup.slows) return;
    const ms = 20 + this.#rng.next() ** 3 * 6_000;
    records.count("stalled node");
    log.add(host.name, `stands still for ${Math.round(ms)} ms`);
    fabric.stall(host.id, ms);
  }

  #breakLinks(host: SimHost): void {
    const { fabric, log, records } = this.#cluster;
    const all = chance(this.#rng, 0.2);
    for (const peer of [...host.transport.linked]) {
      if (!all && !chance(this.#rng, 0.4)) continue;
      if (!fabric.breakLink(host.id, peer)) continue;
      records.count("broken link");
      log.add(host.name, `loses its connection to ${this.#cluster.nameOf(peer)}`);
    }
  }

  /** A node leaves a topic that it is on, or joins one that it is not on; sometimes both at once. */
  async #membership(host: SimHost): Promise<void> {
    const cluster = this.#cluster;
    const { directory, topics } = cluster.setup;
    const topic = oneOf(this.#rng, topics);
    const member = host.members.get(topic.name);
    if (member !== undefined) {
      cluster.records.count("leave");
      await cluster.leave(member);
      if (directory && !chance(this.#rng, 0.5)) return;
    }
    cluster.records.count("join");
    cluster.join(host, topic);
  }

  #ask(host: SimHost): void {
    const cluster = this.#cluster;
    const others = cluster.hosts.filter((other) => other !== host);
    if (others.length > 0) cluster.ask(host, oneOf(this.#rng, others));
  }

  async #publish(): Promise<void> {
    const cluster = this.#cluster, rng = this.#rng;
    const members = cluster.on(oneOf(rng, cluster.setup.topics));
    if (members.length === 0) return;
    const same = chance(rng, 0.5) ? oneOf(rng, members) : undefined;
    const count = chance(rng, 0.05) ? 40 : 1 + rng.int(6);
    for (let i = 0; i < count; i++) {
      await cluster.publish(same ?? oneOf(rng, members), undefined, count > 6 ? 64 : undefined);
    }
  }
}

function names(hosts: readonly SimHost[]): string {
  return hosts.map(({ name }) => name).join(" ");
}
