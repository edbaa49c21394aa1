/**
 * The experiments as jobs that can run in a worker each: their sizes go in and their figures come out as plain data.
 *
 * @module
 */

import { type FailureFigures, failures, type FailureSize } from "./failures.ts";
import { manyAuthors, type ManyAuthorsFigures, type ManyAuthorsSize } from "./many_authors.ts";
import type { Show } from "./setting.ts";
import { stable, type StableFigures, type StableSize } from "./stable.ts";
import { young, type YoungFigures, type YoungSize } from "./young.ts";

/** One experiment to run. */
export type PaperJob =
  | { readonly kind: "stable"; readonly size: StableSize }
  | { readonly kind: "many-authors"; readonly size: ManyAuthorsSize }
  | { readonly kind: "young"; readonly size: YoungSize }
  | { readonly kind: "failures"; readonly size: FailureSize };

/** What it found. */
export type PaperFigures =
  | { readonly kind: "stable"; readonly figures: StableFigures }
  | { readonly kind: "young"; readonly oneSender: boolean; readonly figures: YoungFigures }
  | { readonly kind: "many-authors"; readonly figures: ManyAuthorsFigures }
  | { readonly kind: "failures"; readonly figures: readonly FailureFigures[] };

/** How much is done; what the paper did, or less where a mean needs no more. */
export interface PaperSize {
  readonly nodes: number;
  readonly seed: number;
  /** Cycles before the overlay is measured; the papers' are 50. */
  readonly cycles: number;
  /** Cycles before each failure. */
  readonly failureCycles: number;
  readonly messages: number;
  /** After each failure. */
  readonly failureMessages: number;
  readonly failingCycles: number;
  readonly youngCycles: number;
  /** Shares of crashed nodes, those of one list on one network. */
  readonly failures: readonly (readonly number[])[];
}

/** The sizes by which the acceptance table is made. */
export function paperSize(nodes: number, seed: number): PaperSize {
  return {
    nodes,
    seed,
    cycles: 50,
    failureCycles: 3,
    messages: 16,
    failureMessages: 10,
    failingCycles: 8,
    youngCycles: 14,
    failures: [[0.1, 0.3, 0.5, 0.7, 0.9], [0.2, 0.4, 0.6, 0.8, 0.95]],
  };
}

/** The experiments, longest first. */
export function paperJobs(size: PaperSize): PaperJob[] {
  const { nodes, seed, cycles, messages, failingCycles, youngCycles } = size;
  return [
    { kind: "stable", size: { nodes, seed, cycles, messages, failingCycles } },
    { kind: "many-authors", size: { nodes, seed, cycles: size.failureCycles, messages } },
    ...size.failures.map((shares, i): PaperJob => ({
      kind: "failures",
      size: {
        nodes,
        seed: seed + i + 1,
        shares,
        cycles: size.failureCycles,
        messages: size.failureMessages,
      },
    })),
    { kind: "young", size: { nodes, seed, cycles: youngCycles, oneSender: false } },
  ];
}

/** Runs one. */
export async function runPaperJob(job: PaperJob, show: Show): Promise<PaperFigures> {
  switch (job.kind) {
    case "stable":
      return { kind: job.kind, figures: await stable(job.size, show) };
    case "young": {
      const { oneSender } = job.size;
      return { kind: job.kind, oneSender, figures: await young(job.size, show) };
    }
    case "many-authors":
      return { kind: job.kind, figures: await manyAuthors(job.size, show) };
    case "failures":
      return { kind: job.kind, figures: await failures(job.size, show) };
  }
}
