/**
 * What the changes of one batch are judged on: the chat's head and the rows they ask for, read after it. Whatever changes these rows
 * moves the head, or is expected by the commit, so a commit that goes through was judged on what was there.
 */
import type { ChatRepository } from "../store/repository.ts";
import type { ChatRow, ChatFileRow, MemberRow, MessageRow, ReactionRow, RelationRow } from "../store/collections.ts";
import { readFirstReactions } from "../store/first-reactions.ts";

/** Rows that a change's decision rests on. */
export interface SnapshotReads {
  /** Whose member rows. */
  readonly people?: readonly string[];
  readonly messages?: readonly string[];
  readonly reactions?: readonly Pick<ReactionRow, "messageId" | "userId" | "emoji">[];
  readonly files?: readonly string[];
  /** How pairs of people stand. */
  readonly pairs?: readonly string[];
  /** The longest-standing members, one of whom may become an heir. */
  readonly seniors?: true;
}

export interface ChatSnapshot {
  readonly chat: ChatRow;
  /** `null` for someone who never was a member. */
  readonly people: Map<string, MemberRow | null>;
  readonly messages: ReadonlyMap<string, MessageRow>;
  readonly reactions: readonly ReactionRow[];
  /** By emoji of a message (`emojiKey`), its first reactions in the order of reacting. */
  readonly firstReactions: ReadonlyMap<string, readonly ReactionRow[]>;
  readonly files: ReadonlyMap<string, ChatFileRow>;
  readonly relations: ReadonlyMap<string, RelationRow>;
  readonly seniors: readonly MemberRow[];
  /** Who may have read the messages that are changed. */
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

/** What is known of a chat that is being made, or of which the head alone matters. */
export const headSnapshot = (chat: ChatRow): ChatSnapshot => ({ chat, people: new Map(), ...emptySnapshot });

/**
 * Completes what is known of the chat by what these changes ask for. Member rows stay known; the rest is read anew.
 * @param people  known member rows of this head; what was missing is added
 */
export async function readSnapshot(
  repository: ChatRepository,
  chat: ChatRow,
  people: Map<string, MemberRow | null>,
  reads: readonly SnapshotReads[],
): Promise<ChatSnapshot> {
  const missing = distinctIds(reads, ({ people: ids }) => ids).filter((userId) => !people.has(userId));
  if (missing.length > 0) {
    for (const userId of missing) people.set(userId, null);
    for (const row of await repository.members(chat._id, missing)) people.set(row.userId, row);
  }
  // A batch of sends, which is what batches mostly are, asks for nothing else.
  if (reads.every(({ messages, files, pairs, seniors }) => (messages ?? files ?? pairs ?? seniors) === undefined)) {
    return { chat, people, ...emptySnapshot };
  }
  const messageIds = distinctIds(reads, ({ messages }) => messages);
  const pairs = distinctIds(reads, (read) => read.pairs);
  const fileIds = distinctIds(reads, ({ files }) => files);
  const reactionKeys = reads.flatMap(({ reactions = [] }) => reactions);
  const successors = reads.filter(({ seniors }) => seniors).length;
  const [messages, reactions, firstReactions, files, relations, seniors, readers] = await Promise.all([
    messageIds.length === 0 ? [] : repository.messages(messageIds),
    reactionKeys.length === 0 ? [] : repository.reactions(reactionKeys),
    readFirstReactions(repository, reactionKeys),
    fileIds.length === 0 ? [] : repository.files(fileIds),
    pairs.length === 0 ? [] : repository.relations(pairs),
    successors === 0 ? [] : repository.seniors(chat._id, successors + 1),
    messageIds.length === 0 ? [] : repository.firstMembers(chat._id),
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
