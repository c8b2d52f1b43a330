/**
 * Gives an application one user's chats and everything the user can do. Reads return what the client holds, without waiting; events report
 * changes.
 */
import { withDefaults, type Credentials, type NewAccount, type Resuming } from "./connect-options.ts";
import { pendingView, type MessageView } from "./chats/message-view.ts";
import { Contacts } from "./http/contacts.ts";
import type { Chat, Me, Message } from "./documents.ts";
import { ParleyError } from "./errors.ts";
import { Groups } from "./http/groups.ts";
import { HttpClient } from "./http/http-client.ts";
import { fileMessage, textMessage, type FileOptions, type SendOptions } from "./outbox/queued-message.ts";
import { ParleySession, type Events, type SessionOptions, type State } from "./session.ts";
import type { Storage } from "./storage/storage.ts";
import { clearStorage, loadRecords } from "./storage/records.ts";

const olderPageSize = 50;

export class Parley {
  readonly contacts: Contacts;
  readonly groups: Groups;
  private readonly session: ParleySession;
  private readonly storage: Storage;
  /** Pages of older messages that are loading, by chat. */
  private readonly loadingOlder = new Map<string, Promise<readonly MessageView[]>>();

  /** @throws ParleyError  UNAUTHENTICATED: unknown address or wrong password */
  static async logIn({ emailId, password, ...options }: Credentials): Promise<Parley> {
    const { url, storage } = withDefaults(options);
    const body = { emailId, password };
    const { data } = await new HttpClient(url).request<{ data: { id: string; emailId: string; token: string } }>("POST", "/auth/login", {
      body,
    });
    return Parley.start({ url, storage, me: { _id: data.id, emailId: data.emailId }, token: data.token });
  }

  /** Creates an account and logs in. @throws ParleyError  CONFLICT: the address has an account; VALIDATION */
  static async signUp({ firstName, lastName, ...credentials }: NewAccount): Promise<Parley> {
    const { emailId, password } = credentials;
    await new HttpClient(withDefaults(credentials).url).request("POST", "/auth/signup", {
      body: { firstName, lastName, emailId, password },
    });
    return Parley.logIn(credentials);
  }

  /**
   * Continues an existing session. One from the storage is resumed even if the server is unreachable; if that session has ended, the
   * event `state` reports it later.
   * @throws ParleyError  UNAUTHENTICATED: there is no valid session
   */
  static async resume({ token, ...options }: Resuming): Promise<Parley> {
    const { url, storage } = withDefaults(options);
    const { session } = await loadRecords(storage);
    const known = token ?? session?.token;
    const isSaved = session?.token !== undefined && session.token === known;
    const me = isSaved ? session.me : (await new HttpClient(url, known).request<{ data: Me }>("GET", "/auth/me")).data;
    return Parley.start({ url, storage, me, token: known });
  }

  private static async start(options: SessionOptions): Promise<Parley> {
    const saved = await loadRecords(options.storage);
    const isOwn = saved.session?.me._id === options.me._id;
    if (!isOwn) await clearStorage(options.storage);
    const session = new ParleySession(options);
    session.start(isOwn ? saved : { chats: [], outbox: [] });
    return new Parley(session, options.storage);
  }

  private constructor(session: ParleySession, storage: Storage) {
    this.session = session;
    this.storage = storage;
    this.contacts = new Contacts(session.http);
    this.groups = new Groups(session.http, (chat) => session.applyChatResponse(chat));
  }

  get me(): Me {
    return this.session.me;
  }
  get state(): State {
    return this.session.state;
  }

  /** @returns a function that removes the listener */
  on<K extends keyof Events>(event: K, listener: (data: Events[K]) => void): () => void {
    return this.session.events.on(event, listener);
  }

  /** Resolves with the next such event, or the next one that `predicate` accepts. */
  next<K extends keyof Events>(event: K, predicate?: (data: Events[K]) => boolean): Promise<Events[K]> {
    return this.session.events.next(event, predicate);
  }

  /** Resolves when everything missed has arrived. @throws ParleyError  UNAUTHENTICATED: the session has ended */
  async online(): Promise<void> {
    if (this.state === "online") return;
    const isDecided = ({ state }: Events["state"]) => state === "online" || state === "ended";
    const { state, reason } = this.state === "ended" ? { state: "ended" } : await this.session.events.next("state", isDecided);
    if (state === "ended") throw new ParleyError("UNAUTHENTICATED", `The session has ended${reason === undefined ? "" : `: ${reason}`}`);
  }

  /** All chats, most recent activity first. */
  chats(): readonly Chat[] {
    const { chats } = this.session;
    return chats.ids.map((chatId) => chats.get(chatId)!.view).sort((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt));
  }

  chat(chatId: string): Chat | undefined {
    return this.session.chats.get(chatId)?.view;
  }

  /** The messages held, by `n`, then the user's messages that are not stored yet, in the order sent. */
  messages(chatId: string): readonly MessageView[] {
    const { chats, outbox, me } = this.session;
    const local = chats.get(chatId);
    const stored = local?.window.messages.map((message) => chats.messageView(local, message)) ?? [];
    return [...stored, ...outbox.messages.filter((message) => message.chatId === chatId).map((message) => pendingView(me._id, message))];
  }

  /** Whether the server has messages before those held. */
  hasOlder(chatId: string): boolean {
    return this.session.chats.get(chatId)?.hasOlder ?? false;
  }

  /**
   * Loads the page before the messages held.
   * @returns the page; empty at the beginning of the chat, or if the chat was removed or restarted meanwhile: see `hasOlder`
   */
  loadOlder(chatId: string, limit = olderPageSize): Promise<readonly MessageView[]> {
    const loading = this.loadingOlder.get(chatId) ?? this.loadPageBefore(chatId, limit).finally(() => this.loadingOlder.delete(chatId));
    this.loadingOlder.set(chatId, loading);
    return loading;
  }

  private async loadPageBefore(chatId: string, limit: number): Promise<readonly MessageView[]> {
    const { chats, http } = this.session;
    const local = chats.get(chatId);
    const before = local?.window.first;
    if (local?.hasOlder !== true || before === undefined) return [];
    local.window.expectOlderPage();
    let page: readonly Message[] = [];
    try {
      page = await http.request("GET", `/chat/messages/${chatId}`, { query: { before, limit } });
    } finally {
      page = local.window.prepend(page, before);
    }
    return chats.get(chatId) === local ? page.map((message) => chats.messageView(local, message)) : [];
  }

  /** Sends a text. It is in the chat's messages immediately, and is sent when there is a connection, after the messages before it. */
  send(chatId: string, text: string, options: SendOptions = {}): MessageView {
    return this.enqueue(textMessage(chatId, text, options));
  }

  /** Sends a file of at most 5 MB, in order with the other messages. Unlike a text, an unsent file is lost when the process ends. */
  sendFile(chatId: string, file: Blob, options: FileOptions): MessageView {
    return this.enqueue(fileMessage(chatId, file, options));
  }

  private enqueue(message: ReturnType<typeof textMessage>): MessageView {
    const { outbox, typists, events, me } = this.session;
    const view = pendingView(me._id, message);
    typists.onMessageSent(message.chatId);
    outbox.add(message);
    events.emit("message", view);
    return view;
  }

  /**
   * Resolves when the user's message is stored.
   * @throws ParleyError  why it failed; OFFLINE: the client ended; NOT_FOUND: it was discarded
   */
  async stored({ chatId, clientId }: Pick<Message, "chatId" | "clientId">): Promise<Message> {
    return this.session.chats.findOwnMessage(chatId, clientId) ?? this.session.outbox.outcome(clientId);
  }

  /** Resolves when every message is stored or has failed. @throws ParleyError  OFFLINE: the client ended first */
  allSent(): Promise<void> {
    return this.session.outbox.whenEmpty();
  }

  /** Sends a failed message again. */
  retry({ clientId }: Pick<Message, "clientId">): void {
    this.session.outbox.retry(clientId);
  }

  /** Removes a failed message. */
  discard({ clientId }: Pick<Message, "clientId">): void {
    this.session.outbox.discard(clientId);
  }

  edit(messageId: string, text: string): Promise<Message> {
    return this.change("PATCH", messageId, { text });
  }

  delete(messageId: string): Promise<Message> {
    return this.change("DELETE", messageId);
  }

  react(messageId: string, emoji: string, on = true): Promise<Message> {
    return this.change(on ? "PUT" : "DELETE", `${messageId}/reactions/${encodeURIComponent(emoji)}`);
  }

  private async change(method: string, path: string, body?: object): Promise<Message> {
    const options = { isRepeatable: true, ...(body === undefined ? {} : { body }) };
    const message = await this.session.http.request<Message>(method, `/chat/messages/${path}`, options);
    this.session.chats.applyMessageResponse(message);
    return message;
  }

  /** Marks the messages up to `n` as read; by default the whole chat. */
  markRead(chatId: string, n = this.chat(chatId)?.lastN ?? 0): void {
    this.session.readMarks.mark(chatId, n);
  }

  /** Reports that the user is typing, or stopped. May be called at every keystroke. */
  typing(chatId: string, isTyping = true): void {
    this.session.typists.sendTyping(chatId, isTyping);
  }

  /** Ids of the users who are typing in a chat. */
  typists(chatId: string): readonly string[] {
    return this.session.typists.inChat(chatId);
  }

  /** The full URL of a file, thumbnail or picture. A request for it needs the session's cookie, or the token as a bearer token. */
  fileUrl(path: string): string {
    return this.session.http.url + path;
  }

  /** Downloads a file. */
  file(path: string): Promise<Blob> {
    return this.session.http.blob(path);
  }

  /** Ends this client, and keeps its storage for `resume`. */
  close(): Promise<void> {
    return this.session.close("closed");
  }

  /** Ends the session on the server and clears the storage. @throws ParleyError  the request failed, and this client goes on */
  async logOut(): Promise<void> {
    await this.session.http.request("POST", "/auth/logout", { isRepeatable: true });
    await this.session.close("loggedOut");
    await clearStorage(this.storage);
  }
}
