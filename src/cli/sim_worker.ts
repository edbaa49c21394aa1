/**
 * A worker that runs one of the papers' experiments.
 *
 * @module
 */

import { type PaperJob, runPaperJob } from "../testing/scenarios/paper/jobs.ts";

/** The side of the worker that its own scope is. */
interface Scope {
  onmessage: ((event: MessageEvent<PaperJob>) => void) | null;
  postMessage(message: unknown): void;
}

/** More lines of progress would only keep the other side busy. */
const SHOW_EVERY_MS = 200;

const scope = globalThis as unknown as Scope;
let shown = -Infinity;
scope.onmessage = ({ data }) => {
  runPaperJob(data, (line) => {
    const now = performance.now();
    if (now - shown < SHOW_EVERY_MS) return;
    shown = now;
    scope.postMessage({ line });
  }).then(
    (figures) => scope.postMessage({ figures }),
    (error) => scope.postMessage({ error: String(error?.stack ?? error) }),
  );
};
