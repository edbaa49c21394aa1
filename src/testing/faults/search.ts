/**
 * Random faults on a random small cluster under virtual time; then the faults stop and everything must converge.
 *
 * @module
 */

import type { TopicCore } from "../../core/topic_core.ts";
import { Rng } from "../rng.ts";
import { Calm } from "./calm.ts";
import { Cluster } from "./cluster.ts";
import { checkAccounts } from "./accounts.ts";
import { type Pass, probeTree } from "./probes.ts";
import { Safety } from "./safety.ts";
import { drawSetup } from "./setup.ts";
import type { SimHost } from "./sim_host.ts";
import { Steps } from "./steps.ts";

/** What one seed showed. */
export interface FaultReport {
  readonly seed: number;
  readonly nodes: number;
  /** How many faults of each kind were injected. */
  readonly faults: Readonly<Record<string, number>>;
  readonly published: number;
  readonly delivered: number;
  /** `missed` events. */
  readonly missed: number;
  readonly requests: number;
  /** Swaps of links (X-BOT), and those that were followed to their end. */
  readonly swaps: number;
  readonly swapsFollowed: number;
  /** Looks at everything that must always hold. */
  readonly checks: number;
  /** Virtual seconds from the end of the faults until everything had converged. */
  readonly calmSeconds: number;
  readonly violations: readonly string[];
  /** What happened, where it was asked for and something is wrong. */
  readonly trace: readonly string[];
}

/** Safety is looked at whenever so many virtual ms have passed, and something happened. */
const LOOK_MS = 3;
/** Convergence is looked at so often, in virtual ms. */
const SETTLED_MS = 500;
/** How long links are watched once all is calm, where presets differ: a `local` node misses the CHECKs of a `wan` node within this. */
const STEADY_MS = 45_000;
/** How long everything may take to converge, in virtual seconds, by the slowest preset. */
const CALM_SECONDS = { local: 240, lan: 480, wan: 1_200 } as const;

/** Runs one seed; `trace` keeps what happened. */
export async function searchFaults(
  seed: number,
  options: { trace?: boolean } = {},
): Promise<FaultReport> {
  const rng = new Rng(`faults ${seed}`);
  const setup = drawSetup(seed, rng.fork("setup"));
  const cluster = new Cluster(seed, setup, rng.fork("cluster"), options.trace === true);
  const { records } = cluster;
  const thrown = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    records.bad("thrown", `unhandled: ${text(event.reason)}`);
  };
  globalThis.addEventListener("unhandledrejection", thrown);
  let calmSeconds = 0;
  try {
    calmSeconds = await run(cluster, rng);
  } catch (error) {
    records.bad("thrown", text(error));
  } finally {
    await cluster.close();
    globalThis.removeEventListener("unhandledrejection", thrown);
  }
  for (const [kind, count] of Object.entries(fabricFaults(cluster))) {
    if (count > 0) records.faults[kind] = count;
  }
  return {
    seed,
    nodes: setup.nodes,
    faults: records.faults,
    published: records.posts.size,
    delivered: records.delivered,
    missed: records.missed,
    requests: records.requests,
    swaps: records.swaps,
    swapsFollowed: cluster.swaps?.completed ?? 0,
    checks: records.checks,
    calmSeconds,
    violations: records.violations,
    trace: records.violations.length > 0
      ? cluster.log.report(records.violations, records.blamed)
      : [],
  };
}

function text(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function fabricFaults(cluster: Cluster): Record<string, number> {
  const { retransmitted, linksBroken } = cluster.fabric.metrics();
  return { "late frame (loss)": retransmitted, "link lost by chance": linksBroken };
}

async function run(cluster: Cluster, rng: Rng): Promise<number> {
  const { fabric, setup, records } = cluster;
  const { clock } = fabric;
  const safety = new Safety(cluster);
  const wrong = () => {
    safety.look();
    return records.violations.length > 0;
  };
  const pass = (ms: number) => clock.runUntil(wrong, cluster.now + ms, { everyMs: LOOK_MS });
  const chances = rng.fork("steps");
  for (let i = 0; i < setup.nodes; i++) {
    cluster.spawn();
    if (await pass(chances.int(50))) return 0;
  }
  if (await pass(chances.int(4_000))) return 0;
  const steps = new Steps(cluster, chances);
  const end = cluster.now + setup.faultSeconds * 1_000;
  while (cluster.now < end) {
    await steps.take();
    if (await pass(chances.next() * setup.stepMs)) return 0;
  }
  if (setup.apartSeconds > 0) {
    steps.divide();
    if (await pass(setup.apartSeconds * 1_000)) return 0;
  }
  steps.stop();
  await cluster.restartSeeds();
  const seconds = await settle(cluster, safety);
  if (setup.presets.length > 1) await watchLinks(cluster, pass);
  // Where frames come late by chance, or wait for others, nothing is promised of times.
  const timely = !setup.fabric.loss && setup.fabric.bandwidth === undefined;
  if (records.violations.length === 0 && timely) {
    await probeTree(cluster, chances, pass);
    await settle(cluster, safety);
  }
  if (records.violations.length === 0) checkAccounts(cluster);
  return seconds;
}

/** Where all is well no neighbour may be dropped for its silence, however different the paces of both ends. */
async function watchLinks(cluster: Cluster, pass: Pass): Promise<void> {
  const before = halfLinks(cluster);
  if (cluster.records.violations.length > 0 || await pass(STEADY_MS)) return;
  for (const [core, { host, count }] of halfLinks(cluster)) {
    const more = count - (before.get(core)?.count ?? 0);
    if (more === 0) continue;
    const what = `${host.name} drops ${more} neighbours for their silence on ${core.name}`;
    cluster.records.bad("steady links", `in the calm ${what}`, host.name);
  }
}

function halfLinks(cluster: Cluster): Map<TopicCore, { host: SimHost; count: number }> {
  return new Map(
    cluster.hosts.flatMap((host) =>
      [...host.topics].map((core) => [core, { host, count: core.overlay.metrics().halfLinks }])
    ),
  );
}

/** Waits until everything has converged; returns the virtual seconds that it took. */
async function settle(cluster: Cluster, safety: Safety): Promise<number> {
  const { clock } = cluster.fabric;
  const { records, setup } = cluster;
  const calm = new Calm(cluster);
  const since = cluster.now;
  const most = Math.max(...setup.presets.map((preset) => CALM_SECONDS[preset]));
  const deadline = since + most * 1_000;
  let lookAt = since;
  const settled = () => {
    safety.look();
    if (records.violations.length > 0) return true;
    if (cluster.now < lookAt) return false;
    lookAt = cluster.now + SETTLED_MS;
    return calm.problems().length === 0;
  };
  if (!await clock.runUntil(settled, deadline, { everyMs: 20 })) {
    for (const [check, what, node] of calm.problems(12)) {
      records.bad(check, `after ${most} s of calm ${what}`, ...node === "" ? [] : [node]);
    }
  }
  return (cluster.now - since) / 1_000;
}
