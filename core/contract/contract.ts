/**
 * Declares services' contracts as data. A contract is the single source of an action's name, params, result, access and policy, and of an
 * event's name and payload. Types, run-time validation and API documents are derived from it.
 */
import type { DomainErrorCode } from "../errors.ts";
import type { Rules } from "./schema.ts";

declare const shape: unique symbol;

/** Carries a type without a value at run time. */
export interface Returns<T> {
  readonly [shape]?: T;
}
export const returns = <T>(): Returns<T> => ({});

/**
 * The callers an action allows. `public`: anyone; `user`: users that the gateway authenticated (`ctx.meta.user`);
 * `service`: other services only, never a route or socket event.
 */
export type Access = "public" | "user" | "service";

/** Timeout, retries and concurrency of a call. Defaults are in `core/contract/call-policy.ts`. */
export interface CallPolicy {
  /** Milliseconds until the caller stops waiting. */
  readonly timeoutMs?: number;
  /** How often the caller retries after a transient failure. Only for actions that may run twice. */
  readonly retries?: number;
  /** How many calls may run at once on a node, and how many more may wait. */
  readonly bulkhead?: { readonly concurrency: number; readonly maxQueueSize: number };
}

/** The errors that an action throws itself, with the cause of each. Any call can also fail as invalid, unauthenticated or unavailable. */
export type ErrorsThrown = { readonly [C in DomainErrorCode]?: string };

export interface ActionSpec {
  readonly summary: string;
  readonly access: Access;
  readonly params: Rules;
  readonly result: Returns<unknown>;
  readonly errors?: ErrorsThrown;
  /** The param that selects the node (rendezvous hashing). It avoids conflicts, and correctness never depends on it. */
  readonly routeBy?: string;
  readonly policy?: CallPolicy;
}

/** Properties of the service as a whole. */
export interface ServiceTraits {
  /** Callers can work without this service, so its absence does not make them unready. */
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

/** A durable event: its topic and the state it carries. Consumers keep the highest `rev` per `key`, so order and repeats don't matter. */
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
