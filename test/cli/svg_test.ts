import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { drawChart, ticks } from "../../src/cli/svg.ts";

Deno.test("ticks are round numbers that cover the range", () => {
  assertEquals(ticks(0, 10), [0, 2, 4, 6, 8, 10]);
  assertEquals(ticks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assertEquals(ticks(95, 100), [95, 96, 97, 98, 99, 100]);
  assertEquals(ticks(3, 3), [3]);
});

/** The numbers of an attribute of every element of a kind. */
function numbers(svg: string, element: string, attribute: string): number[] {
  return [...svg.matchAll(new RegExp(`<${element} [^>]*?\\b${attribute}="([^"]*)"`, "g"))]
    .map(([, value]) => Number(value));
}

Deno.test("a line goes from lower left to upper right where its values rise", () => {
  const svg = drawChart({
    title: "t",
    x: "x",
    y: "y",
    series: [{ name: "a", points: [[0, 0], [1, 5], [2, 10]] }],
  });
  const [, points] = /<polyline fill="none"[^>]*points="([^"]*)"/.exec(svg)!;
  const places = points!.split(" ").map((pair) => pair.split(",").map(Number));
  assertEquals(places.length, 3);
  assert(places[0]![0]! < places[1]![0]! && places[1]![0]! < places[2]![0]!);
  assert(places[0]![1]! > places[1]![1]! && places[1]![1]! > places[2]![1]!);
  assertEquals(numbers(svg, "circle", "cx").length, 3);
});

Deno.test("bars stand on the axis, as high as their values, side by side", () => {
  const svg = drawChart({
    title: "t",
    x: "x",
    y: "y",
    kind: "bar",
    range: [0, 10],
    series: [
      { name: "a", points: [["one", 5], ["two", 10]] },
      { name: "b", points: [["one", 0], ["two", 2.5]] },
    ],
  });
  const heights = numbers(svg, "rect", "height").slice(1);
  assertEquals(heights.map((height) => Math.round(height / heights[1]! * 100)), [50, 100, 0, 25]);
  assertStringIncludes(svg, ">one</text>");
});

Deno.test("a logarithmic axis has a tick per power of ten and puts zero on its end", () => {
  const svg = drawChart({
    title: "t",
    x: "x",
    y: "y",
    kind: "bar",
    log: true,
    series: [{ name: "a", points: [[1, 1_000], [2, 10], [3, 0]] }],
  });
  for (const text of ["1", "10", "100", "1000"]) assertStringIncludes(svg, `>${text}</text>`);
  const [high, low, none] = numbers(svg, "rect", "height").slice(1);
  assertEquals([Math.round(high! / low!), none], [3, 0]);
});

Deno.test("text is escaped, what is no number is left out, and the document is whole", () => {
  const svg = drawChart({
    title: 'a < b & "c"',
    x: "x",
    y: "y",
    series: [{ name: "<i>", points: [[0, 1], [1, NaN], [2, 2]] }],
    note: "how",
  });
  assertMatch(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"[^]*<\/svg>\n$/);
  assertStringIncludes(svg, "a &lt; b &amp; &quot;c&quot;");
  assertStringIncludes(svg, "&lt;i&gt;");
  assert(!svg.includes("NaN") && !svg.includes("<i>"));
  assertStringIncludes(svg, "prefers-color-scheme: dark");
});
