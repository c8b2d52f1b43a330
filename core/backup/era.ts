/** Beginning a new era: after it no position and no session of before counts, and followers have the state of what they follow. */
import { randomBytes } from "node:crypto";
import { updateFacts } from "../node/installation.ts";
import { openMigrated } from "../store/migrate.ts";
import { schemas } from "../store/migrations.ts";
import type { ServiceData } from "./service-data.ts";
import type { InstallationData } from "./installation-data.ts";

/**
 * Brings a store in which anything may be of an earlier time, and on which no node runs, into a new era. Done again it is as good; cut
 * off, it is to be done again. A node that was frozen meanwhile learns of it within seconds.
 */
export async function beginEra(data: InstallationData, declared: readonly ServiceData[]): Promise<void> {
  await prepareServices(data, declared, true);
  await updateFacts(data.facts, { era: newEra(), movedAt: null });
}

export const newEra = (): string => randomBytes(12).toString("hex");

/**
 * What services do with their own rows, which are at this release's schema then, for no other is known to it.
 * @param isNew  also what makes an era a new one
 * @throws StartError  data that this release can't run on
 */
export async function prepareServices(
  { store, log }: Pick<InstallationData, "store" | "log">,
  declared: readonly ServiceData[],
  isNew: boolean,
): Promise<void> {
  const now = await store.time();
  for (const { service, collections, migrations, restoring } of declared) {
    if (restoring?.announceState === undefined && restoring?.beginEra === undefined) continue;
    const own = collections.filter((c) => c !== schemas);
    const db = await openMigrated({ store, service, collections: own, migrations, log });
    await restoring.announceState?.(db);
    if (isNew) await restoring.beginEra?.(db, now);
  }
}
