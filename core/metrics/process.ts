/** Collects prom-client's metrics of the process, `process_*` and `nodejs_*`, except those whose names break Prometheus' conventions. */
import { collectDefaultMetrics } from "prom-client";
import { processRegistry } from "./declare.ts";

/** Gauges whose names end with `_total`. Each is the sum of the metric of the same name without `_total`. */
const misnamed = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

let isMeasured = false;

/** Starts to collect them; further calls do nothing. */
export function measureProcess(): void {
  if (isMeasured) return;
  isMeasured = true;
  collectDefaultMetrics({ register: processRegistry });
  for (const name of misnamed) processRegistry.removeSingleMetric(name);
}
