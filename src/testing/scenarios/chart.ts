/**
 * What a chart shows; `src/cli/svg.ts` draws it.
 *
 * @module
 */

/** One line, or one group of bars. */
export interface ChartSeries {
  /** Its name in the legend. */
  readonly name: string;
  /** Points, in order of x. Of bars, x is a number or the name of a category, the same ones in every series. */
  readonly points: readonly (readonly [x: number | string, y: number])[];
  /** A line drawn dashed; for what others have measured. */
  readonly dashed?: boolean;
}

/** What a chart shows. */
export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly ChartSeries[];
  /** Default "line". */
  readonly kind?: "line" | "bar";
  /** A logarithmic y axis; values of 0 and less lie on its lower end. Default linear. */
  readonly log?: boolean;
  /** Range of y. Default: from 0 to the largest value, rounded up. */
  readonly range?: readonly [least: number, most: number];
  /** A line of small print: how it was made. */
  readonly note?: string;
}
