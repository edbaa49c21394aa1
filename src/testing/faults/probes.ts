/**
 * What a tree must be good for once all is calm: few copies, and news of a dead branch by the announcements, not by the comparisons.
 *
 * @module
 */

import type { Rng } from "../rng.ts";
import type { Cluster } from "./cluster.ts";
import type { Membership } from "./records.ts";
import { oneOf } from "./setup.ts";

/** Messages that let the tree settle, and messages that are judged. */
const FIRST_MESSAGES = 10;
const JUDGED_MESSAGES = 6;
const APART_MS = 300;
/** How long the last of them may take. */
const ARRIVAL_MS = 2_500;
/** Copies beyond the first, per delivery. */
const MOST_COPIES = 0.5;
/** A change of a link may be on its way. */
const GRACE_MS = 500;
/** Smaller topics are one clique, where nearly every link is in the tree. */
const LEAST_MEMBERS = 5;

/** Moves time; true where something went wrong meanwhile. */
export type Pass = (ms: number) => Promise<boolean>;

/** Publishes in the calm, then kills a node that others hang on and publishes again. */
export async function probeTree(cluster: Cluster, rng: Rng, pass: Pass): Promise<void> {
  cluster.prompt = true;
  const topics = cluster.setup.topics.filter((topic) => cluster.on(topic).length >= LEAST_MEMBERS);
  if (topics.length === 0) return;
  const topic = oneOf(rng, topics);
  const members = cluster.on(topic);
  const author = oneOf(rng, members);
  const send = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await cluster.publish(author, "accept", 100);
      if (await pass(APART_MS)) return true;
    }
    return await pass(ARRIVAL_MS);
  };
  if (await send(FIRST_MESSAGES)) return;
  const before = copies(members);
  if (await send(JUDGED_MESSAGES)) return;
  const extra = (copies(members) - before) / (JUDGED_MESSAGES * (members.length - 1));
  if (extra > MOST_COPIES) {
    const what = `${extra.toFixed(2)} copies beyond the first per delivery on ${topic.name}`;
    cluster.records.bad("few copies", `in the calm, ${what}`, author.host.name);
  }
  // GRAFT and PRUNE have told both ends; it must not take a comparison to make them agree.
  const half = halfEager(members);
  if (half !== undefined) {
    if (await pass(GRACE_MS)) return;
    if (halfEager(members) === half) cluster.records.bad("symmetric tree", half);
  }
  // With a longer T1 the comparisons would have told as soon.
  if (cluster.setup.tree.graftMaxMs === 1_000) await cutBranch(cluster, author, members, pass);
}

/** A link that is eager at one end only, in words. */
function halfEager(members: readonly Membership[]): string | undefined {
  const byId = new Map(members.map((member) => [member.host.id, member]));
  for (const { host, core } of members) {
    for (const peer of core.tree.eagerPeers) {
      const other = byId.get(peer);
      if (other === undefined || !other.core.overlay.isActive(host.id)) continue;
      if (other.core.tree.eagerPeers.includes(host.id)) continue;
      return `${host.name} still pushes to ${other.host.name}, which has pruned it`;
    }
  }
  return undefined;
}

function copies(members: readonly Membership[]): number {
  return members.reduce((sum, { core }) => sum + core.tree.metrics().duplicates, 0);
}

/** Kills a node on the tree: what is behind it has to hear by announcements. */
async function cutBranch(
  cluster: Cluster,
  author: Membership,
  members: readonly Membership[],
  pass: Pass,
): Promise<void> {
  const byId = new Map(members.map((member) => [member.host.id, member]));
  const victim = author.core.tree.eagerPeers.map((peer) => byId.get(peer)!).find((member) =>
    member.core.tree.eagerPeers.length > 1 && staysConnected(byId, author, member)
  );
  if (victim === undefined) return;
  await cluster.end(victim.host, true);
  await cluster.publish(author, "accept", 100);
  const post = [...cluster.records.posts.values()].at(-1)!;
  if (await pass(ARRIVAL_MS)) return;
  for (const member of members) {
    if (member === victim || member.has(post)) continue;
    const what = `${ARRIVAL_MS} ms after a branch died ${member.name} lacks #${post.number}`;
    cluster.records.bad("dead branch", what, member.host.name, author.host.name);
  }
}

/** True where the overlay holds together without one node. */
function staysConnected(
  byId: ReadonlyMap<string, Membership>,
  from: Membership,
  without: Membership,
): boolean {
  const reached = new Set([from.host.id]);
  for (const id of reached) {
    for (const peer of byId.get(id)!.core.overlay.active) {
      if (peer !== without.host.id) reached.add(peer);
    }
  }
  return reached.size === byId.size - 1;
}
