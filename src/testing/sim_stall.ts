/**
 * A simulated event loop that is late. Internal; made when a node is first stalled.
 *
 * As over TCP (see `Timers` of src/net): when the loop goes on it knows by its timers how late it is, reads what has arrived meanwhile, and
 * lets the timers wait once more for as long, up to a second, so that no timeout is judged before what was there to read is read.
 *
 * @module
 */

import type { TimerId } from "../core/host.ts";
import type { InFlight } from "./sim_link.ts";
import type { NodeTimer, SimNode } from "./sim_node.ts";
import type { SimEvent } from "./virtual_clock.ts";

/** Lateness up to which timers count as punctual. */
const SLACK_MS = 50;
const MAX_STRETCH_MS = 1_000;
/** Time after which the memory of lateness counts half. */
const LAG_HALF_LIFE_MS = 250;
/** Halvings after which nothing of it is left. */
const MOST_HALVINGS = 30;

/** See the module. */
export class LateLoop implements SimEvent {
  readonly #node: SimNode;
  /** True until {@linkcode fire} lets the loop go on. */
  #blocked = false;
  #until = 0;
  /** True while no timer fires: as long as it is blocked, and once more for as long as it was late. */
  #holdsTimers = false;
  #timersUntil = 0;
  #firstDue = Infinity;
  #frames: InFlight[] = [];
  readonly #timers: Map<TimerId, NodeTimer> = new Map();
  #worst = 0;
  #worstAt = 0;

  constructor(node: SimNode) {
    this.#node = node;
  }

  /** The time at which the loop goes on; undefined where it is not blocked, or never goes on since its node has ended. */
  get blockedUntil(): number | undefined {
    return this.#blocked && this.#node.running ? this.#until : undefined;
  }

  /** Blocks the loop for `ms` from now, or longer where it is blocked for longer already. */
  block(ms: number): void {
    const { clock } = this.#node.world;
    const until = clock.now() + ms;
    if (this.#blocked && until <= this.#until) return;
    this.#blocked = this.#holdsTimers = true;
    this.#until = until;
    clock.schedule(until, this);
  }

  /** True where a frame that arrives now is handled later. */
  holdFrame(frame: InFlight): boolean {
    if (this.#blocked) this.#frames.push(frame);
    return this.#blocked;
  }

  /** True where the timer whose event just happened fires later. */
  holdTimer(timer: NodeTimer): boolean {
    if (!this.#holdsTimers) return false;
    const { clock } = this.#node.world;
    this.#timers.set(clock.firing, timer);
    if (clock.now() < this.#firstDue) this.#firstDue = clock.now();
    return true;
  }

  /** Forgets a timer that waits here. */
  cancel(timer: TimerId): void {
    this.#timers.delete(timer);
  }

  /** The worst lateness of late in ms, fading: a half each 250 ms, by straight lines between. */
  lag(): number {
    if (this.#worst === 0) return 0;
    const halvings = (this.#node.world.clock.now() - this.#worstAt) / LAG_HALF_LIFE_MS;
    const whole = Math.floor(halvings);
    if (whole > MOST_HALVINGS) return 0;
    return this.#worst / (1 << whole) * (1 - (halvings - whole) / 2);
  }

  /** The loop goes on, or its timers do. */
  fire(): void {
    const now = this.#node.world.clock.now();
    if (!this.#node.running) return;
    if (!this.#blocked) {
      if (this.#holdsTimers && now >= this.#timersUntil) this.#fireTimers();
      return;
    }
    if (now < this.#until) return;
    this.#blocked = false;
    // Timers that wait for a second time wait on.
    if (now >= this.#timersUntil) this.#judge(now);
    const frames = this.#frames;
    this.#frames = [];
    for (const frame of frames) frame.end.release(frame);
  }

  #judge(now: number): void {
    const late = now - this.#firstDue;
    if (late > this.lag()) {
      this.#worst = late;
      this.#worstAt = now;
    }
    if (late <= SLACK_MS) return this.#fireTimers();
    this.#timersUntil = this.#firstDue = now + Math.min(late, MAX_STRETCH_MS);
    this.#node.world.clock.schedule(this.#timersUntil, this);
  }

  #fireTimers(): void {
    this.#holdsTimers = false;
    this.#firstDue = Infinity;
    for (const [id, timer] of this.#timers) {
      this.#timers.delete(id);
      timer.run();
    }
  }
}
