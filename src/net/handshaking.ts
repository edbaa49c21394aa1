/**
 * Moves the messages of a handshake over a stream.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { GossipError } from "../errors.ts";
import type { Channel } from "../secure/channel.ts";
import { frameHandshakeMessage, type Handshake } from "../secure/handshake.ts";
import type { Duplex } from "./duplex.ts";
import type { RecordReader } from "./records.ts";

/** What a finished handshake gives. */
export interface Greeting {
  /** Who is at the other end. */
  readonly peer: PeerId;
  /** The encryption from here on. */
  readonly channel: Channel;
}

/**
 * Runs one side of a handshake; undefined where the other side ended the stream. The caller keeps the deadline: it closes the stream.
 *
 * @param proven Called by the initiator when the responder is known and before it learns who dials; what it throws ends the handshake.
 * @throws {GossipError} on anything but a handshake; and whatever broke the stream.
 */
export async function greet(
  duplex: Duplex,
  reader: RecordReader,
  handshake: Handshake,
  proven: (peer: PeerId) => void = () => {},
): Promise<Greeting | undefined> {
  try {
    const first = handshake.start();
    if (first !== undefined) await writeAll(duplex, frameHandshakeMessage(first));
    for (;;) {
      reader.maximum = handshake.expects;
      let message = nextMessage(reader);
      while (message === undefined) {
        if (!await reader.fill()) return undefined;
        message = nextMessage(reader);
      }
      const step = handshake.receive(message);
      if (step.send !== undefined) {
        if (step.peer !== undefined) proven(step.peer);
        await writeAll(duplex, frameHandshakeMessage(step.send));
      }
      if (step.peer !== undefined && step.channel !== undefined) {
        return { peer: step.peer, channel: step.channel };
      }
    }
  } finally {
    handshake.abort();
  }
}

/** What is longer than any message of a handshake comes from something else that listens there, or dials: another protocol, another version. */
function nextMessage(reader: RecordReader): Uint8Array | undefined {
  try {
    return reader.next();
  } catch (cause) {
    throw new GossipError("handshake-failed", "the other side does not speak this protocol", {
      cause,
    });
  }
}

async function writeAll(duplex: Duplex, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await duplex.write(bytes.subarray(at));
}
