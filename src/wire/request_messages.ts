/**
 * The frames of requests between two peers. Pure.
 *
 * | frame | after the kind byte |
 * |---|---|
 * | REQUEST | varint id, u8 length and UTF-8 of the protocol's name, body |
 * | REPLY | varint id, u8 flags (bit 0: streamed), 1 to 65,536 bytes of the answer; exactly 65,536 where it is not streamed |
 * | REPLY_END | varint id, u8 flags (bit 0: streamed, bit 1: found), up to 65,536 last bytes |
 * | REPLY_ERROR | varint id, u8 code, up to 256 bytes of UTF-8 |
 * | REQUEST_CANCEL | varint id |
 * | REQUEST_CREDIT | varint id, varint further credit |
 *
 * The requester chooses the ids; on one connection they only grow. An answer spends credit: its bytes and
 * {@linkcode REPLY_FRAME_COST} per REPLY or REPLY_END with bytes in it, so that a stream of tiny chunks is bounded too. Every
 * request begins with {@linkcode REPLY_WINDOW} of it.
 *
 * @module
 */

import { Reader, varintSize, WireError, writeVarint } from "./bytes.ts";
import { Frame } from "./frames.ts";

/** Most bytes of an answer in one frame. */
export const REPLY_CHUNK_BYTES = 65_536;

/** What a frame costs beside its bytes: about what an object that holds a chunk takes in memory. */
export const REPLY_FRAME_COST = 64;

/** The credit that every request begins with: four full frames. */
export const REPLY_WINDOW: number = 4 * (REPLY_CHUNK_BYTES + REPLY_FRAME_COST);

/** The most credit that may be open on one request. */
export const REPLY_WINDOW_MOST = 16 * 1024 * 1024;

/** Most bytes of a protocol's name. */
export const PROTOCOL_BYTES = 255;

/** Most bytes of the text in a REPLY_ERROR. */
export const ERROR_TEXT_BYTES = 256;

/** Why a request was refused, as it travels. */
export type ReplyErrorCode = "unknown-protocol" | "busy" | "too-large" | "remote-error";

const ERROR_CODES: readonly ReplyErrorCode[] = [
  "unknown-protocol",
  "busy",
  "too-large",
  "remote-error",
];

/** One frame of the request layer; byte fields are views into the received bytes. */
export type RequestFrame =
  /** Asks. */
  | {
    readonly type: "request";
    readonly id: number;
    readonly protocol: string;
    readonly body: Uint8Array;
  }
  /** A part of the answer. */
  | {
    readonly type: "reply";
    readonly id: number;
    readonly streamed: boolean;
    readonly data: Uint8Array;
  }
  /** The end of the answer, often all of it. */
  | {
    readonly type: "reply-end";
    readonly id: number;
    readonly streamed: boolean;
    readonly found: boolean;
    readonly data: Uint8Array;
  }
  /** There is no answer, or no more of it. */
  | {
    readonly type: "reply-error";
    readonly id: number;
    readonly code: ReplyErrorCode;
    readonly text: string;
  }
  /** The requester no longer wants the answer. */
  | { readonly type: "cancel"; readonly id: number }
  /** The requester has room for more of the answer. */
  | { readonly type: "credit"; readonly id: number; readonly credit: number };

const STREAMED = 1;
const FOUND = 2;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The credit that a frame with `bytes` of an answer spends. */
export function replyCost(bytes: number): number {
  return bytes === 0 ? 0 : bytes + REPLY_FRAME_COST;
}

/** The bytes of a protocol's name; throws RangeError where it is empty or too long. */
export function encodeProtocol(protocol: string): Uint8Array {
  const name = encoder.encode(protocol);
  if (name.length === 0 || name.length > PROTOCOL_BYTES) {
    throw new RangeError(`a protocol's name has 1 to ${PROTOCOL_BYTES} bytes, not ${name.length}`);
  }
  return name;
}

function start(kind: number, id: number, more: number): [Uint8Array, number] {
  const out = new Uint8Array(1 + varintSize(id) + more);
  out[0] = kind;
  return [out, writeVarint(out, 1, id)];
}

/** The head of a REQUEST; the body follows it. `name` is what {@linkcode encodeProtocol} gave. */
export function encodeRequest(id: number, name: Uint8Array): Uint8Array {
  const [out, at] = start(Frame.REQUEST, id, 1 + name.length);
  out[at] = name.length;
  out.set(name, at + 1);
  return out;
}

/** The head of a REPLY; the bytes follow it. */
export function encodeReply(id: number, streamed: boolean): Uint8Array {
  const [out, at] = start(Frame.REPLY, id, 1);
  out[at] = streamed ? STREAMED : 0;
  return out;
}

/** The head of a REPLY_END; the last bytes follow it. */
export function encodeReplyEnd(id: number, streamed: boolean, found: boolean): Uint8Array {
  const [out, at] = start(Frame.REPLY_END, id, 1);
  out[at] = (streamed ? STREAMED : 0) | (found ? FOUND : 0);
  return out;
}

/** A REPLY_ERROR; a text that is too long is cut between two characters. */
export function encodeReplyError(id: number, code: ReplyErrorCode, text: string): Uint8Array {
  const bytes = new Uint8Array(ERROR_TEXT_BYTES);
  const { written } = encoder.encodeInto(text, bytes);
  const [out, at] = start(Frame.REPLY_ERROR, id, 1 + written);
  out[at] = ERROR_CODES.indexOf(code) + 1;
  out.set(bytes.subarray(0, written), at + 1);
  return out;
}

/** A REQUEST_CANCEL. */
export function encodeRequestCancel(id: number): Uint8Array {
  return start(Frame.REQUEST_CANCEL, id, 0)[0];
}

/** A REQUEST_CREDIT. */
export function encodeRequestCredit(id: number, credit: number): Uint8Array {
  const [out, at] = start(Frame.REQUEST_CREDIT, id, varintSize(credit));
  writeVarint(out, at, credit);
  return out;
}

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new WireError("not UTF-8", { cause });
  }
}

function flags(reader: Reader, allowed: number): number {
  const bits = reader.u8();
  if ((bits & ~allowed) !== 0) throw new WireError("unknown flags in a reply");
  return bits;
}

function readRequest(reader: Reader, id: number): RequestFrame {
  const length = reader.u8();
  if (length === 0) throw new WireError("request without a protocol");
  return { type: "request", id, protocol: text(reader.view(length)), body: reader.rest() };
}

function readReply(reader: Reader, id: number): RequestFrame {
  const streamed = flags(reader, STREAMED) !== 0;
  const data = reader.rest();
  // Only full frames in an answer that is collected: else tiny ones would cost many times their bytes in memory.
  const least = streamed ? 1 : REPLY_CHUNK_BYTES;
  if (data.length < least || data.length > REPLY_CHUNK_BYTES) throw new WireError("bad reply size");
  return { type: "reply", id, streamed, data };
}

function readReplyEnd(reader: Reader, id: number): RequestFrame {
  const bits = flags(reader, STREAMED | FOUND);
  const data = reader.rest();
  if (data.length > REPLY_CHUNK_BYTES) throw new WireError("bad reply size");
  const found = (bits & FOUND) !== 0, streamed = (bits & STREAMED) !== 0;
  if (!found && (streamed || data.length > 0)) throw new WireError("bytes of an answer not found");
  return { type: "reply-end", id, streamed, found, data };
}

function readReplyError(reader: Reader, id: number): RequestFrame {
  // A code of a later version is still a refusal.
  const code = ERROR_CODES[reader.u8() - 1] ?? "remote-error";
  if (reader.left > ERROR_TEXT_BYTES) throw new WireError("error text too long");
  return { type: "reply-error", id, code, text: text(reader.rest()) };
}

function readCredit(reader: Reader, id: number): RequestFrame {
  const credit = reader.varint();
  if (credit === 0 || credit > REPLY_WINDOW_MOST) throw new WireError("bad credit");
  reader.done();
  return { type: "credit", id, credit };
}

/** Decodes one frame in `bytes[start, end)`; throws {@linkcode WireError} on anything else. */
export function decodeRequestFrame(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): RequestFrame {
  const reader = new Reader(bytes, start, end);
  const kind = reader.u8();
  const id = reader.varint();
  switch (kind) {
    case Frame.REQUEST:
      return readRequest(reader, id);
    case Frame.REPLY:
      return readReply(reader, id);
    case Frame.REPLY_END:
      return readReplyEnd(reader, id);
    case Frame.REPLY_ERROR:
      return readReplyError(reader, id);
    case Frame.REQUEST_CANCEL:
      reader.done();
      return { type: "cancel", id };
    case Frame.REQUEST_CREDIT:
      return readCredit(reader, id);
    default:
      throw new WireError("unknown request frame");
  }
}
