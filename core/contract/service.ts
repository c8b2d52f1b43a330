/**
 * Wires a contract to its handlers: all of them and no others, checked by the compiler. The contract's access, policy and
 * routing become action metadata that the broker's middlewares act on.
 */
import type { ActionSchema, Service, ServiceSchema } from "moleculer";
import type { RestoreHooks } from "../store/contents.ts";
import type { Ctx } from "./call.ts";
import type { ActionRef } from "./contract.ts";
import { defaultCallPolicy, callRetryDelayMs } from "./call-policy.ts";
import type { Infer } from "./schema.ts";

type ActionHandlers<C> = { [K in keyof C]: C[K] extends ActionRef<infer P, infer R> ? (ctx: Ctx<Infer<P>>) => Promise<R> | R : never };

declare const mixinMembers: unique symbol;
/** A mixin that says what it puts on `this`. */
export type Mixin<T extends object = object> = Partial<ServiceSchema> & { readonly [mixinMembers]?: (_: T) => void };

// An intersection of what all the mixins add: T sits in a parameter, so infer joins with &.
type MixinMembers<X extends readonly Mixin<never>[]> = [X[number]] extends [never]
  ? unknown
  : X[number] extends { readonly [mixinMembers]?: (_: infer T) => void }
    ? T
    : unknown;

type ServiceDefinition<C, M, X> = Omit<ServiceSchema, "name" | "actions" | "methods" | "mixins" | "created" | "started" | "stopped"> & {
  /** What has to be done with its rows around a restore from a backup. */
  restoring?: RestoreHooks;
  mixins?: X;
  actions: ActionHandlers<C>;
  methods?: M;
  // Moleculer's types would give these a `this` on which everything is `any`.
  created?(): void;
  started?(): Promise<void> | void;
  stopped?(): Promise<void> | void;
};

/** A service's schema from its contract; `this` is the service with its methods and what its mixins add. */
export function service<C extends Record<keyof C, ActionRef>, M extends object = object, const X extends readonly Mixin<never>[] = []>(
  spec: C,
  schema: ServiceDefinition<C, M, X> & ThisType<Service & M & MixinMembers<X>>,
): ServiceSchema {
  const refs = Object.entries<ActionRef>(spec);
  const name = refs[0]![1].service;
  const handlers = schema.actions as Record<string, ActionSchema["handler"]>;
  const actions = Object.fromEntries(refs.map(([key, ref]) => [key, actionSchema(ref, handlers[key])]));
  return { ...schema, mixins: [...(schema.mixins ?? [])], name, actions } as ServiceSchema;
}

function actionSchema(ref: ActionRef, handler: ActionSchema["handler"]): ActionSchema {
  const { timeoutMs, retries, bulkhead } = { ...defaultCallPolicy, ...ref.policy };
  return {
    // Nodes of this release and the last work together: between them unknown keys are dropped. The gateway refuses them.
    params: { $$strict: "remove", ...ref.params },
    // "protected" can't be called from another node.
    visibility: ref.access === "service" ? "public" : "published",
    access: ref.access,
    timeout: timeoutMs,
    retryPolicy: { enabled: retries > 0, retries, delay: callRetryDelayMs.first, maxDelay: callRetryDelayMs.longest },
    bulkhead: { enabled: true, ...bulkhead },
    // Data, for other nodes get it as JSON: what is made of it is each node's own strategy, `broker/routing.ts`.
    ...(ref.routeBy === undefined ? {} : { strategyOptions: { key: ref.routeBy } }),
    handler,
  } as ActionSchema;
}
