/**
 * Random faults on random small clusters under virtual time; then the faults stop and everything must converge.
 *
 * @module
 */

import type { Gossip, Message } from "@x/plumtree";
import { Network } from "@x/plumtree/testing";
import { coreOf } from "../../src/gossip.ts";
import { Rng } from "../../src/testing/rng.ts";

/** What one seed showed. */
export interface FaultReport {
  readonly seed: number;
  readonly nodes: number;
  readonly faults: Record<string, number>;
  readonly published: number;
  readonly delivered: number;
  readonly missed: number;
  readonly violations: string[];
}

interface Life {
  gossip: Gossip;
  /** When it joined the topic, in virtual ms. */
  since: number;
  readonly got: Map<string, Message>;
  readonly missed: Set<string>;
  alive: boolean;
}

interface Published {
  readonly id: string;
  readonly text: string;
  readonly at: number;
  readonly author: Life;
}

const TOPIC = "faults";
/** How long faults go on, and how long everything has to converge, in virtual seconds. */
const FAULT_SECONDS = 40;
const CALM_SECONDS = 90;

/** Swaps all the time; they need full views, which small clusters have only where views are small. */
const SWAPS = { swapMs: 1_000, swapWaitMs: 3_000 };

class Run {
  readonly violations: string[] = [];
  readonly faults: Record<string, number> = {};
  readonly published: Published[] = [];
  readonly lives: Life[] = [];
  readonly #rng: Rng;
  readonly #net: Network;
  readonly #seed: number;
  #cut = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#rng = new Rng(`faults ${seed}`);
    const low = 1 + this.#rng.int(20);
    this.#net = new Network({
      seed,
      latencyMs: [low, low + this.#rng.int(80)],
      loss: this.#rng.int(3) === 0 ? 0.02 : 0,
      linkLoss: this.#rng.int(3) === 0 ? 0.001 : 0,
      detectMs: 2_000,
    });
  }

  get #alive(): Life[] {
    return this.lives.filter((life) => life.alive);
  }

  async run(): Promise<FaultReport> {
    const count = 4 + this.#rng.int(12);
    const overlay = { ...SWAPS, activeSize: 3 + this.#seed % 3 };
    const nodes = await this.#net.spawn(count, { preset: "local", overlay });
    for (const gossip of nodes) this.#join(gossip);
    await this.#net.run({ seconds: this.#rng.int(4) });
    const end = this.#net.now + FAULT_SECONDS * 1_000;
    while (this.#net.now < end) {
      await this.#step();
      await this.#net.run({ seconds: this.#rng.next() * 1.5 });
    }
    this.#net.heal();
    for (const { gossip } of this.#alive) this.#net.slow(gossip, 0);
    await this.#net.run({ seconds: CALM_SECONDS });
    // A link that is being made at this very moment is half made.
    await this.#net.until(() => this.#viewFaults().length === 0, { seconds: CALM_SECONDS });
    for (const fault of this.#viewFaults()) this.#bad(fault);
    for (const message of this.published) this.#judgeMessage(message, this.#alive);
    await this.#net[Symbol.asyncDispose]();
    return {
      seed: this.#seed,
      nodes: count,
      faults: this.faults,
      published: this.published.length,
      delivered: this.lives.reduce((sum, { got }) => sum + got.size, 0),
      missed: this.lives.reduce((sum, { missed }) => sum + missed.size, 0),
      violations: this.violations,
    };
  }

  #join(gossip: Gossip): void {
    const life: Life = {
      gossip,
      since: this.#net.now,
      got: new Map(),
      missed: new Set(),
      alive: true,
    };
    this.lives.push(life);
    // Retained for longer than a run lasts: then whatever is connected in the end must have exchanged everything.
    const topic = gossip.join(TOPIC, { retain: { seconds: 600 } });
    (async () => {
      for await (const message of topic.messages({ buffer: 100_000 })) {
        if (life.got.has(message.id)) this.#bad(`${name(life)} got ${message.text()} twice`);
        life.got.set(message.id, message);
      }
    })();
    (async () => {
      for await (const event of gossip.events()) {
        if (event.type === "missed") life.missed.add(event.id);
        if (event.type === "fault") this.#bad(`fault: ${event.error}`);
        if (event.type === "misbehaved") this.#bad(`${name(life)} blames: ${event.what}`);
      }
    })();
  }

  async #step(): Promise<void> {
    const alive = this.#alive;
    const pick = () => alive[this.#rng.int(alive.length)]!;
    switch (this.#rng.int(12)) {
      case 0:
        if (alive.length > 3) this.#kill(pick());
        return;
      case 1:
        return await this.#restart();
      case 2:
        if (this.#cut) {
          this.#count("heal");
          this.#net.heal();
        } else {
          this.#count("partition");
          const some = alive.filter(() => this.#rng.int(2) === 0);
          this.#net.partition(some.map(({ gossip }) => gossip));
        }
        this.#cut = !this.#cut;
        return;
      case 3:
        this.#count("slow");
        return this.#net.slow(pick().gossip, this.#rng.int(2) * 300);
      case 4:
        if (alive.length > 3) await this.#leave(pick());
        return;
      default:
        for (let i = this.#rng.int(6); i >= 0; i--) await this.#publish(pick());
    }
  }

  #kill(life: Life): void {
    this.#count("kill");
    life.alive = false;
    this.#net.kill([life.gossip]);
  }

  async #restart(): Promise<void> {
    const running = new Set(this.#alive.map(({ gossip }) => gossip.id));
    const dead = this.lives.filter(({ gossip, alive }) => !alive && !running.has(gossip.id));
    const life = dead[this.#rng.int(dead.length)];
    if (life === undefined) return;
    this.#count("restart");
    this.#join(await this.#net.restart(life.gossip));
  }

  async #leave(life: Life): Promise<void> {
    this.#count("leave and join");
    life.alive = false;
    await life.gossip.topic(TOPIC)!.leave();
    this.#join(life.gossip);
  }

  async #publish(author: Life): Promise<void> {
    const text = `message ${this.published.length}`;
    const { id } = await author.gossip.topic(TOPIC)!.publish(text);
    this.published.push({ id, text, at: this.#net.now, author });
  }

  /** What is wrong with the views and trees at this moment. */
  #viewFaults(): string[] {
    const alive = this.#alive, faults: string[] = [];
    const views = new Map(alive.map(({ gossip }) => [gossip.id, gossip.topic(TOPIC)!.neighbors]));
    const eager = new Map(alive.map(({ gossip }) => [gossip.id, eagerOf(gossip)]));
    const reached = new Set([alive[0]!.gossip.id]);
    for (const id of reached) for (const peer of views.get(id) ?? []) reached.add(peer);
    if (reached.size !== alive.length) faults.push(`${reached.size} of ${alive.length} connected`);
    for (const [id, view] of views) {
      if (view.length > 5) faults.push(`${id.slice(0, 6)} has ${view.length} neighbours`);
      for (const peer of view) {
        if (!views.get(peer)?.includes(id)) faults.push(`${id.slice(0, 6)} has a half link`);
      }
      for (const peer of eager.get(id)!) {
        if (!view.includes(peer)) faults.push(`${id.slice(0, 6)} pushes to a stranger`);
        if (!eager.get(peer)?.includes(id)) faults.push(`${id.slice(0, 6)} has a half eager link`);
      }
    }
    return faults;
  }

  #judgeMessage({ id, text, at, author }: Published, alive: readonly Life[]): void {
    const holders = alive.filter((life) => life === author || life.got.has(id));
    for (const life of this.lives) {
      const got = life.got.get(id);
      if (got !== undefined && got.text() !== text) {
        this.#bad(`${name(life)}: ${text} is corrupted`);
      }
      if (got !== undefined && got.from !== author.gossip.id) this.#bad(`${text}: wrong author`);
    }
    // Members without history neither take nor pass on what is older than they are: what is behind them alone is out of reach.
    const old = new Map(alive.filter((life) => life.since <= at).map((l) => [l.gossip.id, l]));
    const reached = new Set(holders.map(({ gossip }) => gossip.id));
    for (const peer of reached) {
      for (const next of old.get(peer)?.gossip.topic(TOPIC)?.neighbors ?? []) {
        if (old.has(next)) reached.add(next);
      }
    }
    for (const life of alive) {
      if (life.since > at || holders.includes(life) || life.missed.has(id)) continue;
      if (!reached.has(life.gossip.id)) continue;
      this.#bad(`${name(life)} lacks ${text} of ${Math.round(at)}, which ${holders.length} have`);
    }
  }

  #count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  #bad(what: string): void {
    if (this.violations.length < 20) this.violations.push(`seed ${this.#seed}: ${what}`);
  }
}

function name({ gossip }: Life): string {
  return gossip.id.slice(0, 6);
}

function eagerOf(gossip: Gossip): readonly string[] {
  for (const core of coreOf(gossip).topics) if (core.name === TOPIC) return core.tree.eagerPeers;
  return [];
}

/** Runs one seed. */
export function searchFaults(seed: number): Promise<FaultReport> {
  return new Run(seed).run();
}
