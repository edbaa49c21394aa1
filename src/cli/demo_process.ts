/**
 * A demo node in a process of its own: this end drives it by JSON lines, {@linkcode serveDemoNode} is the other end.
 *
 * @module
 */

import {
  type DemoCounters,
  DemoNode,
  type DemoNodeOptions,
  type DemoPeer,
  type DemoReceipt,
} from "./demo_node.ts";

type Call =
  | { call: "start"; options: DemoNodeOptions }
  | { call: "ready"; neighbors: number }
  | { call: "publish"; message: number; size: number }
  | { call: "counters" }
  | { call: "stop" };
type Line = { id: number; value?: unknown; error?: string } | { receipt: DemoReceipt };

const encoder = new TextEncoder();

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = "";
  for await (const chunk of stream) {
    const parts = (held + decoder.decode(chunk, { stream: true })).split("\n");
    held = parts.pop()!;
    yield* parts;
  }
}

/** A node in a child process. */
export class DemoProcess implements DemoPeer {
  address = "";
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #calls = new Map<number, { resolve(v: unknown): void; reject(e: Error): void }>();
  readonly #reading: Promise<void>;
  #nextId = 1;

  private constructor(onReceipt: (receipt: DemoReceipt) => void) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL("./demo_worker.ts", import.meta.url).href],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read(onReceipt);
  }

  /** Starts a process and the node in it. */
  static async start(
    options: DemoNodeOptions,
    onReceipt: (receipt: DemoReceipt) => void,
  ): Promise<DemoProcess> {
    const process = new DemoProcess(onReceipt);
    process.address = await process.#call({ call: "start", options }) as string;
    return process;
  }

  async ready(neighbors: number): Promise<void> {
    await this.#call({ call: "ready", neighbors });
  }

  async publish(message: number, size: number): Promise<string> {
    return await this.#call({ call: "publish", message, size }) as string;
  }

  async counters(): Promise<DemoCounters> {
    return await this.#call({ call: "counters" }) as DemoCounters;
  }

  async stop(goodbye: boolean): Promise<void> {
    if (goodbye) await this.#call({ call: "stop" });
    else this.#child.kill("SIGKILL");
    await this.#writer.close().catch(() => {});
    await this.#child.status;
    await this.#reading;
  }

  #call(call: Call): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#writer.write(encoder.encode(JSON.stringify({ id, ...call }) + "\n")).catch(reject);
    });
  }

  async #read(onReceipt: (receipt: DemoReceipt) => void): Promise<void> {
    for await (const text of lines(this.#child.stdout)) {
      const line = JSON.parse(text) as Line;
      if ("receipt" in line) {
        onReceipt(line.receipt);
        continue;
      }
      const call = this.#calls.get(line.id)!;
      this.#calls.delete(line.id);
      if (line.error === undefined) call.resolve(line.value);
      else call.reject(new Error(line.error));
    }
    for (const { reject } of this.#calls.values()) reject(new Error("the process has ended"));
  }
}

/** The child's end: does what the lines on standard input say until they end. */
export async function serveDemoNode(): Promise<void> {
  let node: DemoNode | undefined;
  const write = (line: Line) => Deno.stdout.writeSync(encoder.encode(JSON.stringify(line) + "\n"));
  const act = async (call: Call): Promise<unknown> => {
    if (call.call === "start") {
      node = await DemoNode.start(call.options, (receipt) => write({ receipt }));
      return node.address;
    }
    if (call.call === "ready") return await node!.ready(call.neighbors);
    if (call.call === "publish") return await node!.publish(call.message, call.size);
    if (call.call === "counters") return await node!.counters();
    return await node!.stop(true);
  };
  for await (const text of lines(Deno.stdin.readable)) {
    const { id, ...call } = JSON.parse(text) as Call & { id: number };
    act(call as Call).then((value) => write({ id, value }), (error) => {
      write({ id, error: error instanceof Error ? error.message : String(error) });
    });
  }
  await node?.stop(false);
}
