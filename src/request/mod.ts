/**
 * Requests between two peers.
 *
 * @module
 */

export {
  type IncomingRequest,
  type RequestAnswer,
  type RequestHandler,
  RESERVED_PROTOCOLS,
} from "./handlers.ts";
export { type RequestMetrics, type RequestPort } from "./port.ts";
export { type Reply, type RequestOptions } from "./reply.ts";
export { Requests } from "./requests.ts";
