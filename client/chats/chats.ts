/**
 * All chats as this client holds them, and how what comes from the server changes them: answers to `subscribe` and `sync`, live
 * events, in any order and any number of times. Nothing here waits, asks or stores.
 *
 * The rule that nothing is missed rests on: a chat's `seq` rises only by an answer that is whole up to it, and by live events that
 * follow such an answer. What comes otherwise - an acknowledgement, an answer over HTTP - is a newer state, and no progress.
 */
import type { Chat, Message, OwnPart, Since, SyncAnswer } from "../documents.ts";
import type { IncomingEvents } from "../incoming-events.ts";
import { LocalChat } from "./local-chat.ts";
import type { ChatRecord } from "../storage/records.ts";
import type { MessageView } from "./message-view.ts";

export interface ChatEvents {
  readonly message: MessageView;
  /** Edited, deleted, reacted to, or its state is another. */
  readonly messageChanged: MessageView;
  /** New, or its view is another: also by a message. */
  readonly chat: Chat;
  readonly chatRemoved: { readonly chatId: string };
  /** What was held of its messages is void: read them again. */
  readonly chatReset: { readonly chatId: string };
  readonly receipt: IncomingEvents["receipt"];
}

export interface ChatsContext {
  readonly myId: string;
  emit<K extends keyof ChatEvents>(event: K, data: ChatEvents[K]): void;
  /** A message of one's own is stored. @returns whether it was waited for here */
  readonly confirmSent: (message: Message) => boolean;
  /** What is held of this chat is another, and is to be saved. */
  readonly onDirty: (chatId: string) => void;
}

/** What was known when an answer was asked for. */
export interface SyncQuery {
  readonly since: Since;
  /** Known chats without a beginning. */
  readonly unsynced: readonly string[];
}

export class Chats {
  private readonly context: ChatsContext;
  private readonly localChats = new Map<string, LocalChat>();
  /** Chats left, joined or not known when something was heard of them, while an answer is under way: it may be from before. */
  private readonly changedSinceQuery = new Set<string>();
  /** States that came on this connection: no restore of the server lies between them and its answers. */
  private fromThisConnection = new WeakSet<Message>();
  /** What was there when the client came for the first time is told without a `message` each. */
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

  /** One's own message that is held under this clientId. */
  findOwnMessage(chatId: string, clientId: string): Message | undefined {
    const isMatch = (message: Message) => message.clientId === clientId && message.senderId === this.context.myId;
    return this.localChats.get(chatId)?.window.messages.findLast(isMatch);
  }

  /** Takes over what was held before. */
  restore({ chat, seq, messages, wantedN }: ChatRecord): void {
    const local = new LocalChat(chat, this.context.myId);
    local.pendingReadN = wantedN;
    local.window.restart(messages, chat.lastN + 1);
    local.seq = seq;
    this.localChats.set(chat._id, local);
    this.hasSynced = true;
  }

  /** There is no connection: what is heard next does not follow. */
  onDisconnected(): void {
    this.fromThisConnection = new WeakSet();
    for (const local of this.localChats.values()) local.isContiguous = false;
  }

  /** What to ask for; one answer at a time. */
  syncQuery(): SyncQuery {
    this.changedSinceQuery.clear();
    const entries = [...this.localChats].map(([chatId, { seq }]) => [chatId, seq] as const);
    const since = Object.fromEntries(entries.filter((entry): entry is readonly [string, number] => entry[1] !== undefined));
    return { since, unsynced: entries.flatMap(([chatId, seq]) => (seq === undefined ? [chatId] : [])) };
  }

  /** @returns whether there is more to ask for */
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

  /** What is not known from here on is news. */
  markSynced(): void {
    this.hasSynced = true;
  }

  /** @param page  `lastN` as of the answer: what is held may be newer, and begins after it where the answer has no messages */
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

  /** A message that came live. @returns whether something is missing before it */
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
    if (result !== "old") this.emitChat(message.chatId);
    return !follows;
  }

  /** A message's state that an act of one's own was answered with. */
  applyMessageResponse(message: Message): void {
    const local = this.localChats.get(message.chatId);
    if (local === undefined) this.context.confirmSent(message);
    else if (this.putMessage(local, message) !== "old") {
      this.context.onDirty(message.chatId);
      this.emitChat(message.chatId);
    }
  }

  /** @returns whether it has to be asked for: it is not known well enough */
  onChatChanged(chat: IncomingEvents["chatChanged"]): boolean {
    const local = this.localChats.get(chat._id);
    const isKnown = local !== undefined;
    // Settings bear no number: of two changes at once, what was told last may be older than what the store has.
    const isDoubtful = isKnown && "unread" in chat && local.hasDifferentSettings(chat);
    if (isKnown && "unread" in chat) this.changedSinceQuery.add(chat._id);
    if (isKnown || "unread" in chat) {
      this.putChat(chat as Chat);
      this.context.onDirty(chat._id);
      this.emitChat(chat._id);
    }
    return !isKnown || isDoubtful;
  }

  /** @returns whether something is missing */
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

  /** One's own messages in `(after, upTo]`, with their state. */
  private ownMessagesBetween(local: LocalChat, after: number, upTo: number): (readonly [Message, MessageView["state"]])[] {
    return local.window.messages
      .filter(({ senderId, n }) => senderId === this.context.myId && n > after && n <= upTo)
      .map((message) => [message, this.messageView(local, message).state]);
  }

  /** One has read up to `n`. @returns whether the server is to be told */
  markRead(chatId: string, n: number): boolean {
    const local = this.localChats.get(chatId);
    const upTo = Math.min(n, local?.lastN ?? 0);
    if (local === undefined || upTo <= local.readN) return false;
    local.pendingReadN = upTo;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
    return true;
  }

  /** The server has raised the read mark. */
  onReadConfirmed(chatId: string, readN: number, unread: number): void {
    const local = this.localChats.get(chatId);
    if (local === undefined) return;
    local.applyUnread(readN, unread);
    if ((local.pendingReadN ?? 0) <= readN) local.pendingReadN = undefined;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
  }

  /** The server will not raise the read mark. */
  onReadRefused(chatId: string): void {
    const local = this.localChats.get(chatId);
    if (local === undefined) return;
    local.pendingReadN = undefined;
    this.context.onDirty(chatId);
    this.emitChat(chatId);
  }

  /** One is not a member any more. */
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

  /** @param chat  as it is since one was added again or the server was restored, where the answer has it */
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
    // Heard live while the answer was under way: it may be newer than that.
    const isStillValid = (message: Message) => this.fromThisConnection.has(message) && (chat === undefined || message.n > chat.joinedN);
    for (const message of local.window.messages) if (isStillValid(message)) replacement.window.put(message);
    this.localChats.set(replacement.serverChat._id, replacement);
  }

  private confirmIfOwn(message: Message): boolean {
    return message.senderId === this.context.myId && this.context.confirmSent(message);
  }

  private putMessage(local: LocalChat, message: Message): "new" | "changed" | "old" | "outside" {
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
