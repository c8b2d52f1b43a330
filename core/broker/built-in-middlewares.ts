/** Lists Moleculer's own middlewares, some of them on one side of a call only. */
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
 * Innermost first. The order is Moleculer's, except that the circuit breaker is outside the timeout: inside it, a node that does not
 * respond would never open the breaker. Parley replaces `Metrics`, `Timeout` and `Tracing`.
 *
 * On stop, a node waits for incoming calls, not for outgoing ones: a busy gateway always has some, and a call that timed out would never be
 * finished. The circuit breaker applies to outgoing calls only: before a node's own actions it would refuse calls that no other node could
 * answer either.
 */
export const builtInMiddlewares: readonly (string | Middleware)[] = [
  ...["ActionHook", "Validator", "Bulkhead", "Cacher"],
  without("remoteAction", Middlewares.ContextTracker),
  callTimeout(),
  without("localAction", Middlewares.CircuitBreaker),
  ...["Retry", "Fallback", "ErrorHandler", "Debounce", "Throttle"],
];
