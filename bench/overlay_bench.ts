/** Membership alone, over an event queue; an iteration is the batch in its title. */

import { peerId, recordFor, World } from "../test/core/overlay/fake_port.ts";
import { full } from "../test/core/overlay/lone.ts";

function joined(count: number): World {
  const world = new World({ seed: 1 });
  for (let n = 0; n < count; n++) {
    world.add(n).overlay.join(n === 0 ? [] : [peerId(0)]);
    world.queue.run(10);
  }
  world.queue.run(5_000);
  return world;
}

Deno.bench("hyparview: 100 nodes join through one", {
  group: "hyparview",
  baseline: true,
  n: 5,
  warmup: 1,
}, () => {
  joined(100);
});

const world = joined(100);
Deno.bench("hyparview: 100 nodes, ten seconds of shuffles", { group: "hyparview" }, () => {
  world.queue.run(10_000);
});

const lone = full();
Deno.bench("hyparview: 1,000 x a walk that leaves a joiner", { group: "hyparview" }, () => {
  for (let n = 0; n < 1_000; n++) {
    const record = recordFor(peerId(100 + n));
    lone.receive(1, { type: "forward-join", record, ttl: 3 });
  }
  lone.port.sentTo.length = 0;
});
