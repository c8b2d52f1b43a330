/**
 * Stores facts about the whole installation in their own database: its era, its last backup, and reasons why its nodes must not run.
 * Every node reads them when it starts and every few seconds after that.
 *
 * A restore begins a new era. Access tokens contain the era in which they were signed, so tokens from before a restore are refused after
 * it.
 */
import type { Logger } from "moleculer";
import { StartError, Unavailable } from "../errors.ts";
import { retryWhileUnavailable } from "../store/migrate.ts";
import { collection, upsert, type Database, type Doc, type Fields, type Store } from "../store/store.ts";

export interface FactsRow extends Doc {
  /** Absent until the first restore or `new-era`; the era is then `firstEra`. */
  readonly era?: string | null;
  /** When the last backup was completed, epoch milliseconds. */
  readonly lastBackupAt?: number | null;
  /** When the installation was moved elsewhere, epoch milliseconds. Two copies must not run. */
  readonly movedAt?: number | null;
  /** When an unfinished restore began, epoch milliseconds. The data is incomplete. */
  readonly restoringSince?: number | null;
}
export type Facts = Omit<FactsRow, "_id">;

/** A backup in progress. */
export interface HoldRow extends Doc {
  /** Store time, epoch milliseconds. Until then no files' bytes may be removed. */
  readonly until: number;
}

export const facts = collection<FactsRow>()("facts", {});
export const holds = collection<HoldRow>()("holds", { byEnd: { fields: ["until", "_id"] } });

/** The name of the database, as a service's. */
export const installationService = "installation";
const factsId = "installation";
/** The era of tokens that don't contain one, and of installations that were never restored. */
export const firstEra = "first";

/**
 * How often the facts are read, and how often the node checks whether its process was paused. A process that was paused for `standstillMs`
 * may have missed a new era. A shorter pause can't miss one: a restore waits until no node is left, which takes longer.
 */
export const installationTiming = { refreshMs: 5000, tickMs: 1000, standstillMs: 10_000 } as const;
type InstallationTiming = Readonly<Record<keyof typeof installationTiming, number>>;

export interface Installation {
  /**
   * The era as this node last read it.
   * @throws Unavailable  this process was paused, and has not read the facts since
   */
  era(): string;
  /** Whether `era` returns without throwing. */
  isEraKnown(): boolean;
  /** Reads the current facts from the store. */
  read(): Promise<Facts>;
  /** Whether a running backup needs the bytes of files that nothing refers to any more. */
  areBlobsHeld(): Promise<boolean>;
  onNewEra(listener: (era: string) => void): void;
  /** Calls the listener when this node must stop, with the reason in one line. */
  onStopRequired(listener: (reason: string) => void): void;
  stop(): void;
}

/** Why nodes must not run on this installation; undefined if they may. */
export function reasonNotToRun({ movedAt, restoringSince }: Facts): string | undefined {
  if (restoringSince != null)
    return `a restore that began at ${iso(restoringSince)} has not ended: run npm run restore again, or wait for the running one`;
  if (movedAt != null) return `this installation was moved elsewhere at ${iso(movedAt)}; to run it here anyway, run npm run new-era first`;
  return undefined;
}
const iso = (time: number): string => new Date(time).toISOString();

export async function readFacts(db: Database): Promise<Facts> {
  return (await db.get(facts, factsId)) ?? {};
}
export async function updateFacts(db: Database, set: Fields<FactsRow>): Promise<void> {
  await db.commit([upsert(facts, { _id: factsId }, set, {})]);
}
export const openInstallationDatabase = (store: Store): Promise<Database> => store.open(installationService, [facts, holds]);

/**
 * Opens the installation's facts. Retries while the store is unavailable: nodes that start together create its collections at the same
 * time, and a busy store can be slow.
 * @throws StartError  the installation was moved, or a restore into it has not ended
 */
export async function openInstallation(store: Store, log: Logger, timing: InstallationTiming = installationTiming): Promise<Installation> {
  const retry = retryWhileUnavailable(installationService, log);
  const db = await retry(() => openInstallationDatabase(store));
  const atStart = await retry(() => readFacts(db));
  const reason = reasonNotToRun(atStart);
  if (reason !== undefined) throw new StartError(reason);
  return watchInstallation({ store, db, log }, atStart, timing);
}

interface InstallationContext {
  readonly store: Store;
  readonly db: Database;
  readonly log: Logger;
}

function watchInstallation(
  { store, db, log }: InstallationContext,
  atStart: Facts,
  { refreshMs, tickMs, standstillMs }: InstallationTiming,
): Installation {
  let era = atStart.era ?? firstEra;
  let lastTickAt = performance.now();
  /** How often this process was paused. Facts that were requested before the last pause may be outdated. */
  let standstills = 0;
  let standstillsAtLastRead = 0;
  const eraListeners: ((era: string) => void)[] = [];
  const stopListeners: ((reason: string) => void)[] = [];

  const detectStandstill = (): void => {
    const now = performance.now();
    if (now - lastTickAt > standstillMs) standstills++;
    lastTickAt = now;
  };
  const isEraKnown = (): boolean => {
    detectStandstill();
    return standstillsAtLastRead === standstills;
  };
  const refresh = async (): Promise<void> => {
    detectStandstill();
    const standstillsBefore = standstills;
    const now = await readFacts(db);
    detectStandstill();
    const reason = reasonNotToRun(now);
    if (reason !== undefined) for (const listener of stopListeners) listener(reason);
    const before = era;
    era = now.era ?? firstEra;
    standstillsAtLastRead = standstillsBefore;
    if (era !== before) for (const listener of eraListeners) listener(era);
  };
  // One read at a time: a late response must not overwrite a newer one.
  let isReading = false;
  const refreshAgain = (): void => {
    if (isReading) return;
    isReading = true;
    void refresh()
      .catch((error: unknown) => log.debug(`The installation's facts can't be read: ${String(error)}`))
      .finally(() => (isReading = false));
  };
  const refreshing = setInterval(refreshAgain, refreshMs);
  const ticking = setInterval(() => {
    if (!isEraKnown()) refreshAgain();
  }, tickMs);
  for (const timer of [refreshing, ticking]) timer.unref();

  return {
    era() {
      if (!isEraKnown()) throw new Unavailable();
      return era;
    },
    isEraKnown,
    read: () => readFacts(db),
    async areBlobsHeld() {
      const [last] = await db.page(holds, { index: "byEnd", order: "desc", limit: 1 });
      return last !== undefined && last.until > (await store.time());
    },
    onNewEra: (listener) => void eraListeners.push(listener),
    onStopRequired: (listener) => void stopListeners.push(listener),
    stop() {
      clearInterval(refreshing);
      clearInterval(ticking);
    },
  };
}
