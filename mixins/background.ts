/** Runs work beside a service's calls, from when the service is ready until it stops. */
import type { Service } from "moleculer";
import type { Mixin } from "../core/contract/service.ts";
import { afterStarted } from "./after-started.ts";

/** Stops background work. A promise that it returns resolves when nothing of the work runs any more. */
export type StopBackground = () => unknown;

/** @param start  begins the work on the service's context, and returns what stops it */
export function background<C extends object>(start: (context: C) => StopBackground): Mixin<{ readonly context: C }> {
  // By service: tests start several nodes in one process.
  const stops = new WeakMap<Service, StopBackground>();
  return {
    ...afterStarted<{ readonly context: C }>(function () {
      stops.set(this, start(this.context));
    }),
    async stopped() {
      await stops.get(this as Service)?.();
    },
  };
}
