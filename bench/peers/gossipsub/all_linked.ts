/**
 * The same as `main.ts` with a link between every two nodes, out of which gossipsub forms its mesh: what a small network has where nodes dial whom they
 * discover.
 *
 * @module
 */

import { runContender } from "../../contender.ts";
import { GossipsubCluster } from "./main.ts";

await runContender((nodes, sign) => {
  const steps = Array.from({ length: nodes >> 1 }, (_, i) => i + 1);
  return GossipsubCluster.start(nodes, sign, steps);
});
Deno.exit();
