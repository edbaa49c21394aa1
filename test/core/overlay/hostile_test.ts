import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type OverlayMessage, SWAP_ANSWERS } from "../../../src/wire/overlay_messages.ts";
import { type FakePort, peerId, recordFor, World } from "./fake_port.ts";

/** A node with five neighbours, and whose messages go nowhere. */
function victim(): { world: World; port: FakePort } {
  const world = new World();
  const port = world.add(0);
  port.wired = false;
  for (const n of [1, 2, 3, 4, 5]) {
    port.overlay.receive(peerId(n), { type: "neighbor", record: recordFor(peerId(n)), high: true });
  }
  port.sentTo.length = 0;
  return { world, port };
}

Deno.test("messages of a stranger change nothing", () => {
  const { port } = victim();
  const stranger = peerId(99);
  const record = recordFor(peerId(77));
  const messages: OverlayMessage[] = [
    { type: "forward-join", record, ttl: 0 },
    { type: "disconnect", alive: true, candidates: [record] },
    { type: "disconnect", alive: false, candidates: [record] },
    { type: "shuffle", walk: 7, origin: recordFor(stranger), ttl: 255, entries: [record] },
    { type: "shuffle-reply", walk: 7, entries: [record] },
    { type: "neighbor-reply", accepted: true, candidates: [record] },
    { type: "neighbor-reply", accepted: false, candidates: [record] },
    { type: "replace", swap: 7, initiator: peerId(9), old: record, oldUs: 2 ** 32 - 1, newUs: 0 },
    { type: "switch", swap: 7, initiator: peerId(9) },
    { type: "swap-reply", swap: 7, answer: "yes" },
    { type: "disconnect-wait", swap: 7 },
    { type: "swapped", swap: 7 },
  ];
  for (const message of messages) port.overlay.receive(stranger, message);
  assertEquals(port.overlay.active, [1, 2, 3, 4, 5].map(peerId));
  assertEquals(port.overlay.passive, []);
  assertEquals(port.sentTo, []);
});

Deno.test("a record of somebody else, or one that is not signed, is blamed and not taken", () => {
  const { port } = victim();
  const sender = peerId(9);
  const foreign = recordFor(peerId(10));
  const forged = recordFor(sender, 1, ["forged"]);
  for (const record of [foreign, forged]) {
    port.overlay.receive(sender, { type: "join", record });
    port.overlay.receive(sender, { type: "neighbor", record, high: true });
  }
  port.overlay.receive(peerId(1), {
    type: "forward-join",
    record: recordFor(peerId(8), 1, ["forged"]),
    ttl: 3,
  });
  assertEquals(port.blamed.map(([peer]) => parseInt(peer, 16)), [9, 9, 9, 9, 1]);
  assert(port.blamed.every(([, points]) => points > 0));
  assertEquals(port.overlay.active, [1, 2, 3, 4, 5].map(peerId));
  assertEquals(port.sentTo, []);
});

Deno.test("a message that this node seems to have sent itself is ignored", () => {
  const { port } = victim();
  port.overlay.receive(port.self, { type: "join", record: recordFor(port.self) });
  port.overlay.receive(peerId(1), { type: "forward-join", record: recordFor(port.self), ttl: 0 });
  assert(!port.overlay.isActive(port.self));
  assertEquals(port.sentTo, []);
});

Deno.test("a flood of joins evicts at a bounded rate and fills no memory", () => {
  const { world, port } = victim();
  port.overlay.join([]);
  for (let n = 1_000; n < 21_000; n++) {
    port.overlay.receive(peerId(n), { type: "join", record: recordFor(peerId(n)) });
    if (n % 20 === 0) world.queue.run(1);
    if (port.sentTo.length > 10_000) port.sentTo.length = 0;
  }
  const metrics = port.overlay.metrics();
  assertEquals(metrics.active, 5);
  assert(metrics.evictions <= 10 + 10 * 1 + 1, `${metrics.evictions} in a second`);
  assert(
    metrics.passive <= 30 && metrics.former <= 120 && metrics.openRequests <= 20 &&
      metrics.cooling <= 40,
  );
});

Deno.test("any sequence of messages from anybody keeps every bound", () => {
  const peer = fc.integer({ min: 0, max: 60 }).map(peerId);
  const record = fc.tuple(peer, fc.nat(5), fc.constantFrom("ok:1", "forged", ""))
    .map(([id, seq, address]) => recordFor(id, seq, address === "" ? [] : [address]));
  const list = fc.array(record, { maxLength: 40 });
  const ttl = fc.integer({ min: 0, max: 255 });
  const swap = fc.integer({ min: 0, max: 1 });
  const oldUs = fc.constantFrom(0, 100_000, 2 ** 32 - 1), newUs = fc.constantFrom(0, 50_000);
  const message: fc.Arbitrary<OverlayMessage> = fc.oneof(
    fc.record({ type: fc.constant("join" as const), record }),
    fc.record({ type: fc.constant("forward-join" as const), record, ttl }),
    fc.record({ type: fc.constant("neighbor" as const), record, high: fc.boolean() }),
    fc.record({
      type: fc.constant("neighbor-reply" as const),
      accepted: fc.boolean(),
      candidates: list,
    }),
    fc.record({ type: fc.constant("disconnect" as const), alive: fc.boolean(), candidates: list }),
    fc.record({
      type: fc.constant("shuffle" as const),
      walk: swap,
      origin: record,
      ttl,
      entries: list,
    }),
    fc.record({ type: fc.constant("shuffle-reply" as const), walk: swap, entries: list }),
    fc.constant({ type: "check" as const }),
    fc.record({ type: fc.constant("optimization" as const), swap, old: record, oldUs, newUs }),
    fc.record({
      type: fc.constant("replace" as const),
      swap,
      initiator: peer,
      old: record,
      oldUs,
      newUs,
    }),
    fc.record({ type: fc.constant("switch" as const), swap, initiator: peer }),
    fc.record({
      type: fc.constant("swap-reply" as const),
      swap,
      answer: fc.constantFrom(...SWAP_ANSWERS),
    }),
    fc.record({ type: fc.constantFrom("disconnect-wait" as const, "swapped" as const), swap }),
  );
  const step = fc.tuple(peer, message, fc.boolean(), fc.nat(2_000), fc.boolean());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(), (steps, seed) => {
      const world = new World({ seed, cost: (a, b) => 10 * ((a + b) % 30) });
      const port = world.add(0);
      port.wired = false;
      port.overlay.join([peerId(1)]);
      for (const [from, sent, own, ms, connected] of steps) {
        if (connected) port.fakeConnected.add(from);
        // Half of the time the record is the sender's own, or little would be accepted.
        const honest = own && (sent.type === "join" || sent.type === "neighbor");
        port.overlay.receive(from, honest ? { ...sent, record: recordFor(from) } : sent);
        if (ms % 7 === 0) port.overlay.unreachable(from);
        if (ms % 11 === 0) port.overlay.peerDown(from, "lost");
        world.queue.run(ms);
        const { active, passive, former, openRequests, cooling } = port.overlay.metrics();
        assert(
          active <= 5 && passive <= 30 && former <= 120 && openRequests <= 20 && cooling <= 40,
        );
        const known = [...port.overlay.active, ...port.overlay.passive, port.self];
        assertEquals(new Set(known).size, known.length);
        assert(port.timers.size <= 8, `${port.timers.size} timers`);
      }
      // No slot is kept for a swap for ever: low priority finds room wherever there is any.
      world.queue.run(1_000_000);
      for (let n = 100; port.overlay.active.length < 5; n++) {
        const { length } = port.overlay.active;
        port.overlay.receive(peerId(n), {
          type: "neighbor",
          record: recordFor(peerId(n)),
          high: false,
        });
        assertEquals(port.overlay.active.length, length + 1);
      }
      assertEquals([...port.up].sort(), port.overlay.active.toSorted());
      assertEquals([...port.held].sort(), port.overlay.active.toSorted());
    }),
    { numRuns: 150 },
  );
});
