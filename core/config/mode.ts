/**
 * What differs between embedded mode and a mesh besides the adapters: names, durations, and what a node offers to operators. Code that does
 * not choose an adapter asks for one of these facts, not for the mode.
 */
import { relative } from "node:path";
import type { Config } from "./config.ts";

export interface ModeFacts {
  /** For the line that a gateway logs when it listens. */
  readonly description: string;
  /** Moleculer's namespace; nodes of different namespaces don't see each other. */
  readonly namespace: string;
  /** The folder of the embedded store, undefined in a mesh. */
  readonly dataFolder: string | undefined;
  readonly hasAdminServer: boolean;
  /** Whether the gateway serves `/metrics`, to clients on its own machine only. */
  readonly gatewayServesMetrics: boolean;
  /** How long a node stays not ready after SIGTERM before it stops, so that balancers turn to other nodes. */
  readonly drainMs: number;
  /** How long HTTP requests in flight may take once the gateway stops: a terminal waits 2 s for a process to end, a mesh node has 10 s. */
  readonly finishRequestsMs: number;
  /** The time over which a stopping gateway disconnects its sockets, so that they don't all reconnect to the other nodes at the same time. */
  readonly disconnectSpreadMs: number;
  /** Whether the feed may lose messages, so that gateways poll the store for missed changes. */
  readonly isFeedLossy: boolean;
}

export function modeFactsOf({ mesh, DATA_DIR, ADMIN_PORT, DRAIN_MS }: Config): ModeFacts {
  if (mesh === undefined) {
    const folder = relative(process.cwd(), DATA_DIR);
    return {
      description: `embedded, data in ${folder.startsWith("..") ? DATA_DIR : `./${folder}`}`,
      namespace: "",
      dataFolder: DATA_DIR,
      hasAdminServer: ADMIN_PORT !== undefined,
      gatewayServesMetrics: true,
      drainMs: 0,
      finishRequestsMs: 1500,
      disconnectSpreadMs: 0,
      isFeedLossy: false,
    };
  }
  return {
    description: `mesh ${mesh.name}`,
    namespace: mesh.name,
    dataFolder: undefined,
    hasAdminServer: true,
    gatewayServesMetrics: false,
    drainMs: DRAIN_MS,
    finishRequestsMs: 5000,
    disconnectSpreadMs: 1000,
    isFeedLossy: true,
  };
}
