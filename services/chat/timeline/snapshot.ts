/**
 * Reads the state on which the changes of a batch are decided: the chat's head, and then the rows that they need. Every write to these
 * rows moves the head or is expected by the commit, so a commit that succeeds was decided on the current state.
 */
import type { Database } from "../../../core/store/store.ts";
import {
  filesById,
  firstMembers,
  longestStandingMembers,
  membersOf,
  messagesById,
  reactionsByKey,
  relationsOfPairs,
} from "../store/repository.ts";
import type { ChatRow, ChatFileRow, MemberRow, MessageRow, ReactionRow, RelationRow } from "../store/collections.ts";
import { readFirstReactions } from "../store/first-reactions.ts";

/** Rows that a change needs for its decision. */
export interface SnapshotReads {
  /** Ids of users whose member rows are needed. */
  readonly people?: readonly string[];
  readonly messages?: readonly string[];
  readonly reactions?: readonly Pick<ReactionRow, "messageId" | "userId" | "emoji">[];
  readonly files?: readonly string[];
  /** Pairs of users whose relation is needed. */
  readonly pairs?: readonly string[];
  /** The longest-standing members, from whom a new admin may be chosen. */
  readonly seniors?: true;
}

export interface ChatSnapshot {
  readonly chat: ChatRow;
  /** `null` for a user who was never a member. */
  readonly people: Map<string, MemberRow | null>;
  readonly messages: ReadonlyMap<string, MessageRow>;
  readonly reactions: readonly ReactionRow[];
  /** First reactions in the order of reacting, by message and emoji (`reactionKey`). */
  readonly firstReactions: ReadonlyMap<string, readonly ReactionRow[]>;
  readonly files: ReadonlyMap<string, ChatFileRow>;
  readonly relations: ReadonlyMap<string, RelationRow>;
  readonly seniors: readonly MemberRow[];
  /** Members who may have read the changed messages. */
  readonly readers: readonly MemberRow[];
}

const emptySnapshot: Omit<ChatSnapshot, "chat" | "people"> = {
  messages: new Map(),
  reactions: [],
  firstReactions: new Map(),
  files: new Map(),
  relations: new Map(),
  seniors: [],
  readers: [],
};

/** A snapshot of the head only: for a new chat, or when no other row matters. */
export const headSnapshot = (chat: ChatRow): ChatSnapshot => ({ chat, people: new Map(), ...emptySnapshot });

/**
 * Reads the rows that these changes need. Member rows are reused; the others are read again.
 * @param people  known member rows for this head; missing ones are added
 */
export async function readSnapshot(
  db: Database,
  chat: ChatRow,
  people: Map<string, MemberRow | null>,
  reads: readonly SnapshotReads[],
): Promise<ChatSnapshot> {
  const missing = distinctIds(reads, ({ people: ids }) => ids).filter((userId) => !people.has(userId));
  if (missing.length > 0) {
    for (const userId of missing) people.set(userId, null);
    for (const row of await membersOf(db, chat._id, missing)) people.set(row.userId, row);
  }
  // Most batches consist of sends, which need nothing else.
  if (reads.every(({ messages, files, pairs, seniors }) => (messages ?? files ?? pairs ?? seniors) === undefined)) {
    return { chat, people, ...emptySnapshot };
  }
  const messageIds = distinctIds(reads, ({ messages }) => messages);
  const pairs = distinctIds(reads, (read) => read.pairs);
  const fileIds = distinctIds(reads, ({ files }) => files);
  const reactionKeys = reads.flatMap(({ reactions = [] }) => reactions);
  const successors = reads.filter(({ seniors }) => seniors).length;
  const [messages, reactions, firstReactions, files, relations, seniors, readers] = await Promise.all([
    messageIds.length === 0 ? [] : messagesById(db, messageIds),
    reactionKeys.length === 0 ? [] : reactionsByKey(db, reactionKeys),
    readFirstReactions(db, reactionKeys),
    fileIds.length === 0 ? [] : filesById(db, fileIds),
    pairs.length === 0 ? [] : relationsOfPairs(db, pairs),
    successors === 0 ? [] : longestStandingMembers(db, chat._id, successors + 1),
    messageIds.length === 0 ? [] : firstMembers(db, chat._id),
  ]);
  return {
    chat,
    people,
    messages: new Map(messages.filter(({ chatId }) => chatId === chat._id).map((row) => [row._id, row])),
    reactions,
    firstReactions,
    files: new Map(files.map((row) => [row._id, row])),
    relations: new Map(relations.map((row) => [row.pair, row])),
    seniors,
    readers,
  };
}

const distinctIds = (reads: readonly SnapshotReads[], of: (read: SnapshotReads) => readonly string[] | undefined): string[] => [
  ...new Set(reads.flatMap((read) => of(read) ?? [])),
];
