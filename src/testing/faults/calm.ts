/**
 * What must hold some time after faults have stopped.
 *
 * @module
 */

import type { TopicCore } from "../../core/topic_core.ts";
import type { Cluster } from "./cluster.ts";
import type { Membership, Post } from "./records.ts";
import type { SimHost } from "./sim_host.ts";

interface Seat {
  readonly host: SimHost;
  readonly core: TopicCore;
}

/** Looks whether a cluster has converged. */
export class Calm {
  readonly #cluster: Cluster;
  /** Messages that somebody may still have to get. */
  #open: Post[];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#open = [...cluster.records.posts.values()].filter(({ fate, topic }) =>
      fate === "accept" && !topic.tight
    );
  }

  /** What is not as it should be, by the check's name; stops at `most`. */
  problems(most = 1): [check: string, what: string, node: string][] {
    const found: [string, string, string][] = [];
    const { asking } = this.#cluster;
    for (const what of asking) found.push(["request", `${what}: no answer and no error`, ""]);
    for (const seats of this.#topics().values()) {
      if (found.length >= most) return found;
      this.#lookAtOverlay(seats, found);
    }
    for (const host of this.#cluster.hosts) this.#lookAtHost(host, found);
    if (found.length < most) this.#lookAtMessages(found);
    return found;
  }

  #topics(): Map<string, Seat[]> {
    const topics = new Map<string, Seat[]>();
    for (const host of this.#cluster.hosts) {
      for (const core of host.topics) {
        const seats = topics.get(core.name);
        if (seats === undefined) topics.set(core.name, [{ host, core }]);
        else seats.push({ host, core });
      }
    }
    return topics;
  }

  #lookAtOverlay(seats: readonly Seat[], found: [string, string, string][]): void {
    const byId = new Map(seats.map((seat) => [seat.host.id, seat]));
    const { name } = seats[0]!.core;
    const reached = new Set([seats[0]!.host.id]);
    for (const id of reached) {
      for (const peer of byId.get(id)?.core.overlay.active ?? []) reached.add(peer);
    }
    if (reached.size < seats.length) {
      const what = `${reached.size} of ${seats.length} are connected on ${name}`;
      found.push(["connected", what, ""]);
    }
    this.#lookForRoom(seats, found);
    for (const { host, core } of seats) {
      const eager = core.tree.eagerPeers;
      for (const peer of core.overlay.active) {
        const other = byId.get(peer);
        const link = `the link of ${host.name} to ${this.#cluster.nameOf(peer)} on ${name}`;
        if (!other?.core.overlay.isActive(host.id)) {
          found.push(["symmetric views", `${link} is there at one end only`, host.name]);
        } else if (eager.includes(peer) !== other.core.tree.eagerPeers.includes(host.id)) {
          found.push(["symmetric tree", `${link} is eager at one end only`, host.name]);
        }
      }
    }
  }

  /** Two members with free slots find each other. */
  #lookForRoom(seats: readonly Seat[], found: [string, string, string][]): void {
    const room = seats.filter(({ host, core }) => core.overlay.active.length < host.activeSize);
    for (const { host, core } of room) {
      const other = room.find((seat) => seat.host !== host && !core.overlay.isActive(seat.host.id));
      if (other === undefined) continue;
      const names = `${host.name} and ${other.host.name}`;
      found.push(["free slots", `${names} both have one on ${core.name}`, host.name]);
      return;
    }
  }

  #lookAtHost(host: SimHost, found: [string, string, string][]): void {
    const { setup, hosts } = this.#cluster;
    for (const { name, tree } of host.topics) {
      const { validating } = tree.metrics();
      const waits = host.members.get(name)?.judged.values() ?? [];
      let never = 0;
      for (const judged of waits) if (judged === "pending") never++;
      if (validating > never) {
        found.push(["verdicts", `${host.name} waits for ${validating} on ${name}`, host.name]);
      }
    }
    const { size } = host.transport.holds;
    const used = new Set([...host.topics].flatMap(({ overlay }) => overlay.active)).size;
    if (size > used) {
      found.push(["holds", `${host.name} holds ${size} links and needs ${used}`, host.name]);
    }
    if (!setup.directory) return;
    for (const topic of setup.topics) {
      const known = new Set(host.gossip.directory.lookup(topic.name).map(({ id }) => id));
      for (const other of hosts) {
        if (other === host || known.has(other.id) === other.members.has(topic.name)) continue;
        const what = other.members.has(topic.name) ? "does not know" : "still takes for a member";
        found.push(["directory", `${host.name} ${what}: ${other.name}, ${topic.name}`, host.name]);
      }
    }
  }

  #lookAtMessages(found: [string, string, string][]): void {
    this.#open = this.#open.filter((post) => {
      const lacking = this.#lacking(post);
      for (const { member, holders } of lacking) {
        if (!holders) continue;
        const missed = member.missed.get(post.id);
        const what = `${member.name} lacks #${post.number}, which ${holders} have` +
          (missed === undefined ? "" : ` (reported as missed: ${missed})`);
        found.push(["delivered", what, member.host.name]);
      }
      return lacking.length > 0;
    });
  }

  /**
   * Who should have a message and does not, and how many within reach of it have it. Members without history neither take nor pass on what
   * is older than they are: what is behind them alone is out of reach.
   */
  #lacking(post: Post): { member: Membership; holders: number }[] {
    const carriers = new Map<string, Membership>();
    for (const member of this.#cluster.on(post.topic)) {
      if (member.since <= post.at || member.history === "retained" || member.has(post)) {
        carriers.set(member.host.id, member);
      }
    }
    const reached = new Set<string>();
    let holders = 0;
    for (const [id, member] of carriers) {
      if (!member.has(post)) continue;
      reached.add(id);
      holders++;
    }
    for (const id of reached) {
      for (const peer of carriers.get(id)!.core.overlay.active) {
        if (carriers.has(peer)) reached.add(peer);
      }
    }
    const lacking: { member: Membership; holders: number }[] = [];
    for (const [id, member] of carriers) {
      if (!member.has(post)) lacking.push({ member, holders: reached.has(id) ? holders : 0 });
    }
    return lacking;
  }
}
