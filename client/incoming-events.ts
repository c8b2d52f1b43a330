/** Defines the payloads of the server's socket events that the client handles. */
import type { Message, Chat, SharedChat, Receipt, ContactRequest, Typing } from "./documents.ts";

export interface IncomingEvents {
  readonly receiveMessage: Message;
  readonly messageChanged: Message;
  /** The user's own view, or the fields that all members share. */
  readonly chatChanged: Chat | SharedChat;
  readonly chatRemoved: { readonly chatId: string };
  readonly receipt: { readonly chatId: string } & Receipt;
  readonly typing: Typing;
  readonly positions: { readonly [chatId: string]: number };
  readonly requestReceived: ContactRequest;
  readonly requestAnswered: ContactRequest;
}
