/**
 * A model of what a server does to one client's line, to be played at random: chats whose changes have numbers, answers that are
 * computed now and arrive later, live events in `seq` order behind the answer that seated them, cut connections. What the client
 * makes of it is compared with what there is.
 */
import { Chats, type ChatEvents, type SyncQuery } from "../../../client/chats/chats.ts";
import type { Message, SyncAnswer } from "../../../client/index.ts";
import { chatOf, me, member, message, other } from "./documents.ts";

const perAnswer = 7;
const newest = 5;

/** A chat on the server. Without a membership one has been removed. */
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
  /** What the client was told, but for `chat`. */
  readonly emittedEvents: { readonly event: keyof ChatEvents; readonly chatId: string; readonly n: number }[] = [];
  private readonly random: () => number;
  private readonly queue: ModelDelivery[] = [];
  private readonly subscriptions = new Set<string>();
  private isConnected = false;
  private isQuiet = false;
  /** A question is on its way. */
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

  /** A random moment of the server's, the network's or the client's day. */
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

  /** Lets everything arrive. */
  deliverAll(): void {
    if (!this.isConnected) this.connect();
    // Things happen while this arrives; then there is a pause, in which the server says once more where the chats are.
    while (this.queue.length > 0) this.deliverNext();
    this.isQuiet = true;
    this.sendPositions();
    while (this.queue.length > 0) this.deliverNext();
  }

  /** States that changed up to the client's resume position and that it does not hold, from its oldest message on. */
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

  /** An act of one's own is answered, before the event comes. */
  private answerOwnRequest({ membership, messages }: ModelChat): void {
    const state = messages[this.below(messages.length)];
    if (state !== undefined && membership !== undefined && state.n > membership.joinedN) this.chats.applyMessageResponse(state);
  }

  private request(): void {
    this.isRequesting = true;
    this.isSyncNeeded = false;
    const query = this.chats.syncQuery();
    const answer = this.answer(query);
    // The answer is computed; what happens until it is sent comes before it on the line.
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

  /** Sockets are seated where their answer ends: what came since is sent after it. */
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

  /** @returns whether there is something to ask for */
  private applyDelivery(item: ModelDelivery): boolean {
    if (item.kind === "answer") return this.chats.applyAnswer(item.query, item.answer);
    if (item.kind === "positions") return this.chats.onPositions(item.heads);
    if (item.kind === "event") {
      const isMissing = this.chats.onMessage(item.message);
      return this.random() < 0.05 ? this.chats.onMessage(item.message) : isMissing; // now and then twice
    }
    if (item.kind === "removed") {
      this.chats.removeChat(item.chatId);
      return false;
    }
    const serverChat = this.serverChats.find(({ chatId }) => chatId === item.chatId)!;
    return this.isMember(serverChat) && this.chats.onChatChanged(this.view(serverChat));
  }
}
