/**
 * Facts about the installation as a whole, in a database of their own: its era, its last backup, and what keeps its nodes from
 * running. Every node reads them at its start and every few seconds after it.
 *
 * A restore begins a new era. Access tokens carry the era they were signed in, so that none from before a restore is accepted after it.
 */
import type { Logger } from "moleculer";
import { StartError, Unavailable } from "../errors.ts";
import { retryWhileUnavailable } from "../store/migrate.ts";
import { collection, upsert, type Database, type Doc, type Fields, type Store } from "../store/store.ts";

export interface FactsRow extends Doc {
  /** Absent until the first restore or `new-era`: then it is `firstEra`. */
  readonly era?: string | null;
  /** When the last backup was whole, epoch milliseconds. */
  readonly lastBackupAt?: number | null;
  /** When it was moved elsewhere, epoch milliseconds: a second copy of it must not run. */
  readonly movedAt?: number | null;
  /** When a restore into it began that has not ended, epoch milliseconds: it holds a part only. */
  readonly restoringSince?: number | null;
}
export type Facts = Omit<FactsRow, "_id">;

/** Backups under way: until then, store time, no bytes of files may be removed. One row a backup. */
export interface HoldRow extends Doc {
  readonly until: number;
}

export const facts = collection<FactsRow>()("facts", {});
export const holds = collection<HoldRow>()("holds", { byEnd: { fields: ["until", "_id"] } });

/** The name of their database. */
export const installationService = "installation";
const factsId = "installation";
/** The era of tokens that name none, and of installations without a restore. */
export const firstEra = "first";

/**
 * How often the facts are read, and whether this process stood still is looked at. One that stood still for `standstillMs` may have missed
 * a new era: a restore waits until nodes are gone, which takes longer.
 */
export const installationTiming = { refreshMs: 5000, tickMs: 1000, standstillMs: 10_000 } as const;
type InstallationTiming = Readonly<Record<keyof typeof installationTiming, number>>;

export interface Installation {
  /**
   * The era as this node knows it.
   * @throws Unavailable  this process stood still, and has not asked since
   */
  era(): string;
  /** Whether `era` can answer. */
  isEraKnown(): boolean;
  /** The facts as they are now. */
  read(): Promise<Facts>;
  /** Whether a backup needs bytes that nothing refers to any more. */
  areBlobsHeld(): Promise<boolean>;
  onNewEra(listener: (era: string) => void): void;
  /** Calls back when this node must not go on, with the reason as one line. */
  onStopRequired(listener: (reason: string) => void): void;
  stop(): void;
}

/** Why nodes may not run on this installation; undefined when they may. */
export function reasonNotToRun({ movedAt, restoringSince }: Facts): string | undefined {
  if (restoringSince != null)
    return `a restore that began at ${iso(restoringSince)} has not ended: run npm run restore again, or wait for the one that runs`;
  if (movedAt != null)
    return `this installation was moved elsewhere at ${iso(movedAt)}; to run it here all the same, run npm run new-era first`;
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
 * Waits while the store is away: nodes that start together make its collections at once, and a busy store may take its time.
 * @throws StartError  it was moved, or holds a part of a restore only
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
  /** Counts the times that this process stood still; what was asked before the last one says nothing. */
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
  // One at a time: an answer that comes late must not bring back what a later one has replaced.
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
