/** Re-exports the types of the server's documents. Only types: no server code is loaded. */
import type { OwnAccount } from "../services/auth/documents.ts";

export type { OwnAccount } from "../services/auth/documents.ts";
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
export type { Profile, ProfileSummary } from "../services/profile/documents.ts";
export type { ContactRequest, ListedRequest, PersonSince } from "../services/request/documents.ts";

/** The fields of the user's account that the client keeps. */
export type Me = Pick<OwnAccount, "_id" | "emailId">;

export interface Typing {
  readonly chatId: string;
  readonly userId: string;
  readonly isTyping: boolean;
}

/** The last `seq` that the client has of each chat. */
export type Since = Readonly<Record<string, number>>;
