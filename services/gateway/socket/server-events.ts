/** Lists the events that the server sends to sockets, one table row per event. An event that is not in the table is not sent. */
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
    summary: "A new message, in `seq` order within each chat",
    audience: "sockets that joined the chat or subscribed, including the sender's",
    data: returns<Message>(),
  },
  messageChanged: {
    summary: "A message that was changed, for example edited or deleted",
    audience: "sockets that joined the chat or subscribed",
    data: returns<Message>(),
  },
  receipt: {
    summary: "A member's progress: one of their devices has every message up to `deliveredN`, and they have read up to `readN`",
    audience: "sockets that joined the chat or subscribed, in chats of up to 20 members; in larger chats only the reader's own",
    data: returns<{ readonly chatId: string } & Receipt>(),
  },
  typing: {
    summary: "A member started or stopped typing",
    audience: "sockets that joined the chat or subscribed, except the typist's",
    data: returns<{ readonly chatId: string; readonly userId: string; readonly isTyping: boolean }>(),
  },
  chatChanged: {
    summary:
      "A chat is new, or its members, name, picture, admins or your settings changed; an event that goes to many members has only the shared fields",
    audience: "the members' sockets",
    data: returns<Chat | SharedChat>(),
  },
  chatRemoved: {
    summary: "You are no longer a member of this chat",
    audience: "the former member's sockets",
    data: returns<{ readonly chatId: string }>(),
  },
  requestReceived: {
    summary: "Another user sent you a contact request",
    audience: "the recipient's sockets",
    data: returns<ContactRequest>(),
  },
  requestAnswered: {
    summary: "A contact request was accepted or rejected",
    audience: "the sender's sockets; both users' if each had sent the other a request",
    data: returns<ContactRequest>(),
  },
  positions: {
    summary: "The last `seq` of each chat that changed, every 25 s; a client that is behind calls `sync`",
    audience: "subscribed sockets",
    data: returns<{ readonly [chatId: string]: number }>(),
  },
  sessionEnded: {
    summary: "The session ended; the server disconnects the socket after this event",
    audience: "the session's sockets",
    data: returns<{ readonly reason: RevocationReason | "expired" }>(),
  },
  error: {
    summary: "Why an event without an acknowledgement callback failed",
    audience: "the socket that sent it",
    data: returns<string>(),
  },
} as const satisfies { readonly [event: string]: ServerEventRow };

/** Whether the event is in the table. Nodes of other releases may publish others. */
export const isServerEvent = (event: string): event is keyof ServerEventPayloads => Object.hasOwn(serverEvents, event);

/** The payloads, by event. */
export type ServerEventPayloads = {
  readonly [E in keyof typeof serverEvents]: (typeof serverEvents)[E]["data"] extends Returns<infer T> ? T : never;
};
/** The same map in the form that Socket.IO expects: `socket.emit` then refuses other events and payloads. */
export type ServerEvents = { [E in keyof ServerEventPayloads]: (data: ServerEventPayloads[E]) => void };
