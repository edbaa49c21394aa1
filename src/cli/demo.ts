/**
 * The demo: real nodes on loopback TCP, a topic per shard, messages from random nodes, a part of the nodes killed half-way
 * and started again; every delivery is checked by its hash.
 *
 * @module
 */

import { percentile, Progress, readArgs, runCommand, table } from "./args.ts";
import { DEMO_HEAD_BYTES, DemoNode, type DemoPeer, type DemoReceipt } from "./demo_node.ts";
import { DemoProcess } from "./demo_process.ts";

interface Member {
  readonly index: number;
  readonly shard: number;
  peer: DemoPeer;
  /** True for nodes that are never killed: they must get everything. */
  readonly steady: boolean;
  /** Hash of the last delivery of every message. */
  readonly received: Map<number, string>;
}

interface Published {
  readonly shard: number;
  readonly author: number;
  readonly hash: string;
}

/** What the demo found, as its JSON has it. */
export interface DemoReport {
  nodes: number;
  shards: number;
  published: number;
  /** Deliveries due to nodes that lived all along, and those of them that came. */
  expected: number;
  delivered: number;
  /** To nodes that were killed or started again, too. */
  deliveredInAll: number;
  missing: number;
  corrupted: number;
  duplicatesPerDelivery: number;
  p50Ms: number;
  p99Ms: number;
  secs: number;
  ok: boolean;
}

/** How many messages are on their way at once while the demo publishes. */
const WINDOW = 8;
/** Neighbours that every node waits for before the first message. */
const READY_NEIGHBORS = 3;
const SMALLEST = 100;
const LARGEST = 65_536;
/** How long the last messages may take. */
const SETTLE_MS = 10_000;

class Demo {
  readonly #members: Member[] = [];
  readonly #published: Published[] = [];
  readonly #latencies: number[] = [];
  /** Messages that somebody beside the author has who is never killed. */
  readonly #held = new Set<number>();
  readonly #progress = new Progress();
  readonly #started = performance.now();
  #delivered = 0;
  #repeated = 0;
  readonly #wakes = new Set<() => void>();

  constructor(
    readonly nodes: number,
    readonly shards: number,
    readonly messages: number,
    readonly kill: number,
    readonly processes: boolean,
  ) {}

  async run(): Promise<DemoReport> {
    try {
      await this.#startAll();
      const half = Math.floor(this.messages / 2);
      await this.#publish(0, half);
      const killed = this.#members.filter((member) => !member.steady);
      await Promise.all(killed.map((member) => member.peer.stop(false)));
      const threeQuarters = Math.floor((half + this.messages) / 2);
      await this.#publish(half, threeQuarters, true);
      await Promise.all([
        this.#publish(threeQuarters, this.messages, true),
        ...killed.map((member) => this.#restart(member)),
      ]);
      await this.#settle();
      return await this.#report();
    } finally {
      this.#progress.clear();
      await Promise.all(this.#members.map((member) => member.peer.stop(true).catch(() => {})));
    }
  }

  async #startAll(): Promise<void> {
    const killed = Math.floor(this.nodes * this.kill);
    for (let index = 0; index < this.nodes; index++) {
      this.#show(`starting node ${index + 1} of ${this.nodes}`);
      const shard = index % this.shards;
      // The first nodes are everybody's way in; the last ones are killed.
      const steady = index < this.nodes - killed;
      const member: Partial<Member> = { index, shard, steady, received: new Map() };
      member.peer = await this.#start(index, shard, 0);
      this.#members.push(member as Member);
    }
    const neighbors = Math.min(READY_NEIGHBORS, Math.floor(this.nodes / this.shards) - 1);
    this.#show("waiting for neighbours");
    await Promise.all(this.#members.map(({ peer }) => peer.ready(neighbors)));
  }

  #start(index: number, shard: number, port: number): Promise<DemoPeer> {
    const bootstrap = this.#members.slice(0, 3).map(({ peer }) => peer.address);
    const options = { index, shard, shards: this.shards, bootstrap, port };
    const onReceipt = (receipt: DemoReceipt) => this.#receive(receipt);
    return this.processes
      ? DemoProcess.start(options, onReceipt)
      : DemoNode.start(options, onReceipt);
  }

  async #restart(member: Member): Promise<void> {
    const port = Number(member.peer.address.split(":").at(-1));
    member.received.clear();
    member.peer = await this.#start(member.index, member.shard, port);
    await member.peer.ready(1);
  }

  #receive({ node, message, hash, ms }: DemoReceipt): void {
    const member = this.#members[node];
    if (!member) return;
    this.#delivered++;
    if (member.received.has(message)) this.#repeated++;
    member.received.set(message, hash);
    if (member.steady) this.#held.add(message);
    this.#latencies.push(ms);
    for (const wake of [...this.#wakes]) wake();
  }

  async #publish(from: number, to: number, steadyOnly = false): Promise<void> {
    const authors = this.#members.filter((member) => member.steady || !steadyOnly);
    let next = from;
    const lane = async () => {
      while (next < to) {
        const message = next++;
        const author = authors[Math.floor(Math.random() * authors.length)]!;
        // Sizes spread evenly over the orders of magnitude.
        const size = Math.round(SMALLEST * (LARGEST / SMALLEST) ** Math.random());
        const hash = await author.peer.publish(message, Math.max(size, DEMO_HEAD_BYTES));
        this.#published[message] = { shard: author.shard, author: author.index, hash };
        // A message that only killed nodes had is lost with them, whatever the protocol.
        const due = this.#members.some((member) =>
          member.steady && member !== author && member.shard === author.shard
        );
        if (due) await this.#until(() => this.#held.has(message), SETTLE_MS);
        this.#show(`published ${message + 1} of ${this.messages}, delivered ${this.#delivered}`);
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, lane));
  }

  /** Every message that a node which was up throughout must have. */
  *#expected(): Generator<{ member: Member; message: number; hash: string }> {
    for (const member of this.#members) {
      if (!member.steady) continue;
      for (const [message, { shard, author, hash }] of this.#published.entries()) {
        if (shard === member.shard && author !== member.index) yield { member, message, hash };
      }
    }
  }

  /** Waits until nothing is missing any more, or the time for it is over. */
  async #settle(): Promise<void> {
    this.#show("waiting for the last deliveries");
    await this.#until(
      () => this.#expected().every(({ member, message }) => member.received.has(message)),
      SETTLE_MS,
    );
  }

  /** Looks at a condition after every delivery until it holds or `ms` are over. */
  #until(condition: () => boolean, ms: number): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#wakes.delete(look);
        resolve();
      };
      const look = () => {
        if (condition()) end();
      };
      const timer = setTimeout(end, ms);
      this.#wakes.add(look);
    });
  }

  async #report(): Promise<DemoReport> {
    const counters = await Promise.all(this.#members.map(({ peer }) => peer.counters()));
    const rows: (string | number)[][] = [
      ["shard", "nodes", "published", "due", "missing", "corrupted", "copies dropped"],
    ];
    let expected = 0, missing = 0, corrupted = 0;
    for (let shard = 0; shard < this.shards; shard++) {
      const due = [...this.#expected()].filter(({ member }) => member.shard === shard);
      const lost = due.filter(({ member, message }) => !member.received.has(message)).length;
      const bad = this.#members.filter((member) =>
        member.shard === shard
      ).flatMap((member) =>
        [...member.received].filter(([message, hash]) => this.#published[message]?.hash !== hash)
      ).length;
      const members = this.#members.filter((member) => member.shard === shard);
      rows.push([
        shard,
        members.length,
        this.#published.filter((message) => message.shard === shard).length,
        due.length,
        lost,
        bad,
        members.reduce((sum, { index }) => sum + counters[index]!.duplicates, 0),
      ]);
      expected += due.length;
      missing += lost;
      corrupted += bad;
    }
    this.#progress.clear();
    console.log(table(rows));
    const sorted = Float64Array.from(this.#latencies).sort();
    const duplicates = counters.reduce((sum, counter) => sum + counter.duplicates, 0);
    return {
      nodes: this.nodes,
      shards: this.shards,
      published: this.#published.length,
      expected,
      delivered: expected - missing,
      deliveredInAll: this.#delivered,
      missing,
      corrupted: corrupted + this.#repeated,
      duplicatesPerDelivery: round(duplicates / Math.max(1, this.#delivered)),
      p50Ms: round(percentile(sorted, 0.5)),
      p99Ms: round(percentile(sorted, 0.99)),
      secs: round((performance.now() - this.#started) / 1_000),
      ok: missing === 0 && corrupted === 0 && this.#repeated === 0 && expected > 0,
    };
  }

  #show(what: string): void {
    const secs = Math.round((performance.now() - this.#started) / 1_000);
    this.#progress.show(`${secs} s: ${what}`);
  }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** Runs the demo with command-line arguments; true where everything arrived. */
export async function demo(args: readonly string[]): Promise<boolean> {
  const { nodes, shards, messages, kill, processes, json } = readArgs(
    args,
    { nodes: 24, shards: 3, messages: 600, kill: 0.25 },
    ["processes", "json"],
    {},
  );
  if (nodes < 2 || shards < 1 || shards > nodes / 2) {
    throw new RangeError("the demo needs at least 2 nodes in every shard");
  }
  if (kill > 0.9) throw new RangeError("--kill is a share of the nodes, at most 0.9");
  const report = await new Demo(nodes, shards, messages, kill, processes).run();
  console.log(
    `${report.deliveredInAll} deliveries, each message at most once per node. Due, to nodes that lived all along: ` +
      `${report.expected}; of these ${report.missing} missing, ${report.corrupted} corrupted. p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms, ${report.secs} s: ` +
      (report.ok ? "ok" : "FAILED"),
  );
  if (json) console.log(JSON.stringify(report));
  return report.ok;
}

if (import.meta.main) await runCommand(() => demo(Deno.args));
