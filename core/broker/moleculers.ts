/** Moleculer's own middlewares, each on the side of a call where it is of use. */
import * as moleculer from "moleculer";
import type { Middleware, ServiceBroker } from "moleculer";
import { patience } from "./patience.ts";

type Side = "localAction" | "remoteAction";
type Maker = (this: ServiceBroker, broker: ServiceBroker) => Middleware;

// The types lack them.
const { ContextTracker, CircuitBreaker } = (moleculer as unknown as { Middlewares: Record<"ContextTracker" | "CircuitBreaker", Maker> })
  .Middlewares;

/** Moleculer makes it when it has a broker, which the types lack too. */
const made = (make: Maker): Middleware => make as unknown as Middleware;

const without = (side: Side, make: Maker): Middleware =>
  made(function (broker) {
    return { ...make.call(this, broker), [side]: undefined };
  });

/**
 * Innermost first, in Moleculer's order but for one: the breaker stands around the timeout. Inside it, where Moleculer has it, a node that
 * does not answer would never open it. `Metrics`, `Timeout` and `Tracing` are replaced by ours.
 *
 * A node that stops waits for what it was asked, not for what it asks: of that a busy gateway always has some, and a call that timed out
 * would stay for ever. And a breaker spares callers a node that does not answer; before a node's own actions it would refuse where nobody
 * else can help.
 */
export const moleculers: readonly (string | Middleware)[] = [
  ...["ActionHook", "Validator", "Bulkhead", "Cacher"],
  without("remoteAction", ContextTracker),
  patience(),
  without("localAction", CircuitBreaker),
  ...["Retry", "Fallback", "ErrorHandler", "Debounce", "Throttle"],
];
