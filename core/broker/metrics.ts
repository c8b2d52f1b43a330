/** Metrics as Prometheus text, served by the node's own admin server instead of a port of the reporter's. */
import { MetricReporters, type MetricRegistry, type ServiceBroker } from "moleculer";

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

/** All metrics of this node in Prometheus' text format (0.0.4). */
export const metricsText = (broker: ServiceBroker): string => reporters.get(broker)?.generatePrometheusResponse() ?? "";
