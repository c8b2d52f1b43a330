/**
 * Refuses calls that the action's contract does not allow. It is the innermost middleware, right before the handler, so that no cache,
 * validator or REPL can bypass it.
 */
import type { ActionSchema, Middleware } from "moleculer";
import type { Meta } from "../contract/call.ts";
import type { Access } from "../contract/contract.ts";
import { Unauthenticated } from "../errors.ts";

export const access: Middleware = {
  name: "Access",
  localAction(next, action: ActionSchema & { access?: Access }) {
    if (action.access !== "user") return next;
    return function (ctx) {
      return (ctx.meta as Meta).user === undefined ? Promise.reject(new Unauthenticated()) : (next.call(this, ctx) as unknown);
    };
  },
};
