/**
 * The kinds of frames. A frame is one message on a connection; its first byte is its kind.
 *
 * The groups say who reads them: the connection itself, the protocol core, or the request layer.
 *
 * @module
 */

/** The first byte of every frame. */
export const Frame = {
  // The connection (src/net): never seen above it.
  PING: 0x01,
  PONG: 0x02,
  GOODBYE: 0x03,
  CHUNK: 0x04,
  CREDIT: 0x05,

  // The protocol core (src/core).
  HELLO: 0x10,
  TOPIC_OPEN: 0x11,
  TOPIC_CLOSE: 0x12,
  OVERLAY: 0x13,
  GOSSIP: 0x14,
  IHAVE: 0x15,
  GRAFT: 0x16,
  PRUNE: 0x17,
  GONE: 0x18,
  SYNC: 0x19,
  TOPIC_NONE: 0x1a,
  APART: 0x1b,

  // The request layer (src/request).
  REQUEST: 0x30,
  REPLY: 0x31,
  REPLY_END: 0x32,
  REPLY_ERROR: 0x33,
  REQUEST_CANCEL: 0x34,
  REQUEST_CREDIT: 0x35,
} as const;

/** True where the request layer reads frames of this kind. */
export function isRequestFrame(kind: number): boolean {
  return kind >= 0x30 && kind <= 0x3f;
}

/**
 * The three send lanes of a connection, most urgent first. A record takes what waits in a lane before it looks at the
 * next one; bulk is cut into chunks, so that a large body never delays a vote.
 */
export const Lane = {
  /** Membership, tree control, pings, and messages published with priority "high". */
  CONTROL: 0,
  /** Messages published with priority "normal", requests. */
  NORMAL: 1,
  /** Messages published with priority "bulk", streamed replies. */
  BULK: 2,
} as const;

/** One of the values of {@linkcode Lane}. */
export type Lane = (typeof Lane)[keyof typeof Lane];
