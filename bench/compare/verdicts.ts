/**
 * What the comparison is to show, and whether it does.
 *
 * @module
 */

import type { Medians, Outcome, Runs } from "./runs.ts";

type Field = keyof Medians;

/** Outcomes of all statements for which there are runs. */
export function verdicts(runs: Runs): Outcome[] {
  const outcomes: Outcome[] = [];
  /** Holds where one run's field is at least (or at most) a multiple of another's. */
  const ratio = (
    wanted: string,
    field: Field,
    ours: readonly [load: string, name: string],
    theirs: readonly [load: string, name: string],
    bound: { least: number } | { most: number },
  ) => {
    const a = runs.median(...ours)?.[field], b = runs.median(...theirs)?.[field];
    if (a === undefined || b === undefined) return;
    outcomes.push(judge(wanted, a / b, bound, "x"));
  };
  const most = (wanted: string, field: Field, load: string, bound: number, per = 1) => {
    const value = runs.median(load, "ours")?.[field];
    if (value !== undefined) outcomes.push(judge(wanted, value / per, { most: bound }, ""));
  };
  const rate = "deliveriesPerSec";
  const of = (load: string, name = "ours") => [load, name] as const;
  for (const name of ["gossipsub", "gossipsub-all"]) {
    ratio(`1 KiB beside ${name}`, rate, of("1k"), of("1k", name), { least: 100 });
  }
  ratio("1 KiB beside the limit", rate, of("1k"), of("1k", "limit"), { least: 0.6 });
  ratio("signed beside gossipsub", rate, of("signed"), of("signed", "gossipsub"), { least: 25 });
  ratio("100 B beside the limit", rate, of("100b"), of("100b", "limit"), { least: 0.4 });
  ratio("64 KiB beside the limit", rate, of("64k"), of("64k", "limit"), { least: 0.6 });
  // Of all together four are under way of each, so there is less to bundle and to coalesce than with one; of each, as many as with one.
  for (const [load, window] of [["16senders", "together"], ["16windows", "of each"]] as const) {
    ratio(`all sending, window ${window}, beside one`, rate, of(load), of("1k"), { least: 0.8 });
  }
  for (const field of ["p50Ms", "p99Ms"] as const) {
    const wanted = `paced ${field} beside gossipsub`;
    ratio(wanted, field, of("paced"), of("paced", "gossipsub"), { most: 0.2 });
  }
  for (const load of ["1k", "paced"]) {
    for (const other of ["gossipsub", "go", "iroh"]) {
      const wanted = `CPU per delivery, ${load}, beside ${other}`;
      ratio(wanted, "cpuUsPerDelivery", of(load), of(load, other), { most: 1 });
    }
  }
  most("wire bytes per byte of payload, 1 KiB", "wireBytesPerDelivery", "1k", 1.08, 1_024);
  most("duplicates per delivery, 1 KiB", "duplicatesPerDelivery", "1k", 0.02);
  return outcomes;
}

/** Whether a figure is within its bound. */
export function judge(
  wanted: string,
  value: number,
  bound: { least: number } | { most: number },
  unit: string,
): Outcome {
  const shown = `${Number(value.toPrecision(3))}${unit}`;
  return "least" in bound
    ? { wanted, bound: `>= ${bound.least}${unit}`, measured: shown, ok: value >= bound.least }
    : { wanted, bound: `<= ${bound.most}${unit}`, measured: shown, ok: value <= bound.most };
}
