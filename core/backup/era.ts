/** Beginning a new era: after it no position and no session of before counts, and followers have the state of what they follow. */
import { randomBytes } from "node:crypto";
import { changeFacts } from "../installation.ts";
import type { Declared } from "./declared.ts";
import type { Place } from "./places.ts";

/**
 * Brings a store in which anything may be of an earlier time into a new era. Done again it is as good; cut off, it is to be done again.
 * Nodes that run learn of it within seconds.
 */
export async function beginEra(place: Place, declared: readonly Declared[]): Promise<void> {
  await prepare(place, declared, true);
  await changeFacts(place.facts, { era: newEra(), movedAt: null });
}

export const newEra = (): string => randomBytes(12).toString("hex");

/** What services do with their own rows. @param isNew  also what makes an era a new one */
export async function prepare({ store }: Pick<Place, "store">, declared: readonly Declared[], isNew: boolean): Promise<void> {
  const now = await store.time();
  for (const { service, collections, restoring } of declared) {
    if (restoring?.agree === undefined && restoring?.beginEra === undefined) continue;
    const db = await store.open(service, collections);
    await restoring.agree?.(db);
    if (isNew) await restoring.beginEra?.(db, now);
  }
}
