/** Types of the server's socket events that the client handles. */
import type { Message, Chat, SharedChat, Receipt, ContactRequest, Typing } from "./documents.ts";

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
