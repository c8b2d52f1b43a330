/**
 * Sends a deadline with each remote call, and refuses calls that arrive after theirs. Requests in Moleculer's queues never expire: a node
 * that was frozen for a minute would run calls whose callers gave up long ago. This only saves work; correctness depends on expectations
 * and client ids.
 */
import type { Context, Middleware } from "moleculer";
import { Unavailable } from "../errors.ts";
import { portsOf } from "../node/ports.ts";

interface DeadlineHeaders {
  deadline?: number;
}
const deadlineOf = (ctx: Context | null | undefined): number | undefined =>
  (ctx as { headers?: DeadlineHeaders } | null | undefined)?.headers?.deadline;

export function deadline(): Middleware {
  let clock: () => number;
  return {
    name: "Deadline",
    created(broker) {
      clock = () => portsOf(broker).clock.now();
    },
    remoteAction(next) {
      return function (ctx) {
        const timeoutMs = ctx.options.timeout ?? 0;
        if (timeoutMs > 0) {
          const own = clock() + timeoutMs;
          const callers = deadlineOf((ctx.options as { parentCtx?: Context }).parentCtx) ?? own;
          // Headers belong to this call only; meta would be merged back into the caller's context.
          Object.assign(ctx, { headers: { deadline: Math.min(own, callers) } });
        }
        return next.call(this, ctx) as unknown;
      };
    },
    localAction(next) {
      return function (ctx) {
        const until = deadlineOf(ctx);
        if (until !== undefined && clock() > until) return Promise.reject(new Unavailable());
        return next.call(this, ctx) as unknown;
      };
    },
  };
}
