/** A small service with an outbox, a broker for it, and commits that announce a change. */
import { ServiceBroker, type Service, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../../../core/broker/options.ts";
import { readConfig } from "../../../core/config/config.ts";
import { events, returns } from "../../../core/contract/contract.ts";
import type { ConsumerGroups } from "../../../core/queue/queue.ts";
import { collection, expect, insert, type Database, type Doc } from "../../../core/store/store.ts";
import { database } from "../../../mixins/database.ts";
import { announce, outbox, relay } from "../../../mixins/outbox.ts";

interface OutboxThing extends Doc {
  readonly rev: number;
}
export const things = collection<OutboxThing>()("things", {});
export const thingEvents = events("thing", { changed: returns<{ readonly id: string }>(), ignored: returns<null>() });
export const groups = { shelf: [thingEvents.changed.topic, thingEvents.ignored.topic] } as const satisfies ConsumerGroups;

export const outboxService = (): ServiceSchema => ({ name: "thing", mixins: [database("thing", [things, outbox]), relay] });

/** A broker on an embedded store in this folder. */
export async function startBroker(folder: string, ...services: readonly ServiceSchema[]): Promise<ServiceBroker> {
  const config = readConfig({ DATA_DIR: folder, LOG_LEVEL: "fatal", EVENT_RETRY_MS: "20", EVENT_ATTEMPTS: "3" });
  const broker = new ServiceBroker(brokerOptions(config, groups));
  for (const service of services) broker.createService(service);
  await broker.start();
  return broker;
}

export const databaseOf = (broker: ServiceBroker): Database => (broker.getLocalService("thing") as Service & { db: Database }).db;

const announced = (id: string) => announce(thingEvents.changed, { key: id, rev: 1, payload: { id } });

/** A thing and its announcement, in one commit. */
export const commitChange = (broker: ServiceBroker, id: string): Promise<unknown> =>
  databaseOf(broker).commit([insert(things, { _id: id, rev: 1 }), announced(id)]);

/** The same in a commit that always fails. */
export const commitFailingChange = (broker: ServiceBroker, id: string): Promise<unknown> =>
  databaseOf(broker).commit([insert(things, { _id: id, rev: 1 }), announced(id), expect(things, { _id: id, rev: 2 })]);
