/**
 * The options of a node, and their checks.
 *
 * @module
 */

import { checkObject, checkOptions, type OptionNames } from "./checks.ts";
import type { Identity } from "./secure/identity.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { MAX_WALK_TTL } from "./wire/overlay_messages.ts";
import { TREES } from "./core/tree/links.ts";
import { parseAddress } from "./net/address.ts";
import {
  overlayDefaults,
  type OverlayOptions,
  type Preset,
  treeDefaults,
  type TreeOptions,
} from "./options.ts";

/**
 * Options of `Gossip.listen`; all of them may be left out. A value of another type is a TypeError, as is an unknown name in `overlay`, `tree` and
 * `limits`; a number out of its range is a RangeError.
 *
 * @example
 * ```ts
 * import { Gossip, type GossipOptions } from "@x/plumtree";
 * import { assertEquals } from "@std/assert";
 *
 * const options: GossipOptions = {
 *   hostname: "127.0.0.1",
 *   network: "my-app",
 *   preset: "local",
 *   overlay: { activeSize: 4 },
 *   limits: { messageBytes: 65_536 },
 * };
 * await using node = await Gossip.listen(options);
 * assertEquals(node.peers(), []);
 * ```
 */
export interface GossipOptions {
  /** Interface to listen on. Default "0.0.0.0": reachable from everywhere; name "127.0.0.1" for tests on one machine. */
  hostname?: string;
  /** Port to listen on. Default 0: any free one. */
  port?: number;
  /** Whether connections are accepted. Default true; false: this node only dials out. */
  listen?: boolean;
  /** "host:port" that others should dial, where it differs from what is bound. Default: what is bound. */
  advertise?: string;
  /** Who this node is. Default: a fresh identity. */
  identity?: Identity;
  /** "host:port" or "id@host:port" of nodes to join through; kept and probed for ever. Default none. */
  bootstrap?: string[];
  /** Name of the network, at most 255 bytes of UTF-8: nodes of different networks refuse each other in the handshake. Default "plumtree". */
  network?: string;
  /** Timing for processes on one machine, one data centre, or the Internet. Default "lan". */
  preset?: Preset;
  /** Overrides of the membership's options, for all topics. Default: those of `preset`; see `overlayDefaults`. */
  overlay?: Partial<OverlayOptions>;
  /** Overrides of the broadcast trees' options, for all topics. Default: those of `preset`; see `treeDefaults`. */
  tree?: Partial<TreeOptions>;
  /** Overrides of the bounds. Default: `DEFAULT_LIMITS`. */
  limits?: Partial<Limits>;
  /** Aborting closes the node. */
  signal?: AbortSignal;
}

/** The options with every default filled in. */
export interface FullOptions {
  readonly network: string;
  readonly preset: Preset;
  readonly bootstrap: readonly string[];
  readonly overlay: OverlayOptions;
  readonly tree: TreeOptions;
  readonly limits: Limits;
}

/** The largest values: what the wire can say of walks, and views that are searched as plain arrays. */
const OVERLAY_MOST: Partial<OverlayOptions> = {
  activeSize: 30,
  passiveSize: 4_096,
  arwl: MAX_WALK_TTL,
  prwl: MAX_WALK_TTL,
  shuffleTtl: MAX_WALK_TTL,
  shuffleActive: 4_096,
  shufflePassive: 4_096,
};
const PRESETS: readonly string[] = ["local", "lan", "wan"];
/** Knobs that may be 0. */
const MAY_BE_ZERO: readonly string[] = [
  "prwl",
  "shuffleActive",
  "shufflePassive",
  "swapMs",
  "swapUnbiased",
  "swapGainMs",
  "swapGainPercent",
  "ihaveMs",
  "optimizeMs",
  "banSeconds",
];

/** The names of {@linkcode GossipOptions}. */
export const GOSSIP_OPTIONS: OptionNames<GossipOptions> = {
  hostname: true,
  port: true,
  listen: true,
  advertise: true,
  identity: true,
  bootstrap: true,
  network: true,
  preset: true,
  overlay: true,
  tree: true,
  limits: true,
  signal: true,
};

/** Fills in the defaults; throws TypeError or RangeError on what is none. */
export function fillOptions(options: GossipOptions): FullOptions {
  checkOptions(options, GOSSIP_OPTIONS);
  const { network = "plumtree", preset = "lan", bootstrap = [] } = options;
  const { listen = true, hostname = "", port = 0 } = options;
  if (typeof listen !== "boolean") throw new TypeError("listen must be a boolean");
  if (typeof hostname !== "string") throw new TypeError("hostname must be a string");
  if (hostname.startsWith("[")) {
    throw new TypeError(`hostname has no brackets: "::1", not ${JSON.stringify(hostname)}`);
  }
  if (typeof port !== "number") throw new TypeError("port must be a number");
  if (typeof network !== "string") throw new TypeError("network must be a string");
  if (new TextEncoder().encode(network).length > 255) {
    throw new RangeError("network must be at most 255 bytes of UTF-8");
  }
  if (!PRESETS.includes(preset)) throw new TypeError(`preset must be one of ${PRESETS.join(", ")}`);
  if (!Array.isArray(bootstrap) || !bootstrap.every((entry) => typeof entry === "string")) {
    throw new TypeError("bootstrap must be an array of addresses");
  }
  for (const address of bootstrap) parseAddress(address);
  const limits = merge(DEFAULT_LIMITS, options.limits, "limits");
  if (limits.laneBytes < limits.messageBytes * 2) {
    throw new RangeError("limits.laneBytes must be at least twice limits.messageBytes");
  }
  const overlay = merge(overlayDefaults(preset), options.overlay, "overlay");
  for (const [name, most] of Object.entries(OVERLAY_MOST)) {
    if (overlay[name as keyof OverlayOptions] > most) {
      throw new RangeError(`overlay.${name} must be at most ${most}`);
    }
  }
  const tree = merge(treeDefaults(preset), options.tree, "tree");
  if (tree.trees >= TREES) throw new RangeError(`tree.trees must be below ${TREES}`);
  if (tree.retainMessages > limits.seenIds) {
    if (options.tree?.retainMessages !== undefined) {
      throw new RangeError(`tree.retainMessages must be at most limits.seenIds, ${limits.seenIds}`);
    }
    tree.retainMessages = limits.seenIds;
  }
  return { network, preset, bootstrap: [...bootstrap], overlay, tree, limits };
}

/** Defaults with overrides; every field is a number of at least 1 (or 0, where that means something). */
function merge<T extends object>(defaults: T, given: Partial<T> | undefined, what: string): T {
  const merged = { ...defaults };
  if (given !== undefined && given !== null) checkObject(given, what);
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined) continue;
    if (!Object.hasOwn(defaults, name)) throw new TypeError(`${what}.${name} is not an option`);
    if (typeof value !== "number") throw new TypeError(`${what}.${name} must be a number`);
    const least = MAY_BE_ZERO.includes(name) ? 0 : 1;
    if (!Number.isFinite(value) || value < least) {
      throw new RangeError(`${what}.${name} must be at least ${least}, not ${value}`);
    }
    // A period that is next to nothing would be a timer that never rests.
    if (name === "swapMs" && value > 0 && value < 1) {
      throw new RangeError(`${what}.swapMs must be 0 or at least 1, not ${value}`);
    }
    // What timers take.
    if (/(Ms|Seconds)$/.test(name) && value > 2 ** 31 - 1) {
      throw new RangeError(`${what}.${name} must be below 2^31, not ${value}`);
    }
    if (!/(Ms|Seconds)$/.test(name) && !Number.isSafeInteger(value)) {
      throw new RangeError(`${what}.${name} must be a whole number, not ${value}`);
    }
    (merged as Record<string, unknown>)[name] = value;
  }
  return merged;
}
