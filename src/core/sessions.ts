/**
 * What the node's door knows of every peer with a link: the peer's topic aliases, its score, its rate.
 *
 * @module
 */

import type { PeerId } from "./host.ts";
import type { TopicCore } from "./topic_core.ts";
import type { Limits } from "../limits.ts";
import type { Lane } from "../wire/frames.ts";
import { WireError } from "../wire/bytes.ts";

/** One topic that a peer has opened on its link. */
export interface OpenTopic {
  /** The topic key in hex. */
  readonly key: string;
  /** The topic, where this node is on it too. */
  topic: TopicCore | undefined;
  /** Whether the peer was told that this node is not on it. */
  told: boolean;
  /** Whether the peer has left it. Frames in slower lanes may still come. */
  closed: boolean;
}

/** Peers whose lost points are remembered after their link has ended. */
const MOST_SCORES = 1_024;
/** Points that a score recovers per second. */
const RECOVERY_PER_SECOND = 1;
/** A burst of overlay messages may be as large as this many seconds of the rate. */
const BURST_SECONDS = 10;

/** Of `limits.topicsPerPeer`, what this node opens on its own connections. */
const OWN_PART = 3 / 4;

/** What is left of lost points after a time. */
function recovered(points: number, ms: number): number {
  return Math.max(0, points - ms / 1_000 * RECOVERY_PER_SECOND);
}

/** One peer's link, from up to down. */
export class PeerSession {
  readonly #topics = new Map<number, OpenTopic>();
  /** How many aliases of a topic's are open. */
  readonly #on = new Map<string, number>();
  // Made when first needed: most links of a large overlay are short, for one shuffle.
  #announced: Map<number, number> | undefined;
  #closed: Set<number> | undefined;
  readonly #limits: Limits;
  #points: number;
  #pointsAt: number;
  #tokens: number;
  #tokensAt: number;

  /** A link that came up at `now`; `points` were lost over earlier ones. */
  constructor(limits: Limits, points: number, now: number) {
    this.#limits = limits;
    this.#points = points;
    this.#pointsAt = now;
    this.#tokensAt = now;
    this.#tokens = limits.overlayPerSecond * BURST_SECONDS;
  }

  /** True where this node's own alias is announced in a lane of the link. */
  announced(alias: number, lane: Lane): boolean {
    return ((this.#announced?.get(alias) ?? 0) & 1 << lane) !== 0;
  }

  /**
   * Whether one more of this node's aliases may be announced: peers end a link with more than they take, most likely as many as this node. A part
   * of them is left free, since what says that an alias is closed travels in a slower lane than what opens the next one.
   */
  mayAnnounce(alias: number): boolean {
    const announced = this.#announced,
      most = Math.max(1, Math.floor(OWN_PART * this.#limits.topicsPerPeer));
    return announced === undefined || announced.size < most || announced.has(alias);
  }

  /** Notes that it is. */
  announce(alias: number, lane: Lane): void {
    this.#announced ??= new Map();
    this.#announced.set(alias, (this.#announced.get(alias) ?? 0) | 1 << lane);
  }

  /** Forgets an alias; false where it was not announced. */
  withdraw(alias: number): boolean {
    return this.#announced?.delete(alias) ?? false;
  }

  /** The peer opened a topic. */
  open(alias: number, key: string, topic: TopicCore | undefined): void {
    const known = this.#topics.get(alias);
    if (known) {
      if (known.key !== key) throw new WireError("topic alias opened twice");
      return;
    }
    if (this.#topics.size >= this.#limits.topicsPerPeer && !this.#forgetClosed()) {
      throw new WireError("too many topics");
    }
    this.#topics.set(alias, { key, topic, told: false, closed: false });
    this.#on.set(key, (this.#on.get(key) ?? 0) + 1);
  }

  /** The peer left a topic; its alias is remembered while there is room. */
  leave(alias: number): void {
    const entry = this.#topics.get(alias);
    if (!entry || entry.closed) return;
    entry.closed = true;
    const open = this.#on.get(entry.key)! - 1;
    if (open > 0) this.#on.set(entry.key, open);
    else this.#on.delete(entry.key);
    this.#closed ??= new Set();
    this.#closed.add(alias);
  }

  #forgetClosed(): boolean {
    for (const alias of this.#closed ?? []) {
      this.#closed!.delete(alias);
      return this.#topics.delete(alias);
    }
    return false;
  }

  /** What the peer means by an alias. */
  topic(alias: number): OpenTopic | undefined {
    return this.#topics.get(alias);
  }

  /** This node joined or left a topic. */
  bind(key: string, topic: TopicCore | undefined): void {
    for (const entry of this.#topics.values()) {
      if (entry.key === key) entry.topic = topic;
    }
  }

  /** True where the peer has opened a topic and has not left it. */
  isOn(key: string): boolean {
    return this.#on.has(key);
  }

  /** Names of the shared topics. */
  topicNames(): string[] {
    const names: string[] = [];
    for (const { topic, closed } of this.#topics.values()) {
      if (topic && !closed) names.push(topic.name);
    }
    return names;
  }

  /** Points lost and not yet recovered. */
  points(now: number): number {
    return recovered(this.#points, now - this.#pointsAt);
  }

  /** Takes points; returns how many are lost now. */
  blame(points: number, now: number): number {
    this.#points = this.points(now) + points;
    this.#pointsAt = now;
    return this.#points;
  }

  /** True where the peer may have one more overlay message read. */
  takeOverlayToken(now: number): boolean {
    const rate = this.#limits.overlayPerSecond;
    const gained = (now - this.#tokensAt) / 1_000 * rate;
    this.#tokens = Math.min(rate * BURST_SECONDS, this.#tokens + gained);
    this.#tokensAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** All sessions, by peer. */
export class Sessions {
  readonly #sessions = new Map<PeerId, PeerSession>();
  /** Points that peers had lost when their link ended, and when that was. */
  readonly #scores = new Map<PeerId, { readonly points: number; readonly at: number }>();
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The session of a peer whose link is up. */
  get(peer: PeerId): PeerSession | undefined {
    return this.#sessions.get(peer);
  }

  /** A link came up. */
  open(peer: PeerId, now: number): void {
    const left = this.#scores.get(peer);
    this.#scores.delete(peer);
    const points = left === undefined ? 0 : recovered(left.points, now - left.at);
    this.#sessions.set(peer, new PeerSession(this.#limits, points, now));
  }

  /** A link ended; false where none was up. Points that were lost stay lost until they are recovered. */
  close(peer: PeerId, now: number): boolean {
    const points = this.#sessions.get(peer)?.points(now) ?? 0;
    if (points > 0) {
      this.#scores.set(peer, { points, at: now });
      if (this.#scores.size > MOST_SCORES) {
        const [oldest] = this.#scores.keys();
        this.#scores.delete(oldest!);
      }
    }
    return this.#sessions.delete(peer);
  }

  /** Every session. */
  all(): Iterable<PeerSession> {
    return this.#sessions.values();
  }

  /** Every peer with its session. */
  entries(): Iterable<[PeerId, PeerSession]> {
    return this.#sessions.entries();
  }
}

/** Peers that are refused for a while, bounded. */
export class Bans {
  readonly #until = new Map<PeerId, number>();
  readonly #most: number;
  readonly #ms: number;

  constructor(most: number, ms: number) {
    this.#most = most;
    this.#ms = ms;
  }

  /** Refuses a peer from now on. */
  add(peer: PeerId, now: number): void {
    this.#until.delete(peer);
    this.#until.set(peer, now + this.#ms);
    if (this.#until.size > this.#most) {
      const [oldest] = this.#until.keys();
      this.#until.delete(oldest!);
    }
  }

  /** True while a peer is refused. */
  has(peer: PeerId, now: number): boolean {
    const until = this.#until.get(peer);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#until.delete(peer);
    return false;
  }
}
