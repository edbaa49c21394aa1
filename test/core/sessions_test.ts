import { assert, assertEquals, assertThrows } from "@std/assert";
import { Bans, type PeerSession, Sessions } from "../../src/core/sessions.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { Lane } from "../../src/wire/frames.ts";
import { WireError } from "../../src/wire/bytes.ts";

const PEER = "aa".repeat(32);

Deno.test("points that a peer lost outlive its link, and recover with time", () => {
  const sessions = new Sessions(DEFAULT_LIMITS);
  sessions.open(PEER, 0);
  assertEquals(sessions.get(PEER)!.blame(90, 0), 90);
  assert(sessions.close(PEER, 10_000));
  assert(!sessions.close(PEER, 10_000));
  sessions.open(PEER, 20_000);
  assertEquals(sessions.get(PEER)!.points(20_000), 70);
  assertEquals(sessions.get(PEER)!.blame(40, 30_000), 100);
  sessions.close(PEER, 30_000);
  sessions.open(PEER, 200_000);
  assertEquals(sessions.get(PEER)!.points(200_000), 0);
});

Deno.test("a peer opens a bounded number of topics, and closed ones make room", () => {
  const sessions = new Sessions({ ...DEFAULT_LIMITS, topicsPerPeer: 2 });
  sessions.open(PEER, 0);
  const session = sessions.get(PEER)!;
  session.open(1, "a", undefined);
  session.open(2, "b", undefined);
  session.open(2, "b", undefined);
  assertThrows(() => session.open(2, "c", undefined), WireError, "twice");
  assertThrows(() => session.open(3, "c", undefined), WireError, "too many");
  session.leave(1);
  assert(session.topic(1) !== undefined, "late frames of a closed topic are still understood");
  session.open(3, "c", undefined);
  assertEquals(session.topic(1), undefined);
});

Deno.test("a peer is on a topic as long as an alias of it is open, and is told of no more topics than it takes", () => {
  const sessions = new Sessions({ ...DEFAULT_LIMITS, topicsPerPeer: 4 });
  sessions.open(PEER, 0);
  const session = sessions.get(PEER)!;
  session.open(1, "a", undefined);
  session.open(2, "a", undefined);
  session.leave(1);
  session.leave(1);
  assert(session.isOn("a") && !session.isOn("b"));
  session.leave(2);
  assert(!session.isOn("a"));
  session.open(3, "a", undefined);
  assert(session.isOn("a"));
  for (const alias of [5, 6, 7]) {
    assert(session.mayAnnounce(alias));
    session.announce(alias, Lane.CONTROL);
  }
  assert(session.mayAnnounce(6) && !session.mayAnnounce(8));
  session.withdraw(5);
  assert(session.mayAnnounce(8));
});

Deno.test("what opens a topic may overtake what closes another, and is no offence where a node opens all that it may", () => {
  const sessions = new Sessions({ ...DEFAULT_LIMITS, topicsPerPeer: 8 });
  const [mine, theirs] = ["aa", "bb"].map((id) => {
    sessions.open(id.repeat(32), 0);
    return sessions.get(id.repeat(32))!;
  }) as [PeerSession, PeerSession];
  const open = (alias: number) => {
    mine.announce(alias, Lane.CONTROL);
    theirs.open(alias, `topic ${alias}`, undefined);
  };
  let alias = 1;
  while (mine.mayAnnounce(alias)) open(alias++);
  assertEquals(alias - 1, 6);
  for (const closed of [1, 2]) {
    mine.withdraw(closed);
    assert(mine.mayAnnounce(alias));
    open(alias++);
  }
  for (const closed of [1, 2]) theirs.leave(closed);
  assert(!mine.mayAnnounce(alias));
});

Deno.test("overlay messages are bounded by a rate with a burst", () => {
  const sessions = new Sessions({ ...DEFAULT_LIMITS, overlayPerSecond: 10 });
  sessions.open(PEER, 0);
  const session = sessions.get(PEER)!;
  let taken = 0;
  while (session.takeOverlayToken(0)) taken++;
  assertEquals(taken, 100);
  assert(!session.takeOverlayToken(50));
  assert(session.takeOverlayToken(200));
});

Deno.test("bans end, and the oldest goes when there are too many", () => {
  const bans = new Bans(2, 1_000);
  bans.add("a", 0);
  bans.add("b", 0);
  assert(bans.has("a", 999) && !bans.has("a", 1_000));
  bans.add("c", 500);
  bans.add("d", 500);
  assertEquals(["b", "c", "d"].filter((peer) => bans.has(peer, 600)), ["c", "d"]);
});

Deno.test("an alias is announced in each lane of a link of its own", () => {
  const sessions = new Sessions(DEFAULT_LIMITS);
  sessions.open(PEER, 0);
  const session = sessions.get(PEER)!;
  session.announce(1, Lane.CONTROL);
  session.announce(1, Lane.BULK);
  const lanes = [Lane.CONTROL, Lane.NORMAL, Lane.BULK];
  assertEquals(lanes.map((lane) => session.announced(1, lane)), [true, false, true]);
  assert(session.withdraw(1));
  assert(!session.withdraw(1));
  assert(!session.announced(1, Lane.CONTROL));
});
