/**
 * A cluster whose nodes are spread over several processes. Latencies are those that the publishing process sees: the report through a pipe
 * is in them.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import { PlumtreeCluster } from "./plumtree_cluster.ts";
import { type Cluster, type Counters, HEAD_BYTES, payloadOf } from "./workload.ts";

/** What a process is told. */
export type Order =
  | { publish: [node: number, message: number, run: number, size: number] }
  | { counters: true }
  | { fill: number }
  | { close: true };

/** What it answers; `got` is message, run and count, over and over. */
export type Answer =
  | { ready: number[] }
  | { filled: true }
  | { got: number[] }
  | { counters: Counters & { rssMb: number } };

/** Another process with some of the nodes. */
class Outpost {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #waiting: ((answer: Answer) => void)[] = [];
  readonly #reading: Promise<void>;

  constructor(args: readonly string[], got: (message: number, run: number, count: number) => void) {
    const path = new URL("cluster_process.ts", import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", path, ...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read(got);
  }

  /** The next answer that is no report of messages. */
  answer(): Promise<Answer> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives an order and returns at once. */
  tell(order: Order): void {
    this.#writer.write(this.#encoder.encode(JSON.stringify(order) + "\n")).catch(() => {});
  }

  /** Gives an order and waits for its answer. */
  ask(order: Order): Promise<Answer> {
    const answer = this.answer();
    this.tell(order);
    return answer;
  }

  async close(): Promise<void> {
    this.tell({ close: true });
    await this.#child.status;
    await this.#reading;
    await this.#writer.close().catch(() => {});
  }

  async #read(got: (message: number, run: number, count: number) => void): Promise<void> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      if (line === "") continue;
      const answer = JSON.parse(line) as Answer;
      if (!("got" in answer)) {
        this.#waiting.shift()?.(answer);
        continue;
      }
      for (let i = 0; i < answer.got.length; i += 3) {
        got(answer.got[i]!, answer.got[i + 1]!, answer.got[i + 2]!);
      }
    }
  }
}

/** See the module. */
export class SpreadCluster implements Cluster {
  readonly nodes: number;
  readyMs: number[] = [];
  readonly #home: PlumtreeCluster;
  #outposts: Outpost[] = [];
  #onDelivery: (node: number, payload: Uint8Array) => void = () => {};

  private constructor(nodes: number, home: PlumtreeCluster) {
    this.nodes = nodes;
    this.#home = home;
  }

  /** Starts the nodes: an equal share in each process, this one included. */
  static async start(
    options: { nodes: number; processes: number; sign: boolean; topics: number },
  ): Promise<SpreadCluster> {
    const { nodes, processes, sign, topics } = options;
    const shares = Array.from(
      { length: processes },
      (_, i) => Math.floor((i + 1) * nodes / processes) - Math.floor(i * nodes / processes),
    );
    const home = await PlumtreeCluster.start({ nodes: shares[0]!, sign, topics });
    const cluster = new SpreadCluster(nodes, home), head = new Uint8Array(HEAD_BYTES);
    const got = (message: number, run: number, count: number) => {
      payloadOf(message, run, head);
      for (let i = 0; i < count; i++) cluster.#onDelivery(-1, head);
    };
    for (const share of shares.slice(1)) {
      const args = [share, home.address(0), sign ? 1 : 0, topics].map(String);
      cluster.#outposts.push(new Outpost(args, got));
    }
    for (const outpost of cluster.#outposts) {
      const answer = await outpost.answer();
      if ("ready" in answer) cluster.readyMs.push(...answer.ready);
    }
    cluster.readyMs = [...cluster.readyMs, ...home.readyMs].sort((a, b) => a - b);
    await Promise.all([
      home.filled(nodes),
      ...cluster.#outposts.map((outpost) => outpost.ask({ fill: nodes })),
    ]);
    return cluster;
  }

  set onDelivery(take: (node: number, payload: Uint8Array) => void) {
    this.#onDelivery = take;
    this.#home.onDelivery = take;
  }

  publish(node: number, payload: Uint8Array): Promise<void> | void {
    // Nodes go round the processes, so that senders do.
    const place = node % (this.#outposts.length + 1),
      at = Math.floor(node / (this.#outposts.length + 1));
    if (place === 0) return this.#home.publish(at, payload);
    const view = new DataView(payload.buffer, payload.byteOffset);
    const message = view.getUint32(0), run = view.getUint32(4);
    this.#outposts[place - 1]!.tell({ publish: [at, message, run, payload.length] });
  }

  async counters(): Promise<Counters> {
    const all: Counters = this.#home.counters();
    for (const outpost of this.#outposts) {
      const answer = await outpost.ask({ counters: true });
      if (!("counters" in answer)) continue;
      all.duplicates += answer.counters.duplicates;
      all.wireBytes += answer.counters.wireBytes;
      all.cpuUs = all.cpuUs! + answer.counters.cpuUs!;
    }
    return all;
  }

  async close(): Promise<void> {
    await Promise.all(this.#outposts.map((outpost) => outpost.close()));
    await this.#home.close();
  }
}
