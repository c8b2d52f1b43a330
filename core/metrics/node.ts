/** What a node says of itself: its release, its parts, the nodes it sees. And all its metrics as text. */
import type { Middleware, ServiceBroker } from "moleculer";
import { readiness } from "../broker/readiness.ts";
import { version } from "../version.ts";
import { gauge, registryOf } from "./declare.ts";
import { processMetrics } from "./process.ts";

const buildInfo = gauge("parley_build_info", "1, with the release that runs", ["version"]);
const nodeReady = gauge("parley_node_ready", "Whether /ready answers 200");
const partOk = gauge("parley_part_ok", "Whether a part this node rests on is there, by the names of /ready", ["part"]);
const nodesSeen = gauge("parley_nodes_seen", "Nodes of the mesh that this node has heard of lately, itself among them");

export function nodeMetrics(): Middleware {
  return {
    name: "NodeMetrics",
    created(broker) {
      processMetrics();
      buildInfo.of(broker).set({ version }, 1);
      nodesSeen.collect(broker, () => [[{}, broker.registry.getNodeList({ onlyAvailable: true }).length]]);
    },
  };
}

/** All metrics of this node in Prometheus' text format (0.0.4). */
export async function metricsText(broker: ServiceBroker): Promise<string> {
  const { ready, parts } = await readiness(broker);
  nodeReady.of(broker).set(ready ? 1 : 0);
  const present = partOk.of(broker);
  present.reset(); // a part may be known no longer
  for (const [part, state] of Object.entries(parts)) present.set({ part }, state === "ok" ? 1 : 0);
  const texts = await Promise.all([registryOf(broker).metrics(), processMetrics().metrics()]);
  return texts.join("\n");
}
