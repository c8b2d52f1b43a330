/** Declares what the gateway's HTTP routes, sockets and documents share. */
import type { Logger, ServiceBroker } from "moleculer";
import type { Blobs } from "../../../core/blobs/blobs.ts";
import type { Limits } from "../../../core/limits/limits.ts";
import type { SecurityLog } from "../../../core/security/log.ts";
import type { AddressOf } from "./address.ts";
import type { Origins } from "./origins.ts";
import type { Sessions } from "./sessions.ts";

/** Available once the service has started. */
export interface GatewayContext {
  readonly broker: ServiceBroker;
  readonly limits: Limits;
  readonly blobs: Blobs;
  readonly sessions: Sessions;
  readonly origins: Origins;
  readonly addressOf: AddressOf;
  /** Whether cookies are sent over TLS only. */
  readonly isSecure: boolean;
  readonly log: Logger;
  readonly security: SecurityLog;
}
