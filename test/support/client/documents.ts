/** Makes documents as the server sends them, for tests of the client. */
import type { Chat, MemberView, Message, SharedChat } from "../../../client/index.ts";

export const chatId = "c".repeat(24);
export const me = "a".repeat(24);
export const other = "b".repeat(24);
const time = (n: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, n)).toISOString();

export function message({ n, seq = n, ...rest }: Partial<Message> & { n: number }): Message {
  return {
    _id: n.toString(16).padStart(24, "0"),
    chatId,
    senderId: other,
    n,
    seq,
    kind: "text",
    text: `message ${n}`,
    clientId: `client-${n}`,
    replyTo: null,
    reactions: {},
    readBy: [other],
    readCount: 1,
    createdAt: time(n),
    updatedAt: time(n),
    editedAt: null,
    deletedAt: null,
    __v: 0,
    ...rest,
  };
}

export const member = (userId: string, rest: Partial<MemberView> = {}): MemberView => ({
  userId,
  role: "member",
  joinedN: 0,
  deliveredN: 0,
  readN: 0,
  ...rest,
});

export function chatOf(rest: Partial<Chat> = {}): Chat {
  const members = rest.members ?? [member(me), member(other)];
  return {
    _id: chatId,
    chatType: "direct",
    picture: null,
    participants: members.map(({ userId }) => userId),
    admins: [],
    members,
    memberCount: members.length,
    lastMessage: null,
    lastMessagePreview: null,
    lastN: 0,
    lastSeq: 0,
    createdAt: time(0),
    updatedAt: time(0),
    __v: 0,
    title: "Ben Example",
    unread: 0,
    readN: 0,
    joinedN: 0,
    muted: false,
    mutedUntil: null,
    archived: false,
    pinned: false,
    ...rest,
  };
}

/** Makes a chat with the fields that all members share. */
export function sharedOf(rest: Partial<Chat>): SharedChat {
  const own = new Set(["title", "unread", "readN", "joinedN", "muted", "mutedUntil", "archived", "pinned"]);
  return Object.fromEntries(Object.entries(chatOf(rest)).filter(([field]) => !own.has(field))) as SharedChat;
}
