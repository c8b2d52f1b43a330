/** Checks and adapts chat's rows during a restore: heads must match messages, and old positions must be recognizable. */
import type { RestoreHooks, RowVerifier } from "../../core/store/contents.ts";
import { codeOf } from "../../core/errors.ts";
import { commitWithRetry } from "../../core/store/commit-with-retry.ts";
import { update, type Database, type Operation } from "../../core/store/store.ts";
import { chats, messages, type ChatRow, type MessageRow } from "./store/collections.ts";

const pageSize = 200;

/** Totals over a chat's messages. */
interface MessageTotals {
  count: number;
  n: number;
  seq: number;
}

/**
 * Checks that each head matches its messages. With a head below them, every new message would fail on a number that is taken; a head
 * above them would leave permanent holes. Needs about 200 bytes of memory per chat.
 */
function verify(): RowVerifier {
  const heads = new Map<string, { readonly n: number; readonly seq: number; readonly hasEnded: boolean }>();
  const sums = new Map<string, MessageTotals>();
  return {
    check(collection, row) {
      if (collection === chats.name) {
        const { _id, n, seq, endedAt } = row as ChatRow;
        heads.set(_id, { n, seq, hasEnded: endedAt != null });
      } else if (collection === messages.name) {
        const { chatId, n, seq } = row as MessageRow;
        const sum = sums.get(chatId) ?? { count: 0, n: 0, seq: 0 };
        sums.set(chatId, { count: sum.count + 1, n: Math.max(sum.n, n), seq: Math.max(sum.seq, seq) });
      }
    },
    problem() {
      for (const [chatId, sum] of sums)
        if (!heads.has(chatId)) return `there are messages of chat ${chatId}, and no such chat (${sum.count})`;
      for (const [chatId, { n, seq, hasEnded }] of heads) {
        const sum = sums.get(chatId) ?? { count: 0, n: 0, seq: 0 };
        // An ended group is being removed from its first message on.
        if (hasEnded) continue;
        if (sum.n !== n || sum.count !== n || sum.seq > seq)
          return `chat ${chatId} is at message ${n} (seq ${seq}), and its ${sum.count} messages end at ${sum.n} (seq ${sum.seq})`;
      }
      return undefined;
    },
  };
}

/** Above every `seq` that was ever assigned: a chat has fewer than a thousand changes per millisecond. */
export const seqOfNewEra = ({ seq }: Pick<ChatRow, "seq">, now: number): number => Math.max(seq + 1, now * 1000);

async function beginEra(db: Database, now: number): Promise<void> {
  // The updates do not change the index that orders the pages. A chat that changes meanwhile is read again, with its new seq.
  const isDue = ({ resetSeq = 0 }: ChatRow) => resetSeq < now * 1000;
  for (let after: readonly (string | number)[] = []; ;) {
    const page = await db.page(chats, { index: "byChange", ...(after.length > 0 ? { after } : {}), limit: pageSize });
    const last = page.at(-1);
    if (last === undefined) return;
    const due = page.filter(isDue);
    if (
      due.length > 0 &&
      !(await commitUnlessConflict(
        db,
        due.map((row) => jumpToNewEra(row, now)),
      ))
    ) {
      for (const { _id } of due) {
        await commitWithRetry(db, async () => {
          const row = await db.get(chats, _id);
          return { operations: row !== undefined && isDue(row) ? [jumpToNewEra(row, now)] : [], outcome: undefined };
        });
      }
    }
    after = [last.changedAt, last._id];
  }
}

function jumpToNewEra(row: ChatRow, now: number): Operation {
  const seq = seqOfNewEra(row, now);
  return update(chats, { _id: row._id, seq: row.seq }, { seq, resetSeq: seq });
}

/** @returns false  another writer changed one of the rows */
async function commitUnlessConflict(db: Database, operations: readonly Operation[]): Promise<boolean> {
  try {
    await db.commit(operations);
    return true;
  } catch (error) {
    if (codeOf(error) === "CONFLICT") return false;
    throw error;
  }
}

export const restoring: RestoreHooks = { verify, beginEra };
