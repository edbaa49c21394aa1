/**
 * Who is on which topic.
 *
 * @module
 */

export { Directory, type PeerRecord, type ShardBits } from "./directory.ts";
export { type DirectoryPort, type OwnEntry } from "./port.ts";
export { DIRECTORY_PROTOCOL } from "./pages.ts";
export { DirectoryService, type FetchResult } from "./service.ts";
