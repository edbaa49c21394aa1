import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type EagerRegister,
  meet,
  newLife,
  nextStamp,
  received,
  sent,
} from "../../../src/core/tree/eager_relation.ts";
import type { Stamp } from "../../../src/wire/tree_messages.ts";
import { rng } from "./world.ts";

function end(random: () => number): EagerRegister {
  return { eager: true, mine: newLife(random), theirs: 0, lastGraft: false, doubt: 0 };
}
type Message = { graft: boolean; stamp: Stamp };
function send(from: EagerRegister, graft: boolean, queue: Message[]): void {
  const stamp = nextStamp(from);
  sent(from, graft, stamp);
  queue.push({ graft, stamp });
}

Deno.test("both ends agree once nothing is on its way, whatever crossed", () => {
  const step = fc.record({ end: fc.boolean(), act: fc.constantFrom("graft", "prune", "receive") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, seed) => {
      const random = rng(seed);
      const a = end(random), b = end(random);
      const toA: Message[] = [], toB: Message[] = [];
      const take = (self: EagerRegister, queue: Message[]) => {
        const message = queue.shift();
        if (message) assert(received(self, message.graft, message.stamp));
      };
      for (const { end, act } of steps) {
        const [self, inbox, outbox] = end ? [a, toA, toB] : [b, toB, toA];
        if (act === "receive") take(self, inbox);
        else send(self, act === "graft", outbox);
      }
      while (toA.length + toB.length > 0) {
        if (random() < 0.5) take(a, toA);
        else take(b, toB);
      }
      assertEquals(a.eager, b.eager);
      assertEquals(meet(a, b.eager, { own: b.mine, seen: b.theirs }), "agreed");
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("a GRAFT beats a crossing PRUNE at both ends", () => {
  const random = rng(1), a = end(random), b = end(random);
  const toA: Message[] = [], toB: Message[] = [];
  send(a, true, toB);
  send(b, false, toA);
  received(a, toA[0]!.graft, toA[0]!.stamp);
  received(b, toB[0]!.graft, toB[0]!.stamp);
  assert(a.eager && b.eager);
});

Deno.test("a PRUNE for an earlier life of the link changes nothing", () => {
  const random = rng(2), a = end(random), b = end(random);
  const toA: Message[] = [], toB: Message[] = [];
  send(a, true, toB);
  received(b, toB[0]!.graft, toB[0]!.stamp);
  send(b, false, toA);
  const again = end(random);
  assertEquals(received(again, toA[0]!.graft, toA[0]!.stamp), false);
  assert(again.eager);
});

Deno.test("a message that was lost is noticed at the next comparison", () => {
  const random = rng(3), a = end(random), b = end(random);
  send(a, false, []);
  assertEquals(meet(b, a.eager, { own: a.mine, seen: a.theirs }), "apart");
  const toA: Message[] = [];
  send(b, true, toA);
  received(a, toA[0]!.graft, toA[0]!.stamp);
  assert(a.eager && b.eager);
});

Deno.test("an unseen message counts as lost only at the second comparison", () => {
  const random = rng(4), a = end(random), b = end(random);
  send(b, false, []);
  assertEquals(meet(b, a.eager, { own: a.mine, seen: 0 }), "agreed");
  assertEquals(meet(b, a.eager, { own: a.mine, seen: 0 }), "apart");
});
