/**
 * Contracts: what a service offers, as data. A contract is the single source for an action's name, params, result, access and
 * policy, and for an event's name and payload; types, run-time validation and documents all come from it.
 */
import type { DomainErrorCode } from "../errors.ts";
import type { Rules } from "./schema.ts";

declare const shape: unique symbol;

/** Names a type without a value at run time. */
export interface Returns<T> {
  readonly [shape]?: T;
}
export const returns = <T>(): Returns<T> => ({});

/**
 * Who may call an action. `public`: anyone; `user`: a caller whom the gateway verified (`ctx.meta.user`);
 * `service`: other services only, never named by a route or socket event.
 */
export type Access = "public" | "user" | "service";

/** How a call behaves when things go wrong; what is left out comes from `core/contract/call-policy.ts`. */
export interface CallPolicy {
  /** Milliseconds until the caller gives up. */
  readonly timeoutMs?: number;
  /** Repeated by the caller after a transient failure; only for actions that may run twice. */
  readonly retries?: number;
  /** Calls that may run at once on a node, and how many more may wait. */
  readonly bulkhead?: { readonly concurrency: number; readonly maxQueueSize: number };
}

/** Which errors an action throws of its own, and when; every call may besides be invalid, refused without a user, or unavailable. */
export type ErrorsThrown = { readonly [C in DomainErrorCode]?: string };

export interface ActionSpec {
  readonly summary: string;
  readonly access: Access;
  readonly params: Rules;
  readonly result: Returns<unknown>;
  readonly errors?: ErrorsThrown;
  /** The param that picks the node (rendezvous hashing); a hint that avoids conflicts, never needed for correctness. */
  readonly routeBy?: string;
  readonly policy?: CallPolicy;
}

/** What a contract says of its service as a whole. */
export interface ServiceTraits {
  /** Its callers do without it while it is away, and are ready all the same. */
  readonly isOptional?: boolean;
}

/** A callable reference to an action: `call(ctx, chat.send, {...})`. */
export interface ActionRef<P = Rules, R = unknown> extends Omit<ActionSpec, "params" | "result">, ServiceTraits {
  readonly name: string;
  readonly service: string;
  readonly params: P;
  readonly result: Returns<R>;
}

interface ActionSpecs {
  readonly [action: string]: ActionSpec;
}
type SpecResult<S> = S extends { result: Returns<infer R> } ? R : never;
export type Contract<S extends ActionSpecs> = { readonly [K in keyof S]: ActionRef<S[K]["params"], SpecResult<S[K]>> };

/** Declares a service's actions. Each becomes a typed reference named `<service>.<action>`. */
export function contract<const S extends ActionSpecs>(
  service: string,
  specs: S & { readonly [K in keyof S]: { readonly routeBy?: keyof S[K]["params"] } },
  traits: ServiceTraits = {},
): Contract<S> {
  return Object.fromEntries(
    Object.entries(specs).map(([action, spec]) => [action, { ...spec, ...traits, name: `${service}.${action}`, service }]),
  ) as Contract<S>;
}

/** A durable event: its topic and the state it carries. Consumers keep the highest `rev` a `key`, so order and repeats don't matter. */
export interface EventRef<T = unknown, Topic extends string = string> {
  readonly topic: Topic;
  readonly payload: Returns<T>;
}

type ReturnedType<R> = R extends Returns<infer T> ? T : never;
type EventRefs<S extends string, E> = { readonly [K in keyof E & string]: EventRef<ReturnedType<E[K]>, `${S}.${K}`> };

/** Declares a service's durable events. Each becomes a typed reference to the topic `<service>.<event>`. */
export function events<const S extends string, const E extends { readonly [event: string]: Returns<unknown> }>(
  service: S,
  payloads: E,
): EventRefs<S, E> {
  return Object.fromEntries(
    Object.entries(payloads).map(([event, payload]) => [event, { topic: `${service}.${event}`, payload }]),
  ) as EventRefs<S, E>;
}
