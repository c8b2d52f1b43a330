/**
 * Keeps on `this.context` what a service's functions work with: `mixins: [context(openAuthContext), database("auth", [...]), ...]`. It is
 * the only state that a service has. List it before `database`: Moleculer runs the `started` of the mixin listed last first.
 */
import type { Logger, Service, ServiceBroker } from "moleculer";
import type { Mixin } from "../core/contract/service.ts";
import { portsOf, type Ports } from "../core/node/ports.ts";
import type { Database } from "../core/store/store.ts";

/** What a context is made from: the node's ports, and what belongs to this service. */
export interface ServiceResources extends Ports {
  readonly broker: ServiceBroker;
  readonly log: Logger;
  /** @throws Error  the service has no database, or lists it before its context */
  readonly db: Database;
}

/** @param open  makes the context when the service starts */
export const context = <C extends object>(open: (resources: ServiceResources) => C | Promise<C>): Mixin<{ readonly context: C }> => ({
  async started() {
    const service = this as Service & { db?: Database; context?: C };
    const { broker, logger: log } = service;
    service.context = await open({
      ...portsOf(broker),
      broker,
      log,
      get db() {
        if (service.db === undefined) throw new Error(`${service.name} has no database yet: list database(...) after context(...)`);
        return service.db;
      },
    });
  },
});
