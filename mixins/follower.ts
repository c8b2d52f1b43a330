/**
 * Following other services' durable events: `follow(followed.profile, { "auth.user.created": async function ({ payload }) {...} })`.
 * A group has a handler for each event that it follows and for no other: the compiler checks it. An event comes at least once and in
 * any order; a rejection brings it again later.
 */
import type { Service } from "moleculer";
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

/** A handler says what it needs of its service: `async function (this: { db: Database }, { payload }) {...}`. */
type EventHandler<T> = (this: never, event: ReceivedEvent<T>) => Promise<void>;
type PayloadOf<E> = E extends EventRef<infer T> ? T : never;
type EventHandlers<E extends EventRef> = { readonly [T in E["topic"]]: EventHandler<PayloadOf<Extract<E, { topic: T }>>> };

/** The part of a service's schema that says which group it is. */
export interface DeclaredFollowing {
  readonly follows: string;
}

/** Handles a consumer group's events once the service is ready. */
export function follow<E extends EventRef>({ group }: Following<E>, handlers: EventHandlers<E>): Mixin & DeclaredFollowing {
  const byTopic = new Map<string, EventHandler<never>>(Object.entries(handlers));
  const following = afterStarted(async function () {
    await portsOf(this.broker).queue.consume(group, async (event) => {
      const handle = byTopic.get(event.topic) as ((this: Service, event: DurableEvent) => Promise<void>) | undefined;
      // Another release of this service follows it.
      if (handle === undefined) throw new Error(`${group} has no handler for ${event.topic}`);
      await resumeRequest(this.broker, event, group, () => handle.call(this, event));
    });
  });
  return { ...following, follows: group };
}
