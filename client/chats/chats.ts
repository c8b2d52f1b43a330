/**
 * Holds the user's chats and applies what the server sends: answers to `subscribe` and `sync`, and live events, in any order and any
 * number of times. It never waits, sends or stores.
 *
 * No change is missed, because only two things raise a chat's `seq`: an answer that is complete up to that `seq`, and live events that
 * follow such an answer without a gap. An acknowledgement or an HTTP response brings a newer message, but does not raise `seq`.
 */
import type { Chat, Message, OwnPart, Since, SyncAnswer } from "../documents.ts";
import type { IncomingEvents } from "../incoming-events.ts";
import { LocalChat } from "./local-chat.ts";
import type { PutResult } from "./message-window.ts";
import type { ChatRecord } from "../storage/records.ts";
import type { MessageView } from "./message-view.ts";

export interface ChatEvents {
  readonly message: MessageView;
  /** A message that changed, or whose state did. */
  readonly messageChanged: MessageView;
  /** A chat that is new or changed. Each new message changes its chat. */
  readonly chat: Chat;
  readonly chatRemoved: { readonly chatId: string };
  /** The messages held of this chat are no longer valid: read them again. */
  readonly chatReset: { readonly chatId: string };
  readonly receipt: IncomingEvents["receipt"];
}

export interface ChatsContext {
  readonly myId: string;
  emit<K extends keyof ChatEvents>(event: K, data: ChatEvents[K]): void;
  /** The server has stored a message of the user's. @returns whether the outbox was sending it */
  readonly confirmSent: (message: Message) => boolean;
  /** The chat changed and must be saved. */
  readonly onDirty: (chatId: string) => void;
}

/** What the client knew when it sent a query. */
export interface SyncQuery {
  readonly since: Since;
  /** Known chats that have no `seq` yet. */
  readonly unsynced: readonly string[];
}

export class Chats {
  private readonly context: ChatsContext;
  private readonly localChats = new Map<string, LocalChat>();
  /**
   * Chats for which the pending answer may be outdated: after the query, the user left them, the user's own view changed, or a message
   * arrived while they were unknown.
   */
  private readonly changedSinceQuery = new Set<string>();
  /** Messages received on this connection. The server was not restored from a backup between them and the answers on it. */
  private fromThisConnection = new WeakSet<Message>();
  /** False until the first sync is complete: the messages that it brings cause no `message` events. */
  private hasSynced = false;

  constructor(context: ChatsContext) {
    this.context = context;
  }

  get(chatId: string): LocalChat | undefined {
    return this.localChats.get(chatId);
  }

  get ids(): readonly string[] {
    return [...this.localChats.keys()];
  }

  /** Finds the user's own stored message with this clientId, if it is held. */
  findOwnMessage(chatId: string, clientId: string): Message | undefined {
    const isMatch = (message: Message) => message.clientId === clientId && message.senderId === this.context.myId;
    return this.localChats.get(chatId)?.window.messages.findLast(isMatch);
  }

  /** Adds a chat from the storage. */
  restore({ chat, seq, messages, wantedN }: ChatRecord): void {
    const local = new LocalChat(chat, this.context.myId);
    local.pendingReadN = wantedN;
    local.window.restart(messages, chat.lastN + 1);
    local.seq = seq;
    this.localChats.set(chat._id, local);
    this.hasSynced = true;
  }

  /** Notes that live events may be missed from now on. */
  onDisconnected(): void {
    this.fromThisConnection = new WeakSet();
    for (const local of this.localChats.values()) local.isContiguous = false;
  }

  /** Builds the next query. Only one may be pending. */
  syncQuery(): SyncQuery {
    this.changedSinceQuery.clear();
    const entries = [...this.localChats].map(([chatId, { seq }]) => [chatId, seq] as const);
    const since = Object.fromEntries(entries.filter((entry): entry is readonly [string, number] => entry[1] !== undefined));
    return { since, unsynced: entries.flatMap(([chatId, seq]) => (seq === undefined ? [chatId] : [])) };
  }

  /** Applies the answer to a query. @returns whether another query is needed */
  applyAnswer({ since, unsynced }: SyncQuery, answer: SyncAnswer): boolean {
    const unfinished = new Set(answer.more);
    const changedMeanwhile = new Set(this.changedSinceQuery);
    const isApplicable = (chatId: string) => !changedMeanwhile.has(chatId);
    for (const chatId of answer.removed) if (isApplicable(chatId)) this.removeChat(chatId);
    for (const chatId of unsynced)
      if (!unfinished.has(chatId) && !Object.hasOwn(answer.seq, chatId) && isApplicable(chatId)) this.removeChat(chatId);
    const chatsById = new Map(answer.chats.map((chat) => [chat._id, chat]));
    for (const chatId of answer.reset) if (isApplicable(chatId)) this.resetChat(chatId, chatsById.get(chatId));
    for (const chat of answer.chats) if (isApplicable(chat._id)) this.putChat(chat);
    for (const [chatId, seq] of Object.entries(answer.seq)) {
      const local = this.localChats.get(chatId);
      if (local === undefined || !isApplicable(chatId)) continue;
      const isContinuation = Object.hasOwn(since, chatId) && !answer.reset.includes(chatId);
      this.applyMessages(local, isContinuation, {
        messages: answer.messages[chatId] ?? [],
        seq,
        lastN: chatsById.get(chatId)?.lastN ?? local.lastN,
      });
      local.isContiguous = !unfinished.has(chatId);
      if (local.isContiguous) local.window.closeGaps();
      this.context.onDirty(chatId);
    }
    for (const [chatId, receipts] of Object.entries(answer.receipts)) {
      for (const receipt of receipts) if (isApplicable(chatId)) this.onReceipt({ chatId, ...receipt });
    }
    for (const [chatId, own] of Object.entries(answer.own)) if (isApplicable(chatId)) this.applyOwnPart(chatId, own);
    for (const { _id } of answer.chats) this.emitChat(_id);
    return answer.more.length > 0 || changedMeanwhile.size > 0;
  }

  private applyOwnPart(chatId: string, own: OwnPart): void {
    const local = this.localChats.get(chatId);
    if (local === undefined || !local.applyOwnPart(own)) return;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
  }

  /** Ends the first sync: from now on, unknown messages cause `message` events. */
  markSynced(): void {
    this.hasSynced = true;
  }

  /** @param page  `lastN` as of the answer, which the chat may be ahead of. A new window without messages begins after it. */
  private applyMessages(
    local: LocalChat,
    isContinuation: boolean,
    page: { messages: readonly Message[]; seq: number; lastN: number },
  ): void {
    const { messages, seq, lastN } = page;
    if (isContinuation) for (const message of messages) this.putMessage(local, message);
    else {
      for (const message of messages) this.fromThisConnection.add(message);
      const before = new Set(local.window.messages);
      local.window.restart(messages, lastN + 1);
      for (const message of local.window.messages) {
        const wasPending = this.confirmIfOwn(message);
        if (wasPending || (this.hasSynced && !before.has(message))) this.emitMessage(local, message, wasPending, "message");
      }
    }
    local.seq = Math.max(local.seq ?? 0, seq);
  }

  /** Applies a live message. @returns whether messages before it are missing */
  onMessage(message: Message): boolean {
    const local = this.localChats.get(message.chatId);
    if (local === undefined) {
      this.changedSinceQuery.add(message.chatId);
      return true;
    }
    const result = this.putMessage(local, message);
    const follows = message.n <= local.window.contiguousUpTo;
    if (!follows) local.isContiguous = false;
    else if (local.isContiguous && local.seq !== undefined) local.seq = Math.max(local.seq, message.seq);
    this.context.onDirty(message.chatId);
    if (result !== "stale") this.emitChat(message.chatId);
    return !follows;
  }

  /** Applies the message that the server returned for a request. */
  applyMessageResponse(message: Message): void {
    const local = this.localChats.get(message.chatId);
    if (local === undefined) this.context.confirmSent(message);
    else if (this.putMessage(local, message) !== "stale") {
      this.context.onDirty(message.chatId);
      this.emitChat(message.chatId);
    }
  }

  /** Applies a chat from an event or a response. @returns whether a sync is needed */
  onChatChanged(chat: IncomingEvents["chatChanged"]): boolean {
    const local = this.localChats.get(chat._id);
    const isKnown = local !== undefined;
    // Settings have no sequence number: of two concurrent changes, the event that arrives last may carry the older one.
    const isDoubtful = isKnown && "unread" in chat && local.hasDifferentSettings(chat);
    if (isKnown && "unread" in chat) this.changedSinceQuery.add(chat._id);
    if (isKnown || "unread" in chat) {
      this.putChat(chat as Chat);
      this.context.onDirty(chat._id);
      this.emitChat(chat._id);
    }
    return !isKnown || isDoubtful;
  }

  /** Compares the server's last `seq` of each chat. @returns whether changes are missing */
  onPositions(heads: IncomingEvents["positions"]): boolean {
    let isBehind = false;
    for (const [chatId, seq] of Object.entries(heads)) {
      const local = this.localChats.get(chatId);
      if ((local?.seq ?? -1) >= seq) continue;
      if (local !== undefined) local.isContiguous = false;
      isBehind = true;
    }
    return isBehind;
  }

  onReceipt({ chatId, ...receipt }: IncomingEvents["receipt"]): void {
    const local = this.localChats.get(chatId);
    if (local === undefined) return;
    const before = local.watermarks.of(receipt.userId);
    const states = this.ownMessagesBetween(local, Math.min(before.readN, before.deliveredN), Math.max(receipt.readN, receipt.deliveredN));
    if (!local.watermarks.raise([receipt])) return;
    this.context.emit("receipt", { chatId, ...local.watermarks.of(receipt.userId) });
    for (const [message, state] of states) {
      const now = this.messageView(local, message);
      if (now.state !== state) this.context.emit("messageChanged", now);
    }
    if (receipt.userId === this.context.myId) this.emitChat(chatId);
    this.context.onDirty(chatId);
  }

  /** The user's own messages with `n` in `(after, upTo]`, each with its state. */
  private ownMessagesBetween(local: LocalChat, after: number, upTo: number): (readonly [Message, MessageView["state"]])[] {
    return local.window.messages
      .filter(({ senderId, n }) => senderId === this.context.myId && n > after && n <= upTo)
      .map((message) => [message, this.messageView(local, message).state]);
  }

  /** Sets the user's read mark locally. @returns whether it rose, so that the server must be notified */
  markRead(chatId: string, n: number): boolean {
    const local = this.localChats.get(chatId);
    const upTo = Math.min(n, local?.lastN ?? 0);
    if (local === undefined || upTo <= local.readN) return false;
    local.pendingReadN = upTo;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
    return true;
  }

  /** Applies the server's answer to a read mark. */
  onReadConfirmed(chatId: string, readN: number, unread: number): void {
    const local = this.localChats.get(chatId);
    if (local === undefined) return;
    local.applyUnread(readN, unread);
    if ((local.pendingReadN ?? 0) <= readN) local.pendingReadN = undefined;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
  }

  /** Drops a read mark that the server refused. */
  onReadRefused(chatId: string): void {
    const local = this.localChats.get(chatId);
    if (local === undefined) return;
    local.pendingReadN = undefined;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
  }

  /** Removes a chat that the user is no longer a member of. */
  removeChat(chatId: string): void {
    this.changedSinceQuery.add(chatId);
    if (!this.localChats.delete(chatId)) return;
    this.context.onDirty(chatId);
    this.context.emit("chatRemoved", { chatId });
  }

  messageView(local: LocalChat, message: Message): MessageView {
    return {
      ...message,
      ...local.watermarks.readers(local.serverChat, message),
      state: message.senderId === this.context.myId ? local.watermarks.deliveryState(local.serverChat, message) : "sent",
    };
  }

  emitChat(chatId: string): void {
    const local = this.localChats.get(chatId);
    if (local !== undefined) this.context.emit("chat", local.view);
  }

  private putChat(chat: Chat): void {
    const local = this.localChats.get(chat._id);
    if (local === undefined) this.localChats.set(chat._id, new LocalChat(chat, this.context.myId));
    else if (local.isVoid && "unread" in chat) this.restartChat(local, chat);
    else local.applyChat(chat);
  }

  /** @param chat  the chat after the user was added again or the server was restored, if the answer includes it */
  private resetChat(chatId: string, chat: Chat | undefined): void {
    const local = this.localChats.get(chatId);
    if (local === undefined) return;
    this.restartChat(local, chat);
    this.context.onDirty(chatId);
    this.context.emit("chatReset", { chatId });
  }

  private restartChat(local: LocalChat, chat: Chat | undefined): void {
    const replacement = new LocalChat(chat ?? local.confirmedView, this.context.myId);
    replacement.isVoid = chat === undefined;
    // Live messages that arrived while the answer was pending may be newer than the answer.
    const isStillValid = (message: Message) => this.fromThisConnection.has(message) && (chat === undefined || message.n > chat.joinedN);
    for (const message of local.window.messages) if (isStillValid(message)) replacement.window.put(message);
    this.localChats.set(replacement.serverChat._id, replacement);
  }

  private confirmIfOwn(message: Message): boolean {
    return message.senderId === this.context.myId && this.context.confirmSent(message);
  }

  private putMessage(local: LocalChat, message: Message): PutResult {
    const wasPending = this.confirmIfOwn(message);
    this.fromThisConnection.add(message);
    const result = local.window.put(message);
    if (result === "new") this.emitMessage(local, message, wasPending, "message");
    else if (result === "changed" || wasPending) this.emitMessage(local, message, wasPending, "messageChanged");
    return result;
  }

  private emitMessage(local: LocalChat, message: Message, wasPending: boolean, event: "message" | "messageChanged"): void {
    this.context.emit(wasPending ? "messageChanged" : event, this.messageView(local, message));
  }
}
