/**
 * Two fixed runs for the test that a seed gives one trace hash everywhere; as a script it prints both hashes.
 *
 * `fabricRun` has every model and every fault of the simulator, and no protocol above it: its hash changes only where the simulator does.
 * `networkRun` is the whole library.
 */

import { Network, regions } from "@x/plumtree/testing";
import { SimFabric } from "../../src/testing/sim_fabric.ts";
import { Lane } from "../../src/wire/frames.ts";
import { addNodes, Recorder } from "./sim_recorder.ts";

const LANES = [Lane.CONTROL, Lane.NORMAL, Lane.BULK] as const;
const NOTE = new Uint8Array([1, 2, 3]);

export async function fabricRun(seed: number): Promise<string> {
  const fabric = new SimFabric({
    seed,
    latencyMs: regions(),
    jitter: 0.2,
    loss: 0.01,
    linkLoss: 0.0005,
    bandwidth: { up: 200_000, down: 400_000 },
    detectMs: 2_000,
  });
  const rng = fabric.rng("run");
  const nodes = addNodes(fabric, 16);
  const some = () => nodes[rng.int(nodes.length)]!;
  const ids = (count: number) => nodes.slice(0, count).map(({ id }) => id);
  const chatter = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      for (const { transport } of nodes) {
        const other = some();
        if (other.transport !== transport) transport.connect(other.id, other.transport.addresses);
        for (const { id } of transport.links()) {
          const size = rng.int(10) === 0 ? 40_000 : 1 + rng.int(300);
          transport.send(id, LANES[rng.int(3)]!, new Uint8Array(size).fill(round));
          transport.after(rng.int(200), () => transport.send(id, Lane.CONTROL, NOTE));
        }
      }
      await fabric.clock.run(fabric.clock.now() + 250);
    }
  };
  await chatter(8);
  fabric.stall(nodes[1]!.id, 700);
  fabric.slow(nodes[2]!.id, 80);
  await chatter(8);
  fabric.partition([ids(5)], { oneWay: true });
  await chatter(12);
  fabric.partition([ids(8)]);
  await chatter(12);
  fabric.heal();
  for (const { id } of nodes[3]!.transport.links()) fabric.breakLink(nodes[3]!.id, id);
  fabric.kill(nodes[4]!.id);
  await chatter(4);
  nodes[4] = new Recorder(fabric.restart(nodes[4]!.id));
  await chatter(8);
  await fabric.clock.run(fabric.clock.now() + 60_000);
  return fabric.traceHash;
}

export async function networkRun(seed: number): Promise<string> {
  await using net = new Network({
    seed,
    latencyMs: { kind: "normal", meanMs: 40, deviationMs: 15, minMs: 1 },
    loss: 0.005,
    bandwidth: { up: 1_000_000, down: 1_000_000 },
  });
  const nodes = await net.spawn(24, { join: ["blocks"] });
  await net.run({ seconds: 8 });
  net.kill(nodes.slice(20));
  net.stall(nodes[1]!, 900);
  net.partition(nodes.slice(2, 6));
  for (const node of nodes.slice(0, 10)) {
    await node.topic("blocks")!.publish(new Uint8Array(20_000));
    await net.run({ seconds: 0.5 });
  }
  net.heal();
  await net.restart(nodes[22]!);
  await net.run({ seconds: 20 });
  return net.traceHash;
}

if (import.meta.main) {
  const seed = Number(Deno.args[0]);
  console.log(`${await fabricRun(seed)} ${await networkRun(seed)}`);
}
