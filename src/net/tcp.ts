/**
 * Streams over TCP.
 *
 * @module
 */

import { formatAddress, plainHost } from "./address.ts";
import type { Duplex, StreamListener, StreamNetwork } from "./duplex.ts";

/**
 * How long, twice over, an attempt that is given up may still succeed by itself. Deno 2.9 leaks the socket where an abort meets a connection
 * that has just been made; on an answering network this is time enough for that to be over.
 */
const ABORT_GRACE_MS = 1_000;

/** TCP as Deno has it. */
export class TcpNetwork implements StreamNetwork {
  /** See {@linkcode StreamNetwork.listen}. */
  listen(options: { hostname: string; port: number }): StreamListener {
    return new TcpListener(Deno.listen({ ...options, transport: "tcp" }));
  }

  /** See {@linkcode StreamNetwork.connect}. */
  async connect(hostname: string, port: number, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    // The caller's signal ends the attempt only: given to Deno.connect itself it would outlive it and close the stream.
    const attempt = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const abort = (): void => {
      // Twice, since after a busy time a timer comes before the connections that were made meanwhile.
      timer = setTimeout(() => {
        timer = setTimeout(() => attempt.abort(signal.reason), ABORT_GRACE_MS);
      }, ABORT_GRACE_MS);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      const conn = await Deno.connect({ hostname, port, signal: attempt.signal });
      if (!signal.aborted) return new TcpDuplex(conn);
      conn.close();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
    throw signal.reason;
  }
}

class TcpListener implements StreamListener {
  readonly hostname: string;
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  #closed = false;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
    this.hostname = listener.addr.hostname;
    this.port = listener.addr.port;
  }

  async accept(): Promise<Duplex | null> {
    if (this.#closed) return null;
    try {
      return new TcpDuplex(await this.#listener.accept());
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }
}

class TcpDuplex implements Duplex {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #conn: Deno.TcpConn;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.localAddress = formatAddress(plainHost(conn.localAddr.hostname), conn.localAddr.port);
    this.remoteAddress = formatAddress(plainHost(conn.remoteAddr.hostname), conn.remoteAddr.port);
    try {
      // Frames leave coalesced already; Nagle's algorithm would only hold the last of them back.
      conn.setNoDelay(true);
    } catch {
      // The other side is gone already: the first read says so.
    }
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  async closeWrite(): Promise<void> {
    if (!this.#closed) await this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // Closed underneath: what was wanted.
    }
  }
}
