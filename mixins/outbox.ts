/**
 * The outbox of a service: what it announces lies in the very commit that changed the entity, so neither is without the other;
 * a relay brings it to the queue. List `outbox` among the service's collections and `relay` among its mixins.
 */
import type { EventRef } from "../core/contract/contract.ts";
import { newId } from "../core/ids.ts";
import { portsOf } from "../core/node/ports.ts";
import { currentOrigin } from "../core/request-context.ts";
import type { Mixin } from "../core/contract/service.ts";
import { insert, type Database, type Operation } from "../core/store/store.ts";
import { afterStarted } from "./after-started.ts";
import { outbox, startRelay, type Relay } from "./relay.ts";

export { outbox };

export interface EntityState<T> {
  /** The entity's id. */
  readonly key: string;
  /** Grows with each change of the entity. */
  readonly rev: number;
  readonly payload: T;
}

/** Put it in the commit that changes the entity. */
export function announce<T>({ topic }: EventRef<T>, { key, rev, payload }: EntityState<T>): Operation {
  const origin = currentOrigin();
  return insert(outbox, { _id: newId(), topic, key, rev, payload, ...(origin === undefined ? {} : { origin }), leaseUntil: 0 });
}

const hasAnnouncement = (operations: readonly Operation[]): boolean => operations.some(({ in: { name } }) => name === outbox.name);

/** Relays the service's outbox while it runs: after each commit that announced something, at start, and now and then. */
export const relay: Mixin<RelayedService> = {
  ...afterStarted<RelayedService>(function () {
    const { db } = this;
    const { queue, clock } = portsOf(this.broker);
    const started = startRelay({ service: this.name, db, queue, clock, log: this.logger });
    const commit = db.commit.bind(db);
    // On the database itself: the service has handed it to its repositories already.
    db.commit = async (operations) => {
      const committed = await commit(operations);
      if (hasAnnouncement(operations)) started.wake();
      return committed;
    };
    this.relay = started;
  }),
  async stopped() {
    await (this["relay"] as Relay | undefined)?.stop();
  },
};

interface RelayedService {
  db: Database;
  relay: Relay;
}
