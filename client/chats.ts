/**
 * All chats as this client holds them, and how what comes from the server changes them: answers to `subscribe` and `sync`, live
 * events, in any order and any number of times. Nothing here waits, asks or stores.
 *
 * The rule that nothing is missed rests on: a chat's `seq` rises only by an answer that is whole up to it, and by live events that
 * follow such an answer. What comes otherwise - an acknowledgement, an answer over HTTP - is a newer state, and no progress.
 */
import type { Chat, Heard, Message, OwnPart, Since, SyncAnswer } from "./documents.ts";
import { HeldChat } from "./held-chat.ts";
import type { Outgoing } from "./outbox.ts";
import type { ChatRecord } from "./storage.ts";
import type { Fate } from "./watermarks.ts";

/** A message in a chat's view. One of one's own that is not stored yet has `n` and `seq` 0 and no `_id`. */
export interface MessageView extends Message {
  /** Of one's own; anyone else's is `sent`. */
  readonly state: "sending" | "failed" | Fate;
  /** Why it failed. */
  readonly failure?: Outgoing["failure"];
}

export interface ChatEvents {
  readonly message: MessageView;
  /** Edited, deleted, reacted to, or its state is another. */
  readonly messageChanged: MessageView;
  /** New, or its view is another: also by a message. */
  readonly chat: Chat;
  readonly chatRemoved: { readonly chatId: string };
  /** What was held of its messages is void: read them again. */
  readonly chatReset: { readonly chatId: string };
  readonly receipt: Heard["receipt"];
}

export interface ChatsParts {
  readonly myId: string;
  emit<K extends keyof ChatEvents>(event: K, data: ChatEvents[K]): void;
  /** A message of one's own is stored. @returns whether it was waited for here */
  readonly settle: (message: Message) => boolean;
  /** What is held of this chat is another, and is to be saved. */
  readonly onTouched: (chatId: string) => void;
}

/** What was known when an answer was asked for. */
export interface Question {
  readonly since: Since;
  /** Known chats without a beginning. */
  readonly fresh: readonly string[];
}

export class Chats {
  private readonly parts: ChatsParts;
  private readonly held = new Map<string, HeldChat>();
  /** Chats left, joined or not known when something was heard of them, while an answer is under way: it may be from before. */
  private readonly doubtful = new Set<string>();
  /** States that came on this connection: no restore of the server lies between them and its answers. */
  private current = new WeakSet<Message>();
  /** What was there when the client came for the first time is told without a `message` each. */
  private hasBegun = false;

  constructor(parts: ChatsParts) {
    this.parts = parts;
  }

  get(chatId: string): HeldChat | undefined {
    return this.held.get(chatId);
  }

  get ids(): readonly string[] {
    return [...this.held.keys()];
  }

  /** One's own message that is held under this clientId. */
  find(chatId: string, clientId: string): Message | undefined {
    const isIt = (message: Message) => message.clientId === clientId && message.senderId === this.parts.myId;
    return this.held.get(chatId)?.log.messages.findLast(isIt);
  }

  /** Takes over what was held before. */
  restore({ chat, seq, messages, wantedN }: ChatRecord): void {
    const held = new HeldChat(chat, this.parts.myId);
    held.wantedN = wantedN;
    held.log.restart(messages, chat.lastN + 1);
    held.seq = seq;
    this.held.set(chat._id, held);
    this.hasBegun = true;
  }

  /** There is no connection: what is heard next does not follow. */
  pause(): void {
    this.current = new WeakSet();
    for (const held of this.held.values()) held.isFollowing = false;
  }

  /** What to ask for; one answer at a time. */
  question(): Question {
    this.doubtful.clear();
    const entries = [...this.held].map(([chatId, { seq }]) => [chatId, seq] as const);
    const since = Object.fromEntries(entries.filter((entry): entry is readonly [string, number] => entry[1] !== undefined));
    return { since, fresh: entries.flatMap(([chatId, seq]) => (seq === undefined ? [chatId] : [])) };
  }

  /** @returns whether there is more to ask for */
  answer({ since, fresh }: Question, answer: SyncAnswer): boolean {
    const isOpen = new Set(answer.more);
    const doubtful = new Set(this.doubtful);
    const isCurrent = (chatId: string) => !doubtful.has(chatId);
    for (const chatId of answer.removed) if (isCurrent(chatId)) this.drop(chatId);
    for (const chatId of fresh) if (!isOpen.has(chatId) && !Object.hasOwn(answer.seq, chatId) && isCurrent(chatId)) this.drop(chatId);
    const told = new Map(answer.chats.map((chat) => [chat._id, chat]));
    for (const chatId of answer.reset) if (isCurrent(chatId)) this.reset(chatId, told.get(chatId));
    for (const chat of answer.chats) if (isCurrent(chat._id)) this.hold(chat);
    for (const [chatId, seq] of Object.entries(answer.seq)) {
      const held = this.held.get(chatId);
      if (held === undefined || !isCurrent(chatId)) continue;
      const hasBeginning = Object.hasOwn(since, chatId) && !answer.reset.includes(chatId);
      this.advance(held, hasBeginning, { messages: answer.messages[chatId] ?? [], seq, lastN: told.get(chatId)?.lastN ?? held.lastN });
      held.isFollowing = !isOpen.has(chatId);
      if (held.isFollowing) held.log.close();
      this.parts.onTouched(chatId);
    }
    for (const [chatId, receipts] of Object.entries(answer.receipts)) {
      for (const receipt of receipts) if (isCurrent(chatId)) this.receipt({ chatId, ...receipt });
    }
    for (const [chatId, own] of Object.entries(answer.own)) if (isCurrent(chatId)) this.tellOwn(chatId, own);
    for (const { _id } of answer.chats) this.show(_id);
    return answer.more.length > 0 || doubtful.size > 0;
  }

  private tellOwn(chatId: string, own: OwnPart): void {
    const held = this.held.get(chatId);
    if (held === undefined || !held.tellOwn(own)) return;
    this.parts.onTouched(chatId);
    this.show(chatId);
  }

  /** What is not known from here on is news. */
  begin(): void {
    this.hasBegun = true;
  }

  /** @param told  `lastN` as of the answer: what is held may be newer, and begins after it where the answer has no messages */
  private advance(held: HeldChat, hasBeginning: boolean, told: { messages: readonly Message[]; seq: number; lastN: number }): void {
    const { messages, seq, lastN } = told;
    if (hasBeginning) for (const message of messages) this.take(held, message);
    else {
      for (const message of messages) this.current.add(message);
      const before = new Set(held.log.messages);
      held.log.restart(messages, lastN + 1);
      for (const message of held.log.messages) {
        const wasPending = this.isMineSettled(message);
        if (wasPending || (this.hasBegun && !before.has(message))) this.announce(held, message, wasPending, "message");
      }
    }
    held.seq = Math.max(held.seq ?? 0, seq);
  }

  /** A message that came live. @returns whether something is missing before it */
  hear(message: Message): boolean {
    const held = this.held.get(message.chatId);
    if (held === undefined) {
      this.doubtful.add(message.chatId);
      return true;
    }
    const put = this.take(held, message);
    const follows = message.n <= held.log.solid;
    if (!follows) held.isFollowing = false;
    else if (held.isFollowing && held.seq !== undefined) held.seq = Math.max(held.seq, message.seq);
    this.parts.onTouched(message.chatId);
    if (put !== "old") this.show(message.chatId);
    return !follows;
  }

  /** A message's state that an act of one's own was answered with. */
  learn(message: Message): void {
    const held = this.held.get(message.chatId);
    if (held === undefined) this.parts.settle(message);
    else if (this.take(held, message) !== "old") {
      this.parts.onTouched(message.chatId);
      this.show(message.chatId);
    }
  }

  /** @returns whether it has to be asked for: it is not known well enough */
  chatChanged(chat: Heard["chatChanged"]): boolean {
    const held = this.held.get(chat._id);
    const isKnown = held !== undefined;
    // Settings bear no number: of two changes at once, what was told last may be older than what the store has.
    const isDoubtful = isKnown && "unread" in chat && held.hasOtherSettings(chat);
    if (isKnown && "unread" in chat) this.doubtful.add(chat._id);
    if (isKnown || "unread" in chat) {
      this.hold(chat as Chat);
      this.parts.onTouched(chat._id);
      this.show(chat._id);
    }
    return !isKnown || isDoubtful;
  }

  /** @returns whether something is missing */
  positions(heads: Heard["positions"]): boolean {
    let isBehind = false;
    for (const [chatId, seq] of Object.entries(heads)) {
      const held = this.held.get(chatId);
      if ((held?.seq ?? -1) >= seq) continue;
      if (held !== undefined) held.isFollowing = false;
      isBehind = true;
    }
    return isBehind;
  }

  receipt({ chatId, ...receipt }: Heard["receipt"]): void {
    const held = this.held.get(chatId);
    if (held === undefined) return;
    const before = held.marks.of(receipt.userId);
    const states = this.mine(held, Math.min(before.readN, before.deliveredN), Math.max(receipt.readN, receipt.deliveredN));
    if (!held.marks.raise([receipt])) return;
    this.parts.emit("receipt", { chatId, ...held.marks.of(receipt.userId) });
    for (const [message, state] of states) {
      const now = this.view(held, message);
      if (now.state !== state) this.parts.emit("messageChanged", now);
    }
    if (receipt.userId === this.parts.myId) this.show(chatId);
    this.parts.onTouched(chatId);
  }

  /** One's own messages in `(after, upTo]`, with their state. */
  private mine(held: HeldChat, after: number, upTo: number): (readonly [Message, MessageView["state"]])[] {
    return held.log.messages
      .filter(({ senderId, n }) => senderId === this.parts.myId && n > after && n <= upTo)
      .map((message) => [message, this.view(held, message).state]);
  }

  /** One has read up to `n`. @returns whether the server is to be told */
  want(chatId: string, n: number): boolean {
    const held = this.held.get(chatId);
    const upTo = Math.min(n, held?.lastN ?? 0);
    if (held === undefined || upTo <= held.readN) return false;
    held.wantedN = upTo;
    this.parts.onTouched(chatId);
    this.show(chatId);
    return true;
  }

  /** The server has raised the read mark. */
  marked(chatId: string, readN: number, unread: number): void {
    const held = this.held.get(chatId);
    if (held === undefined) return;
    held.tellUnread(readN, unread);
    if ((held.wantedN ?? 0) <= readN) held.wantedN = undefined;
    this.parts.onTouched(chatId);
    this.show(chatId);
  }

  /** The server will not raise the read mark. */
  unwant(chatId: string): void {
    const held = this.held.get(chatId);
    if (held === undefined) return;
    held.wantedN = undefined;
    this.parts.onTouched(chatId);
    this.show(chatId);
  }

  /** One is not a member any more. */
  drop(chatId: string): void {
    this.doubtful.add(chatId);
    if (!this.held.delete(chatId)) return;
    this.parts.onTouched(chatId);
    this.parts.emit("chatRemoved", { chatId });
  }

  view(held: HeldChat, message: Message): MessageView {
    return { ...message, ...held.marks.readers(held.told, message), state: held.marks.fate(held.told, message) };
  }

  show(chatId: string): void {
    const held = this.held.get(chatId);
    if (held !== undefined) this.parts.emit("chat", held.view);
  }

  private hold(chat: Chat): void {
    const held = this.held.get(chat._id);
    if (held === undefined) this.held.set(chat._id, new HeldChat(chat, this.parts.myId));
    else if (held.isVoid && "unread" in chat) this.restart(held, chat);
    else held.tell(chat);
  }

  /** @param chat  as it is since one was added again or the server was restored, where the answer has it */
  private reset(chatId: string, chat: Chat | undefined): void {
    const held = this.held.get(chatId);
    if (held === undefined) return;
    this.restart(held, chat);
    this.parts.onTouched(chatId);
    this.parts.emit("chatReset", { chatId });
  }

  private restart(held: HeldChat, chat: Chat | undefined): void {
    const again = new HeldChat(chat ?? held.confirmed, this.parts.myId);
    again.isVoid = chat === undefined;
    // Heard live while the answer was under way: it may be newer than that.
    const isStill = (message: Message) => this.current.has(message) && (chat === undefined || message.n > chat.joinedN);
    for (const message of held.log.messages) if (isStill(message)) again.log.put(message);
    this.held.set(again.told._id, again);
  }

  private isMineSettled(message: Message): boolean {
    return message.senderId === this.parts.myId && this.parts.settle(message);
  }

  private take(held: HeldChat, message: Message): "new" | "changed" | "old" | "outside" {
    const wasPending = this.isMineSettled(message);
    this.current.add(message);
    const put = held.log.put(message);
    if (put === "new") this.announce(held, message, wasPending, "message");
    else if (put === "changed" || wasPending) this.announce(held, message, wasPending, "messageChanged");
    return put;
  }

  private announce(held: HeldChat, message: Message, wasPending: boolean, event: "message" | "messageChanged"): void {
    this.parts.emit(wasPending ? "messageChanged" : event, this.view(held, message));
  }
}
