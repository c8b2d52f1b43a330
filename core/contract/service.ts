/**
 * Builds a service from its contract and handlers. The compiler checks that there is a handler for each action and no other. Access,
 * policy and routing become action metadata, which the broker's middlewares apply.
 */
import type { ActionSchema, Service, ServiceSchema } from "moleculer";
import type { RestoreHooks } from "../store/contents.ts";
import type { Ctx } from "./call.ts";
import type { ActionRef } from "./contract.ts";
import { defaultCallPolicy, callRetryDelayMs } from "./call-policy.ts";
import type { Infer } from "./schema.ts";

type ActionHandlers<C> = { [K in keyof C]: C[K] extends ActionRef<infer P, infer R> ? (ctx: Ctx<Infer<P>>) => Promise<R> | R : never };

declare const mixinMembers: unique symbol;
/** A mixin, typed with the members that it adds to `this`. */
export type Mixin<T extends object = object> = Partial<ServiceSchema> & { readonly [mixinMembers]?: (_: T) => void };

// The intersection of the members of all mixins: T is in a parameter's position, so infer combines the candidates with &.
type MixinMembers<X extends readonly Mixin<never>[]> = [X[number]] extends [never]
  ? unknown
  : X[number] extends { readonly [mixinMembers]?: (_: infer T) => void }
    ? T
    : unknown;

type ServiceDefinition<C, M, X> = Omit<ServiceSchema, "name" | "actions" | "methods" | "mixins" | "created" | "started" | "stopped"> & {
  /** Checks and changes of the service's rows during a restore from a backup. */
  restoring?: RestoreHooks;
  mixins?: X;
  actions: ActionHandlers<C>;
  methods?: M;
  // Moleculer's types give these a `this` on which everything is `any`.
  created?(): void;
  started?(): Promise<void> | void;
  stopped?(): Promise<void> | void;
};

/** A service's schema from its contract. In handlers, `this` is the service with its methods and its mixins' members. */
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
    // Nodes of this release and the previous one work together, so unknown keys are dropped between them. The gateway refuses them.
    params: { $$strict: "remove", ...ref.params },
    // "protected" can't be called from another node.
    visibility: ref.access === "service" ? "public" : "published",
    access: ref.access,
    timeout: timeoutMs,
    retryPolicy: { enabled: retries > 0, retries, delay: callRetryDelayMs.first, maxDelay: callRetryDelayMs.longest },
    bulkhead: { enabled: true, ...bulkhead },
    // Plain data, because other nodes receive it as JSON; each node's own strategy reads it (`broker/routing.ts`).
    ...(ref.routeBy === undefined ? {} : { strategyOptions: { key: ref.routeBy } }),
    handler,
  } as ActionSchema;
}
