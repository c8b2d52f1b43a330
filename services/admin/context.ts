/** Opens the context of admin's functions, and exposes the installation's metrics while the service runs. */
import type { ServiceBroker } from "moleculer";
import type { Ports } from "../../core/node/ports.ts";
import { securityLog, type SecurityLog } from "../../core/security/log.ts";
import type { ServiceResources } from "../../mixins/context.ts";
import { exposeInstallationMetrics } from "./metrics.ts";

export interface AdminContext extends Pick<Ports, "installation" | "queue"> {
  readonly broker: ServiceBroker;
  readonly security: SecurityLog;
}

export function openAdminContext({ broker, installation, queue }: ServiceResources): AdminContext {
  exposeInstallationMetrics({ broker, installation, queue });
  return { broker, installation, queue, security: securityLog(broker) };
}
