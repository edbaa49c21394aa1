import type { Harness } from "./harness.ts";
import { MemoryHost, SimHost, TcpHost } from "./hosts.ts";
import { SCENARIOS } from "./scenarios.ts";

const HOSTS: readonly (new () => Harness)[] = [SimHost, MemoryHost, TcpHost];

for (const Host of HOSTS) {
  for (const { name, run } of SCENARIOS) {
    Deno.test(`${new Host().name}: ${name}`, async () => {
      const host = new Host();
      try {
        await run(host);
      } finally {
        await host.close();
      }
    });
  }
}
