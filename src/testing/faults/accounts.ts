/**
 * In the end the counters must agree with what the users saw, and every miss must have its reason.
 *
 * @module
 */

import type { Cluster } from "./cluster.ts";
import type { Membership, Post } from "./records.ts";

/** Looks at every membership that lasts. */
export function checkAccounts(cluster: Cluster): void {
  for (const host of cluster.hosts) {
    for (const member of host.members.values()) {
      checkCounters(cluster, member);
      checkMisses(cluster, member);
    }
  }
}

function checkCounters(cluster: Cluster, member: Membership): void {
  const { delivered, missed, published } = member.handle.metrics();
  const posts = [...cluster.records.posts.values()];
  const own = posts.filter(({ author }) => author === member).length;
  const got = member.got[0]!.size - (member.echo ? own : 0);
  const pairs: [string, number, number][] = [
    ["published", published, own],
    ["delivered", delivered, got],
    ["missed", missed, member.missedEvents],
  ];
  for (const [what, counted, seen] of pairs) {
    if (counted === seen) continue;
    const text = `${member.name} counts ${counted} ${what}, its users saw ${seen}`;
    cluster.records.bad("counters", text, member.host.name);
  }
}

/** A message may be missed where its bounds pushed it out, or where everybody who had it is gone; else it has to come after all. */
function checkMisses(cluster: Cluster, member: Membership): void {
  if (member.topic.tight) return;
  for (const [id, reason] of member.missed) {
    const post = cluster.records.post(member.topic, id);
    if (post === undefined || post.fate !== "accept" || member.has(post)) continue;
    // What is older than the membership is nobody's promise.
    if (member.since > post.at && member.history === "none") continue;
    const holders = cluster.on(member.topic).filter((other) => holds(other, post));
    if (holders.length === 0) continue;
    const who = holders.slice(0, 4).map(({ host }) => host.name).join(" ");
    const text = `${member.name} misses #${post.number} (${reason}), which ${who} hold`;
    cluster.records.bad("misses", text, member.host.name);
  }
}

function holds(member: Membership, post: Post): boolean {
  return member.has(post) && member.alive;
}
