/**
 * Defines what a call carries (`Meta`, `Ctx`, `CallContext`), and calls actions through their contracts, which give the types of params and
 * result. No code names an action by a string.
 */
import type { CallingOptions, Context } from "moleculer";
import type { ActionRef } from "./contract.ts";
import { defaultCallPolicy } from "./call-policy.ts";
import { currentRequest } from "../request-context.ts";
import type { Input } from "./schema.ts";

/** The client that sent a request to the gateway. */
export interface ClientInfo {
  /** The User-Agent, cut to 200 characters. */
  readonly device: string;
  /** IP address, found through the proxies that `TRUST_PROXY` trusts. */
  readonly address: string;
}

/** Metadata sent with every call. Only the gateway sets `user`, from a verified credential. */
export interface Meta {
  user?: { readonly id: string; readonly sessionId: string };
  client?: ClientInfo;
}

/** An action handler's context, with the contract's types for params and meta. */
export type Ctx<P> = Context<P, Meta>;

/** A service's context during one call, with the caller's id and the `ctx` that further calls are made with. */
export type CallContext<C extends object> = C & {
  readonly ctx: Ctx<unknown>;
  /** The caller's id; empty when a service calls without a user. */
  readonly userId: string;
};
export const inCall = <C extends object>(context: C, ctx: Ctx<unknown>): CallContext<C> => ({
  ...context,
  ctx,
  userId: ctx.meta.user?.id ?? "",
});

/** What can make a call: a handler's `ctx`, or a broker. */
export interface Caller {
  /** Only contexts have one; brokers don't. */
  readonly requestID?: string | null;
  call(name: string, params: unknown, options?: CallingOptions): Promise<unknown>;
}

/**
 * Calls an action.
 * @param caller  the handler's `ctx`, which passes on the user and the request id; where there is no `ctx`, a broker: the request id then
 *                comes from the asynchronous context
 * @throws DomainError  thrown by the action
 * @throws MoleculerError  with a code 5xx: the action can't be reached in time
 */
export function call<P, R>(caller: Caller, action: ActionRef<P, R>, params: NoInfer<Input<P>>, options?: CallingOptions): Promise<R> {
  // Without an explicit timeout, Moleculer gives a nested call all the time that its caller has left. With one, it uses the shorter.
  const timeout = options?.timeout ?? action.policy?.timeoutMs ?? defaultCallPolicy.timeoutMs;
  const request = caller.requestID === undefined ? currentRequest() : undefined;
  const cause = request === undefined ? undefined : { requestID: request.requestId, parentSpan: request.span };
  return caller.call(action.name, params, { ...cause, ...options, timeout }) as Promise<R>;
}
