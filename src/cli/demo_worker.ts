/**
 * The process of one demo node; started by the demo with `--processes`.
 *
 * @module
 */

import { serveDemoNode } from "./demo_process.ts";

if (import.meta.main) await serveDemoNode();
