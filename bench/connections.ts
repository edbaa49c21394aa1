/**
 * CPU time of a connection, both ends together: dial on loopback TCP, shake hands, be up at both ends, end. Prints one JSON object.
 *
 * @module
 */

import { Identity } from "@x/plumtree";
import { StreamTransport } from "../src/net/transport.ts";
import { cpuMicros } from "./workload.ts";

/** The first ones, while the code is compiled, are not counted. */
const COUNT = 1_000, WARM = 1_000;

let notice = (): void => {};

function node(): StreamTransport {
  const transport = new StreamTransport({ identity: Identity.generate(), hostname: "127.0.0.1" });
  transport.start({
    up: () => notice(),
    down: () => notice(),
    unreachable() {},
    receive() {},
    dialFailed() {},
    refused() {},
    addressChanged() {},
  });
  return transport;
}

/** Both ends have noticed. */
function both(): Promise<void> {
  let count = 0;
  return new Promise((resolve) => {
    notice = () => {
      if (++count === 2) resolve();
    };
  });
}

async function connect(dialler: StreamTransport, listener: StreamTransport): Promise<void> {
  const up = both();
  const peer = await dialler.dial(listener.address);
  await up;
  const down = both();
  dialler.disconnect(peer, "closed");
  await down;
}

const listener = node(), dialler = node();
for (let i = 0; i < WARM; i++) await connect(dialler, listener);
const before = cpuMicros();
for (let i = 0; i < COUNT; i++) await connect(dialler, listener);
const cpuMsPerConnection = (cpuMicros() - before) / 1_000 / COUNT;
await Promise.all([listener.close(), dialler.close()]);
console.log(JSON.stringify({ cpuMsPerConnection }));
