/**
 * How long others are waited for: a call for its time, a node for its heartbeats. Moleculer judges both by timers, which run before what
 * waits at the sockets is read: a node that stood still itself would give up on answers that have come, and take all others for dead.
 * What was done would be done again, or told as failed.
 */
import { Errors, type Context, type Middleware, type ServiceBroker } from "moleculer";
import { withTimeout } from "../resilience/timeout.ts";

type TimedHandler = (ctx: Context) => Promise<unknown>;

/** In place of Moleculer's `Timeout`. */
export function callTimeout(): Middleware {
  function withCallTimeout(
    this: ServiceBroker,
    handler: TimedHandler,
    action: { readonly name?: string; readonly timeout?: number },
  ): TimedHandler {
    return (ctx) => {
      const timeoutMs = (ctx.options.timeout ??= action.timeout ?? this.options.requestTimeout ?? 0);
      if (timeoutMs <= 0) return handler(ctx);
      // By it Moleculer gives a nested call no more time than its caller has left. The types lack it.
      Object.assign(ctx, { startHrTime: "startHrTime" in ctx ? (ctx.startHrTime ?? process.hrtime()) : process.hrtime() });
      return withTimeout(handler(ctx), timeoutMs, () => {
        const data = { action: action.name ?? "", nodeID: ctx.nodeID ?? "" };
        this.logger.warn(`Request '${data.action}' is timed out`, { ...data, requestId: ctx.requestID, timeout: timeoutMs });
        return new Errors.RequestTimeoutError(data);
      });
    };
  }
  return { name: "CallTimeout", created: readSocketsBeforeNodeCheck, localAction: withCallTimeout, remoteAction: withCallTimeout };
}

function readSocketsBeforeNodeCheck({ registry }: ServiceBroker): void {
  const { discoverer } = registry;
  const check = discoverer.checkRemoteNodes.bind(discoverer);
  discoverer.checkRemoteNodes = () => void setImmediate(check);
}
