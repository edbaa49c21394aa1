/**
 * The scenarios of `deno task sim`.
 *
 * @module
 */

import { broadcast, manySenders } from "./broadcasts.ts";
import { churn, healing, massiveFailure } from "./failing.ts";
import { joining } from "./joining.ts";
import { largeMessages, lateLoop } from "./loads.ts";
import { partition, regions, slowNode } from "./parting.ts";
import type { Scenario } from "./scenario.ts";
import { twoClusters, xbotRegions } from "./xbot.ts";

export type { Scenario, ScenarioReport, ScenarioSettings } from "./scenario.ts";

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  joining,
  broadcast,
  manySenders,
  massiveFailure,
  healing,
  churn,
  partition,
  regions,
  slowNode,
  largeMessages,
  lateLoop,
  xbotRegions,
  twoClusters,
];
