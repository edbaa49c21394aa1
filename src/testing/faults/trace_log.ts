/**
 * What happened in a run, line by line, for people; bounded.
 *
 * @module
 */

/** Lines kept of one node's frames. */
const FRAMES_KEPT = 40;
/** Lines shown of what led to a violation: about its messages, about its nodes and the network, and of all nodes. */
const SUBJECT_LINES = 60;
const NODE_LINES = 40;
const LAST_LINES = 40;

interface Line {
  readonly order: number;
  readonly who: string;
  readonly text: string;
}

/** Keeps what happened up to the first violation; does nothing while it is off, which is what makes a search fast. */
export class TraceLog {
  readonly on: boolean;
  readonly #now: () => number;
  readonly #lines: Line[] = [];
  readonly #frames = new Map<string, Line[]>();
  #order = 0;
  #ended = false;

  constructor(on: boolean, now: () => number) {
    this.on = on;
    this.#now = now;
  }

  /** Something worth a line: who (nobody: the network) did what. */
  add(who: string, what: string): void {
    if (this.on && !this.#ended) this.#lines.push(this.#line(who, what));
  }

  /** A frame that a node sent or got: shown only for nodes of which something is wrong. */
  frame(who: string, what: string): void {
    if (!this.on || this.#ended) return;
    let lines = this.#frames.get(who);
    if (lines === undefined) this.#frames.set(who, lines = []);
    lines.push(this.#line(who, what));
    if (lines.length > FRAMES_KEPT) lines.shift();
  }

  /** What comes now is no reason for what is wrong. */
  end(): void {
    this.#ended = true;
  }

  /** What led to the violations: lines about their messages ("#7"), about some nodes and the network, their last frames, and the last lines of all. */
  report(violations: readonly string[], nodes: ReadonlySet<string>): string[] {
    const subjects = new Set(violations.flatMap((text) => text.match(/#\d+/g) ?? []).slice(0, 2));
    const about = ({ text }: Line) => (text.match(/#\d+/g) ?? []).some((it) => subjects.has(it));
    const near = ({ who, text }: Line) =>
      (nodes.has(who) || who === "") && !/ gets #| link | neighbor-/.test(text);
    const shown = new Set([
      ...this.#lines.filter(about).slice(0, SUBJECT_LINES),
      ...this.#lines.filter(near).slice(-NODE_LINES),
      ...this.#lines.slice(-LAST_LINES),
      ...[...nodes].slice(0, 3).flatMap((node) => this.#frames.get(node) ?? []),
    ]);
    const lines = [...shown].sort((a, b) => a.order - b.order).map(({ text }) => text);
    return [`${lines.length} of ${this.#order} lines:`, ...lines];
  }

  #line(who: string, what: string): Line {
    const seconds = (this.#now() / 1_000).toFixed(3).padStart(9);
    return { order: this.#order++, who, text: `${seconds} s  ${who.padEnd(5)} ${what}` };
  }
}
