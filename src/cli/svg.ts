/**
 * Line and bar charts as SVG text, readable on light and dark ground.
 *
 * @module
 */

import type { Chart } from "../testing/scenarios/chart.ts";

const WIDTH = 720;
const HEIGHT = 420;
const LEFT = 76;
const RIGHT = 24;
const TOP = 64;
const BOTTOM = 84;
/** Readable on white and on black, and apart for most colour-blind eyes (after Okabe and Ito). */
const COLORS = ["#0f8ad8", "#e08214", "#0a9f7a", "#d55e8f", "#8f7ae5", "#8a8a8a"];

/** Text as SVG has it. */
function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** About `count` round values that cover a range. */
export function ticks(least: number, most: number, count = 6): number[] {
  if (!(most > least)) return [least];
  const raw = (most - least) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((unit) => unit * power).find((size) => size >= raw)!;
  const values: number[] = [];
  for (let i = Math.ceil(least / step - 1e-9); i * step <= most + step * 1e-9; i++) {
    values.push(Number((i * step).toPrecision(12)));
  }
  return values;
}

function label(value: number): string {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) {
    return value.toExponential();
  }
  return String(Number(value.toPrecision(6)));
}

/** Coordinates with a tenth of a unit, which is finer than the eye. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** From values to places. */
interface Axes {
  x(value: number | string): number;
  y(value: number): number;
  readonly xTicks: readonly (readonly [place: number, text: string])[];
  readonly yTicks: readonly (readonly [place: number, text: string])[];
  /** Width of a category. */
  readonly slot: number;
}

function axesOf(chart: Chart): Axes {
  const points = chart.series.flatMap(({ points }) => points);
  const width = WIDTH - LEFT - RIGHT, height = HEIGHT - TOP - BOTTOM;
  const values = points.map(([, y]) => y).filter(Number.isFinite);
  const { y, yTicks } = yAxis(chart, values, height);
  if (chart.kind === "bar") {
    const names = [...new Set(points.map(([x]) => String(x)))];
    const slot = width / Math.max(1, names.length);
    const x = (value: number | string) => LEFT + slot * (names.indexOf(String(value)) + 0.5);
    const every = Math.ceil(names.length / 20);
    const xTicks = names.filter((_, i) => i % every === 0).map((name) => [x(name), name] as const);
    return { x, y, xTicks, yTicks, slot };
  }
  const xs = points.map(([x]) => Number(x));
  const low = Math.min(...xs), high = Math.max(...xs, low + 1e-9);
  const x = (value: number | string) => LEFT + width * (Number(value) - low) / (high - low);
  const xTicks = ticks(low, high, 8).map((value) => [x(value), label(value)] as const);
  return { x, y, xTicks, yTicks, slot: 0 };
}

function yAxis(
  chart: Chart,
  values: readonly number[],
  height: number,
): Pick<Axes, "y" | "yTicks"> {
  const bottom = TOP + height;
  if (chart.log) {
    const positive = values.filter((value) => value > 0);
    const [low, high] = chart.range ??
      [Math.min(...positive, 1), Math.max(...positive, 1)];
    const from = Math.floor(Math.log10(low)), to = Math.max(from + 1, Math.ceil(Math.log10(high)));
    const y = (value: number) => {
      const log = value > 0 ? Math.min(to, Math.max(from, Math.log10(value))) : from;
      return bottom - height * (log - from) / (to - from);
    };
    const yTicks = Array.from({ length: to - from + 1 }, (_, i) => {
      const value = 10 ** (from + i);
      return [y(value), label(value)] as const;
    });
    return { y, yTicks };
  }
  const most = Math.max(...values, 0);
  const [low, high] = chart.range ?? [Math.min(0, ...values), most > 0 ? 1.05 * most : 1];
  const y = (value: number) =>
    bottom - height * (Math.min(high, Math.max(low, value)) - low) / (high - low);
  return { y, yTicks: ticks(low, high).map((value) => [y(value), label(value)] as const) };
}

function lines(chart: Chart, axes: Axes): string {
  return chart.series.map(({ points, dashed }, i) => {
    const color = COLORS[i % COLORS.length];
    const places = points.filter(([, y]) => Number.isFinite(y))
      .map(([x, y]) => [at(axes.x(x)), at(axes.y(y))] as const);
    const dash = dashed ? ' stroke-dasharray="6 4"' : "";
    const line = `<polyline fill="none" stroke="${color}" stroke-width="2"${dash} points="${
      places.map((place) => place.join(",")).join(" ")
    }"/>`;
    // Dots where they can be told apart.
    const dots = places.length > 40
      ? []
      : places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2.5" fill="${color}"/>`);
    return [line, ...dots].join("\n");
  }).join("\n");
}

function bars(chart: Chart, axes: Axes): string {
  const width = axes.slot * 0.8 / chart.series.length;
  const bottom = HEIGHT - BOTTOM;
  return chart.series.flatMap(({ points }, i) =>
    points.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => {
      const left = axes.x(x) + width * (i - chart.series.length / 2), top = axes.y(y);
      return `<rect x="${at(left)}" y="${at(top)}" width="${at(width)}" height="${
        at(Math.max(0, bottom - top))
      }" fill="${COLORS[i % COLORS.length]}"/>`;
    })
  ).join("\n");
}

function frame(chart: Chart, axes: Axes): string {
  const right = WIDTH - RIGHT, bottom = HEIGHT - BOTTOM;
  return [
    ...axes.yTicks.flatMap(([y, text]) => [
      `<line class="grid" x1="${LEFT}" y1="${at(y)}" x2="${right}" y2="${at(y)}"/>`,
      `<text x="${LEFT - 8}" y="${at(y + 4)}" text-anchor="end">${escape(text)}</text>`,
    ]),
    ...axes.xTicks.map(([x, text]) =>
      `<text x="${at(x)}" y="${bottom + 18}" text-anchor="middle">${escape(text)}</text>`
    ),
    `<polyline class="axis" points="${LEFT},${TOP} ${LEFT},${bottom} ${right},${bottom}"/>`,
    `<text x="${(LEFT + right) / 2}" y="${bottom + 40}" text-anchor="middle">${
      escape(chart.x)
    }</text>`,
    `<text transform="translate(18 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">${
      escape(chart.y)
    }</text>`,
  ].join("\n");
}

function legend(chart: Chart): string {
  let left = LEFT;
  return chart.series.map(({ name, dashed }, i) => {
    const dash = dashed ? ' stroke-dasharray="6 4"' : "";
    const entry = `<line x1="${left}" y1="44" x2="${left + 22}" y2="44" stroke="${
      COLORS[i % COLORS.length]
    }" stroke-width="${chart.kind === "bar" ? 10 : 2}"${dash}/>
<text x="${left + 28}" y="48">${escape(name)}</text>`;
    left += 28 + 7.2 * name.length + 20;
    return entry;
  }).join("\n");
}

/** Draws a chart; the result is a whole SVG document. */
export function drawChart(chart: Chart): string {
  const axes = axesOf(chart);
  const note = chart.note === undefined
    ? ""
    : `<text class="note" x="${LEFT}" y="${HEIGHT - 12}">${escape(chart.note)}</text>\n`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${
    escape(chart.title)
  }">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.note { font-size: 10px; opacity: 0.7; }
.ground { fill: #ffffff; }
.grid { stroke: #8888; stroke-width: 0.5; }
.axis { fill: none; stroke: #888; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .ground { fill: #0d1117; } }
</style>
<rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${LEFT}" y="26">${escape(chart.title)}</text>
${legend(chart)}
${frame(chart, axes)}
${chart.kind === "bar" ? bars(chart, axes) : lines(chart, axes)}
${note}</svg>
`;
}
