/**
 * Records in messages of the overlay: whose they are and whether they are signed, and the blame where not.
 *
 * @module
 */

import type { PeerId } from "../host.ts";
import type { SignedRecord } from "../../wire/record.ts";
import type { OverlayPort } from "./port.ts";

/** Points of blame for a record that is not its sender's own. */
const FOREIGN_RECORD_POINTS = 20;
/** Points of blame for a record whose signature does not hold. */
export const FORGED_RECORD_POINTS = 20;

/** True where the record is its sender's own and signed; otherwise the sender is blamed. */
export function isOwn(port: OverlayPort, from: PeerId, record: SignedRecord): boolean {
  if (record.id === from) return isSigned(port, from, record);
  port.misbehaved(from, FOREIGN_RECORD_POINTS, "record of somebody else");
  return false;
}

/** True where the record is signed; otherwise the sender is blamed. */
export function isSigned(port: OverlayPort, from: PeerId, record: SignedRecord): boolean {
  if (port.accept(record)) return true;
  port.misbehaved(from, FORGED_RECORD_POINTS, "forged record");
  return false;
}
