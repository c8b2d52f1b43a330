/** What the server sends, as types: the server's own, of which nothing is left at run time. */
import type { OwnAccount } from "../services/auth/contract.ts";
import type { Chat, Message, Receipt, SharedChat } from "../services/chat/documents.ts";
import type { ContactRequest } from "../services/request/contract.ts";

export type { OwnAccount } from "../services/auth/contract.ts";
export type {
  Chat,
  MemberView,
  Message,
  MessageFile,
  OwnPart,
  Preview,
  Reactions,
  Receipt,
  Role,
  SharedChat,
  SyncAnswer,
  SystemNote,
} from "../services/chat/documents.ts";
export type { Profile, ProfileSummary } from "../services/profile/contract.ts";
export type { ContactRequest, ListedRequest, PersonSince } from "../services/request/contract.ts";

/** One's own account, as far as the client keeps it. */
export type Me = Pick<OwnAccount, "_id" | "emailId">;

/** What a socket hears that bears on chats and contacts, by event. */
export interface IncomingEvents {
  readonly receiveMessage: Message;
  readonly messageChanged: Message;
  /** One's own view, or what all members see alike. */
  readonly chatChanged: Chat | SharedChat;
  readonly chatRemoved: { readonly chatId: string };
  readonly receipt: { readonly chatId: string } & Receipt;
  readonly typing: Typing;
  readonly positions: { readonly [chatId: string]: number };
  readonly requestReceived: ContactRequest;
  readonly requestAnswered: ContactRequest;
}

export interface Typing {
  readonly chatId: string;
  readonly userId: string;
  readonly isTyping: boolean;
}

/** The last `seq` held of each chat. */
export type Since = Readonly<Record<string, number>>;
