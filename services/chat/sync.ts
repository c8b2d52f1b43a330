/**
 * What changed while a client was away: per chat one indexed query by `seq`, with the head read before it as the answer's end.
 * A hole in the numbers is legal; whoever asks again from the answer's `seq` misses nothing.
 */
import type { Repository } from "./chat.repository.ts";
import type { ChatRow, MemberRow, MessageRow } from "./collections.ts";
import type { Batch, Message, Position, SyncAnswer } from "./contract.ts";
import { visible } from "./policy.ts";
import { presentMembership, presentMessage } from "./present.ts";
import { viewsOf, type Summaries } from "./views.ts";

/** Changes of one chat an answer has at most, and of all together. */
const perChat = 200;
const inAll = 1000;
/** Messages shown of a chat that the client did not name. */
const newest = 50;

interface Part {
  readonly chat: ChatRow;
  readonly messages: readonly Message[];
  readonly seq: number;
  readonly more: boolean;
}

/** Answers `since`, the client's last `seq` per chat, for all chats this person is in. */
export async function sync(
  repository: Repository,
  summaries: Summaries,
  userId: string,
  since: Readonly<Record<string, number>>,
): Promise<{ answer: SyncAnswer; positions: Position[] }> {
  const before = await repository.memberships(userId);
  const chats = await repository.chats(before.map(({ chatId }) => chatId));
  // Read again: a removal after this lies above the head just read, and a socket seated there hears of it.
  const memberships = new Map((await repository.memberships(userId)).map((row) => [row.chatId, row]));
  const heads = chats.filter(({ _id }) => memberships.has(_id));
  const removed = Object.keys(since).filter((chatId) => !memberships.has(chatId));
  // Added again since the client last heard of the chat: what it holds is from before. Who asks from 0 holds nothing.
  const reset = Object.keys(since).filter((chatId) => since[chatId]! > 0 && since[chatId]! < (memberships.get(chatId)?.joinedSeq ?? 0));

  const known = (chat: ChatRow): number | undefined => (reset.includes(chat._id) ? undefined : since[chat._id]);
  const behind = heads.filter((chat) => (known(chat) ?? -1) < chat.seq).sort((a, b) => b.lastActivityAt - a.lastActivityAt);
  const parts: Part[] = [];
  let budget = inAll;
  for (const chat of behind) {
    if (budget < newest) break;
    const part = await changesOf(repository, chat, memberships.get(chat._id)!, known(chat), budget);
    budget -= Math.max(1, part.messages.length);
    parts.push(part);
  }
  const reached = new Set(parts.map(({ chat }) => chat._id));
  const unreached = behind.filter(({ _id }) => !reached.has(_id)).map(({ _id }) => _id);
  const late = new Set(behind);
  const current = heads.filter((chat) => !late.has(chat));
  const answer: SyncAnswer = {
    chats: await viewsOf(
      repository,
      summaries,
      parts.map(({ chat }) => [chat, memberships.get(chat._id)!] as const),
    ),
    messages: Object.fromEntries(parts.map(({ chat, messages }) => [chat._id, messages])),
    seq: Object.fromEntries([...current.map(({ _id, seq }) => [_id, seq]), ...parts.map(({ chat, seq }) => [chat._id, seq])]),
    more: [...parts.filter(({ more }) => more).map(({ chat }) => chat._id), ...unreached],
    removed,
    reset,
  };
  const whole = [...current, ...parts.filter(({ more }) => !more).map(({ chat }) => chat)];
  const positions = whole.map(({ _id, seq, n }) => ({ membership: presentMembership(memberships.get(_id)!), seq, n }));
  return { answer, positions };
}

async function changesOf(
  repository: Repository,
  chat: ChatRow,
  member: MemberRow,
  since: number | undefined,
  budget: number,
): Promise<Part> {
  const present = (rows: readonly MessageRow[]) => rows.filter((row) => visible(member, row)).map(presentMessage);
  if (since === undefined) {
    const rows = await repository.messagesBefore(chat._id, member.joinedN, chat.n + 1, newest);
    return { chat, messages: present(rows), seq: chat.seq, more: false };
  }
  const limit = Math.min(perChat, budget);
  const rows = await repository.changes(chat._id, since, chat.seq, limit);
  const more = rows.length === limit && rows.at(-1)!.seq < chat.seq;
  return { chat, messages: present(rows), seq: more ? rows.at(-1)!.seq : chat.seq, more };
}

/**
 * A chat's changes after a `seq`, for a gateway that missed some: at most 200, and the head they lead to.
 * @returns undefined  no such chat
 */
export async function repairOf(repository: Repository, chatId: string, since: number): Promise<(Batch & { more: boolean }) | undefined> {
  const chat = await repository.chat(chatId);
  if (chat === undefined) return undefined;
  const rows = await repository.changes(chatId, since, chat.seq, perChat);
  const more = rows.length === perChat && rows.at(-1)!.seq < chat.seq;
  const seq = more ? rows.at(-1)!.seq : chat.seq;
  const memberRows = chat.membersSeq > since ? await repository.membersChanged(chatId, since, seq) : [];
  return {
    chatId,
    prevSeq: since,
    seq,
    n: chat.n,
    membersSeq: chat.membersSeq,
    changes: rows.map(presentMessage),
    memberChanges: memberRows.map(presentMembership),
    more,
  };
}
