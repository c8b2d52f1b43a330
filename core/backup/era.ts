/** Beginning a new era: after it no position and no session of before counts, and followers have the state of what they follow. */
import { randomBytes } from "node:crypto";
import { changeFacts } from "../installation.ts";
import { openMigrated } from "../store/migrate.ts";
import { schemas } from "../store/migrations.ts";
import type { Declared } from "./declared.ts";
import type { Place } from "./places.ts";

/**
 * Brings a store in which anything may be of an earlier time, and on which no node runs, into a new era. Done again it is as good; cut
 * off, it is to be done again. A node that was frozen meanwhile learns of it within seconds.
 */
export async function beginEra(place: Place, declared: readonly Declared[]): Promise<void> {
  await prepare(place, declared, true);
  await changeFacts(place.facts, { era: newEra(), movedAt: null });
}

export const newEra = (): string => randomBytes(12).toString("hex");

/**
 * What services do with their own rows, which are at this release's schema then, for no other is known to it.
 * @param isNew  also what makes an era a new one
 * @throws StartError  data that this release can't run on
 */
export async function prepare({ store, log }: Pick<Place, "store" | "log">, declared: readonly Declared[], isNew: boolean): Promise<void> {
  const now = await store.time();
  for (const { service, collections, migrations, restoring } of declared) {
    if (restoring?.agree === undefined && restoring?.beginEra === undefined) continue;
    const own = collections.filter((c) => c !== schemas);
    const db = await openMigrated({ store, service, collections: own, migrations, log });
    await restoring.agree?.(db);
    if (isNew) await restoring.beginEra?.(db, now);
  }
}
