/** Opens the context of auth's functions. */
import type { Logger } from "moleculer";
import type { Ports } from "../../core/node/ports.ts";
import { securityLog, type SecurityLog } from "../../core/security/log.ts";
import type { Database } from "../../core/store/store.ts";
import type { ServiceResources } from "../../mixins/context.ts";

export interface AuthContext extends Pick<Ports, "clock" | "config" | "feed" | "installation" | "jwtSecrets" | "store"> {
  readonly db: Database;
  readonly log: Logger;
  readonly security: SecurityLog;
}

export const openAuthContext = ({ broker, db, log, ...ports }: ServiceResources): AuthContext => {
  const { clock, config, feed, installation, jwtSecrets, store } = ports;
  return { clock, config, feed, installation, jwtSecrets, store, db, log, security: securityLog(broker) };
};
