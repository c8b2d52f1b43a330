/** Creates chats in one commit that expects the relations of the users. */
import type { CallContext } from "../../../core/contract/call.ts";
import { Forbidden, Invalid } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";
import { pairKey } from "../../request/contract.ts";
import { commitWithRetry } from "../../../core/store/commit-with-retry.ts";
import { insert, storeTime, type Operation } from "../../../core/store/store.ts";
import { chats, members, type ChatRow, type MemberRow } from "../store/collections.ts";
import type { Chat, Role } from "../contract.ts";
import { ChangeBatch } from "../timeline/batch.ts";
import { mayChat } from "../policy.ts";
import { relationsOf } from "./contact-relations.ts";
import { headSnapshot } from "../timeline/snapshot.ts";
import type { ChatContext } from "../context.ts";
import { refuseUnknown } from "./people.ts";
import { firstViews, ownView, type CreatedChat } from "../reads/views.ts";
import { userChannel } from "../../user-notes.ts";
import { directChatOf, firstMembers } from "../store/repository.ts";

/** Maximum number of users that a system message lists. */
const maxListedInSystemMessage = 50;

/** The rows of a new chat: the head at its first change, and the users as members from there. */
function newChat(fields: Pick<ChatRow, "kind"> & Partial<ChatRow>, people: ReadonlyMap<string, Role>, now: number) {
  const chat: ChatRow = {
    _id: newId(),
    n: 0,
    seq: 1,
    sharedSeq: 1,
    changedAt: now,
    memberCount: people.size,
    adminCount: [...people.values()].filter((role) => role === "admin").length,
    preview: null,
    lastActivityAt: now,
    createdAt: now,
    ...fields,
  };
  const rows = [...people].map(([userId, role]): MemberRow => ({
    _id: newId(),
    chatId: chat._id,
    userId,
    role,
    joinedN: 0,
    joinedSeq: 1,
    leftSeq: null,
    changedSeq: 1,
    changedAt: now,
    deliveredN: 0,
    readN: 0,
  }));
  return { chat, rows };
}

const memberInserts = (rows: readonly MemberRow[]): Operation[] => rows.map((row) => insert(members, { ...row, changedAt: storeTime }));

/**
 * Finds or creates the direct chat of two users. A unique key ensures that there is only one.
 * @throws Invalid    the caller names themselves
 * @throws Forbidden  the users may not chat
 */
export async function createDirect(context: CallContext<ChatContext>, receiverId: string): Promise<{ chat: Chat; created: boolean }> {
  const { chat, created } = await findOrCreateDirect(context, receiverId);
  if (created !== undefined) return { chat: await notifyMembers(context, created), created: true };
  // The node that created the chat may have died before it notified the members.
  if (chat.n === 0) await notifyMembers(context, { chat, people: await firstMembers(context.db, chat._id) });
  return { chat: (await ownView(context, chat._id)).chat, created: false };
}

async function findOrCreateDirect(
  context: CallContext<ChatContext>,
  receiverId: string,
): Promise<{ chat: ChatRow; created?: CreatedChat }> {
  const { db, userId, config, clock } = context;
  if (receiverId === userId) throw new Invalid("A chat needs someone else", [{ field: "receiverId", message: "must not be yourself" }]);
  const pair = pairKey(userId, receiverId);
  const existing = await directChatOf(db, pair);
  if (existing !== undefined) return { chat: existing };

  const { outcome } = await commitWithRetry<{ chat: ChatRow; created?: CreatedChat }>(db, async () => {
    const concurrentChat = await directChatOf(db, pair);
    if (concurrentChat !== undefined) return { operations: [], outcome: { chat: concurrentChat } };

    const { relation, operation } = (await relationsOf(context, userId, [receiverId]))[0]!;
    if (!mayChat(config.CONTACTS, relation.state)) throw new Forbidden("You are not in contact with this person");
    await refuseUnknown(context, [receiverId]);
    const people = new Map<string, Role>([userId, receiverId].map((id) => [id, "member"]));
    const { state, rev } = relation;
    const { chat, rows } = newChat({ kind: "direct", pair, relation: { state, rev } }, people, clock.now());
    const operations = [operation, insert(chats, { ...chat, changedAt: storeTime }), ...memberInserts(rows)];
    return { operations, outcome: { chat, created: { chat, people: rows } } };
  });
  return outcome;
}

/**
 * Creates a group with its `created` message. Its creator is the admin.
 * @throws Invalid    fewer than two other members, or more than the limit
 * @throws Forbidden  one of the participants is not a contact
 */
export async function createGroup(context: CallContext<ChatContext>, name: string, participants: readonly string[]): Promise<Chat> {
  const { db, userId, config, clock } = context;
  const others = [...new Set(participants)].filter((other) => other !== userId);
  if (others.length < 2) throw participantsError("must name at least two other people");
  if (others.length >= config.GROUP_LIMIT) throw participantsError(`must leave the group at ${config.GROUP_LIMIT} members or fewer`);

  const { outcome } = await commitWithRetry(db, async () => {
    const checked = await relationsOf(context, userId, others);
    if (checked.some(({ relation }) => !mayChat(config.CONTACTS, relation.state)))
      throw new Forbidden("You can add only contacts to a group");
    await refuseUnknown(context, others);

    const people = new Map<string, Role>([[userId, "admin"], ...others.map((other): [string, Role] => [other, "member"])]);
    const now = clock.now();
    const { chat, rows } = newChat({ kind: "group", name, seq: 0 }, people, now);
    const batch = new ChangeBatch(headSnapshot(chat), now);
    const userIds = [...people.keys()].slice(0, maxListedInSystemMessage);
    batch.addSystemMessage(userId, `created the group "${name}"`, { event: "created", userIds, name });
    const head = insert(chats, { ...batch.chat, changedAt: storeTime });
    return {
      operations: [...checked.map(({ operation }) => operation), head, ...memberInserts(rows), ...batch.writes],
      outcome: { chat: batch.chat, people: rows },
    };
  });
  return notifyMembers(context, outcome);
}

const participantsError = (message: string): Invalid => new Invalid("Not enough or too many people", [{ field: "participants", message }]);

/** Sends each member of a new chat their view of it, so that their sockets receive it from its first change. @returns the caller's view */
async function notifyMembers(context: CallContext<ChatContext>, { chat, people }: CreatedChat): Promise<Chat> {
  const views = await firstViews(context, { chat, people });
  people.forEach(({ userId, joinedN, joinedSeq }, index) => {
    const joined = { chatId: chat._id, joinedN, joinedSeq };
    context.feed.publish(userChannel(userId), { event: "chatChanged", data: views[index]!, joined });
  });
  return views[people.findIndex(({ userId }) => userId === context.userId)]!;
}
