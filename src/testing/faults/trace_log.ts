/**
 * What happened in a run, line by line, for people; bounded.
 *
 * @module
 */

/** Lines kept of one node's frames, and of everything else. */
const FRAMES_KEPT = 40;
const LINES_KEPT = 4_000;
/** Lines before a violation that are shown. */
const SHOWN = 120;

interface Line {
  readonly order: number;
  readonly text: string;
}

/** Keeps the last lines; does nothing while it is off, which is what makes a search fast. */
export class TraceLog {
  readonly on: boolean;
  readonly #now: () => number;
  #lines: Line[] = [];
  readonly #frames = new Map<string, Line[]>();
  #order = 0;

  constructor(on: boolean, now: () => number) {
    this.on = on;
    this.#now = now;
  }

  /** Something worth a line: who did what. */
  add(who: string, what: string): void {
    if (!this.on) return;
    this.#lines.push(this.#line(who, what));
    if (this.#lines.length > 2 * LINES_KEPT) this.#lines = this.#lines.slice(-LINES_KEPT);
  }

  /** A frame that a node sent or got: shown only for nodes of which something is wrong. */
  frame(who: string, what: string): void {
    if (!this.on) return;
    let lines = this.#frames.get(who);
    if (lines === undefined) this.#frames.set(who, lines = []);
    lines.push(this.#line(who, what));
    if (lines.length > FRAMES_KEPT) lines.shift();
  }

  /** The last lines, with the last frames of some nodes among them. */
  report(nodes: Iterable<string>): string[] {
    const lines = this.#lines.slice(-SHOWN);
    for (const node of nodes) lines.push(...this.#frames.get(node) ?? []);
    lines.sort((a, b) => a.order - b.order);
    const left = this.#lines.length - SHOWN;
    return [...left > 0 ? [`... ${left} lines before`] : [], ...lines.map(({ text }) => text)];
  }

  #line(who: string, what: string): Line {
    const seconds = (this.#now() / 1_000).toFixed(3).padStart(9);
    return { order: this.#order++, text: `${seconds} s  ${who.padEnd(5)} ${what}` };
  }
}
