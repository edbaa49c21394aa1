/**
 * The messages of the overlay (HyParView, X-BOT) and their CBOR. Pure.
 *
 * On the wire a message is one CBOR array: its number in {@linkcode OVERLAY_TYPES}, then its fields in the order of
 * {@linkcode OverlayMessage}. A record is a byte string, exactly as its peer signed it.
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";
import { fromHex, toHex, WireError } from "./bytes.ts";
import { decodeCbor, encodeOwn } from "./cbor.ts";
import { decodeRecord, type SignedRecord } from "./record.ts";

/** One message of HyParView or X-BOT; names as in the papers. */
export type OverlayMessage =
  /** A new member asks its contact to be taken in. */
  | { readonly type: "join"; readonly record: SignedRecord }
  /** The walk that spreads a new member. */
  | { readonly type: "forward-join"; readonly record: SignedRecord; readonly ttl: number }
  /** Asks to become neighbours. */
  | { readonly type: "neighbor"; readonly record: SignedRecord; readonly high: boolean }
  /** The answer to join and neighbor; `candidates` are others to try. */
  | {
    readonly type: "neighbor-reply";
    readonly accepted: boolean;
    readonly candidates: readonly SignedRecord[];
  }
  /** Ends the relation. `alive`: evicted, not leaving; then `candidates` are others to try. */
  | {
    readonly type: "disconnect";
    readonly alive: boolean;
    readonly candidates: readonly SignedRecord[];
  }
  /** A walk with a sample of its origin's views. `walk` is drawn by the origin, for the way back. */
  | {
    readonly type: "shuffle";
    readonly walk: number;
    readonly origin: SignedRecord;
    readonly ttl: number;
    readonly entries: readonly SignedRecord[];
  }
  /** The sample that comes back, along the walk. */
  | {
    readonly type: "shuffle-reply";
    readonly walk: number;
    readonly entries: readonly SignedRecord[];
  }
  /** The periodic symmetry check: "you are in my active view". */
  | { readonly type: "check" }
  /** X-BOT, i to c: "be my neighbour instead of `old`". Costs are round trips in µs, old link's and new link's. */
  | {
    readonly type: "optimization";
    readonly swap: number;
    readonly old: SignedRecord;
    readonly oldUs: number;
    readonly newUs: number;
  }
  /** X-BOT, c to d: "be the neighbour of `old` instead of mine". Costs of both old links together, and of i to c. */
  | {
    readonly type: "replace";
    readonly swap: number;
    readonly initiator: PeerId;
    readonly old: SignedRecord;
    readonly oldUs: number;
    readonly newUs: number;
  }
  /** X-BOT, d to o: "be my neighbour when `initiator` lets go of you". */
  | { readonly type: "switch"; readonly swap: number; readonly initiator: PeerId }
  /** X-BOT: the answer to the three above, and the end of a swap that was agreed to. */
  | { readonly type: "swap-reply"; readonly swap: number; readonly answer: SwapAnswer }
  /** X-BOT, i to o and c to d: ends the relation; the peer agreed on takes its place. */
  | { readonly type: "disconnect-wait"; readonly swap: number }
  /** X-BOT, i to c and o to d: "you are in my active view, as agreed". */
  | { readonly type: "swapped"; readonly swap: number };

/** How a party answers to a part in a swap. */
export type SwapAnswer = (typeof SWAP_ANSWERS)[number];

/** The answers by their number on the wire. "kept": d protects its link to c; "old-kept": o protects its link to i. */
export const SWAP_ANSWERS = ["yes", "no", "busy", "kept", "old-kept"] as const;

/** The largest cost on the wire, in µs. */
export const MAX_COST_US = 2 ** 32 - 1;

/** The messages by their number on the wire. */
export const OVERLAY_TYPES = [
  "join",
  "forward-join",
  "neighbor",
  "neighbor-reply",
  "disconnect",
  "shuffle",
  "shuffle-reply",
  "check",
  "optimization",
  "replace",
  "switch",
  "swap-reply",
  "disconnect-wait",
  "swapped",
] as const;

/** The largest time to live that a walk can have on the wire; receivers clamp it to their own options. */
export const MAX_WALK_TTL = 255;

function encodeRecords(records: readonly SignedRecord[]): Uint8Array[] {
  return records.map((record) => record.encoded);
}

function fieldsOf(message: OverlayMessage): unknown[] {
  switch (message.type) {
    case "join":
      return [message.record.encoded];
    case "forward-join":
      return [message.record.encoded, message.ttl];
    case "neighbor":
      return [message.record.encoded, message.high];
    case "neighbor-reply":
      return [message.accepted, encodeRecords(message.candidates)];
    case "disconnect":
      return [message.alive, encodeRecords(message.candidates)];
    case "shuffle":
      return [message.walk, message.origin.encoded, message.ttl, encodeRecords(message.entries)];
    case "shuffle-reply":
      return [message.walk, encodeRecords(message.entries)];
    case "check":
      return [];
    case "optimization": {
      const { swap, old, oldUs, newUs } = message;
      return [swap, old.encoded, oldUs, newUs];
    }
    case "replace": {
      const { swap, initiator, old, oldUs, newUs } = message;
      return [swap, fromHex(initiator), old.encoded, oldUs, newUs];
    }
    case "switch":
      return [message.swap, fromHex(message.initiator)];
    case "swap-reply":
      return [message.swap, SWAP_ANSWERS.indexOf(message.answer)];
    case "disconnect-wait":
    case "swapped":
      return [message.swap];
  }
}

/** Encodes the CBOR part of an OVERLAY frame, without kind and alias. */
export function encodeOverlay(message: OverlayMessage): Uint8Array {
  if (message.type === "check") return CHECK_BYTES;
  return encodeOwn([OVERLAY_TYPES.indexOf(message.type), ...fieldsOf(message)]);
}

function toRecord(value: unknown): SignedRecord {
  if (!(value instanceof Uint8Array)) throw new WireError("bad record in overlay message");
  return decodeRecord(value);
}

/** The first `most` records of a list: what a peer sends beyond that is not even decoded. */
function toRecords(value: unknown, most: number): SignedRecord[] {
  if (!Array.isArray(value)) throw new WireError("bad list in overlay message");
  const records: SignedRecord[] = [];
  for (let i = 0; i < value.length && i < most; i++) records.push(toRecord(value[i]));
  return records;
}

function toBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new WireError("bad flag in overlay message");
  return value;
}

function toWhole(value: unknown, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
    throw new WireError("bad number in overlay message");
  }
  return value;
}

function toTtl(value: unknown): number {
  return toWhole(value, MAX_WALK_TTL);
}

function toU32(value: unknown): number {
  return toWhole(value, 2 ** 32 - 1);
}

function toPeer(value: unknown): PeerId {
  if (!(value instanceof Uint8Array) || value.length !== 32) {
    throw new WireError("bad peer in overlay message");
  }
  return toHex(value);
}

function expectFields(fields: readonly unknown[], count: number): void {
  if (fields.length !== count + 1) throw new WireError("wrong number of overlay fields");
}

// Two fifths of what quiet nodes send: an array of its number alone, which needs no codec.
const CHECK: OverlayMessage = { type: "check" };
const CHECK_BYTES = Uint8Array.of(0x81, OVERLAY_TYPES.indexOf("check"));

function isCheck(bytes: Uint8Array): boolean {
  return bytes.length === 2 && bytes[0] === CHECK_BYTES[0] && bytes[1] === CHECK_BYTES[1];
}

/**
 * Decodes the CBOR part of an OVERLAY frame and checks the shape of everything in it, but no signature. Throws
 * {@linkcode WireError} and nothing else; one bad record in a list makes the whole message bad.
 *
 * @param bytes The bytes behind kind and alias.
 * @param shuffleEntries `limits.shuffleEntries`: how many records of a list are taken.
 */
export function decodeOverlay(bytes: Uint8Array, shuffleEntries: number): OverlayMessage {
  if (isCheck(bytes)) return CHECK;
  const fields = decodeCbor(bytes);
  if (!Array.isArray(fields)) throw new WireError("not an overlay message");
  const [code, first, second, third, fourth] = fields;
  const type = typeof code === "number" ? OVERLAY_TYPES[code] : undefined;
  switch (type) {
    case "join":
      expectFields(fields, 1);
      return { type, record: toRecord(first) };
    case "forward-join":
      expectFields(fields, 2);
      return { type, record: toRecord(first), ttl: toTtl(second) };
    case "neighbor":
      expectFields(fields, 2);
      return { type, record: toRecord(first), high: toBoolean(second) };
    case "neighbor-reply":
      expectFields(fields, 2);
      return {
        type,
        accepted: toBoolean(first),
        candidates: toRecords(second, shuffleEntries),
      };
    case "disconnect":
      expectFields(fields, 2);
      return { type, alive: toBoolean(first), candidates: toRecords(second, shuffleEntries) };
    case "shuffle":
      expectFields(fields, 4);
      return {
        type,
        walk: toU32(first),
        origin: toRecord(second),
        ttl: toTtl(third),
        entries: toRecords(fourth, shuffleEntries),
      };
    case "shuffle-reply":
      expectFields(fields, 2);
      return { type, walk: toU32(first), entries: toRecords(second, shuffleEntries) };
    case "check":
      expectFields(fields, 0);
      return { type };
    default:
      return decodeSwap(type, fields);
  }
}

/** The messages of X-BOT. */
function decodeSwap(
  type: (typeof OVERLAY_TYPES)[number] | undefined,
  fields: readonly unknown[],
): OverlayMessage {
  const [, first, second, third, fourth, fifth] = fields;
  switch (type) {
    case "optimization":
      expectFields(fields, 4);
      return {
        type,
        swap: toU32(first),
        old: toRecord(second),
        oldUs: toU32(third),
        newUs: toU32(fourth),
      };
    case "replace":
      expectFields(fields, 5);
      return {
        type,
        swap: toU32(first),
        initiator: toPeer(second),
        old: toRecord(third),
        oldUs: toU32(fourth),
        newUs: toU32(fifth),
      };
    case "switch":
      expectFields(fields, 2);
      return { type, swap: toU32(first), initiator: toPeer(second) };
    case "swap-reply":
      expectFields(fields, 2);
      return {
        type,
        swap: toU32(first),
        answer: SWAP_ANSWERS[toWhole(second, SWAP_ANSWERS.length - 1)]!,
      };
    case "disconnect-wait":
    case "swapped":
      expectFields(fields, 1);
      return { type, swap: toU32(first) };
    default:
      throw new WireError("unknown overlay message");
  }
}
