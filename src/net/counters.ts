/**
 * What a transport counts.
 *
 * @module
 */

import type { TransportMetrics } from "../transport.ts";

/** Growing counters of one transport; see {@linkcode TransportMetrics} for their snapshot. */
export class Counters {
  dials = 0;
  dialsFailed = 0;
  accepted = 0;
  handshakesFailed = 0;
  refused = 0;
  superseded = 0;
  bytesIn = 0;
  bytesOut = 0;
  recordsIn = 0;
  recordsOut = 0;
  framesIn = 0;
  framesOut = 0;
  framesRefused = 0;

  /** A frozen copy. */
  snapshot(connections: number): TransportMetrics {
    return Object.freeze({
      connections,
      dials: this.dials,
      dialsFailed: this.dialsFailed,
      accepted: this.accepted,
      handshakesFailed: this.handshakesFailed,
      refused: this.refused,
      superseded: this.superseded,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      recordsIn: this.recordsIn,
      recordsOut: this.recordsOut,
      framesIn: this.framesIn,
      framesOut: this.framesOut,
      framesRefused: this.framesRefused,
    });
  }
}
