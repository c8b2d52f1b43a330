/** Measures the node itself: its release, its parts, the nodes it sees and its disks. Returns all the node's metrics as text. */
import type { StatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { Middleware, ServiceBroker } from "moleculer";
import { readiness } from "./readiness.ts";
import type { Config } from "../config/config.ts";
import { modeFactsOf } from "../config/mode.ts";
import { version } from "../version.ts";
import { gauge, processRegistry, registryOf } from "../metrics/declare.ts";
import { measureProcess } from "../metrics/process.ts";

const buildInfo = gauge("parley_build_info", "1, labelled with the running release", ["version"]);
const nodeReady = gauge("parley_node_ready", "1 if /ready returns 200, otherwise 0");
const partOk = gauge("parley_part_ok", "1 if a part this node depends on is available, otherwise 0; named as in /ready", ["part"]);
const nodesSeen = gauge("parley_nodes_seen", "Nodes of the mesh that this node currently sees, including itself");
const callBreakersOpen = gauge(
  "parley_call_breakers_open",
  "Actions of other nodes that this node does not call at present, because too many calls failed",
  ["service"],
);
const diskFree = gauge(
  "parley_disk_free_bytes",
  "Free space on the disk of DATA_DIR (data, in embedded mode only) or of TMPDIR (temporary)",
  ["disk"],
);
const diskSize = gauge("parley_disk_size_bytes", "Size of the disk of DATA_DIR (data, in embedded mode only) or of TMPDIR (temporary)", [
  "disk",
]);

export function nodeMetrics(config: Config): Middleware {
  const { dataFolder } = modeFactsOf(config);
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

/** The number of open breakers of each service on other nodes. */
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
  present.reset(); // a part may no longer exist
  for (const [part, state] of Object.entries(parts)) present.set({ part }, state === "ok" ? 1 : 0);
  const texts = await Promise.all([registryOf(broker).metrics(), processRegistry.metrics()]);
  return texts.join("\n");
}
