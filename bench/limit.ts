/**
 * The limit: a relay tree with next to no protocol. Frames (a length and the payload) are coalesced to records of up to 32 KiB, sealed with
 * the ChaCha20-Poly1305 of `node:crypto` and written; read, opened, delivered and queued for the children. No handshake (keys are
 * dealt out), no ids, no repair: what remains is what any encrypted broadcast in this runtime has to pay.
 *
 * @module
 */

import crypto from "node:crypto";
import { runContender } from "./contender.ts";
import type { Cluster } from "./workload.ts";

/** Plaintext of a record. */
const RECORD = 32 * 1024;
const LENGTH = 4, TAG = 16;
const AEAD = "chacha20-poly1305", OPTIONS = { authTagLength: TAG };
/** Children of a node in the tree. */
const CHILDREN = Number(Deno.env.get("LIMIT_CHILDREN") ?? 2);
/** A record is filled and sealed at once, so one buffer does for all links. */
const plaintext = new Uint8Array(RECORD);

let wireBytes = 0;

/** Key and counting nonce of one direction. */
class Cipher {
  readonly #key: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  readonly #view = new DataView(this.#nonce.buffer);
  #count = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(text: Uint8Array, out: Uint8Array, at: number): void {
    const cipher = crypto.createCipheriv(AEAD, this.#key, this.#next(), OPTIONS);
    out.set(cipher.update(text), at);
    cipher.final();
    out.set(cipher.getAuthTag(), at + text.length);
  }

  open(sealed: Uint8Array): Uint8Array {
    const decipher = crypto.createDecipheriv(AEAD, this.#key, this.#next(), OPTIONS);
    const end = sealed.length - TAG;
    decipher.setAuthTag(sealed.subarray(end));
    const text = decipher.update(sealed.subarray(0, end));
    decipher.final();
    return text;
  }

  #next(): Uint8Array {
    this.#view.setUint32(4, this.#count++, true);
    return this.#nonce;
  }
}

/** The sending end of a link. */
class Sender {
  readonly #conn: Deno.Conn;
  readonly #cipher: Cipher;
  readonly #waiting: Uint8Array[] = [];
  readonly #out = new Uint8Array(LENGTH + RECORD + TAG);
  #first = 0;
  #offset = 0;
  #writing = false;

  constructor(conn: Deno.Conn, key: Uint8Array) {
    this.#conn = conn;
    this.#cipher = new Cipher(key);
  }

  /** Queues a frame: it leaves together with whatever else waits when the next record is filled. */
  send(frame: Uint8Array): void {
    this.#waiting.push(frame);
    if (this.#writing) return;
    this.#writing = true;
    queueMicrotask(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    const out = this.#out;
    for (let length = this.#fill(); length > 0; length = this.#fill()) {
      this.#cipher.seal(plaintext.subarray(0, length), out, LENGTH);
      setLength(out, 0, length + TAG);
      const end = LENGTH + length + TAG;
      try {
        for (let at = 0; at < end;) at += await this.#conn.write(out.subarray(at, end));
      } catch {
        return; // closed
      }
      wireBytes += end;
    }
    this.#writing = false;
  }

  /** Fills the record with what waits; returns its length. */
  #fill(): number {
    let at = 0;
    // A length is never cut in two.
    for (; this.#first < this.#waiting.length && at + LENGTH <= RECORD; this.#first++) {
      const frame = this.#waiting[this.#first]!;
      const end = Math.min(frame.length, this.#offset + RECORD - at);
      plaintext.set(frame.subarray(this.#offset, end), at);
      at += end - this.#offset;
      this.#offset = end < frame.length ? end : 0;
      if (this.#offset > 0) return at;
    }
    if (this.#first === this.#waiting.length) this.#waiting.length = this.#first = 0;
    return at;
  }
}

/** Reads records until the stream ends and calls back with every frame, its length in front. */
async function receive(
  conn: Deno.Conn,
  key: Uint8Array,
  take: (frame: Uint8Array) => void,
): Promise<void> {
  const cipher = new Cipher(key);
  const buffer = new Uint8Array(128 * 1024);
  let held = 0, partial: Uint8Array | undefined, have = 0;
  const text = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) {
      if (partial === undefined) {
        const end = at + LENGTH + lengthAt(bytes, at);
        if (end <= bytes.length) {
          take(bytes.subarray(at, end));
          at = end;
          continue;
        }
        partial = new Uint8Array(end - at);
        have = 0;
      }
      const part = bytes.subarray(at, at + partial.length - have);
      partial.set(part, have);
      have += part.length;
      at += part.length;
      if (have < partial.length) return;
      take(partial);
      partial = undefined;
    }
  };
  for (;;) {
    const read = await conn.read(held === 0 ? buffer : buffer.subarray(held)).catch(() => null);
    if (read === null) break;
    held += read;
    let at = 0;
    while (held - at >= LENGTH) {
      const end = at + LENGTH + lengthAt(buffer, at);
      if (end > held) break;
      text(cipher.open(buffer.subarray(at + LENGTH, end)));
      at = end;
    }
    if (at > 0) buffer.copyWithin(0, at, held);
    held -= at;
  }
  conn.close();
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

function setLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 24;
  bytes[at + 1] = length >>> 16;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length;
}

/** Nodes in a tree, on loopback TCP; who publishes sends to parent and children alike. */
export class RelayTree implements Cluster {
  readonly nodes: number;
  onDelivery: (node: number, payload: Uint8Array) => void = () => {};
  readonly #links: Sender[][];
  readonly #conns: Deno.Conn[] = [];
  readonly #reading: Promise<void>[] = [];

  private constructor(nodes: number) {
    this.nodes = nodes;
    this.#links = Array.from({ length: nodes }, () => []);
  }

  static async start(nodes: number): Promise<RelayTree> {
    const tree = new RelayTree(nodes);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    for (let child = 1; child < nodes; child++) {
      const accepted = listener.accept();
      const dialled = await Deno.connect({ hostname: "127.0.0.1", port });
      tree.#link(child, Math.floor((child - 1) / CHILDREN), dialled, await accepted);
    }
    listener.close();
    return tree;
  }

  publish(node: number, payload: Uint8Array): void {
    const frame = new Uint8Array(LENGTH + payload.length);
    setLength(frame, 0, payload.length);
    frame.set(payload, LENGTH);
    for (const link of this.#links[node]!) link.send(frame);
  }

  counters(): { duplicates: number; wireBytes: number } {
    return { duplicates: 0, wireBytes };
  }

  async close(): Promise<void> {
    for (const conn of this.#conns) await conn.closeWrite();
    await Promise.all(this.#reading);
  }

  #link(child: number, parent: number, up: Deno.TcpConn, down: Deno.TcpConn): void {
    const a = crypto.randomBytes(32), b = crypto.randomBytes(32);
    for (const [conn, node, out, into] of [[up, child, a, b], [down, parent, b, a]] as const) {
      conn.setNoDelay(true);
      this.#conns.push(conn);
      const links = this.#links[node]!, sender = new Sender(conn, out);
      links.push(sender);
      this.#reading.push(receive(conn, into, (frame) => {
        this.onDelivery(node, frame.subarray(LENGTH));
        for (const link of links) if (link !== sender) link.send(frame);
      }));
    }
  }
}

if (import.meta.main) await runContender((nodes) => RelayTree.start(nodes));
