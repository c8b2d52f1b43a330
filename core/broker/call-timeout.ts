/**
 * Times out calls only after data that has already arrived was read, and delays Moleculer's check for dead nodes in the same way. Moleculer
 * uses plain timers for both, and Node runs timers before it reads sockets: after a pause, a node would drop responses that have arrived
 * and consider all other nodes dead.
 */
import { Errors, type Context, type Middleware, type ServiceBroker } from "moleculer";
import { withTimeout } from "../resilience/timeout.ts";

type TimedHandler = (ctx: Context) => Promise<unknown>;

/** Replaces Moleculer's `Timeout`. */
export function callTimeout(): Middleware {
  function withCallTimeout(
    this: ServiceBroker,
    handler: TimedHandler,
    action: { readonly name?: string; readonly timeout?: number },
  ): TimedHandler {
    return (ctx) => {
      const timeoutMs = (ctx.options.timeout ??= action.timeout ?? this.options.requestTimeout ?? 0);
      if (timeoutMs <= 0) return handler(ctx);
      // Moleculer uses `startHrTime` to limit a nested call to its caller's remaining time.
      ctx.startHrTime ??= process.hrtime();
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
