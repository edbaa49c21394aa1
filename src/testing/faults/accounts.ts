/**
 * In the end the counters must agree with what the users saw.
 *
 * @module
 */

import type { Cluster } from "./cluster.ts";
import type { Membership } from "./records.ts";

/** Looks at every membership that lasts. */
export function checkAccounts(cluster: Cluster): void {
  for (const host of cluster.hosts) {
    for (const member of host.members.values()) {
      checkCounters(cluster, member);
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
