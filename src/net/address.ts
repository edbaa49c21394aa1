/**
 * Addresses as text: "host:port", "[v6]:port", "id@host:port".
 *
 * @module
 */

import type { PeerId } from "../core/host.ts";

/** A parsed address. */
export interface Address {
  /** The peer that must answer there; undefined where the text names none. */
  readonly id: PeerId | undefined;
  /** A host name or an IP address, without brackets. */
  readonly hostname: string;
  /** 1 to 65535. */
  readonly port: number;
}

const ID = /^[0-9a-f]{64}$/;
const V6 = /^[0-9a-fA-F:.]+(%[0-9A-Za-z_.-]+)?$/;
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?$/;

/** Longest text that {@linkcode parseAddress} looks at. */
export const MAX_ADDRESS_LENGTH = 400;

/**
 * Reads "host:port", "[v6]:port", and either behind "id@".
 *
 * @throws {TypeError} where the text is none of these.
 */
export function parseAddress(text: string): Address {
  if (typeof text !== "string" || text.length > MAX_ADDRESS_LENGTH) fail(text);
  const at = text.indexOf("@");
  const id = at < 0 ? undefined : text.slice(0, at);
  if (id !== undefined && !ID.test(id)) fail(text);
  const rest = text.slice(at + 1);
  const colon = rest.lastIndexOf(":");
  if (colon <= 0) fail(text);
  const digits = rest.slice(colon + 1);
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) fail(text);
  return { id, hostname: parseHost(rest.slice(0, colon), text), port };
}

/**
 * Checks what a node wants others to dial: "host:port" without an id, which every record names anyway.
 *
 * @throws {TypeError} where the text is none.
 */
export function checkAdvertised(text: string): void {
  if (parseAddress(text).id === undefined) return;
  throw new TypeError(`advertise is "host:port", without an id: ${JSON.stringify(text)}`);
}

/** "host:port", with brackets where the host is an IPv6 address. */
export function formatAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** An IPv4 address that a dual-stack socket shows as "::ffff:1.2.3.4" in its own form; anything else unchanged. */
export function plainHost(hostname: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(hostname);
  return mapped === null ? hostname : mapped[1]!;
}

/** The host of a "host:port", without brackets. */
export function hostOf(address: string): string {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(":")));
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

/** True for the addresses of this machine to itself. */
export function isLoopback(hostname: string): boolean {
  return hostname === "::1" || hostname === "localhost" || hostname.startsWith("127.");
}

/** True for the names of "every address of this machine". */
export function isUnspecified(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::" || hostname === "";
}

function parseHost(host: string, text: string): string {
  if (host.startsWith("[")) {
    const inner = host.slice(1, -1);
    if (!host.endsWith("]") || !inner.includes(":") || !V6.test(inner)) fail(text);
    return inner;
  }
  if (!NAME.test(host)) fail(text);
  return host;
}

function fail(text: unknown): never {
  const shown = typeof text === "string" ? JSON.stringify(text.slice(0, 100)) : typeof text;
  throw new TypeError(`not an address ("host:port" or "id@host:port"): ${shown}`);
}
