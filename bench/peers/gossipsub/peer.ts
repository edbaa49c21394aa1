/**
 * One node of js-libp2p with gossipsub.
 *
 * @module
 */

import { type GossipSub, gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2p } from "libp2p";

/** A node of which this uses gossipsub alone. */
export type Peer = Libp2p<{ pubsub: GossipSub & { getMeshPeers(topic: string): string[] } }>;

/** One node. */
export async function startPeer(sign: boolean): Promise<Peer> {
  return await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 1_000 },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        globalSignaturePolicy: sign ? "StrictSign" : "StrictNoSign",
        allowPublishToZeroTopicPeers: true,
        // All nodes share one address here, which is no attack.
        scoreParams: { IPColocationFactorWeight: 0 },
      }),
    },
  }) as unknown as Peer;
}
