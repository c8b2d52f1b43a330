/** Chat's part in a restore: heads and messages must fit together, and positions of before are told from those that come. */
import type { RestoreHooks, RowVerifier } from "../../core/store/contents.ts";
import { codeOf } from "../../core/errors.ts";
import { commitWithRetry } from "../../core/store/commit-with-retry.ts";
import { update, type Database, type Operation } from "../../core/store/store.ts";
import { chats, messages, type ChatRow, type MessageRow } from "./store/collections.ts";

const pageSize = 200;

/** What the messages of a chat come to. */
interface MessageTotals {
  count: number;
  n: number;
  seq: number;
}

/**
 * A head that lies below its messages would refuse every further one, for its place is taken; one above them leaves holes for ever.
 * Takes memory for each chat, about 200 bytes.
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
        // What is stored of an ended group is being removed, from its beginning on.
        if (hasEnded) continue;
        if (sum.n !== n || sum.count !== n || sum.seq > seq)
          return `chat ${chatId} is at message ${n} (seq ${seq}), and its ${sum.count} messages end at ${sum.n} (seq ${sum.seq})`;
      }
      return undefined;
    },
  };
}

/** Beyond all that was ever given, for a chat has fewer than a thousand changes a millisecond. */
export const seqOfNewEra = ({ seq }: Pick<ChatRow, "seq">, now: number): number => Math.max(seq + 1, now * 1000);

async function beginEra(db: Database, now: number): Promise<void> {
  // The index by which they are read does not change with them. One that is changed meanwhile comes again, and has jumped.
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

/** @returns false  someone else changed one of the rows */
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
