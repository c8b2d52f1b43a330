/** Parley's client library, for browsers and Node. How to use it: docs/client.md. */
export { Parley, type Credentials, type NewAccount, type ConnectOptions as Place, type Resuming } from "./parley.ts";
export { ParleyError, type ErrorCode } from "./errors.ts";
export { LocalStorage, MemoryStorage, type KeyValues, type Storage } from "./storage/storage.ts";
export type { MessageView } from "./chats/chats.ts";
export type { Contacts, InviteStatus, ProfileChanges } from "./http/contacts.ts";
export type * from "./documents.ts";
export type { Groups, Settings } from "./http/groups.ts";
export type { FileOptions, SendOptions } from "./outbox/queued-message.ts";
export type { Events, State } from "./session.ts";
