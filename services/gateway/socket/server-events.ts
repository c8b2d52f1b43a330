/** What the server sends to sockets, as a table: each event, what it brings and who hears it. No event goes out that is not here. */
import { returns, type Returns } from "../../../core/contract/contract.ts";
import type { RevocationReason } from "../../auth/contract.ts";
import type { Chat, Message, Receipt, SharedChat } from "../../chat/contract.ts";
import type { ContactRequest } from "../../request/contract.ts";

interface ServerEventRow {
  readonly summary: string;
  readonly audience: string;
  readonly data: Returns<unknown>;
}

export const serverEvents = {
  receiveMessage: {
    summary: "A new message; in `seq` order in each chat",
    audience: "sockets that joined the chat or subscribed, the sender's too",
    data: returns<Message>(),
  },
  messageChanged: {
    summary: "A message as it is now: edited, deleted, reacted to",
    audience: "sockets that joined the chat or subscribed",
    data: returns<Message>(),
  },
  receipt: {
    summary: "How far a member is: everything up to `deliveredN` is on a device of theirs, up to `readN` they have read",
    audience: "sockets that joined the chat or subscribed, in chats of up to 20 members; in larger ones the reader's own",
    data: returns<{ readonly chatId: string } & Receipt>(),
  },
  typing: {
    summary: "Someone began to type, or stopped",
    audience: "sockets that joined the chat or subscribed, not the typist's",
    data: returns<{ readonly chatId: string; readonly userId: string; readonly isTyping: boolean }>(),
  },
  chatChanged: {
    summary: "A chat is new, or its members, name, picture, admins or own settings changed; what goes to many bears the shared fields only",
    audience: "the members' sockets",
    data: returns<Chat | SharedChat>(),
  },
  chatRemoved: {
    summary: "One is no longer a member of this chat",
    audience: "the former member's sockets",
    data: returns<{ readonly chatId: string }>(),
  },
  requestReceived: {
    summary: "Someone asks for contact",
    audience: "the sockets of the person asked",
    data: returns<ContactRequest>(),
  },
  requestAnswered: {
    summary: "An invite was accepted or rejected",
    audience: "the sockets of the person who asked; of both, when each had asked the other",
    data: returns<ContactRequest>(),
  },
  positions: {
    summary: "Where chats that moved are, every 25 s: the last `seq` of each; who is behind syncs",
    audience: "subscribed sockets",
    data: returns<{ readonly [chatId: string]: number }>(),
  },
  sessionEnded: {
    summary: "The session is over; the socket is cut after this",
    audience: "the session's sockets",
    data: returns<{ readonly reason: RevocationReason | "expired" }>(),
  },
  error: {
    summary: "What went wrong with an event that asked for no acknowledgement",
    audience: "the socket that sent it",
    data: returns<string>(),
  },
} as const satisfies { readonly [event: string]: ServerEventRow };

/** Whether there is such an event: other releases may know others. */
export const isEmitted = (event: string): event is keyof ServerEventPayloads => Object.hasOwn(serverEvents, event);

/** Each event's payload. */
export type ServerEventPayloads = {
  readonly [E in keyof typeof serverEvents]: (typeof serverEvents)[E]["data"] extends Returns<infer T> ? T : never;
};
/** The same as Socket.IO wants it: `socket.emit` takes no other event, and no other payload. */
export type ServerEvents = { [E in keyof ServerEventPayloads]: (data: ServerEventPayloads[E]) => void };
