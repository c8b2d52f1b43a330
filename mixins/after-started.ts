/**
 * Work that begins when a service is ready. Moleculer runs the mixins' `started` before the service's own, the last listed first;
 * this runs after all of them, wherever the mixin is listed.
 */
import type { Service } from "moleculer";
import type { Mixin } from "../core/contract/service.ts";

/** @param begin  its `this` is the service, with what T names on it */
export function afterStarted<T extends object>(begin: (this: Service & T) => Promise<void> | void): Mixin<T> {
  // Moleculer's hook for the schema with all mixins merged in; its types lack it.
  const merged = (schema: { started?: unknown }): void => {
    schema.started = [...[schema.started ?? []].flat(), begin];
  };
  return { merged } as Mixin<T>;
}
