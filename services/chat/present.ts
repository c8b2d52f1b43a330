/** What leaves the server of a chat: ISO-8601 times, computed fields, nothing internal. */
import type { ChatRow, MemberRow, MessageRow, PreviewRow } from "./collections.ts";
import type { Chat, Head, Membership, MemberView, Message, Preview, SharedChat } from "./contract.ts";

const iso = (time: number): string => new Date(time).toISOString();
const isoOrNull = (time: number | null): string | null => (time === null ? null : iso(time));

export function presentMessage(row: MessageRow): Message {
  const createdAt = iso(row.createdAt);
  const editedAt = isoOrNull(row.editedAt);
  const deletedAt = isoOrNull(row.deletedAt);
  return {
    _id: row._id,
    chatId: row.chatId,
    senderId: row.senderId,
    n: row.n,
    seq: row.seq,
    kind: row.kind,
    text: row.text,
    clientId: row.clientId,
    replyTo: row.replyTo,
    reactions: {},
    ...(row.system === undefined ? {} : { system: row.system }),
    readBy: [row.senderId],
    readCount: 1,
    createdAt,
    updatedAt: deletedAt ?? editedAt ?? createdAt,
    editedAt,
    deletedAt,
    __v: 0,
  };
}

export const presentHead = ({ _id, seq, n, membersSeq }: ChatRow): Head => ({ chatId: _id, seq, n, membersSeq });

export const presentMembership = ({ chatId, userId, joinedN, joinedSeq, leftSeq }: MemberRow): Membership => ({
  chatId,
  userId,
  joinedN,
  joinedSeq,
  leftSeq,
});

const presentMember = ({ userId, role, deliveredN, readN }: MemberRow): MemberView => ({ userId, role, deliveredN, readN });

const presentPreview = ({ n, senderId, text, kind, at }: PreviewRow): Preview => ({ n, senderId, text, kind, at: iso(at) });

/** @param people  the chat's first members, the reader of a direct chat and the other among them */
export function presentShared(chat: ChatRow, people: readonly MemberRow[]): SharedChat {
  const participants = people.map(({ userId }) => userId);
  return {
    _id: chat._id,
    chatType: chat.kind,
    ...(chat.name === undefined ? {} : { name: chat.name }),
    picture: null,
    // PingTalk's clients know a direct chat's participants sorted and without admins.
    participants: chat.kind === "direct" ? participants.toSorted() : participants,
    admins: chat.kind === "direct" ? [] : people.filter(({ role }) => role === "admin").map(({ userId }) => userId),
    members: people.map(presentMember),
    memberCount: chat.memberCount,
    lastMessage: chat.preview?.messageId ?? null,
    lastMessagePreview: chat.preview === null ? null : presentPreview(chat.preview),
    lastN: chat.n,
    lastSeq: chat.seq,
    createdAt: iso(chat.createdAt),
    updatedAt: iso(chat.lastActivityAt),
    __v: 0,
  };
}

/** What the reader alone sees beside the shared fields. */
export interface Own {
  readonly reader: MemberRow;
  readonly unread: number;
  /** The other's name, or the group's. */
  readonly title: string;
}

export function presentChat(chat: ChatRow, people: readonly MemberRow[], { reader, unread, title }: Own): Chat {
  const preview = chat.preview !== null && chat.preview.n > reader.joinedN ? chat.preview : null;
  return {
    ...presentShared({ ...chat, preview }, people),
    title,
    unread,
    muted: false,
    archived: false,
    pinned: false,
  };
}
