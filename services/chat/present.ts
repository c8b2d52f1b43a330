/** Makes documents from rows: ISO-8601 times, computed fields, nothing internal. */
import { erased, type AttachedFile, type ChatRow, type MemberRow, type MessageRow, type PreviewRow } from "./store/collections.ts";
import type { Chat, ChatHead, Membership, MemberView, Message, MessageFile, OwnPart, Preview, Receipt, SharedChat } from "./contract.ts";

const iso = (time: number): string => new Date(time).toISOString();
const isoOrNull = (time: number | null): string | null => (time === null ? null : iso(time));

/** Maximum number of readers that a message lists. */
export const maxListedReaders = 50;

/** @param readers  the chat's members, longest-standing first; empty for a new message, which no one has read */
export function presentMessage(stored: MessageRow, readers: readonly MemberRow[] = []): Message {
  // A node of the release before, which deleted the message, left the fields that it does not know.
  const row: MessageRow = stored.deletedAt === null ? stored : { ...stored, ...erased };
  const createdAt = iso(row.createdAt);
  const editedAt = isoOrNull(row.editedAt);
  const deletedAt = isoOrNull(row.deletedAt);
  const readBy = [row.senderId, ...readers.filter((member) => hasRead(member, row)).map(({ userId }) => userId)];
  return {
    _id: row._id,
    chatId: row.chatId,
    senderId: row.senderId,
    n: row.n,
    seq: row.seq,
    kind: row.kind,
    text: row.text,
    ...(row.file == null ? {} : { file: presentFile(row.file) }),
    clientId: row.clientId,
    replyTo: row.replyTo,
    reactions: row.reactions ?? {},
    ...(row.system === undefined ? {} : { system: row.system }),
    readBy: readBy.slice(0, maxListedReaders),
    readCount: readBy.length,
    createdAt,
    updatedAt: deletedAt ?? editedAt ?? createdAt,
    editedAt,
    deletedAt,
    __v: 0,
  };
}

const hasRead = ({ userId, joinedN, readN }: MemberRow, { senderId, n }: MessageRow): boolean =>
  userId !== senderId && joinedN < n && n <= readN;

/** URLs of a file and its thumbnail. */
export const fileUrl = (fileId: string): string => `/chat/files/${fileId}`;

function presentFile({ fileId, name, mimeType, size, width, height, hasThumb }: AttachedFile): MessageFile {
  const url = fileUrl(fileId);
  return {
    _id: fileId,
    url,
    ...(hasThumb ? { thumbUrl: `${url}?thumb=1` } : {}),
    name,
    mimeType,
    size,
    ...(width == null || height == null ? {} : { width, height }),
  };
}

export const presentHead = ({ _id, seq, n, memberCount }: ChatRow): ChatHead => ({ chatId: _id, seq, n, memberCount });

export const presentMembership = ({ chatId, userId, joinedN, joinedSeq, leftSeq }: MemberRow): Membership => ({
  chatId,
  userId,
  joinedN,
  joinedSeq,
  leftSeq,
});

export const presentMember = ({ userId, role, joinedN, deliveredN, readN }: MemberRow): MemberView => ({
  userId,
  role,
  joinedN,
  deliveredN,
  readN,
});

export const presentReceipt = ({ userId, deliveredN, readN }: MemberRow): Receipt => ({ userId, deliveredN, readN });

const presentPreview = ({ n, senderId, text, kind, at }: PreviewRow): Preview => ({ n, senderId, text, kind, at: iso(at) });

/** @param people  the chat's first members; in a direct chat, both */
export function presentShared(chat: ChatRow, people: readonly MemberRow[]): SharedChat {
  const participants = people.map(({ userId }) => userId);
  return {
    _id: chat._id,
    chatType: chat.kind,
    ...(chat.name === undefined ? {} : { name: chat.name }),
    picture: chat.picture == null ? null : fileUrl(chat.picture),
    // Clients written for PingTalk expect a direct chat to have sorted participants and no admins.
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

/** Fields that only the reader sees, beside the shared ones. */
export interface ReaderView {
  readonly reader: MemberRow;
  readonly unread: number;
  /** The other user's name, or the group's. */
  readonly title: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Presents the reader's settings and watermarks, which change outside the chat's sequence. @param now  epoch milliseconds */
export function presentOwn({ readN, mutedUntil = null, archived = false, pinned = false }: MemberRow, now: number): OwnPart {
  const muted = mutedUntil !== null && mutedUntil > now;
  return { readN, muted, mutedUntil: muted ? iso(mutedUntil) : null, archived, pinned };
}

export function presentChat(chat: ChatRow, people: readonly MemberRow[], { reader, unread, title, now }: ReaderView): Chat {
  const preview = chat.preview !== null && chat.preview.n > reader.joinedN ? chat.preview : null;
  return {
    ...presentShared({ ...chat, preview }, people),
    title,
    unread,
    joinedN: reader.joinedN,
    ...presentOwn(reader, now),
  };
}
