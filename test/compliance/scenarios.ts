/**
 * What must hold over every host; run by the tests beside this file.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { Identity, type Verdict } from "@x/plumtree";
import {
  eagerWellFormed,
  group,
  type Harness,
  Inbox,
  isTree,
  quiet,
  total,
  wellFormed,
} from "./harness.ts";

/** A scenario with the name of what it shows. */
export interface Scenario {
  readonly name: string;
  run(host: Harness): Promise<void>;
}

const scenario = (name: string, run: (host: Harness) => Promise<void>): Scenario => ({ name, run });

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  scenario("many nodes join through one contact and each reaches all others", async (host) => {
    const { nodes, topics, inboxes } = await group(host, host.many, "news");
    await host.until("views are symmetric and connected", () => wellFormed(nodes, "news"), 30_000);
    for (const [i, topic] of topics.entries()) await topic.publish(`from ${i}`);
    await host.until(
      "every node has every other node's message",
      () => inboxes.every(({ messages }) => messages.length >= nodes.length - 1),
      30_000,
    );
    for (const [i, inbox] of inboxes.entries()) {
      const others = nodes.flatMap((_, j) => j === i ? [] : [`from ${j}`]);
      assertEquals(inbox.texts.toSorted(), others.toSorted());
      for (const m of inbox.messages) {
        assertEquals(`from ${nodes.findIndex(({ id }) => id === m.from)}`, m.text());
      }
    }
  }),

  scenario("a third is killed, the rest heals, and the killed come back", async (host) => {
    const { nodes, topics, inboxes } = await group(host, 15, "news");
    await host.until("views are well formed", () => wellFormed(nodes, "news"), 30_000);
    const identities = nodes.map(({ id }) => id);
    const dead = nodes.slice(5, 10);
    for (const node of dead) await host.kill(node);
    const alive = nodes.filter((node) => !dead.includes(node));
    const living = [...topics.entries()].filter(([i]) => alive.includes(nodes[i]!));
    await living[0]![1].publish("after the kill");
    await host.until(
      "survivors have it",
      () => living.slice(1).every(([i]) => inboxes[i]!.texts.includes("after the kill")),
      30_000,
    );
    await host.until("survivors' views are well formed", () => wellFormed(alive, "news"), 30_000);
    assertEquals(new Set(identities).size, 15);
    for (let i = 0; i < 5; i++) {
      const node = await host.start({ bootstrap: [nodes[0]!.address] });
      alive.push(node);
      node.join("news");
    }
    await host.until("the new ones are in", () => wellFormed(alive, "news"), 30_000);
    const inbox = new Inbox(alive.at(-1)!.topic("news")!);
    await alive[1]!.topic("news")!.publish("all together");
    await host.until("the last one has it", () => inbox.texts.includes("all together"));
  }),

  scenario("leaving one of several topics leaves the others alone", async (host) => {
    const { nodes, topics } = await group(host, 4, "left");
    const stay = nodes.map((node) => node.join("kept"));
    const inboxes = stay.map((topic) => new Inbox(topic));
    await host.until(
      "all are on both",
      () => wellFormed(nodes, "kept") && wellFormed(nodes, "left"),
    );
    const links = nodes.map((node) => node.peers().map(({ id }) => id));
    await topics[1]!.leave();
    await host.until(
      "the others have seen it go",
      () => topics.every((t, i) => i === 1 || !t.neighbors.includes(nodes[1]!.id)),
    );
    await stay[1]!.publish("still here");
    await host.until(
      "kept works",
      () => inboxes.every(({ texts }, i) => i === 1 || texts.includes("still here")),
    );
    for (const [i, node] of nodes.entries()) {
      const now = node.peers().map(({ id }) => id);
      assert(links[i]!.length > 0 && links[i]!.every((id) => now.includes(id)));
    }
  }),

  scenario("two nodes that dial each other at once end with one link", async (host) => {
    for (let round = 0; round < 5; round++) {
      const a = await host.start();
      const b = await host.start();
      const [toB, toA] = await host.wait(Promise.all([a.connect(b.address), b.connect(a.address)]));
      assertEquals([toB, toA], [b.id, a.id]);
      const [onA, onB] = [a.join("x"), b.join("x")];
      const inbox = new Inbox(onB);
      await host.wait(onA.ready());
      await onA.publish("hi");
      await host.until("it arrives", () => inbox.texts.includes("hi"));
      assertEquals([a.peers().length, b.peers().length], [1, 1]);
    }
  }),

  scenario("two islands merge and exchange what each had published", async (host) => {
    const one = await group(host, 4, "news", { preset: "local" });
    const two = await group(host, 4, "news", { preset: "local" });
    await one.topics[1]!.publish("from one");
    await two.topics[1]!.publish("from two");
    await host.until(
      "each island has its own",
      () =>
        one.inboxes.every(({ texts }, i) => i === 1 || texts.includes("from one")) &&
        two.inboxes.every(({ texts }, i) => i === 1 || texts.includes("from two")),
    );
    await host.wait(one.nodes[3]!.connect(two.nodes[2]!.address));
    const nodes = [...one.nodes, ...two.nodes];
    await host.until("the overlay is one", () => wellFormed(nodes, "news"), 60_000);
    await one.topics[0]!.publish("to all");
    await host.until(
      "both have it",
      () =>
        [...one.inboxes.slice(1), ...two.inboxes].every(({ texts }) => texts.includes("to all")),
      30_000,
    );
    await host.until(
      "what was published before the merge is everywhere",
      () =>
        [...one.inboxes, ...two.inboxes].every(({ texts }, i) =>
          (i === 1 || texts.includes("from one")) && (i === 5 || texts.includes("from two"))
        ),
      60_000,
    );
  }),

  scenario("what is published before the first neighbour reaches it", async (host) => {
    const a = await host.start();
    const early = a.join("news");
    await early.publish("before anybody");
    const b = await host.start({ bootstrap: [a.address] });
    const c = await host.start({ bootstrap: [a.address] });
    const inboxes = [b, c].map((node) => new Inbox(node.join("news")));
    await host.until(
      "the first neighbour has it",
      () => inboxes.some(({ texts }) => texts.includes("before anybody")),
    );
    assert(inboxes.every(({ messages }) => messages.length <= 1));
  }),

  scenario("the first publish right after ready() reaches everybody", async (host) => {
    const nodes = [await host.start()];
    for (let i = 1; i < 8; i++) nodes.push(await host.start({ bootstrap: [nodes[0]!.address] }));
    const topics = nodes.map((node) => node.join("news"));
    const inboxes = topics.map((topic) => new Inbox(topic));
    await host.wait(topics[5]!.ready());
    await topics[5]!.publish("first");
    await host.until(
      "all have it",
      () => inboxes.every(({ texts }, i) => i === 5 || texts.includes("first")),
      30_000,
    );
    assert(inboxes.every(({ messages }) => messages.length <= 1));
  }),

  scenario("steady state: few duplicates, eager and active relations symmetric", async (host) => {
    const { nodes, topics, inboxes } = await group(host, 16, "news");
    await quiet(host, topics, 2_000);
    let sent = 0;
    const publish = async (sender: number, atOnce: number) => {
      for (let i = 0; i < atOnce; i++) await topics[sender]!.publish(`message ${sent++}`);
      const due = sent * 15;
      await host.until("delivered", () => total(topics, "delivered") === due, 30_000);
    };
    const links = () => topics.flatMap((topic) => [...topic.neighbors].sort()).join();

    for (const [what, senders] of [["one sender", 1], ["all senders", 16]] as const) {
      // A new link is eager at first and brings copies: what is judged is a time in which none came up.
      for (let calm = false, tries = 1; !calm; tries++) {
        while (!isTree(nodes, "news") && sent < 10_000) await publish(sent % 16, 1);
        assert(isTree(nodes, "news"));
        const before = total(topics, "duplicates"), from = sent, linked = links();
        for (let round = 0; round < 40; round++) await publish((3 + round) % senders, 8);
        calm = links() === linked;
        const duplicates = total(topics, "duplicates") - before;
        if (calm || tries === 10) assertLess(duplicates / ((sent - from) * 15), 0.05, what);
      }
    }
    await host.until("eager relation is symmetric", () => eagerWellFormed(nodes, "news"), 30_000);
    await host.until("active views are symmetric", () => wellFormed(nodes, "news"), 30_000);
    assertEquals(total(topics, "missed"), 0);
    for (const inbox of inboxes) {
      assertEquals(new Set(inbox.messages.map(({ id }) => id)).size, inbox.messages.length);
    }
  }),

  scenario("nothing is relayed before validation accepts it", async (host) => {
    // A line: a - b - c. b judges late and refuses some.
    const [a, b, c] = [await host.start(), await host.start(), await host.start()];
    const asked: string[] = [];
    const verdicts = new Map<string, (verdict: Verdict) => void>();
    const onA = a.join("news"), onC = c.join("news");
    b.join("news", {
      validate: (m) =>
        new Promise<Verdict>((resolve) => {
          asked.push(m.text());
          verdicts.set(m.text(), resolve);
        }),
    });
    const inbox = new Inbox(onC);
    await host.wait(Promise.all([b.connect(a.address), b.connect(c.address)]));
    await host.until("b is between", () => b.topic("news")!.neighbors.length === 2);
    // a and c know each other only through b as long as neither has been told of the other.
    for (const text of ["good", "dull", "bad"]) await onA.publish(text);
    await host.until("b was asked", () => asked.length === 3);
    const direct = onA.neighbors.includes(c.id);
    if (!direct) assertEquals(inbox.texts, []);
    verdicts.get("good")!("accept");
    verdicts.get("dull")!("ignore");
    verdicts.get("bad")!("reject");
    await host.until("c has the good one", () => inbox.texts.includes("good"));
    // Where a and c have met, c had it before b said a word.
    const metrics = () => b.topic("news")!.metrics();
    const settled = () => metrics().delivered + metrics().rejected + metrics().ignored;
    await host.until("b has heard all verdicts", () => settled() === 3);
    assertEquals([metrics().delivered, metrics().rejected], [1, 1]);
  }),

  scenario("a joiner gets history only where it asks for it", async (host) => {
    const { nodes, topics, inboxes } = await group(host, 3, "news");
    await topics[0]!.publish("old");
    await host.until(
      "old is everywhere",
      () => inboxes.slice(1).every(({ texts }) => texts.includes("old")),
    );
    // What is younger than two round trips counts as being on its way.
    await quiet(host, topics, 2_000);
    const bootstrap = [nodes[0]!.address];
    const curious = new Inbox(
      (await host.start({ bootstrap })).join("news", { history: "retained" }),
    );
    const plain = new Inbox((await host.start({ bootstrap })).join("news"));
    await host.until(
      "the curious one has the old one",
      () => curious.texts.includes("old"),
      30_000,
    );
    await topics[1]!.publish("new");
    await host.until(
      "both have the new one",
      () => curious.texts.includes("new") && plain.texts.includes("new"),
      30_000,
    );
    assertEquals(plain.texts, ["new"]);
  }),

  scenario("large, small, empty and unsigned messages arrive byte for byte", async (host) => {
    const nodes = [await host.start()];
    for (let i = 1; i < 5; i++) nodes.push(await host.start({ bootstrap: [nodes[0]!.address] }));
    const topics = nodes.map((node) => node.join("bytes", { sign: false }));
    const inboxes = topics.map((topic) => new Inbox(topic));
    await host.until("connected", () => wellFormed(nodes, "bytes"), 30_000);
    const sizes = [0, 1, 1_000, 16_384, 65_536, 1_000_000];
    const payloads = sizes.map((size) =>
      Uint8Array.from({ length: size }, (_, i) => i * 31 + size)
    );
    for (const [i, payload] of payloads.entries()) {
      await topics[2]!.publish(payload, { priority: (["high", "normal", "bulk"] as const)[i % 3] });
    }
    await host.until(
      "all arrived",
      () => inboxes.every(({ messages }, i) => i === 2 || messages.length === sizes.length),
      30_000,
    );
    for (const inbox of inboxes.filter((_, i) => i !== 2)) {
      for (const { data, from } of inbox.messages) {
        assertEquals(from, undefined);
        assertEquals(data, payloads[sizes.indexOf(data.length)]!);
      }
    }
  }),

  scenario("a restarted node with the same identity is heard again", async (host) => {
    const a = await host.start();
    const identity = Identity.fromSeed("restarts");
    const inbox = new Inbox(a.join("news"));
    for (let life = 0; life < 3; life++) {
      const node = await host.start({ identity, bootstrap: [a.address] });
      const topic = node.join("news");
      await host.wait(topic.ready());
      await topic.publish("same words");
      await host.until("it is heard", () => inbox.messages.length === life + 1, 30_000);
      await host.kill(node);
    }
    assertEquals(new Set(inbox.messages.map(({ id }) => id)).size, 3);
  }),
];
