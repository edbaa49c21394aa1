/**
 * The messages of the overlay (HyParView, X-BOT) and their CBOR. Pure.
 *
 * On the wire a message is one CBOR array: its number in {@linkcode OVERLAY_TYPES}, then its fields in the order of
 * {@linkcode OverlayMessage}. A record is a byte string, exactly as its peer signed it.
 *
 * @module
 */

import { WireError } from "./bytes.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { decodeRecord, type SignedRecord } from "./record.ts";

/** One message of HyParView; names as in the paper. */
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
  /** A walk with a sample of its origin's views. */
  | {
    readonly type: "shuffle";
    readonly origin: SignedRecord;
    readonly ttl: number;
    readonly entries: readonly SignedRecord[];
  }
  /** The sample that comes back. */
  | { readonly type: "shuffle-reply"; readonly entries: readonly SignedRecord[] }
  /** The periodic symmetry check: "you are in my active view". */
  | { readonly type: "check" };

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
      return [message.origin.encoded, message.ttl, encodeRecords(message.entries)];
    case "shuffle-reply":
      return [encodeRecords(message.entries)];
    case "check":
      return [];
  }
}

/** Encodes the CBOR part of an OVERLAY frame, without kind and alias. */
export function encodeOverlay(message: OverlayMessage): Uint8Array {
  return encodeCbor([OVERLAY_TYPES.indexOf(message.type), ...fieldsOf(message)]);
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

function toTtl(value: unknown): number {
  if (
    typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_WALK_TTL
  ) {
    throw new WireError("bad ttl in overlay message");
  }
  return value;
}

function expectFields(fields: readonly unknown[], count: number): void {
  if (fields.length !== count + 1) throw new WireError("wrong number of overlay fields");
}

/**
 * Decodes the CBOR part of an OVERLAY frame and checks the shape of everything in it, but no signature. Throws
 * {@linkcode WireError} and nothing else; one bad record in a list makes the whole message bad.
 *
 * @param bytes The bytes behind kind and alias.
 * @param shuffleEntries `limits.shuffleEntries`: how many records of a list are taken.
 */
export function decodeOverlay(bytes: Uint8Array, shuffleEntries: number): OverlayMessage {
  const fields = decodeCbor(bytes);
  if (!Array.isArray(fields)) throw new WireError("not an overlay message");
  const [code, first, second, third] = fields;
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
      expectFields(fields, 3);
      return {
        type,
        origin: toRecord(first),
        ttl: toTtl(second),
        entries: toRecords(third, shuffleEntries),
      };
    case "shuffle-reply":
      expectFields(fields, 1);
      return { type, entries: toRecords(first, shuffleEntries) };
    case "check":
      expectFields(fields, 0);
      return { type };
    default:
      throw new WireError("unknown overlay message");
  }
}
