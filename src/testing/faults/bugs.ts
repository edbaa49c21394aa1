/**
 * Deliberate bugs: each is put into the library while a seed runs, to prove that the search would find it.
 *
 * They are put in by replacing methods, so that nothing of them is in the library itself.
 *
 * @module
 */

import { BundleIntake } from "../../core/tree/bundle_intake.ts";
import { Intake } from "../../core/tree/intake.ts";
import { BodyArena } from "../../core/tree/body_arena.ts";
import { MessageLog, Seen } from "../../core/tree/message_log.ts";
import { Plumtree } from "../../core/tree/plumtree.ts";
import { Repair } from "../../core/tree/repair.ts";
import { TreeLinks } from "../../core/tree/tree_links.ts";
import { sent } from "../../core/tree/eager_relation.ts";
import { Eviction } from "../../core/overlay/eviction.ts";
import { HyParView } from "../../core/overlay/hyparview.ts";
import { Requests } from "../../core/overlay/requests.ts";
import { ActiveView } from "../../core/overlay/views.ts";
import { FlightSlot } from "../../core/overlay/xbot_flight.ts";
import { XbotRoles } from "../../core/overlay/xbot_roles.ts";
import { PeerSession } from "../../core/sessions.ts";
import { DirectoryTopic } from "../../directory_topic.ts";
import { NodeHost } from "../../node_host.ts";
import { JoinedTopic } from "../../topic.ts";
import { Validation } from "../../validation.ts";
import { Frame } from "../../wire/frames.ts";
import { SimNode } from "../sim_node.ts";

/** One deliberate bug. */
export interface Bug {
  readonly name: string;
  /** What is wrong, for people. */
  readonly what: string;
  /** Puts it in; the result takes it out. */
  put(): () => void;
}

/** Replaces a method; the result puts the original back. */
function replace<T extends object, K extends keyof T>(
  on: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = on[name];
  on[name] = make(original);
  return () => void (on[name] = original);
}

/** A tree that never reads frames of one kind. */
function deaf(kind: number): () => void {
  return replace(
    Plumtree.prototype,
    "receive",
    (receive) =>
      function (this: Plumtree, from, got, bytes, at, end) {
        if (got !== kind) receive.call(this, from, got, bytes, at, end);
      },
  );
}

const nothing = () => {};
/** What the probes of an overlay ask the directory for. */
const COUNTED_MEMBERS = 4_096;

/** The list. */
export const BUGS: readonly Bug[] = [
  {
    name: "delivers before the verdict",
    what: "a message that waits for an asynchronous verdict counts as accepted",
    put: () =>
      replace(
        Validation.prototype,
        "judge",
        (judge) =>
          function (this: Validation<unknown>, message) {
            return judge.call(this, message) ?? "accept";
          },
      ),
  },
  {
    name: "delivers what is ignored",
    what: "the verdict ignore counts as accept",
    put: () =>
      replace(
        Validation.prototype,
        "judge",
        (judge) =>
          function (this: Validation<unknown>, message) {
            const verdict = judge.call(this, message);
            return verdict === "ignore" ? "accept" : verdict;
          },
      ),
  },
  {
    name: "relays before the verdict",
    what: "a payload goes to the eager links as soon as it is known as new",
    put: relayAtOnce,
  },
  {
    name: "forgets late verdicts",
    what: "the verdict of an asynchronous validate changes nothing",
    put: () => replace(Plumtree.prototype, "verdict", () => nothing),
  },
  {
    name: "forgets what it has seen",
    what: "one look in forty does not find an id that is in the log",
    put: () => {
      let looks = 0;
      return replace(
        MessageLog.prototype,
        "find",
        (find) =>
          function (this: MessageLog, bytes, at) {
            return ++looks % 40 === 0 ? -1 : find.call(this, bytes, at);
          },
      );
    },
  },
  {
    name: "never compares",
    what: "SYNC frames are not read: two neighbours never learn what they lack",
    put: () => deaf(Frame.SYNC),
  },
  {
    name: "never answers GRAFT",
    what: "GRAFT frames are not read",
    put: () => deaf(Frame.GRAFT),
  },
  {
    name: "never hears IHAVE",
    what: "announcements are not read: only the comparisons mend the tree",
    put: () => deaf(Frame.IHAVE),
  },
  {
    name: "prunes at one end",
    what: "a link is made lazy without a PRUNE to the other end",
    put: () =>
      replace(TreeLinks.prototype, "prune", () =>
        function (link, now) {
          sent(link, false, { own: link.mine, seen: link.theirs });
          link.prunedAt = now;
          return true;
        }),
  },
  {
    name: "keeps dead branches",
    what: "the tree is not told of neighbours that are gone",
    put: () => replace(Plumtree.prototype, "neighborDown", () => nothing),
  },
  {
    name: "keeps dead neighbours",
    what: "the overlay is not told of connections that ended",
    put: () => replace(HyParView.prototype, "peerDown", () => nothing),
  },
  {
    name: "takes one too many",
    what: "a full view makes room by nothing",
    put: () => replace(Eviction.prototype, "makeRoom", () => () => true),
  },
  {
    name: "leaves without a goodbye",
    what: "an overlay that is left stops nothing and tells nobody",
    put: () => replace(HyParView.prototype, "leave", () => nothing),
  },
  {
    name: "forgets its requests",
    what: "every answer to a NEIGHBOR or JOIN counts as one that was not asked for",
    put: () => replace(Requests.prototype, "take", () => () => undefined),
  },
  {
    name: "leaves a timer",
    what: "the timer of the comparisons goes on when the topic is left",
    put: () => replace(Repair.prototype, "close", () => nothing),
  },
  {
    name: "lets go of a neighbour's link",
    what: "a link is released twice when a neighbour goes",
    put: () =>
      replace(
        ActiveView.prototype,
        "remove",
        (remove) =>
          function (this: ActiveView, peer, reason, quiet) {
            const others = this.ids.filter((id) => id !== peer);
            const record = remove.call(this, peer, reason, quiet);
            if (others.length > 0) remove.call(this, peer, reason, quiet);
            return record;
          },
      ),
  },
  {
    name: "starts with the same number",
    what: "a node that is restarted counts its messages in the same incarnation again",
    put: () => replace(NodeHost.prototype, "nextSeq", () => () => 1),
  },
  {
    name: "writes over retained bodies",
    what: "the arena of retained bodies gives the same place again",
    put: reuseBodies,
  },
  {
    name: "mixes topics up",
    what: "a peer's second topic is taken for its first",
    put: () =>
      replace(PeerSession.prototype, "topic", (topic) =>
        function (this: PeerSession, alias) {
          const other = alias > 2 ? topic.call(this, alias - 1) : undefined;
          return other ?? topic.call(this, alias);
        }),
  },
  {
    name: "forgets taken parts",
    what: "a bundle of which parts came before is taken as if none had",
    put: () => replace(BundleIntake.prototype, "tookPart", () => nothing),
  },
  {
    name: "swallows misses",
    what: "a message that cannot be got is not reported",
    put: () => replace(JoinedTopic.prototype, "missed", () => nothing),
  },
  {
    name: "never forgets bodies",
    what: "retained bodies are kept beyond their bounds",
    put: () => replace(MessageLog.prototype, "expire", () => nothing),
  },
  {
    name: "checks at its own pace",
    what: "who checks its links more often than a neighbour is not answered",
    put: () =>
      replace(ActiveView.prototype, "checked", () =>
        function (this: ActiveView, peer) {
          this.heard(peer);
          return false;
        }),
  },
  {
    name: "never looks for islands",
    what: "neither contacts nor members are probed, so two halves stay two",
    // Whoever thinks that the topic has billions of members never probes.
    put: () =>
      replace(
        DirectoryTopic.prototype,
        "members",
        (members) =>
          function (this: DirectoryTopic, topic, most) {
            return most === COUNTED_MEMBERS
              ? new Array(2 ** 32 - 1)
              : members.call(this, topic, most);
          },
      ),
  },
  {
    name: "swaps at any price",
    what: "a swap of links (X-BOT) needs no gain",
    put: () => replace(XbotRoles.prototype, "worth", () => () => -1_000_000),
  },
  {
    name: "keeps reserved slots",
    what: "a slot that was kept free for a swap is never given back",
    put: keepReserved,
  },
  {
    name: "overtakes on one link",
    what: "the simulated network does not keep the order of frames on a link",
    put: overtake,
  },
];

/** Runs something with a bug in the library. */
export async function withBug<T>(name: string, run: () => Promise<T>): Promise<T> {
  const bug = BUGS.find((known) => known.name === name);
  if (bug === undefined) throw new RangeError(`no such bug: ${name}`);
  const undo = bug.put();
  try {
    return await run();
  } finally {
    undo();
  }
}

function relayAtOnce(): () => void {
  let relay: ((entry: number) => void) | undefined;
  const undo = [
    replace(
      Intake.prototype,
      "gossip",
      (gossip) =>
        function (this: Intake, peer, link, bytes, at, end, now, invited) {
          relay = (entry) => this.relay(entry, bytes.subarray(at + 2, end), now, link);
          try {
            gossip.call(this, peer, link, bytes, at, end, now, invited);
          } finally {
            relay = undefined;
          }
        },
    ),
    replace(
      MessageLog.prototype,
      "add",
      (add) =>
        function (this: MessageLog, bytes, at, state, ...rest) {
          const entry = add.call(this, bytes, at, state, ...rest);
          if (state === Seen.VALIDATING) relay?.(entry);
          return entry;
        },
    ),
  ];
  return () => undo.forEach((take) => take());
}

function reuseBodies(): () => void {
  return replace(
    BodyArena.prototype,
    "keep",
    (keep) =>
      function (this: BodyArena, bytes, start, end) {
        const kept = keep.call(this, bytes, start, end);
        this.at = 0;
        return kept;
      },
  );
}

function keepReserved(): () => void {
  const { prototype } = FlightSlot;
  const original = Object.getOwnPropertyDescriptor(prototype, "reserved")!;
  const kept = new WeakSet<FlightSlot>();
  Object.defineProperty(prototype, "reserved", {
    ...original,
    get(this: FlightSlot): number {
      if (original.get!.call(this) === 1) kept.add(this);
      return kept.has(this) ? 1 : 0;
    },
  });
  return () => void Object.defineProperty(prototype, "reserved", original);
}

function overtake(): () => void {
  return replace(SimNode.prototype, "send", (send) =>
    function (this: SimNode, peer, head, body) {
      const { rng, world } = this;
      if (rng.int(10) !== 0 || this.live(peer) === undefined) {
        return send.call(this, peer, head, body);
      }
      world.clock.after(rng.int(60), () => void send.call(this, peer, head, body));
      return true;
    });
}
