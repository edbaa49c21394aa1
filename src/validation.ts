/**
 * The user's judgement of messages: decoding, `validate`, and a deadline for verdicts that never come.
 *
 * @module
 */

import type { Clock, TimerId } from "./core/host.ts";
import type { TreeMessage, Verdict } from "./core/tree/port.ts";
import { GossipError } from "./errors.ts";
import { type Codec, type Message, ReceivedMessage } from "./message.ts";

/** What validation works with. */
export interface ValidationParts<T> {
  readonly topic: string;
  readonly codec: Codec<T> | undefined;
  readonly validate: ((message: Message<T>) => Verdict | Promise<Verdict>) | undefined;
  readonly clock: Clock;
  /** Milliseconds that an asynchronous verdict may take. */
  readonly verdictMs: number;
  /** A promise of the user's is waited for: a virtual clock must let it run. */
  touch(): void;
  /** A verdict that came later. */
  settle(message: TreeMessage, verdict: Verdict): void;
  /** Something that the user's code threw, or should not have returned. */
  fault(error: unknown): void;
}

/** Reasons that wait to be told; those of one bundle are. */
const MOST_UNDECODED = 256;
/** Characters of a codec's own words that are told: a peer's bytes may stand in them. */
const MOST_WORDS = 200;

const VERDICTS: readonly unknown[] = ["accept", "ignore", "reject"];

/** Judges messages; remembers the decoded form of those that were accepted for their delivery. */
export class Validation<T> {
  readonly #parts: ValidationParts<T>;
  readonly #wrapped = new WeakMap<TreeMessage, ReceivedMessage<T>>();
  /** Messages whose verdict is awaited, with its deadline, oldest first. */
  readonly #awaited = new Map<TreeMessage, number>();
  /** Why messages that are being rejected could not be decoded, by id. */
  readonly #undecoded = new Map<string, string>();
  #timer: TimerId | undefined;

  constructor(parts: ValidationParts<T>) {
    this.#parts = parts;
  }

  /** The verdict on a message; undefined where it comes later through `settle`. */
  judge(message: TreeMessage): Verdict | undefined {
    const { validate, codec, touch } = this.#parts;
    if (!validate && !codec) return "accept";
    const wrapped = this.wrap(message);
    this.#wrapped.set(message, wrapped);
    try {
      // Decoded before anybody sees it: what a codec refuses never reaches a reader.
      void wrapped.value;
    } catch (error) {
      this.#undecoded.set(message.id, told(error));
      if (this.#undecoded.size > MOST_UNDECODED) {
        this.#undecoded.delete(this.#undecoded.keys().next().value!);
      }
      return "reject";
    }
    if (!validate) return "accept";
    try {
      const verdict = validate(wrapped);
      if (typeof verdict === "string") return this.#checked(verdict);
      this.#await(message);
      touch();
      Promise.resolve(verdict).then((late) => this.#checked(late), (error) => this.#fault(error))
        .then((late) => this.#settle(message, late));
      return undefined;
    } catch (error) {
      return this.#fault(error);
    }
  }

  /** Why a message was rejected, where it is the codec that did; told once. */
  undecoded(id: string): string | undefined {
    const why = this.#undecoded.get(id);
    this.#undecoded.delete(id);
    return why;
  }

  /** The message as readers see it. */
  wrap(message: TreeMessage): ReceivedMessage<T> {
    const { topic, codec } = this.#parts;
    return this.#wrapped.get(message) ?? new ReceivedMessage<T>(topic, message, codec);
  }

  /** Waits for nothing any more. */
  close(): void {
    this.#awaited.clear();
    if (this.#timer !== undefined) this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  #await(message: TreeMessage): void {
    const { clock, verdictMs } = this.#parts;
    this.#awaited.set(message, clock.now() + verdictMs);
    this.#timer ??= clock.after(verdictMs, () => this.#expire());
  }

  #settle(message: TreeMessage, verdict: Verdict): void {
    if (this.#awaited.delete(message)) this.#parts.settle(message, verdict);
  }

  #expire(): void {
    const { clock, verdictMs } = this.#parts;
    this.#timer = undefined;
    const now = clock.now();
    for (const [message, deadline] of this.#awaited) {
      if (deadline > now) {
        this.#timer = clock.after(deadline - now, () => this.#expire());
        return;
      }
      const error = new GossipError("timeout", `validate gave no verdict within ${verdictMs} ms`);
      this.#settle(message, this.#fault(error));
    }
  }

  #checked(verdict: unknown): Verdict {
    if (VERDICTS.includes(verdict)) return verdict as Verdict;
    return this.#fault(new TypeError(`validate returned ${String(verdict)}`));
  }

  #fault(error: unknown): Verdict {
    this.#parts.fault(error);
    return "ignore";
  }
}

function told(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return `the codec cannot decode it: ${words.slice(0, MOST_WORDS)}`;
}
