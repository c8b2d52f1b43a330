/** Moleculer's own middlewares, each on the side of a call where it is of use. */
import { Middlewares, type Middleware, type ServiceBroker } from "moleculer";
import { callTimeout } from "./call-timeout.ts";

type CallSide = "localAction" | "remoteAction";
type MiddlewareFactory = (this: ServiceBroker, broker: ServiceBroker) => Middleware;

declare module "moleculer" {
  /** Moleculer exports them; its types don't. */
  const Middlewares: Readonly<Record<"ContextTracker" | "CircuitBreaker", MiddlewareFactory>>;
}

/** Made by Moleculer when it has a broker; its types know only middlewares that are made already. */
const without = (side: CallSide, make: MiddlewareFactory): Middleware => {
  const made: MiddlewareFactory = function (broker) {
    return { ...make.call(this, broker), [side]: undefined };
  };
  return made as Middleware;
};

/**
 * Innermost first, in Moleculer's order but for one: the breaker stands around the timeout. Inside it, where Moleculer has it, a node that
 * does not answer would never open it. `Metrics`, `Timeout` and `Tracing` are replaced by ours.
 *
 * A node that stops waits for what it was asked, not for what it asks: of that a busy gateway always has some, and a call that timed out
 * would stay for ever. And a breaker spares callers a node that does not answer; before a node's own actions it would refuse where nobody
 * else can help.
 */
export const builtInMiddlewares: readonly (string | Middleware)[] = [
  ...["ActionHook", "Validator", "Bulkhead", "Cacher"],
  without("remoteAction", Middlewares.ContextTracker),
  callTimeout(),
  without("localAction", Middlewares.CircuitBreaker),
  ...["Retry", "Fallback", "ErrorHandler", "Debounce", "Throttle"],
];
