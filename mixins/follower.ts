/**
 * Following other services' durable events: `follow("profile", [on(authEvents["user.created"], async function ({ payload }) {...})])`.
 * `this` is the service. An event comes at least once and in any order; a rejection brings it again later.
 */
import type { Service } from "moleculer";
import { followRequest } from "../core/broker/tracing/requests.ts";
import type { EventRef } from "../core/contract.ts";
import { portsOf } from "../core/ports.ts";
import type { DurableEvent } from "../core/queue/queue.ts";
import type { Mixin } from "../core/service.ts";
import { afterStarted } from "./after-started.ts";

export interface Followed<T> extends DurableEvent {
  readonly payload: T;
}

export interface Handler {
  readonly topic: string;
  readonly handle: (this: any, event: Followed<any>) => Promise<void>;
}

/** @param handle  may say what it needs of the service: `async function (this: { db: Database }, { payload }) {...}` */
export const on = <T, S = Service>({ topic }: EventRef<T>, handle: (this: S, event: Followed<T>) => Promise<void>): Handler => ({
  topic,
  handle,
});

/** Handles a consumer group's events (the groups: `services/followers.ts`) once the service is ready. */
export function follow(group: string, handlers: readonly Handler[]): Mixin {
  const byTopic = new Map(handlers.map(({ topic, handle }) => [topic, handle]));
  return afterStarted(async function () {
    await portsOf(this.broker).queue.consume(group, async (event) => {
      const handle = byTopic.get(event.topic);
      if (handle === undefined) throw new Error(`${group} has no handler for ${event.topic}`);
      await followRequest(this.broker, event, group, () => handle.call(this, event));
    });
  });
}
