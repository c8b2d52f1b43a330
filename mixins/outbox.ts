/**
 * Gives a service an outbox: an event is written in the same commit as the entity's change, so neither exists without the other, and a
 * relay publishes it to the queue. Add `outbox` to the service's collections and `relay` to its mixins.
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
  /** Increases with each change of the entity. The commit expects the `rev` that it counted from, so no two changes have the same. */
  readonly rev: number;
  /** Written as it is: it cannot contain `storeTime`. Events carry no time, so a time that followers need belongs in here. */
  readonly payload: T;
}

/** The operation that announces an entity's state. Add it to the commit that changes the entity. */
export function announce<T>({ topic }: EventRef<T>, { key, rev, payload }: EntityState<T>): Operation {
  const origin = currentOrigin();
  return insert(outbox, { _id: newId(), topic, key, rev, payload, ...(origin === undefined ? {} : { origin }), leaseUntil: 0 });
}

const hasAnnouncement = (operations: readonly Operation[]): boolean => operations.some(({ in: { name } }) => name === outbox.name);

/** Relays the service's outbox: at start, after each commit that announces something, and at intervals. */
export const relay: Mixin<RelayedService> = {
  ...afterStarted<RelayedService>(function () {
    const { db } = this;
    const { queue, clock } = portsOf(this.broker);
    const started = startRelay({ service: this.name, db, queue, clock, log: this.logger });
    const commit = db.commit.bind(db);
    // Replaced on the object itself, because the service's repositories already hold it.
    db.commit = async (operations) => {
      const committed = await commit(operations);
      if (hasAnnouncement(operations)) started.notify();
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
