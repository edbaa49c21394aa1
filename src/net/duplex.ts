/**
 * What connections stand on: byte streams both ways, and a way to get them. `tcp.ts` has the real one, `testing/memory_net.ts`
 * one in memory.
 *
 * @module
 */

/** One byte stream each way between two processes. */
export interface Duplex {
  /** This end, "host:port". */
  readonly localAddress: string;
  /** The other end, "host:port". */
  readonly remoteAddress: string;
  /** Reads at least one byte; null at the end of the stream. Rejects when the stream breaks or is closed here. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes at least one byte and says how many. Rejects when the stream breaks or is closed here. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends this side's direction: the other side reads null after what was written. */
  closeWrite(): Promise<void>;
  /** Drops the stream; pending reads and writes reject. Idempotent, never throws. */
  close(): void;
}

/** Streams that others open. */
export interface StreamListener {
  /** The host that is bound. */
  readonly hostname: string;
  /** The port that is bound. */
  readonly port: number;
  /** The next stream; null once closed. Rejects where one stream could not be taken (the next may be). */
  accept(): Promise<Duplex | null>;
  /** Stops. Idempotent, never throws. */
  close(): void;
}

/** Where streams come from. */
export interface StreamNetwork {
  /** Starts to accept; port 0 is any free one. Throws where the address cannot be bound. */
  listen(options: { hostname: string; port: number }): StreamListener;
  /** Opens a stream; rejects with whatever stopped it, or with the signal's reason. */
  connect(hostname: string, port: number, signal: AbortSignal): Promise<Duplex>;
}
