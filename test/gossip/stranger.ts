/**
 * A hostile peer over TCP: shakes hands honestly, and then sends whatever a test wants.
 *
 * @module
 */

import { fail } from "@std/assert";
import { createHash } from "node:crypto";
import { type Gossip, Identity, type PeerId } from "@x/plumtree";
import { TcpNetwork } from "../../src/net/tcp.ts";
import { Reader, varintSize, writeVarint } from "../../src/wire/bytes.ts";
import { Frame } from "../../src/wire/frames.ts";
import { buildGossip, gossipHead, type Priority, signedOrigin } from "../../src/wire/gossip.ts";
import { encodeOpen, topicHead } from "../../src/wire/node_messages.ts";
import { encodeOverlay, type OverlayMessage } from "../../src/wire/overlay_messages.ts";
import { type SignedRecord, signRecord } from "../../src/wire/record.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { type RawPeer, rawPeer } from "../net/helper.ts";
import { sha256 } from "../wire/sha256.ts";
import { until } from "./helper.ts";

/** Most bytes of frames that are put into one record. */
const RECORD_BYTES = 30_000;

/** The bytes of several pieces, one after another. */
export function bytes(...pieces: (Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/** The key of a topic on the default network. */
export function keyOf(topic: string): Uint8Array {
  const text = `plumtree/1 topic\0plumtree\0${topic}\0`;
  return new Uint8Array(createHash("sha256").update(text).digest());
}

/** A record signed by an identity. */
export function recordOf(
  identity: Identity,
  over: Partial<SignedRecord> = {},
): SignedRecord {
  return signRecord({
    id: identity.id,
    addresses: [],
    seq: Date.now(),
    ttlSeconds: 600,
    topics: [],
    shards: new Map(),
    ...over,
  }, (message) => identity.sign(message));
}

/** The body of a GOSSIP frame, signed or not. */
export function gossipBody(
  topic: string,
  payload: Uint8Array,
  author: { identity?: Identity; seq: number; incarnation?: number; priority?: Priority },
): Uint8Array {
  const { identity, seq, incarnation = Date.now(), priority = "normal" } = author;
  return buildGossip({
    origin: identity
      ? signedOrigin(fromHex(identity.id), incarnation)
      : crypto.getRandomValues(new Uint8Array(8)),
    seq,
    priority,
    payload,
    key: keyOf(topic),
    hash: sha256,
    sign: identity ? (message) => identity.sign(message) : undefined,
  }, new Uint8Array(32));
}

/** See the module. */
export class Stranger implements AsyncDisposable {
  readonly identity: Identity;
  /** Frames that came, without those of the connection itself. */
  readonly frames: Uint8Array[] = [];
  #raw: RawPeer | undefined;
  #over = false;
  #reading: Promise<void> = Promise.resolve();

  private constructor(identity: Identity) {
    this.identity = identity;
  }

  /** Shakes hands with a node; reads what it sends, unless `deaf`. */
  static async meet(
    node: Gossip,
    identity: Identity = Identity.generate(),
    options: { deaf?: boolean } = {},
  ): Promise<Stranger> {
    const stranger = new Stranger(identity);
    const port = Number(node.address.split(":")[1]);
    stranger.#raw = await rawPeer(new TcpNetwork(), port, identity);
    if (!options.deaf) stranger.#reading = stranger.#read();
    return stranger;
  }

  get id(): PeerId {
    return this.identity.id;
  }

  /** True where the node has ended the connection. */
  get over(): boolean {
    return this.#over;
  }

  /** Sends frames, as many to a record as fit; nothing where the connection is over. */
  async send(...frames: Uint8Array[]): Promise<void> {
    let plain: Uint8Array[] = [], size = 0;
    const flush = async () => {
      if (size > 0) await this.record(bytes(...plain));
      plain = [];
      size = 0;
    };
    for (const frame of frames) {
      const head = new Uint8Array(varintSize(frame.length));
      writeVarint(head, 0, frame.length);
      if (size > 0 && size + frame.length > RECORD_BYTES) await flush();
      plain.push(head, frame);
      size += head.length + frame.length;
    }
    await flush();
  }

  /** Sends one record with any plaintext. */
  async record(plaintext: Uint8Array): Promise<void> {
    if (this.#over) return;
    await this.#raw!.send(plaintext).catch(() => this.#over = true);
  }

  /** Sends bytes that are no record. */
  async garbage(junk: Uint8Array): Promise<void> {
    await this.#raw!.duplex.write(junk).catch(() => this.#over = true);
  }

  /** Sends its record, as a node does first. */
  hello(): Promise<void> {
    return this.send(bytes([Frame.HELLO], recordOf(this.identity).encoded));
  }

  /** Opens a topic under an alias. */
  open(topic: string, alias = 1): Promise<void> {
    return this.send(encodeOpen(alias, keyOf(topic)));
  }

  /** Sends an overlay message. */
  overlay(message: OverlayMessage, alias = 1): Promise<void> {
    return this.send(bytes(topicHead(Frame.OVERLAY, alias), encodeOverlay(message)));
  }

  /** Becomes a neighbour on a topic, as an honest node would. */
  async join(node: Gossip, topic: string): Promise<void> {
    await this.hello();
    await this.open(topic);
    await this.overlay({ type: "join", record: recordOf(this.identity) });
    const taken = () => node.topic(topic)!.neighbors.includes(this.id);
    await until("the stranger is a neighbour", () => taken() || this.#over);
    if (this.#over) fail("the stranger was refused");
  }

  /** Sends a GOSSIP frame with a body. */
  gossip(body: Uint8Array, alias = 1): Promise<void> {
    return this.send(bytes(gossipHead(alias, 1, 0), body));
  }

  /** Waits until the node has ended the connection. */
  async ended(): Promise<void> {
    await until("the connection is ended", () => this.#over);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#raw!.duplex.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const plain = await this.#raw!.next();
        if (plain === undefined) break;
        for (let at = 0; at < plain.length;) {
          const reader = new Reader(plain, at);
          const length = reader.varint();
          at = reader.at + length;
          if (plain[reader.at] === Frame.PING) {
            void this.send(bytes([Frame.PONG], plain.subarray(reader.at + 1, reader.at + 5)));
          }
          if (plain[reader.at]! >= Frame.HELLO) this.frames.push(plain.slice(reader.at, at));
        }
      }
    } catch {
      // Closed here.
    }
    this.#over = true;
  }
}
