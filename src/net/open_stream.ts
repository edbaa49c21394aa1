/**
 * Opens a stream within a time.
 *
 * @module
 */

import type { Clock } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Duplex, StreamNetwork } from "./duplex.ts";

/** Where to, and for how long to try. */
export interface StreamTarget {
  readonly hostname: string;
  readonly port: number;
  /** Milliseconds for the attempt. */
  readonly ms: number;
  /** Ends the attempt, not the stream. */
  readonly signal: AbortSignal;
}

/** Opens a stream; rejects with what stopped it, the signal's reason or {@linkcode GossipError} "dial-failed" after the time. */
export async function openStream(
  network: StreamNetwork,
  clock: Clock,
  to: StreamTarget,
): Promise<Duplex> {
  to.signal.throwIfAborted();
  const attempt = new AbortController();
  const abort = (): void => attempt.abort(to.signal.reason);
  to.signal.addEventListener("abort", abort, { once: true });
  const timer = clock.after(to.ms, () => {
    attempt.abort(new GossipError("dial-failed", `no connection within ${to.ms} ms`));
  });
  try {
    return await network.connect(to.hostname, to.port, attempt.signal);
  } finally {
    clock.cancel(timer);
    to.signal.removeEventListener("abort", abort);
  }
}
