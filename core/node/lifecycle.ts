/**
 * Starts and stops a node. Ports open before its services start and close after they stop. An error that a retry can't fix ends the start
 * with one line. On SIGTERM the node drains before it stops.
 */
import type { Server } from "node:http";
import type { Logger, Middleware, ServiceBroker } from "moleculer";
import type { Config } from "../config/config.ts";
import { modeFactsOf } from "../config/mode.ts";
import { StartError } from "../errors.ts";
import { closePorts, openPorts, portsOf } from "./ports.ts";
import type { ConsumerGroups } from "../queue/queue.ts";
import { openAdminServer } from "./admin-server.ts";
import { operatorLoggerName } from "./logger.ts";

/** Maximum time to stop after the drain; then the process exits. */
const stopTimeoutMs = 10_000;

export function lifecycle(config: Config, groups: ConsumerGroups): Middleware {
  const { hasAdminServer, drainMs } = modeFactsOf(config);
  let adminServer: Server | undefined;
  let log: Logger;

  return {
    name: "Lifecycle",
    created(broker) {
      log = broker.getLogger(operatorLoggerName);
      stopOnSignals(broker, drainMs, log);
      closeBrokenChannels(broker);
    },
    async starting(broker) {
      try {
        if (hasAdminServer) {
          adminServer = await openAdminServer(broker, config.ADMIN_PORT ?? 0, config.ADMIN_HOST);
          const address = adminServer.address();
          log.info(`Node ${broker.nodeID} serves operators on port ${typeof address === "object" ? address?.port : address}`);
        }
        await openPorts(broker, config, groups, log);
        exitWhenStopRequired(broker, log);
      } catch (error) {
        if (error instanceof StartError) abortStart(error.message);
        throw error;
      }
    },
    async stopped(broker) {
      await closePorts(broker);
      adminServer?.close();
      adminServer?.closeAllConnections();
    },
  };
}

/** Writes the lines to the error output and exits with code 1. */
export function abortStart(...lines: readonly string[]): never {
  process.stderr.write(lines.map((line) => `Parley can't start: ${line}\n`).join(""));
  process.exit(1);
}

function stopOnSignals(broker: ServiceBroker, drainMs: number, log: Logger): void {
  let stopping = false;
  const stop = (afterMs: number) => {
    if (stopping) return;
    stopping = true;
    broker.started = false; // not ready, so that balancers choose other nodes
    setTimeout(() => {
      log.error("Not stopped in time; exiting");
      process.exit(1);
    }, afterMs + stopTimeoutMs).unref();
    setTimeout(() => void broker.stop().finally(() => process.exit(0)), afterMs);
  };
  process.on("SIGINT", () => stop(0));
  process.on("SIGTERM", () => stop(drainMs));
}

/** Exits when a restore or a move began: what this node wrote now would be lost, or done twice. */
function exitWhenStopRequired(broker: ServiceBroker, log: Logger): void {
  portsOf(broker).installation.onStopRequired((reason) => {
    log.fatal(`Exiting: ${reason}`);
    process.exit(1);
  });
}

/** Closes the connection after its channel: the AMQP transporter reopens a lost connection, but never a channel that closed alone. */
function closeBrokenChannels(broker: ServiceBroker): void {
  broker.localBus.on("$transporter.error", ({ type }: { type?: string }) => {
    if (type !== "failedChannel") return;
    const transporter = broker.transit?.tx as { connection?: { close(): Promise<void> } } | undefined;
    transporter?.connection?.close().catch(() => undefined);
  });
}
