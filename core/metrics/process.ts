/** The process's own metrics, `process_*` and `nodejs_*`: prom-client's, less those whose names break Prometheus' conventions. */
import { collectDefaultMetrics } from "prom-client";
import { processRegistry } from "./declare.ts";

/** Gauges that are called `_total`. Each is the sum of the metric of the same name without it. */
const misnamed = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

let isMeasured = false;

/** Begins to measure, once. */
export function measureProcess(): void {
  if (isMeasured) return;
  isMeasured = true;
  collectDefaultMetrics({ register: processRegistry });
  for (const name of misnamed) processRegistry.removeSingleMetric(name);
}
