/**
 * The one error class of the library.
 *
 * Wrong arguments are `TypeError` or `RangeError`, aborts reject with `signal.reason`; everything else is a
 * {@linkcode GossipError} with a literal `code`.
 *
 * @module
 */

/**
 * Every value that {@linkcode GossipError.code} can have.
 *
 * @example
 * ```ts
 * import { Gossip, GossipError, type GossipErrorCode } from "@x/plumtree";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Gossip.listen({ hostname: "127.0.0.1" });
 * const error = await assertRejects(() => node.connect(node.address), GossipError);
 * const code: GossipErrorCode = error.code;
 * assertEquals(code, "own-id");
 * ```
 */
export type GossipErrorCode =
  /** The node, topic or connection was closed before the call could finish. */
  | "closed"
  /** A dial failed: refused, unreachable, timed out, or every address of a peer failed. */
  | "dial-failed"
  /** The Noise handshake failed: garbage, wrong network or version, bad signature, deadline. */
  | "handshake-failed"
  /** A record after the handshake could not be opened: changed, reordered, replayed or cut. The connection is over. */
  | "bad-record"
  /** The peer that answered is not the one that the address named. */
  | "wrong-peer"
  /** The dialled address, or the peer to ask, is this node itself. */
  | "own-id"
  /** The peer is not connected and no address of it is known; or no member of a shard is known. */
  | "unknown-peer"
  /** The connection to the peer ended before the answer came. */
  | "disconnected"
  /** The other side has no handler for the requested protocol. */
  | "unknown-protocol"
  /** A bound on concurrent work, here or at the other side, was reached. */
  | "busy"
  /** A message, request or reply is larger than `limits` allow. */
  | "too-large"
  /** A deadline passed. */
  | "timeout"
  /** The peer's request handler threw, its reply could not be read, or no member took a message for a shard. */
  | "remote-error"
  /** The topic is joined already, and options are given again. */
  | "topic-in-use"
  /** The listening socket could not be opened. */
  | "listen-failed";

/**
 * An error of the library, told apart by its literal {@linkcode GossipError.code}.
 *
 * @example
 * ```ts
 * import { GossipError } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new GossipError("timeout", "no answer within 1000 ms");
 * assertEquals(error.code, "timeout");
 * assertEquals(error.name, "GossipError");
 * ```
 */
export class GossipError extends Error {
  /** What went wrong, for `switch`. */
  readonly code: GossipErrorCode;
  /** Always `"GossipError"`. */
  override readonly name = "GossipError";

  /**
   * Makes an error; for codecs, handlers and tests that want to fail as the library does.
   *
   * @param code What went wrong.
   * @param message The same for people.
   * @param options `cause`: the error underneath, if there is one.
   */
  constructor(code: GossipErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
