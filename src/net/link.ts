/**
 * What connections share with those who own them.
 *
 * @module
 */

import type { Clock, PeerId } from "../core/host.ts";
import type { Limits } from "../limits.ts";
import type { Connection } from "./connection.ts";
import type { Counters } from "./counters.ts";
import type { Duplex } from "./duplex.ts";
import type { EndReason } from "./goodbye.ts";
import type { Sealer } from "./outbox.ts";
import type { RecordReader } from "./records.ts";
import type { LinkTiming } from "./timing.ts";

/** Both halves of a connection's encryption; see `secure/channel.ts`. */
export interface RecordChannel extends Sealer {
  /** The plaintext of a record (without its length), in memory that is the caller's to free. Throws on a forged one. */
  open(record: Uint8Array): Uint8Array;
  /** Wipes the keys. */
  close(): void;
}

/** What a connection tells its owner. */
export interface LinkHandler {
  /** The other side accepted a connection that was dialled here. */
  opened(connection: Connection): void;
  /** One frame, in `bytes[start, end)`. */
  receive(connection: Connection, bytes: Uint8Array, start: number, end: number): void;
  /** Whether this node needs it; told to the other side with every ping. */
  isHeld(connection: Connection): boolean;
  /** It ended, accepted or not; told once. */
  ended(connection: Connection, reason: EndReason): void;
}

/** What all connections of a transport share. */
export interface LinkContext {
  readonly clock: Clock;
  readonly timing: LinkTiming;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly handler: LinkHandler;
}

/** What one connection begins with. */
export interface ConnectionOptions {
  readonly id: PeerId;
  readonly direction: "in" | "out";
  readonly duplex: Duplex;
  readonly reader: RecordReader;
  readonly channel: RecordChannel;
}
