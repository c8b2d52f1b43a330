/**
 * Removes what is stored of groups whose last member has left: a page at a time, so that a long history holds nothing up. The
 * chat's row goes last, so whoever dies on the way is followed up, by any node.
 */
import type { Logger } from "moleculer";
import type { Clock } from "../../core/clock.ts";
import { remove, type Database, type Operation } from "../../core/store/store.ts";
import { dropFile } from "./attachments.ts";
import type { Repository } from "./chat.repository.ts";
import { chats, members, messages, reactions } from "./collections.ts";

const everyMs = 60_000;
/** A group that has just ended stays until every gateway has looked and put its last member out, one that was cut off too. */
const restMs = 10 * 60_000;
const pageSize = 200;

export interface EndingParts {
  readonly db: Database;
  readonly repository: Repository;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @returns stops it; what is under way comes to its end */
export function eraseEnded({ db, repository, clock, log }: EndingParts): () => void {
  let isStopped = false;
  let running: Promise<void> | undefined;

  async function eraseAll(): Promise<void> {
    for (;;) {
      const ended = await repository.ended(clock.now() - restMs, pageSize);
      if (ended.length === 0) return;
      for (const { _id } of ended) if (!(await erase(_id))) return;
    }
  }

  /** @returns false  stopped on the way */
  async function erase(chatId: string): Promise<boolean> {
    const filesOf = () => repository.filesOf(chatId, pageSize);
    const messagesOf = () => repository.messagesAfter(chatId, 0, pageSize);
    const isWhole =
      (await eachPage(filesOf, ({ _id }) => dropFile(_id))) &&
      (await eachPage(messagesOf, ({ _id }) => [remove(reactions, { messageId: _id }), remove(messages, { _id })]));
    if (isWhole) await db.commit([remove(members, { chatId }), remove(chats, { _id: chatId })]);
    return isWhole;
  }

  async function eachPage<R>(next: () => Promise<readonly R[]>, removal: (row: R) => readonly Operation[]): Promise<boolean> {
    for (let rows = await next(); rows.length > 0; rows = await next()) {
      if (isStopped) return false;
      await db.commit(rows.flatMap(removal));
    }
    return true;
  }

  const wake = () => {
    running ??= eraseAll()
      .catch((error: unknown) => log.warn(`Ended groups wait to be removed: ${(error as Error).message}`))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(wake, everyMs);
  wake();
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}
