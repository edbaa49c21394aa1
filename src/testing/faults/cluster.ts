/**
 * The nodes of a run: starts, ends and restarts them, joins and leaves their topics, publishes and asks.
 *
 * @module
 */

import type { PeerId } from "../../core/host.ts";
import { abortNode } from "../../gossip.ts";
import { GossipError } from "../../errors.ts";
import type { Priority } from "../../topic.ts";
import type { Rng } from "../rng.ts";
import { simPeerId } from "../sim_crypto.ts";
import { SimFabric } from "../sim_fabric.ts";
import { codecOf, Users } from "./judging.ts";
import { type Fate, Membership, Records } from "./records.ts";
import { chance, oneOf, type Setup, type TopicPlan } from "./setup.ts";
import { SimHost } from "./sim_host.ts";
import { Swaps } from "./swaps.ts";
import { TraceLog } from "./trace_log.ts";

/** Lives of one identity; a receiver tells the last four apart. */
const MOST_LIVES = 4;
/** The places at whose addresses every node knocks: where they are empty in the end, somebody moves in. */
const SEEDS = 2;
/** Messages that others reject, per node: each costs their author score at its neighbours. */
const MOST_REJECTS = 2;

/** Where a node runs: an address, one after another. */
interface Place {
  readonly index: number;
  address: string;
  host: SimHost | undefined;
  /** Lives of the present identity. */
  lives: number;
}

/** See the module. */
export class Cluster {
  readonly setup: Setup;
  readonly fabric: SimFabric;
  readonly records = new Records();
  readonly log: TraceLog;
  /** Every membership of the run. */
  readonly members: Membership[] = [];
  /** Requests that are not answered yet. */
  readonly asking = new Set<string>();
  /** Follows the swaps of links where the costs of links do not change. */
  readonly swaps: Swaps | undefined;
  /** True once validators are to answer at once. */
  prompt = false;
  readonly #seed: number;
  readonly #rng: Rng;
  readonly #users: Users;
  readonly #places: Place[] = [];
  readonly #names = new Map<PeerId, string>();
  readonly #skews = new Map<PeerId, number>();
  readonly #rejects = new Map<PeerId, number>();
  #identities = 0;

  constructor(seed: number, setup: Setup, rng: Rng, trace: boolean) {
    this.#seed = seed;
    this.setup = setup;
    this.#rng = rng;
    this.fabric = new SimFabric(setup.fabric);
    this.log = new TraceLog(trace, () => this.now);
    this.records.onViolation = () => this.log.end();
    if (setup.fabric.bandwidth !== undefined) this.records.count("run with little bandwidth");
    if (!setup.slows) {
      this.swaps = new Swaps(this.fabric, this.records, (peer) => this.nameOf(peer));
    }
    this.#users = new Users({
      records: this.records,
      log: this.log,
      clock: this.fabric.clock,
      rng: rng.fork("users"),
      prompt: () => this.prompt,
      nameOf: (peer) => this.nameOf(peer),
      swaps: this.swaps,
    });
  }

  /** Virtual ms. */
  get now(): number {
    return this.fabric.clock.now();
  }

  /** The nodes that run. */
  get hosts(): SimHost[] {
    return this.#places.flatMap(({ host }) => host?.alive ? [host] : []);
  }

  /** Present memberships of a topic. */
  on(topic: TopicPlan): Membership[] {
    return this.hosts.flatMap((host) => host.members.get(topic.name) ?? []);
  }

  /** The name of a node in traces. */
  nameOf(peer: PeerId): string {
    return this.#names.get(peer) ?? peer.slice(0, 6);
  }

  /** Starts a node at a new place. */
  spawn(): SimHost {
    const place: Place = { index: this.#places.length, address: "", host: undefined, lives: 0 };
    this.#places.push(place);
    return this.#move(place);
  }

  /** Places whose node has ended. */
  get empty(): number {
    return this.#places.filter(({ host }) => !host!.alive).length;
  }

  /** Starts a node again where one had ended; `same`: with its identity. False where there is none. */
  async restart(same: boolean): Promise<boolean> {
    const places = this.#places.filter(({ host, lives }) =>
      !host!.alive && (!same || lives < MOST_LIVES)
    );
    if (places.length === 0) return false;
    await this.#restart(oneOf(this.#rng, places), same);
    return true;
  }

  /** The addresses that everybody knows are answered again. */
  async restartSeeds(): Promise<void> {
    for (const place of this.#places.slice(0, SEEDS)) {
      if (!place.host!.alive) await this.#restart(place, place.lives < MOST_LIVES);
    }
  }

  async #restart(place: Place, same: boolean): Promise<void> {
    // What the end of the old one does must be done.
    await place.host!.gossip.close();
    this.records.count(same ? "restart" : "restart as another");
    this.#move(place, same ? place.host!.id : undefined);
  }

  #move(place: Place, id?: PeerId): SimHost {
    const { setup } = this;
    const rng = this.#rng;
    const name = id === undefined ? `n${this.#identities}` : this.#names.get(id)!;
    const peer = id ?? simPeerId(`faults ${this.#seed}`, this.#identities++);
    if (id === undefined) {
      const skew = Math.round(setup.skewMs * (2 * rng.next() - 1));
      if (skew !== 0) this.records.count("clock skew");
      this.#skews.set(peer, skew);
    }
    this.#names.set(peer, name);
    place.lives = id === undefined ? 1 : place.lives + 1;
    const transport = this.fabric.createTransport(peer, {
      address: place.address === "" ? undefined : place.address,
      skewMs: this.#skews.get(peer),
    });
    const known = this.#places.slice(0, SEEDS).map(({ address }) => address);
    const others = this.#places.filter(({ host }) => host !== undefined && host !== place.host);
    if (others.length > 0) known.push(oneOf(rng, others).address);
    place.address = transport.address;
    const bootstrap = [...new Set(known)].filter((address) =>
      address !== "" && address !== place.address
    );
    const host = place.host = new SimHost({
      name,
      id: peer,
      transport,
      options: {
        bootstrap,
        preset: oneOf(rng, setup.presets),
        overlay: setup.overlay,
        tree: setup.tree,
      },
      directory: setup.directory,
      records: this.records,
      log: this.log,
      turns: setup.turns,
      nameOf: (other) => this.nameOf(other),
    });
    this.log.add(name, `starts at ${place.address} as ${peer.slice(0, 6)}`);
    this.#users.listen(host);
    host.gossip.handle("echo", (request) => request.data);
    for (const topic of setup.topics) if (chance(rng, topic.share)) this.join(host, topic);
    return host;
  }

  /** Ends a node: as a crash, or with goodbyes. */
  async end(host: SimHost, crash: boolean): Promise<void> {
    this.log.add(host.name, crash ? "is killed" : "closes");
    host.alive = false;
    for (const member of host.members.values()) member.alive = false;
    if (crash) this.fabric.kill(host.id);
    await (crash ? abortNode(host.gossip) : host.gossip.close());
    host.checkEnded();
  }

  /** Lets a node join a topic. */
  join(host: SimHost, topic: TopicPlan): void {
    const rng = this.#rng;
    const history = topic.history === "mixed"
      ? oneOf(rng, ["none", "retained"] as const)
      : topic.history;
    const echo = chance(rng, topic.echo);
    const lax = topic.mixed && Number(host.name.slice(1)) % 3 === 0;
    const judges = topic.judging !== "none" && !lax;
    let member: Membership | undefined = undefined;
    const handle = host.gossip.join<unknown>(topic.name, {
      sign: topic.sign,
      codec: codecOf(topic),
      history,
      echo,
      retain: topic.retain,
      buffer: 1_000_000,
      ...this.#users.validator(judges, () => member!),
    });
    const core = [...host.topics].find(({ name }) => name === topic.name)!;
    const since = this.now;
    member = new Membership({ host, topic, handle, core, history, echo, judges, since });
    host.members.set(topic.name, member);
    host.byAlias.set(core.alias, member);
    this.members.push(member);
    this.log.add(host.name, `joins ${topic.name}, history ${history}`);
    this.#users.read(member, handle);
    if (chance(rng, 0.1)) this.#users.read(member, handle.messages());
  }

  /** Lets a node leave a topic. */
  async leave(member: Membership): Promise<void> {
    this.log.add(member.host.name, `leaves ${member.topic.name}`);
    member.alive = false;
    member.host.members.delete(member.topic.name);
    await member.handle.leave();
  }

  /** Publishes something on a topic. */
  async publish(member: Membership, fate?: Fate, bytes?: number): Promise<void> {
    const { records } = this;
    const { host, topic } = member;
    const rng = this.#rng;
    const number = records.posts.size + 1;
    const { value, payload } = drawPayload(rng, topic, number, bytes);
    const priority: Priority = oneOf(rng, ["normal", "normal", "high", "bulk"]);
    const seq = (host.published.get(topic.name) ?? 0) + 1;
    host.published.set(topic.name, seq);
    const out = host.publishing = new Set();
    let published: Promise<{ id: string }>;
    try {
      published = member.handle.publish(value, { priority });
    } finally {
      host.publishing = undefined;
    }
    const { id } = await published;
    if (records.post(topic, id) !== undefined) {
      const what = `${member.name} publishes #${number} under an id that was there before`;
      records.bad("authentic", what, host.name);
    }
    const post = {
      ...{ id, number, topic, payload, author: member, authorId: host.id, seq, priority },
      fate: fate ?? this.#fate(host, topic),
      at: this.now,
    };
    records.posts.set(`${topic.name} ${id}`, post);
    member.cleared.add(id);
    for (const other of out) {
      if (other === id) continue;
      records.bad("authentic", `${member.name} sends something else for #${number}`, host.name);
    }
    const what = `publishes #${number} on ${topic.name}: ${payload.length} B, ${priority}`;
    this.log.add(host.name, post.fate === "accept" ? what : `${what}, ${post.fate}`);
  }

  #fate(host: SimHost, topic: TopicPlan): Fate {
    if (topic.judging === "none" || !chance(this.#rng, 0.12)) return "accept";
    const fate = oneOf<Fate>(this.#rng, ["ignore", "ignore", "reject", "throw", "never"]);
    if (fate === "never" && topic.judging === "sync") return "throw";
    if (fate !== "reject") return fate;
    // Who does not judge passes on what others then blame on it.
    if (topic.mixed) return "ignore";
    const rejects = this.#rejects.get(host.id) ?? 0;
    this.#rejects.set(host.id, rejects + 1);
    return rejects < MOST_REJECTS ? "reject" : "ignore";
  }

  /** Asks another node; every request must come to an end. */
  ask(from: SimHost, to: SimHost): void {
    const { records } = this;
    const number = ++records.requests;
    const body = `question ${number}`;
    const what = `${from.name} asks ${to.name} (${number})`;
    this.log.add(from.name, `asks ${to.name}: ${number}`);
    this.asking.add(what);
    from.gossip.request(to.id, "echo", body, { timeoutMs: 10_000 }).then((reply) => {
      if (reply.text() !== body) records.bad("request", `${what}: wrong answer`, from.name);
    }, (error) => {
      if (error instanceof GossipError) return;
      records.bad("request", `${what}: ${error}`, from.name);
    }).finally(() => this.asking.delete(what));
  }

  /** Closes everything. */
  async close(): Promise<void> {
    for (const host of this.hosts) await this.end(host, false);
  }
}

const SIZES = [64, 64, 64, 1_024, 1_024, 1_024, 4_096, 16_384, 65_536];

function drawPayload(
  rng: Rng,
  topic: TopicPlan,
  number: number,
  bytes = rng.int(oneOf(rng, SIZES) + 1),
): { value: string | Uint8Array | unknown; payload: Uint8Array } {
  const codec = codecOf(topic);
  if (codec !== undefined) {
    const value = { number, pad: "x".repeat(bytes) };
    return { value, payload: codec.encode(value) };
  }
  // The same bytes twice are two messages.
  if (chance(rng, 0.1)) return { value: "again", payload: new TextEncoder().encode("again") };
  const payload = rng.fill(new Uint8Array(bytes));
  return { value: payload.slice(), payload };
}
