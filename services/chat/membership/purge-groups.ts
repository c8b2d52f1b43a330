/**
 * Purges groups whose last member has left, page by page, so that a long history delays nothing. The chat's row is removed last, so any
 * node can continue after a crash.
 */
import type { Logger } from "moleculer";
import type { Clock } from "../../../core/clock.ts";
import { remove, type Database, type Operation } from "../../../core/store/store.ts";
import { releaseFile } from "../files/references.ts";
import { endedGroups, filesOfChat, messagesAfter } from "../store/repository.ts";
import { chats, members, messages, reactions } from "../store/collections.ts";

const purgeIntervalMs = 60_000;
/** Keeps ended groups until every gateway has polled and removed the last member, even a gateway that was disconnected. */
const retentionMs = 10 * 60_000;
const pageSize = 200;

export interface PurgeContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @returns stops it, and waits for a purge that is running */
export function startGroupPurge({ db, clock, log }: PurgeContext): () => Promise<void> | undefined {
  let isStopped = false;
  let running: Promise<void> | undefined;

  async function purgeAll(): Promise<void> {
    for (;;) {
      const ended = await endedGroups(db, clock.now() - retentionMs, pageSize);
      if (ended.length === 0) return;
      for (const { _id } of ended) if (!(await purge(_id))) return;
    }
  }

  /** @returns false  the purge was stopped before the end */
  async function purge(chatId: string): Promise<boolean> {
    const nextFiles = () => filesOfChat(db, chatId, pageSize);
    const nextMessages = () => messagesAfter(db, chatId, 0, pageSize);
    const isComplete =
      (await eachPage(nextFiles, ({ _id }) => releaseFile(_id))) &&
      (await eachPage(nextMessages, ({ _id }) => [remove(reactions, { messageId: _id }), remove(messages, { _id })]));
    if (isComplete) await db.commit([remove(members, { chatId }), remove(chats, { _id: chatId })]);
    return isComplete;
  }

  async function eachPage<R>(next: () => Promise<readonly R[]>, removal: (row: R) => readonly Operation[]): Promise<boolean> {
    for (let rows = await next(); rows.length > 0; rows = await next()) {
      if (isStopped) return false;
      await db.commit(rows.flatMap(removal));
    }
    return true;
  }

  const startPurge = () => {
    running ??= purgeAll()
      .catch((error: unknown) => log.warn(`Could not purge ended groups, trying again later: ${(error as Error).message}`))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(startPurge, purgeIntervalMs);
  startPurge();
  return () => {
    isStopped = true;
    clearInterval(timer);
    return running;
  };
}
