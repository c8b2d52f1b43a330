/**
 * Runs a function once a service has started. Moleculer runs the mixins' `started` before the service's own, the last listed first. This
 * function runs after all of them, wherever the mixin is listed.
 */
import type { Service } from "moleculer";
import type { Mixin } from "../core/contract/service.ts";

/** @param begin  called with the service as `this`, typed with the members in T */
export function afterStarted<T extends object>(begin: (this: Service & T) => Promise<void> | void): Mixin<T> {
  // Moleculer calls this hook with the schema after it merged all mixins. The types lack it.
  const merged = (schema: { started?: unknown }): void => {
    schema.started = [...[schema.started ?? []].flat(), begin];
  };
  return { merged } as Mixin<T>;
}
