/**
 * CPU time of a libp2p connection, both ends together: dial on loopback TCP, noise, yamux, up at both ends, end. Prints one JSON object.
 *
 * @module
 */

import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2p } from "libp2p";
import { cpuMicros } from "../../workload.ts";

/** As many as `bench/connections.ts`. */
const COUNT = 1_000, WARM = 1_000;

async function node(): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 1_000_000 },
  });
}

const listener = await node(), dialler = await node();
const waiting: (() => void)[] = [];
listener.addEventListener("connection:open", () => waiting.shift()?.());

async function connect(): Promise<void> {
  const up = new Promise<void>((resolve) => waiting.push(resolve));
  const connection = await dialler.dial(listener.getMultiaddrs());
  await up;
  const down = new Promise<void>((resolve) =>
    listener.addEventListener("connection:close", () => resolve(), { once: true })
  );
  await connection.close();
  await down;
}

for (let i = 0; i < WARM; i++) await connect();
const before = cpuMicros();
for (let i = 0; i < COUNT; i++) await connect();
console.log(JSON.stringify({ cpuMsPerConnection: (cpuMicros() - before) / 1_000 / COUNT }));
Deno.exit();
