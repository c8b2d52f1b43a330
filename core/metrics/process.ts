/** The process's own metrics, `process_*` and `nodejs_*`: prom-client's, once a process, less those whose names break Prometheus' conventions. */
import { collectDefaultMetrics, Registry } from "prom-client";

/** Gauges that are called `_total`. Each is the sum of the metric of the same name without it. */
const misnamed = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

let registry: Registry | undefined;

/** Begins to measure, at the first call. */
export function processMetrics(): Registry {
  if (registry !== undefined) return registry;
  registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return registry;
}
