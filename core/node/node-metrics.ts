/** What a node says of itself: its release, its parts, the nodes it sees, the disks it writes to. And all its metrics as text. */
import type { StatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { Middleware, ServiceBroker } from "moleculer";
import { readiness } from "./readiness.ts";
import type { Config } from "../config/config.ts";
import { deploymentOf } from "../config/deployment.ts";
import { version } from "../version.ts";
import { gauge, processRegistry, registryOf } from "../metrics/declare.ts";
import { measureProcess } from "../metrics/process.ts";

const buildInfo = gauge("parley_build_info", "1, with the release that runs", ["version"]);
const nodeReady = gauge("parley_node_ready", "Whether /ready answers 200");
const partOk = gauge("parley_part_ok", "Whether a part this node rests on is there, by the names of /ready", ["part"]);
const nodesSeen = gauge("parley_nodes_seen", "Nodes of the mesh that this node has heard of lately, itself among them");
const callBreakersOpen = gauge(
  "parley_call_breakers_open",
  "Actions of other nodes that this node does not call, for too many calls failed",
  ["service"],
);
const diskFree = gauge("parley_disk_free_bytes", "Free on the disk of DATA_DIR (data, embedded only) or of TMPDIR (temporary)", ["disk"]);
const diskSize = gauge("parley_disk_size_bytes", "Size of these disks", ["disk"]);

export function nodeMetrics(config: Config): Middleware {
  const { dataFolder } = deploymentOf(config);
  const disks = { ...(dataFolder === undefined ? {} : { data: dataFolder }), temporary: tmpdir() };
  const onDisks = (bytes: (of: StatsFs) => number) =>
    Promise.all(Object.entries(disks).map(async ([disk, path]) => [{ disk }, bytes(await statfs(path))] as const));
  return {
    name: "NodeMetrics",
    created(broker) {
      measureProcess();
      buildInfo.of(broker).set({ version }, 1);
      nodesSeen.collect(broker, () => [[{}, broker.registry.getNodeList({ onlyAvailable: true }).length]]);
      callBreakersOpen.collect(broker, () => openBreakers(broker));
      diskFree.collect(broker, () => onDisks(({ bavail, bsize }) => bavail * bsize));
      diskSize.collect(broker, () => onDisks(({ blocks, bsize }) => blocks * bsize));
    },
  };
}

/** Of each service that other nodes offer. */
function openBreakers(broker: ServiceBroker): (readonly [{ service: string }, number])[] {
  const actions = broker.registry.getActionList({ skipInternal: true, withEndpoints: true });
  return actions.map(({ name, endpoints = [] }) => {
    const open = endpoints.filter(({ nodeID, state }) => nodeID !== broker.nodeID && !state);
    return [{ service: name.slice(0, name.indexOf(".")) }, open.length] as const;
  });
}

/** All metrics of this node in Prometheus' text format (0.0.4). */
export async function metricsText(broker: ServiceBroker): Promise<string> {
  const { ready, parts } = await readiness(broker);
  nodeReady.of(broker).set(ready ? 1 : 0);
  const present = partOk.of(broker);
  present.reset(); // a part may be known no longer
  for (const [part, state] of Object.entries(parts)) present.set({ part }, state === "ok" ? 1 : 0);
  const texts = await Promise.all([registryOf(broker).metrics(), processRegistry.metrics()]);
  return texts.join("\n");
}
