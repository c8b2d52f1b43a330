/** What the server sends, as types: the server's own, of which nothing is left at run time. */
import type { OwnAccount } from "../services/auth/contract.ts";

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

export interface Typing {
  readonly chatId: string;
  readonly userId: string;
  readonly isTyping: boolean;
}

/** The last `seq` held of each chat. */
export type Since = Readonly<Record<string, number>>;
