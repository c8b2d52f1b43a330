/**
 * Begins a new era. Positions and sessions from before it are invalid afterwards, and followers have the current state of what they follow.
 */
import { randomBytes } from "node:crypto";
import { updateFacts } from "../node/installation.ts";
import { openMigrated } from "../store/migrate.ts";
import { schemas } from "../store/migrations.ts";
import type { ServiceData } from "./service-data.ts";
import type { InstallationData } from "./installation-data.ts";

/**
 * Brings a store, which may hold data of any earlier time and has no running node, into a new era. May be repeated; must be repeated if it
 * was interrupted. A node that was paused meanwhile notices within seconds.
 */
export async function beginEra(data: InstallationData, declared: readonly ServiceData[]): Promise<void> {
  await prepareServices(data, declared, true);
  await updateFacts(data.facts, { era: newEra(), movedAt: null });
}

export const newEra = (): string => randomBytes(12).toString("hex");

/**
 * Runs the services' restore hooks on their own rows. Migrates the rows to this release's schema first, since hooks know no other.
 * @param isNew  whether to run the hooks of a new era too
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
