import { setImmediate } from "node:timers";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { StreamTransport } from "../../src/net/transport.ts";
import { Identity } from "../../src/secure/identity.ts";
import { MemoryNetwork } from "../../src/testing/memory_net.ts";
import { arbitrate } from "../../src/net/arbiter.ts";
import { frame, orderedIdentities, startNode, type TestNode, until } from "./helper.ts";

/** A small generator, so that a failing round can be run again. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffled(next: () => number): () => Promise<void> {
  return async () => {
    const turns = next() < 0.3 ? 0 : Math.floor(next() * 4);
    for (let i = 0; i < turns; i++) {
      if (next() < 0.5) await null;
      else await new Promise((resolve) => setImmediate(resolve));
    }
  };
}

function agree(a: TestNode, b: TestNode): boolean {
  const there = a.transport.link(b.id), back = b.transport.link(a.id);
  return there !== undefined && back !== undefined && there.direction !== back.direction;
}

/** Both have one link, the same one, and never had another. */
function check(a: TestNode, b: TestNode, label: string): void {
  for (const [node, other] of [[a, b], [b, a]] as const) {
    assertEquals(node.sink.broken, [], label);
    assertEquals(node.faults, [], label);
    assertEquals(node.sink.count("up", other.id), 1, `${label}: one link`);
    assertEquals(node.sink.count("down", other.id), 0, `${label}: never lost`);
    assertEquals(node.sink.count("unreachable"), 0, `${label}: no failure`);
    assertEquals(node.sink.count("dialFailed"), 0, `${label}: no failed dial`);
  }
}

Deno.test("simultaneous dials leave exactly one link that both ends agree on", async () => {
  const identities = orderedIdentities();
  let superseded = 0;
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const streams = new MemoryNetwork({ turn: shuffled(next) });
    const [i, j] = next() < 0.5 ? [0, 1] as const : [1, 0] as const;
    await using a = startNode(streams, { identity: identities[i]! });
    await using b = startNode(streams, { identity: identities[j]! });
    const label = `seed ${seed}`;
    // By id, by address alone, or both; one side a little later or not.
    const kinds = [Math.floor(next() * 3), Math.floor(next() * 3)];
    const dials: Promise<string>[] = [];
    const dial = (from: TestNode, to: TestNode, kind: number): void => {
      if (kind === 0) from.transport.connect(to.id, [to.address]);
      else if (kind === 1) dials.push(from.transport.dial(to.address));
      else dials.push(from.transport.dial(`${to.id}@${to.address}`));
    };
    dial(a, b, kinds[0]!);
    for (let turns = Math.floor(next() * 12); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    dial(b, a, kinds[1]!);
    await until(() => agree(a, b), label);
    await Promise.all(dials);
    // A frame each way shows that it is the same link, and that nothing that was accepted is lost.
    assert(a.transport.send(b.id, 1, frame(9, 1)), label);
    assert(b.transport.send(a.id, 1, frame(9, 2)), label);
    await a.sink.until(() => a.sink.frames.length === 1, label);
    await b.sink.until(() => b.sink.frames.length === 1, label);
    await until(() => streams.links.length === 1, `${label}: one stream remains`);
    check(a, b, label);
    superseded += a.transport.metrics().superseded + b.transport.metrics().superseded;
  }
  assertGreater(superseded, 30, "the delays made real races");
});

Deno.test("frames sent as soon as a link is up survive simultaneous dials", async () => {
  const identities = orderedIdentities();
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed * 7919);
    const streams = new MemoryNetwork({ turn: shuffled(next), split: (n) => 1 + n * next() });
    await using a = startNode(streams, { identity: identities[0] });
    await using b = startNode(streams, { identity: identities[1] });
    let sent = 0;
    for (const [node, other] of [[a, b], [b, a]] as const) {
      node.sink.onTold = ({ what }) => {
        if (what !== "up") return;
        for (let k = 0; k < 5; k++) if (node.transport.send(other.id, 1, frame(50, k))) sent++;
      };
      node.transport.connect(other.id, [other.address]);
    }
    await until(() => agree(a, b), `seed ${seed}`);
    await until(
      () => a.sink.frames.length + b.sink.frames.length === sent,
      `seed ${seed}: ${sent}`,
    );
    assertEquals(sent, 10);
    check(a, b, `seed ${seed}`);
  }
});

Deno.test("simultaneous dials over TCP leave exactly one link", async () => {
  for (let round = 0; round < 25; round++) {
    await using a = startNode(undefined);
    await using b = startNode(undefined);
    a.transport.connect(b.id, [b.address]);
    const dialled = b.transport.dial(a.address);
    await until(() => agree(a, b), `round ${round}`);
    assertEquals(await dialled, a.id);
    check(a, b, `round ${round}`);
  }
});

Deno.test("a peer that restarts takes the place of its old link at once", async () => {
  for (const flip of [false, true]) {
    const streams = new MemoryNetwork();
    const [small, large] = orderedIdentities();
    const [stays, restarts] = flip ? [small, large] : [large, small];
    await using node = startNode(streams, {
      identity: stays,
      timing: { probeMs: 100, closeMs: 100 },
    });
    const first = startNode(streams, { identity: restarts });
    await first.transport.dial(node.address);
    // The cable is pulled: the node does not learn that its peer has gone.
    for (const link of streams.links) link.stall();
    await first.transport.abort();
    assert(node.transport.link(restarts.id) !== undefined);
    await using second = startNode(streams, { identity: restarts });
    assertEquals(await second.transport.dial(node.address), stays.id);
    await node.sink.until(() => node.sink.count("up") === 2);
    const ups = node.sink.told.filter((t) => t.what === "up" || t.what === "down");
    assertEquals(ups.map((t) => t.reason), ["in", "replaced", "in"]);
    assertEquals(node.sink.broken, []);
  }
});

Deno.test("a peer that restarts within the time of a race gets through when the old link is found dead", async () => {
  const streams = new MemoryNetwork();
  const [small, large] = orderedIdentities();
  await using node = startNode(streams, { identity: small, timing: { probeMs: 60, closeMs: 100 } });
  const first = startNode(streams, { identity: large });
  await node.transport.dial(first.address);
  for (const link of streams.links) link.stall();
  await first.transport.abort();
  await using second = startNode(streams, {
    identity: large,
    timing: { probeMs: 100, closeMs: 100 },
  });
  assertEquals(await second.transport.dial(node.address), small.id);
  assertEquals(node.sink.last("down")?.reason, "lost");
  assert(node.transport.metrics().superseded >= 1, "it was told superseded first");
  assertEquals(second.sink.count("dialFailed"), 0, "which is no failure");
});

Deno.test("the arbiter lets the smaller id's dial win and replaces stale links", () => {
  const base = { self: "a", peer: "b", committed: false, link: undefined, raceMs: 1_000 };
  assertEquals(arbitrate(base), "accept");
  assertEquals(arbitrate({ ...base, committed: true }), "supersede");
  assertEquals(arbitrate({ ...base, self: "c", committed: true }), "accept");
  const young = { direction: "out", ageMs: 10 } as const;
  assertEquals(arbitrate({ ...base, link: young }), "supersede");
  assertEquals(arbitrate({ ...base, self: "c", link: young }), "replace");
  assertEquals(arbitrate({ ...base, link: { ...young, ageMs: 1_000 } }), "replace");
  assertEquals(arbitrate({ ...base, link: { ...young, direction: "in" } }), "replace");
});

Deno.test("many nodes that all dial one another end with one link per pair", async () => {
  const streams = new MemoryNetwork({ turn: shuffled(random(5)) });
  const nodes = Array.from({ length: 8 }, () => startNode(streams));
  try {
    for (const from of nodes) {
      for (const to of nodes) if (from !== to) from.transport.connect(to.id, [to.address]);
    }
    await until(() => nodes.every((node) => node.transport.links().length === 7), "all linked");
    await until(() => streams.links.length === 28, "28 streams");
    for (const node of nodes) {
      assertEquals(node.sink.broken, []);
      assertEquals(node.sink.count("up"), 7);
      assertEquals(node.sink.count("down"), 0);
    }
  } finally {
    await Promise.all(nodes.map((node) => node.transport.close()));
  }
});

Deno.test("a node of one identity refuses to be its own peer", () => {
  const identity = Identity.generate();
  const transport = new StreamTransport({ identity, listen: false });
  return transport.dial(`${identity.id}@127.0.0.1:1`).then(
    () => assert(false),
    (error) => assertEquals(error.code, "own-id"),
  ).finally(() => transport.close());
});
