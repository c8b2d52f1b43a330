/** Metrics as Prometheus text, served by the node's own admin server instead of a port of the reporter's. */
import { MetricReporters, type MetricRegistry, type ServiceBroker } from "moleculer";
import { callMetricsLines } from "./call-metrics.ts";
import { readiness } from "./readiness.ts";

const reporters = new WeakMap<ServiceBroker, TextReporter>();

export class TextReporter extends MetricReporters.Prometheus {
  // The original opens a server here and closes it in stop; what else it and its base do is repeated.
  override init(registry: MetricRegistry): void {
    MetricReporters.Base.prototype.init.call(this, registry);
    Object.assign(this, { defaultLabels: { nodeID: registry.broker.nodeID } });
    reporters.set(registry.broker, this);
  }
  override stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** All metrics of this node in Prometheus' text format (0.0.4), and what is away of the parts that `/ready` names. */
export async function metricsText(broker: ServiceBroker): Promise<string> {
  const { parts } = await readiness(broker);
  const lines = Object.entries(parts).map(
    ([part, state]) => `parley_part_ok{nodeID="${broker.nodeID}",part="${part}"} ${state === "ok" ? 1 : 0}`,
  );
  const own = ["# HELP parley_part_ok Whether a part this node rests on is there", "# TYPE parley_part_ok gauge", ...lines];
  return [reporters.get(broker)?.generatePrometheusResponse() ?? "", ...own, ...callMetricsLines(broker), ""].join("\n");
}
