/** Making chats: rows in one commit that rests on how the people stand. */
import { Forbidden, Invalid, NotFound } from "../../core/errors.ts";
import { newId, pairKey } from "../../core/ids.ts";
import { settle } from "../../core/settle.ts";
import { insert, storeTime, type Database, type Operation } from "../../core/store/store.ts";
import type { Relation } from "../request/contract.ts";
import type { Repository } from "./chat.repository.ts";
import { chats, members, type ChatRow, type MemberRow } from "./collections.ts";
import type { Role } from "./contract.ts";
import { Draft } from "./draft.ts";
import { mayChat, type Contacts } from "./policy.ts";
import { newer, restOn } from "./relations.ts";

export interface CreationParts {
  readonly db: Database;
  readonly repository: Repository;
  readonly contacts: Contacts;
  readonly groupLimit: number;
  readonly now: () => number;
  /** Asks `request` how a person stands to others. */
  readonly askRelations: (userId: string, otherIds: readonly string[]) => Promise<readonly Relation[]>;
  /** Which of these people exist; asked only with `CONTACTS=open`, where no relation vouches for them. */
  readonly existing: (userIds: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** A chat just made, with its first members. */
export interface Made {
  readonly chat: ChatRow;
  readonly people: readonly MemberRow[];
}

/** People whom a system message names. */
const namedInNote = 50;

/** What is the same for every new chat: the head at its first change, its people as members from there. */
function newChat(fields: Pick<ChatRow, "kind"> & Partial<ChatRow>, people: ReadonlyMap<string, Role>, now: number) {
  const chat: ChatRow = {
    _id: newId(),
    n: 0,
    seq: 1,
    membersSeq: 1,
    changedAt: now,
    memberCount: people.size,
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

const memberWrites = (rows: readonly MemberRow[]): Operation[] => rows.map((row) => insert(members, { ...row, changedAt: storeTime }));

/** How someone stands to others, newest known first; what the copy lacks or would refuse is asked of `request`. */
async function relationsOf({ repository, contacts, askRelations }: CreationParts, userId: string, otherIds: readonly string[]) {
  const known = new Map((await repository.relations(otherIds.map((other) => pairKey(userId, other)))).map((row) => [row.pair, row]));
  const uncertain = otherIds.filter((other) => {
    const row = known.get(pairKey(userId, other));
    return row === undefined || !mayChat(contacts, row.state);
  });
  const asked = uncertain.length === 0 ? [] : await askRelations(userId, uncertain);
  const askedByPair = new Map(asked.map((relation) => [relation.pair, relation]));
  return otherIds.map((other) => {
    const pair = pairKey(userId, other);
    const row = known.get(pair);
    const answer = askedByPair.get(pair);
    const relation: Relation = answer === undefined ? row! : newer(row, answer);
    return { other, relation, rest: restOn(row, relation) };
  });
}

async function refuseUnknown({ contacts, existing }: CreationParts, userIds: readonly string[]): Promise<void> {
  if (contacts === "required") return;
  const known = await existing(userIds);
  if (userIds.some((userId) => !known.has(userId))) throw new NotFound("No such user");
}

/**
 * The chat of two people; a unique key makes it one, whatever races.
 * @throws Invalid    with oneself
 * @throws Forbidden  the two may not chat
 */
export async function createDirect(parts: CreationParts, userId: string, receiverId: string): Promise<{ chat: ChatRow; made?: Made }> {
  if (receiverId === userId) throw new Invalid("A chat needs someone else", [{ field: "receiverId", message: "must not be yourself" }]);
  const pair = pairKey(userId, receiverId);
  const existing = await parts.repository.directChat(pair);
  if (existing !== undefined) return { chat: existing };

  const { outcome } = await settle<{ chat: ChatRow; made?: Made }>(parts.db, async () => {
    const others = await parts.repository.directChat(pair);
    if (others !== undefined) return { operations: [], outcome: { chat: others } };

    const { relation, rest } = (await relationsOf(parts, userId, [receiverId]))[0]!;
    if (!mayChat(parts.contacts, relation.state)) throw new Forbidden("You are not in contact with this person");
    await refuseUnknown(parts, [receiverId]);
    const people = new Map<string, Role>([userId, receiverId].map((id) => [id, "member"]));
    const { state, rev } = relation;
    const { chat, rows } = newChat({ kind: "direct", pair, relation: { state, rev } }, people, parts.now());
    const operations = [rest, insert(chats, { ...chat, changedAt: storeTime }), ...memberWrites(rows)];
    return { operations, outcome: { chat, made: { chat, people: rows } } };
  });
  return outcome;
}

/**
 * A group, its creator the admin, with its `created` message.
 * @throws Invalid    fewer than two others, or more than the limit
 * @throws Forbidden  one of them is not a contact
 */
export async function createGroup(parts: CreationParts, userId: string, name: string, participants: readonly string[]): Promise<Made> {
  const others = [...new Set(participants)].filter((other) => other !== userId);
  if (others.length < 2) throw participantsError("must name at least two other people");
  if (others.length >= parts.groupLimit) throw participantsError(`must leave the group at ${parts.groupLimit} members or fewer`);

  const { outcome } = await settle(parts.db, async () => {
    const stands = await relationsOf(parts, userId, others);
    if (stands.some(({ relation }) => !mayChat(parts.contacts, relation.state))) throw new Forbidden("A group is made of one's contacts");
    await refuseUnknown(parts, others);

    const people = new Map<string, Role>([[userId, "admin"], ...others.map((other): [string, Role] => [other, "member"])]);
    const now = parts.now();
    const { chat, rows } = newChat({ kind: "group", name, seq: 0 }, people, now);
    const draft = new Draft(chat, now);
    const system = { event: "created", userIds: [...people.keys()].slice(0, namedInNote), name } as const;
    draft.add({
      kind: "system",
      senderId: userId,
      clientId: newId(),
      bodyHash: "",
      text: `created the group "${name}"`,
      replyTo: null,
      system,
    });
    const head = insert(chats, { ...draft.chat, changedAt: storeTime });
    return {
      operations: [...stands.map(({ rest }) => rest), head, ...memberWrites(rows), ...draft.inserts],
      outcome: { chat: draft.chat, people: rows },
    };
  });
  return outcome;
}

const participantsError = (message: string): Invalid => new Invalid("Not enough or too many people", [{ field: "participants", message }]);
