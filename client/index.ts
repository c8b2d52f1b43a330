/** Exports Parley's client library for browsers and Node. Its manual is docs/client.md. */
export { Parley } from "./parley.ts";
export type { ConnectOptions as Place, Credentials, NewAccount, Resuming } from "./connect-options.ts";
export { ParleyError, type ErrorCode } from "./errors.ts";
export { LocalStorage, MemoryStorage, type KeyValues, type Storage } from "./storage/storage.ts";
export type { MessageView } from "./chats/message-view.ts";
export type { Contacts, InviteStatus, ProfileChanges } from "./http/contacts.ts";
export type * from "./documents.ts";
export type { IncomingEvents as Heard } from "./incoming-events.ts";
export type { Groups, Settings } from "./http/groups.ts";
export type { FileOptions, SendOptions } from "./outbox/queued-message.ts";
export type { Events, State } from "./session.ts";
