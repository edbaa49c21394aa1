/**
 * The workloads of `bench:compare`.
 *
 * @module
 */

/** One workload, with a number of messages that keeps contenders of very different speed busy for some seconds each. */
export interface Load {
  /** What `--load` calls it. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Bytes of a payload. */
  readonly size: number;
  /** 1: authors sign, receivers check. */
  readonly sign: 0 | 1;
  /** Nodes that publish in turn. */
  readonly senders: number;
  /** Messages a second; undefined: as fast as the window allows. */
  readonly rate?: number;
  /** Messages under way at once, of all senders together. Default {@linkcode WINDOW}. */
  readonly window?: number;
  /**
   * Messages of a fast contender's run: the fastest takes three seconds or so, since V8 compiles during the first ones. The fifth that goes before
   * them fills what it retains where messages are large: page faults are no protocol.
   */
  readonly count: number;
  /** Messages of a slow contender's run. */
  readonly slowCount: number;
}

/** Nodes in every workload. */
export const NODES = 16;
/** Messages under way at once. */
export const WINDOW = 64;

/** In the order in which they run. */
export const LOADS: readonly Load[] = [
  {
    ...{ name: "1k", title: "1 KiB, window 64, unsigned" },
    ...{ size: 1_024, sign: 0, senders: 1, count: 60_000, slowCount: 600 },
  },
  {
    ...{ name: "signed", title: "1 KiB, window 64, signed" },
    ...{ size: 1_024, sign: 1, senders: 1, count: 20_000, slowCount: 300 },
  },
  {
    ...{ name: "100b", title: "100 B, window 64, unsigned" },
    ...{ size: 100, sign: 0, senders: 1, count: 100_000, slowCount: 600 },
  },
  {
    ...{ name: "64k", title: "64 KiB, window 64, unsigned" },
    ...{ size: 65_536, sign: 0, senders: 1, count: 3_000, slowCount: 150 },
  },
  {
    ...{
      name: "16senders",
      title: "1 KiB, window 64 of all together, unsigned, all 16 sending in turn",
    },
    ...{ size: 1_024, sign: 0, senders: 16, count: 20_000, slowCount: 600 },
  },
  {
    ...{ name: "16windows", title: "1 KiB, window 64 of each, unsigned, all 16 sending in turn" },
    ...{ size: 1_024, sign: 0, senders: 16, window: 16 * WINDOW, count: 60_000, slowCount: 1_200 },
  },
  {
    ...{ name: "paced", title: "1 KiB, 20 messages a second, unsigned" },
    ...{ size: 1_024, sign: 0, senders: 1, rate: 20, count: 300, slowCount: 300 },
  },
];
