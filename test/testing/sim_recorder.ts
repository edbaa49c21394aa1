/** A sink that writes down what it is told, and a small workload for determinism tests. */

import type { DownReason, PeerId } from "../../src/core/host.ts";
import type { TransportSink } from "../../src/transport.ts";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import { simPeerId } from "../../src/testing/sim_crypto.ts";
import type { SimNodeOptions } from "../../src/testing/sim_node.ts";
import type { SimTransport } from "../../src/testing/sim_transport.ts";
import type { SimFabricOptions } from "../../src/testing/sim_world.ts";
import { Lane } from "../../src/wire/frames.ts";

export interface Note {
  time: number;
  what: "up" | "down" | "unreachable" | "receive" | "dialFailed" | "refused";
  peer: PeerId;
  detail: string;
  bytes?: Uint8Array;
}

/** A transport with everything that its sink heard. */
export class Recorder implements TransportSink {
  readonly notes: Note[] = [];
  readonly transport: SimTransport;
  onReceive: ((peer: PeerId, bytes: Uint8Array) => void) | undefined;

  constructor(transport: SimTransport) {
    this.transport = transport;
    transport.start(this);
  }

  get id(): PeerId {
    return this.transport.id;
  }

  #note(what: Note["what"], peer: PeerId, detail: string, bytes?: Uint8Array): void {
    this.notes.push({ time: this.transport.now(), what, peer, detail, bytes });
  }

  up(peer: PeerId, direction: "in" | "out"): void {
    this.#note("up", peer, direction);
  }
  down(peer: PeerId, reason: DownReason): void {
    this.#note("down", peer, reason);
  }
  unreachable(peer: PeerId, cause: Error): void {
    this.#note("unreachable", peer, cause.message);
  }
  receive(peer: PeerId, bytes: Uint8Array, start: number, end: number): void {
    this.#note("receive", peer, "", bytes.subarray(start, end));
    this.onReceive?.(peer, bytes.subarray(start, end));
  }
  dialFailed(address: string, cause: Error): void {
    this.#note("dialFailed", address, cause.message);
  }
  refused(address: string, reason: string): void {
    this.#note("refused", address, reason);
  }
  addressChanged(): void {}

  /** Notes of one sort, as "what detail". */
  heard(...kinds: Note["what"][]): string[] {
    return this.notes.filter((note) => kinds.includes(note.what))
      .map((note) => `${note.what} ${note.detail}`.trim());
  }

  frames(): Uint8Array[] {
    return this.notes.filter((note) => note.what === "receive").map((note) => note.bytes!);
  }
}

export function addNode(fabric: SimFabric, index: number, options?: SimNodeOptions): Recorder {
  return new Recorder(fabric.createTransport(simPeerId("test", index), options));
}

export function addNodes(fabric: SimFabric, count: number): Recorder[] {
  return Array.from({ length: count }, (_, i) => addNode(fabric, i));
}

/** Two nodes with a link between them, at the time when both ends are up. */
export async function linkedPair(
  options: SimFabricOptions,
): Promise<{ fabric: SimFabric; a: Recorder; b: Recorder }> {
  const fabric = new SimFabric(options);
  const a = addNode(fabric, 0), b = addNode(fabric, 1);
  a.transport.connect(b.id, b.transport.addresses);
  const up = () => a.transport.link(b.id) !== undefined && b.transport.link(a.id) !== undefined;
  if (!await fabric.clock.runUntil(up, 60_000)) throw new Error("no link");
  return { fabric, a, b };
}

/** A flood among 20 nodes with loss, a cut, a crash and a restart; the whole of it as one hash. */
export async function busyRun(seed: number): Promise<string> {
  const fabric = new SimFabric({ seed, latencyMs: [5, 60], loss: 0.02, linkLoss: 0.001 });
  const nodes = addNodes(fabric, 20);
  const rng = fabric.rng("workload");
  const flood = (node: Recorder) => {
    node.onReceive = (_, bytes) => {
      const ttl = bytes[0]!;
      if (ttl === 0) return;
      const copy = bytes.slice();
      copy[0] = ttl - 1;
      const links = node.transport.links();
      if (links.length === 0) return;
      const to = links[Math.floor(node.transport.random() * links.length)]!;
      node.transport.send(to.id, Lane.NORMAL, copy);
    };
  };
  nodes.forEach(flood);
  for (const node of nodes) {
    for (let i = 0; i < 4; i++) {
      const other = nodes[rng.int(nodes.length)]!;
      node.transport.connect(other.id, other.transport.addresses);
    }
  }
  await fabric.clock.run(2_000);
  for (const node of nodes) {
    for (const link of node.transport.links()) {
      node.transport.send(link.id, Lane.NORMAL, new Uint8Array([40, 1, 2, 3]));
    }
  }
  await fabric.clock.run(4_000);
  fabric.partition([nodes.slice(0, 7).map((node) => node.id)]);
  fabric.kill(nodes[12]!.id);
  await fabric.clock.run(6_000);
  fabric.heal();
  flood(new Recorder(fabric.restart(nodes[12]!.id)));
  await fabric.clock.run(30_000);
  return `${fabric.traceHash} ${fabric.metrics().frames}`;
}

if (import.meta.main) console.log(await busyRun(Number(Deno.args[0])));
