/** Lists the middlewares that replace Moleculer's default list: its own, some on one side of a call only, and Parley's timeout. */
import { Middlewares, type Middleware, type ServiceBroker } from "moleculer";
import { callTimeout } from "./call-timeout.ts";

type CallSide = "localAction" | "remoteAction";
type MiddlewareFactory = (this: ServiceBroker, broker: ServiceBroker) => Middleware;

declare module "moleculer" {
  /** Exported by Moleculer, but missing in its types. */
  const Middlewares: Readonly<Record<"ContextTracker" | "CircuitBreaker", MiddlewareFactory>>;
}

/** The middleware without one side. Moleculer calls the factory once it has a broker; its types allow only finished middlewares. */
const without = (side: CallSide, make: MiddlewareFactory): Middleware => {
  const made: MiddlewareFactory = function (broker) {
    return { ...make.call(this, broker), [side]: undefined };
  };
  return made as Middleware;
};

/**
 * Innermost first. The order is Moleculer's, except that the circuit breaker is outside the timeout: inside the timeout, it would never see
 * a call time out, so a silent node would never open it. Parley replaces `Metrics`, `Timeout` and `Tracing`.
 *
 * On stop, a node waits for incoming calls but not for outgoing ones: a busy gateway always has some, and one that timed out would never
 * count as finished. The circuit breaker applies to outgoing calls only: before a node's own actions it would refuse calls that no other
 * node could answer either.
 */
export const builtInMiddlewares: readonly (string | Middleware)[] = [
  "ActionHook",
  "Validator",
  "Bulkhead",
  "Cacher",
  without("remoteAction", Middlewares.ContextTracker),
  callTimeout(),
  without("localAction", Middlewares.CircuitBreaker),
  "Retry",
  "Fallback",
  "ErrorHandler",
  "Debounce",
  "Throttle",
];
