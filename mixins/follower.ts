/**
 * Follows other services' durable events: `follow(followed.profile, { "auth.user.created": addProfile, ... })`. A group has a handler for
 * each event that it follows and for no other: the compiler checks it. An event arrives at least once and in any order. If its handler
 * rejects, it arrives again later.
 */
import { resumeRequest } from "../core/broker/tracing/requests.ts";
import type { EventRef } from "../core/contract/contract.ts";
import { portsOf } from "../core/node/ports.ts";
import type { DurableEvent } from "../core/queue/queue.ts";
import type { Mixin } from "../core/contract/service.ts";
import { afterStarted } from "./after-started.ts";

export interface ReceivedEvent<T> extends DurableEvent {
  readonly payload: T;
}

/** A consumer group, and the events that it follows. */
export interface Following<E extends EventRef = EventRef> {
  readonly group: string;
  readonly events: readonly E[];
}

type Followings<F extends Record<string, readonly EventRef[]>> = { readonly [G in keyof F]: Following<F[G][number]> };

/** Declares who follows what: `followings({ profile: [authEvents["user.created"]] })`. */
export const followings = <const F extends { readonly [group: string]: readonly EventRef[] }>(byGroup: F): Followings<F> =>
  Object.fromEntries(Object.entries(byGroup).map(([group, events]) => [group, { group, events }])) as Followings<F>;

/** Handles one event with the service's context (`mixins/context.ts`). */
type EventHandler<C, T> = (context: C, event: ReceivedEvent<T>) => Promise<void>;
type PayloadOf<E> = E extends EventRef<infer T> ? T : never;
type EventHandlers<E extends EventRef> = { readonly [T in E["topic"]]: EventHandler<never, PayloadOf<Extract<E, { topic: T }>>> };
/** What all the handlers need of the context. */
type ContextOf<H> = H[keyof H] extends (context: infer C, event: never) => unknown ? C : never;

/** The part of a service's schema that says which group it is. */
export interface DeclaredFollowing {
  readonly follows: string;
}

/** Handles all events of a group alike, whichever they are: `followAll(followed.media, dropReleased)`. */
export const followAll = <E extends EventRef, C extends object>(
  { group, events }: Following<E>,
  handler: EventHandler<C, PayloadOf<E>>,
): Mixin<{ readonly context: C }> & DeclaredFollowing =>
  consume(group, new Map(events.map(({ topic }) => [topic, handler as EventHandler<C, unknown>])));

/** Handles a consumer group's events once the service is ready. The service needs the context that the handlers take. */
export function follow<E extends EventRef, H extends EventHandlers<E>>(
  { group }: Following<E>,
  handlers: H & { readonly [T in Exclude<keyof H, E["topic"]>]: never },
): Mixin<{ readonly context: ContextOf<H> }> & DeclaredFollowing {
  return consume(group, new Map(Object.entries<EventHandler<ContextOf<H>, unknown>>(handlers)));
}

function consume<C>(
  group: string,
  byTopic: ReadonlyMap<string, EventHandler<C, unknown>>,
): Mixin<{ readonly context: C }> & DeclaredFollowing {
  const following = afterStarted<{ readonly context: C }>(async function () {
    const { broker, context } = this;
    await portsOf(broker).queue.consume(group, async (event) => {
      const handle = byTopic.get(event.topic);
      // Another release of this service follows it.
      if (handle === undefined) throw new Error(`${group} has no handler for ${event.topic}`);
      await resumeRequest(broker, event, group, () => handle(context, event));
    });
  });
  return { ...following, follows: group };
}
