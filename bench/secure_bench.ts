/** Handshakes, records and signatures, over `node:crypto` and over noble; an iteration is the batch in its title. */

import { Handshake } from "../src/secure/handshake.ts";
import { Identity } from "../src/secure/identity.ts";
import { nodePrimitives, portablePrimitives, type Primitives } from "../src/secure/primitives.ts";
import type { Channel } from "../src/secure/channel.ts";

const KINDS: readonly (readonly [string, Primitives])[] = [
  ["node:crypto", nodePrimitives()],
  ["noble", portablePrimitives()],
];
const alice = Identity.generate(), bob = Identity.generate();

/** Both ends of a handshake; the dialler's channel and the other one's. */
function shake(primitives: Primitives): [Channel, Channel] {
  const network = "bench";
  const dialler = new Handshake({ role: "initiator", identity: alice, network, primitives });
  const listener = new Handshake({ role: "responder", identity: bob, network, primitives });
  const near = dialler.receive(listener.receive(dialler.start()!).send!);
  return [near.channel!, listener.receive(near.send!).channel!];
}

for (const [kind, primitives] of KINDS) {
  const baseline = kind === "node:crypto";
  Deno.bench({
    name: `2 x handshake, both ends, ${kind}`,
    group: "handshake",
    baseline,
    fn() {
      for (let i = 0; i < 2; i++) shake(primitives);
    },
  });
  for (const size of [100, 1_024, 32_768]) {
    const [near, far] = shake(primitives);
    const plaintext = new Uint8Array(size), out = new Uint8Array(size + 18);
    Deno.bench({
      name: `20 x seal and open ${size} B, ${kind}`,
      group: `record of ${size} B`,
      baseline,
      fn() {
        for (let i = 0; i < 20; i++) {
          near.sealInto(plaintext, size, out, 0);
          far.open(out.subarray(2));
        }
      },
    });
  }
  const signer = primitives.ed25519Signer(new Uint8Array(32).fill(7));
  const message = new Uint8Array(50), signature = signer.sign(message);
  const verify = primitives.ed25519Verifier(signer.publicKey)!;
  Deno.bench({
    name: `10 x sign, ${kind}`,
    group: "sign",
    baseline,
    fn() {
      for (let i = 0; i < 10; i++) signer.sign(message);
    },
  });
  Deno.bench({
    name: `10 x verify, ${kind}`,
    group: "verify",
    baseline,
    fn() {
      for (let i = 0; i < 10; i++) if (!verify(message, signature)) throw new Error("refused");
    },
  });
}
