/** Wires the parts of one user's session together, and applies the server's events to them. */
import { Synchronizer } from "./socket/synchronizer.ts";
import { Chats, type ChatEvents } from "./chats/chats.ts";
import { SocketConnection } from "./socket/connection.ts";
import type { ContactRequest, Me, Message, SyncAnswer, Typing } from "./documents.ts";
import type { IncomingEvents } from "./incoming-events.ts";
import { Emitter } from "./emitter.ts";
import { fileTimeoutMs, HttpClient } from "./http/http-client.ts";
import { StorageWriter } from "./storage/storage-writer.ts";
import { Outbox } from "./outbox/outbox.ts";
import { ReadMarks } from "./chats/read-marks.ts";
import { formOf, payloadOf } from "./outbox/queued-message.ts";
import { pendingView } from "./chats/message-view.ts";
import { chatKey, outboxKey, sessionKey, type SavedRecords } from "./storage/records.ts";
import type { Storage } from "./storage/storage.ts";
import { chatRecordOf } from "./chats/local-chat.ts";
import { Typists } from "./chats/typists.ts";

/**
 * `connecting`: connecting for the first time, or fetching missed changes. `online`: nothing is missing. `offline`: there is no
 * connection, and the client retries by itself. `ended`: the session is over, or the client was closed.
 */
export type State = "connecting" | "online" | "offline" | "ended";

export interface Events extends ChatEvents {
  /**
   * `reason` comes with `ended`: `closed`, `loggedOut`, `expired`, `revoked`, `passwordChanged`, `accountDeleted`, `unauthenticated` or
   * `forbidden`.
   */
  readonly state: { readonly state: State; readonly reason?: string };
  readonly typing: Typing;
  /** An invite arrived, or an invite of the user's was answered. */
  readonly request: ContactRequest;
}

export interface SessionOptions {
  readonly url: string;
  readonly storage: Storage;
  readonly me: Me;
  /** Undefined if the browser's cookie is the credential. */
  readonly token: string | undefined;
}

export class ParleySession {
  readonly me: Me;
  readonly http: HttpClient;
  readonly events = new Emitter<Events>();
  readonly chats: Chats;
  readonly outbox: Outbox;
  readonly readMarks: ReadMarks;
  readonly typists: Typists;
  readonly storageWriter: StorageWriter;
  private readonly connection: SocketConnection;
  private readonly synchronizer: Synchronizer;
  private token: string | undefined;
  private currentState: State = "connecting";

  constructor({ url, storage, me, token }: SessionOptions) {
    const { events } = this;
    const request = <T>(event: string, payload: object) => this.connection.request<T>(event, payload);
    this.me = me;
    this.token = token;
    this.http = new HttpClient(url, token);
    this.storageWriter = new StorageWriter(storage, (key) => this.recordOf(key));
    this.chats = new Chats({
      myId: me._id,
      emit: events.emit.bind(events),
      confirmSent: (message) => this.outbox.confirm(message),
      onDirty: (chatId) => this.storageWriter.markDirty(chatKey(chatId)),
    });
    this.outbox = new Outbox({
      send: (message) =>
        message.file === undefined
          ? request<Message>("sendMessage", payloadOf(message))
          : this.http.request("POST", "/chat/send-file", { body: formOf(message), timeoutMs: fileTimeoutMs }),
      onStored: (message) => this.chats.applyMessageResponse(message),
      onChanged: (message) => events.emit("messageChanged", pendingView(me._id, message)),
      onDirty: () => this.storageWriter.markDirty(outboxKey, true),
    });
    this.readMarks = new ReadMarks({ chats: this.chats, request: (payload) => request("markRead", payload) });
    this.typists = new Typists({
      send: (payload) => void request("typing", payload).catch(() => undefined),
      emit: (typing) => events.emit("typing", typing),
    });
    this.synchronizer = new Synchronizer({
      chats: this.chats,
      // Servers of earlier releases do not send `receipts` and `own`.
      request: (event, payload, apply) =>
        this.connection.requestAndApply<Omit<SyncAnswer, "receipts" | "own">, boolean | undefined>(event, payload, (answer) =>
          apply({ receipts: {}, own: {}, ...answer }),
        ),
      onCaughtUp: () => this.onCaughtUp(),
    });
    this.connection = new SocketConnection({
      url,
      token,
      onConnected: () => this.onConnected(),
      onDisconnected: () => this.suspend("offline"),
      onEnded: (reason) => this.onEnded(reason),
      onEvent: (event, data) => this.onEvent(event, data),
    });
  }

  get state(): State {
    return this.currentState;
  }

  /** Restores what an earlier run saved, and connects. */
  start({ chats, outbox }: Pick<SavedRecords, "chats" | "outbox">): void {
    for (const record of chats) this.chats.restore(record);
    // The earlier run may have ended after it saved a message as stored and before it removed it from the saved outbox.
    for (const message of outbox) if (this.chats.findOwnMessage(message.chatId, message.clientId) === undefined) this.outbox.add(message);
    this.storageWriter.markDirty(sessionKey, true);
    this.connection.open();
  }

  /** Ends this client. The session on the server stays valid. */
  async close(reason: string): Promise<void> {
    this.connection.close();
    this.onEnded(reason);
    await this.storageWriter.close();
  }

  private onConnected(): void {
    this.setState("connecting");
    this.synchronizer.start();
  }

  private onCaughtUp(): void {
    this.chats.markSynced();
    this.setState("online");
    this.outbox.resume();
    this.readMarks.resume();
  }

  private suspend(state: State, reason?: string): void {
    this.synchronizer.stop();
    this.outbox.pause();
    this.readMarks.pause();
    this.typists.clear();
    this.setState(state, reason);
  }

  private onEnded(reason: string): void {
    if (this.currentState === "ended") return;
    if (reason !== "closed") this.token = undefined;
    this.storageWriter.markDirty(sessionKey, true);
    this.suspend("ended", reason);
    this.outbox.end();
  }

  private setState(state: State, reason?: string): void {
    if (this.currentState === state) return;
    this.currentState = state;
    this.events.emit("state", { state, ...(reason === undefined ? {} : { reason }) });
  }

  private onEvent(event: string, data: unknown): void {
    if (!Object.hasOwn(this.listeners, event)) return;
    const learn = this.listeners[event as keyof IncomingEvents] as (data: unknown) => unknown;
    const isMissing = learn(data);
    if (isMissing === true) this.synchronizer.requestSync();
  }

  /** Apply each event. One that returns true found changes missing, so that a sync is needed. */
  private readonly listeners: { readonly [E in keyof IncomingEvents]: (data: IncomingEvents[E]) => unknown } = {
    receiveMessage: (message) => {
      this.typists.onTyping({ chatId: message.chatId, userId: message.senderId, isTyping: false });
      return this.chats.onMessage(message);
    },
    messageChanged: (message) => this.chats.onMessage(message),
    chatChanged: (chat) => this.chats.onChatChanged(chat),
    chatRemoved: ({ chatId }) => this.chats.removeChat(chatId),
    receipt: (receipt) => this.chats.onReceipt(receipt),
    typing: (typing) => this.typists.onTyping(typing),
    positions: (heads) => this.chats.onPositions(heads),
    requestReceived: (request) => this.events.emit("request", request),
    requestAnswered: (request) => this.events.emit("request", request),
  };

  /** Applies the chat that the server returned for a request. */
  applyChatResponse(chat: IncomingEvents["chatChanged"]): void {
    if (this.chats.onChatChanged(chat)) this.synchronizer.requestSync();
  }

  private recordOf(key: string): unknown {
    if (key === sessionKey) return { me: this.me, ...(this.token === undefined ? {} : { token: this.token }) };
    if (key === outboxKey) return this.outbox.messages.filter(({ file }) => file === undefined);
    return chatRecordOf(this.chats.get(key.slice(chatKey("").length)));
  }
}
