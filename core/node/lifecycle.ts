/**
 * A node's life: ports open before its services start and close after they stopped; an error that waiting can't mend ends the
 * start with one line; SIGTERM drains before it stops.
 */
import type { Server } from "node:http";
import type { Logger, Middleware, ServiceBroker } from "moleculer";
import type { Config } from "../config/config.ts";
import { deploymentOf } from "../config/deployment.ts";
import { StartError } from "../errors.ts";
import { closePorts, openPorts, portsOf } from "./ports.ts";
import type { ConsumerGroups } from "../queue/queue.ts";
import { openAdminServer } from "./admin-server.ts";
import { operatorLoggerName } from "./logger.ts";

/** A node that has not stopped so long after its drain is ended. */
const stopTimeoutMs = 10_000;

export function lifecycle(config: Config, groups: ConsumerGroups): Middleware {
  const { hasAdminServer, drainMs } = deploymentOf(config);
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
          log.info(`Node ${broker.nodeID} answers operators on port ${typeof address === "object" ? address?.port : address}`);
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

/** Ends the start with one line on the error output and exit code 1. */
export function abortStart(...lines: readonly string[]): never {
  process.stderr.write(lines.map((line) => `Parley can't start: ${line}\n`).join(""));
  process.exit(1);
}

function stopOnSignals(broker: ServiceBroker, drainMs: number, log: Logger): void {
  let stopping = false;
  const stop = (afterMs: number) => {
    if (stopping) return;
    stopping = true;
    broker.started = false; // not ready, so that balancers look elsewhere
    setTimeout(() => {
      log.error("Not stopped in time; ending");
      process.exit(1);
    }, afterMs + stopTimeoutMs).unref();
    setTimeout(() => void broker.stop().finally(() => process.exit(0)), afterMs);
  };
  process.on("SIGINT", () => stop(0));
  process.on("SIGTERM", () => stop(drainMs));
}

/** A restore that began, or a move: what this node would write now is lost, or done twice. */
function exitWhenStopRequired(broker: ServiceBroker, log: Logger): void {
  portsOf(broker).installation.onStopRequired((reason) => {
    log.fatal(`Ending: ${reason}`);
    process.exit(1);
  });
}

/**
 * The AMQP transporter never repairs a channel that closed alone, only a lost connection; so the connection is closed too.
 */
function closeBrokenChannels(broker: ServiceBroker): void {
  broker.localBus.on("$transporter.error", ({ type }: { type?: string }) => {
    if (type !== "failedChannel") return;
    const transporter = broker.transit?.tx as { connection?: { close(): Promise<void> } } | undefined;
    transporter?.connection?.close().catch(() => undefined);
  });
}
