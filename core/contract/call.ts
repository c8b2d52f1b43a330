/** Typed calls: an action is named by its contract's reference, never by a string. */
import type { CallingOptions, Context } from "moleculer";
import type { ActionRef } from "./contract.ts";
import { defaultCallPolicy } from "./call-policy.ts";
import { currentRequest } from "../request-context.ts";
import type { Input } from "./schema.ts";

/** Who is on the other end of the gateway. */
export interface ClientInfo {
  /** The User-Agent, cut to 200 characters. */
  readonly device: string;
  /** IP address, as `TRUST_PROXY` lets us know it. */
  readonly address: string;
}

/** What travels with a call. Only the gateway sets `user`, from a verified credential. */
export interface Meta {
  user?: { readonly id: string; readonly sessionId: string };
  client?: ClientInfo;
}

/** A handler's context: params and meta as typed by the contract. */
export type Ctx<P> = Context<P, Meta>;

/** A service's context in one call: for whom the call is, and what calls others on their behalf. */
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

interface Caller {
  /** Of a context; a broker has none. */
  readonly requestID?: string | null;
  call(name: string, params: unknown, options?: CallingOptions): Promise<unknown>;
}

/**
 * Calls an action.
 * @param caller  the handler's `ctx`, so that the user and the request id travel along; a broker where there is none: then the request
 *                 being worked for is known nevertheless
 * @throws DomainError  what the action throws; `Unavailable`-like Moleculer errors when it can't be reached in time
 */
export function call<P, R>(caller: Caller, action: ActionRef<P, R>, params: NoInfer<Input<P>>, options?: CallingOptions): Promise<R> {
  // Said here, for a nested call would else be given all the time that its caller has left. Moleculer takes the shorter of the two.
  const timeout = options?.timeout ?? action.policy?.timeoutMs ?? defaultCallPolicy.timeoutMs;
  const request = caller.requestID === undefined ? currentRequest() : undefined;
  const cause = request === undefined ? undefined : { requestID: request.requestId, parentSpan: request.span };
  return caller.call(action.name, params, { ...cause, ...options, timeout }) as Promise<R>;
}
