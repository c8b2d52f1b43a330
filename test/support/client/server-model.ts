/**
 * Models what a server sends to one client, at random: numbered changes of chats, answers that arrive after they are computed, live events
 * in `seq` order after the answer that subscribed to them, and lost connections. Tests compare the client's chats with the model's.
 */
import { Chats, type ChatEvents, type SyncQuery } from "../../../client/chats/chats.ts";
import type { Message, SyncAnswer } from "../../../client/index.ts";
import { chatOf, me, member, message, other } from "./documents.ts";

const perAnswer = 7;
const newest = 5;

/** A chat on the server. Without a membership, the user has been removed. */
interface ModelChat {
  readonly chatId: string;
  seq: number;
  readonly messages: Message[];
  membership: { readonly joinedN: number; readonly joinedSeq: number } | undefined;
}
type ModelDelivery =
  | { readonly kind: "event"; readonly message: Message }
  | { readonly kind: "removed" | "added"; readonly chatId: string }
  | { readonly kind: "answer"; readonly query: SyncQuery; readonly answer: SyncAnswer }
  | { readonly kind: "positions"; readonly heads: Record<string, number> };

export class ServerModel {
  readonly serverChats: readonly ModelChat[];
  readonly chats: Chats;
  /** The events that the client emitted, except `chat`. */
  readonly emittedEvents: { readonly event: keyof ChatEvents; readonly chatId: string; readonly n: number }[] = [];
  private readonly random: () => number;
  private readonly queue: ModelDelivery[] = [];
  private readonly subscriptions = new Set<string>();
  private isConnected = false;
  private isQuiet = false;
  /** A query is pending. */
  private isRequesting = false;
  private isSyncNeeded = false;

  constructor(random: () => number, chatCount: number) {
    this.random = random;
    this.serverChats = Array.from({ length: chatCount }, (_, index) => ({
      chatId: index.toString(16).padStart(24, "0"),
      seq: 0,
      messages: [],
      membership: { joinedN: 0, joinedSeq: 0 },
    }));
    this.chats = new Chats({
      myId: me,
      emit: (event, data) => {
        if (event === "chat") return;
        const { chatId, n = 0 } = data as { chatId: string; n?: number };
        this.emittedEvents.push({ event, chatId, n });
      },
      confirmSent: () => false,
      onDirty: () => undefined,
    });
  }

  /** Performs one random step of the server, the network or the client. */
  step(): void {
    const serverChat = this.serverChats[this.below(this.serverChats.length)]!;
    const dice = this.random();
    if (dice < 0.52) this.changeAtRandom(serverChat);
    else if (dice < 0.53) this.cut();
    else if (dice < 0.56) this.sendPositions();
    else if (dice < 0.6) this.answerOwnRequest(serverChat);
    else if (!this.isConnected) this.connect();
    else this.deliverNext();
  }

  /** Delivers everything. */
  deliverAll(): void {
    if (!this.isConnected) this.connect();
    // Changes happen while this is delivered. After them the server sends the positions once more.
    while (this.queue.length > 0) this.deliverNext();
    this.isQuiet = true;
    this.sendPositions();
    while (this.queue.length > 0) this.deliverNext();
  }

  /** States up to the client's resume position that it does not hold, from its oldest message on. */
  missing({ chatId, messages, membership }: ModelChat): readonly Message[] {
    const local = this.chats.get(chatId);
    if (local?.seq === undefined || membership === undefined || local.seq < membership.joinedSeq) return [];
    const states = new Set(local.window.messages.map(({ seq }) => seq));
    const from = Math.max(local.window.first ?? 1, membership.joinedN + 1);
    return messages.slice(from - 1).filter(({ seq }) => seq <= local.seq! && !states.has(seq));
  }

  isMember({ membership }: ModelChat): boolean {
    return membership !== undefined;
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private change(serverChat: ModelChat, n: number, text: string): void {
    const { chatId } = serverChat;
    const state = message({ n, seq: ++serverChat.seq, chatId, text, _id: `${chatId.slice(12)}${n.toString(16).padStart(12, "0")}` });
    serverChat.messages[n - 1] = state;
    if (this.subscriptions.has(chatId)) this.queue.push({ kind: "event", message: state });
  }
  private changeAtRandom(serverChat: ModelChat): void {
    const dice = this.random();
    if (dice < 0.57) this.post(serverChat);
    else if (dice < 0.95) this.edit(serverChat);
    else if (this.isMember(serverChat)) this.remove(serverChat);
    else this.add(serverChat);
  }
  private post(serverChat: ModelChat): void {
    this.change(serverChat, serverChat.messages.length + 1, `new ${serverChat.seq}`);
  }
  private edit(serverChat: ModelChat): void {
    const { joinedN } = serverChat.membership ?? { joinedN: 0 };
    if (serverChat.messages.length > joinedN)
      this.change(serverChat, joinedN + 1 + this.below(serverChat.messages.length - joinedN), `edit ${serverChat.seq}`);
  }
  private remove(serverChat: ModelChat): void {
    serverChat.seq++;
    serverChat.membership = undefined;
    if (this.subscriptions.delete(serverChat.chatId)) this.queue.push({ kind: "removed", chatId: serverChat.chatId });
  }
  private add(serverChat: ModelChat): void {
    const { chatId } = serverChat;
    serverChat.membership = { joinedN: serverChat.messages.length, joinedSeq: serverChat.seq + 1 };
    if (this.isConnected) {
      this.queue.push({ kind: "added", chatId });
      this.subscriptions.add(chatId);
    }
    this.post(serverChat);
  }

  private cut(): void {
    this.isConnected = this.isRequesting = this.isSyncNeeded = false;
    this.queue.length = 0;
    this.subscriptions.clear();
    this.chats.onDisconnected();
  }
  private connect(): void {
    this.isConnected = true;
    this.request();
  }
  private sendPositions(): void {
    if (!this.isConnected) return;
    const heads = this.serverChats.filter(({ chatId }) => this.subscriptions.has(chatId)).map(({ chatId, seq }) => [chatId, seq] as const);
    this.queue.push({ kind: "positions", heads: Object.fromEntries(heads) });
  }

  /** Answers a request of the user's own before its event arrives. */
  private answerOwnRequest({ membership, messages }: ModelChat): void {
    const state = messages[this.below(messages.length)];
    if (state !== undefined && membership !== undefined && state.n > membership.joinedN) this.chats.applyMessageResponse(state);
  }

  private request(): void {
    this.isRequesting = true;
    this.isSyncNeeded = false;
    const query = this.chats.syncQuery();
    const answer = this.answer(query);
    // Changes between computing and sending the answer are delivered before it.
    for (let i = this.isQuiet ? 0 : this.below(3); i > 0; i--) this.changeAtRandom(this.serverChats[this.below(this.serverChats.length)]!);
    this.queue.push({ kind: "answer", query, answer });
    this.subscribe(answer);
  }

  private answer({ since }: SyncQuery): SyncAnswer {
    const joined = this.serverChats.filter((serverChat) => this.isMember(serverChat));
    const reset = joined.filter(({ chatId, membership }) => (since[chatId] ?? Infinity) > 0 && since[chatId]! < membership!.joinedSeq);
    const isReset = new Set(reset.map(({ chatId }) => chatId));
    const pages = joined.map((serverChat) => {
      const visible = serverChat.messages.filter(({ n }) => n > serverChat.membership!.joinedN);
      const from = isReset.has(serverChat.chatId) ? undefined : since[serverChat.chatId];
      const changes = visible.filter(({ seq }) => seq > (from ?? 0)).sort((a, b) => a.seq - b.seq);
      const page = from === undefined ? visible.slice(-newest) : changes.slice(0, perAnswer);
      const more = from !== undefined && changes.length > perAnswer;
      return { serverChat, page, more, seq: more ? page.at(-1)!.seq : serverChat.seq };
    });
    const reached = pages.filter((_, index) => index < 2 || this.random() < 0.7);
    const named = Object.keys(since);
    return {
      chats: reached.map(({ serverChat }) => this.view(serverChat)),
      messages: Object.fromEntries(reached.map(({ serverChat, page }) => [serverChat.chatId, page])),
      seq: Object.fromEntries(reached.map(({ serverChat, seq }) => [serverChat.chatId, seq])),
      more: pages.filter((part) => part.more || !reached.includes(part)).map(({ serverChat }) => serverChat.chatId),
      removed: named.filter((chatId) => !joined.some((serverChat) => serverChat.chatId === chatId)),
      reset: [...isReset],
      receipts: {},
      own: {},
    };
  }

  private view({ chatId, seq, messages, membership }: ModelChat) {
    const { joinedN } = membership!;
    return chatOf({ _id: chatId, lastSeq: seq, lastN: messages.length, joinedN, members: [member(me, { joinedN }), member(other)] });
  }

  /** Subscribes the socket at the end of the answer: later changes are sent after it. */
  private subscribe({ seq, more }: SyncAnswer): void {
    for (const serverChat of this.serverChats) {
      const from = seq[serverChat.chatId];
      if (from === undefined || more.includes(serverChat.chatId) || this.subscriptions.has(serverChat.chatId)) continue;
      if (!this.isMember(serverChat)) {
        this.queue.push({ kind: "removed", chatId: serverChat.chatId });
        continue;
      }
      this.subscriptions.add(serverChat.chatId);
      const missed = serverChat.messages.filter((state) => state.seq > from && state.n > serverChat.membership!.joinedN);
      for (const state of missed.sort((a, b) => a.seq - b.seq)) this.queue.push({ kind: "event", message: state });
    }
  }

  private deliverNext(): void {
    const item = this.queue.shift();
    if (item === undefined) return;
    if (this.applyDelivery(item)) this.isSyncNeeded = true;
    if (item.kind === "answer") this.isRequesting = false;
    if (this.isSyncNeeded && !this.isRequesting) this.request();
  }

  /** @returns whether a sync is needed */
  private applyDelivery(item: ModelDelivery): boolean {
    if (item.kind === "answer") return this.chats.applyAnswer(item.query, item.answer);
    if (item.kind === "positions") return this.chats.onPositions(item.heads);
    if (item.kind === "event") {
      const isMissing = this.chats.onMessage(item.message);
      return this.random() < 0.05 ? this.chats.onMessage(item.message) : isMissing; // sometimes twice
    }
    if (item.kind === "removed") {
      this.chats.removeChat(item.chatId);
      return false;
    }
    const serverChat = this.serverChats.find(({ chatId }) => chatId === item.chatId)!;
    return this.isMember(serverChat) && this.chats.onChatChanged(this.view(serverChat));
  }
}
