/**
 * One worker of `sim:faults`: runs the seeds that it is sent, with or without a bug put in.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { type FaultTask, runFaultTask } from "../testing/faults/task.ts";

self.onmessage = async (event: MessageEvent<FaultTask>) => {
  self.postMessage(await runFaultTask(event.data));
};
