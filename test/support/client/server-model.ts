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
  | { readonly kind: "answer"; readonly question: SyncQuery; readonly answer: SyncAnswer }
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
  private isAsking = false;
  private isWanted = false;

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
    const truth = this.serverChats[this.below(this.serverChats.length)]!;
    const dice = this.random();
    if (dice < 0.52) this.changeAtRandom(truth);
    else if (dice < 0.53) this.cut();
    else if (dice < 0.56) this.tellPositions();
    else if (dice < 0.6) this.receiveMembership(truth);
    else if (!this.isConnected) this.connect();
    else this.deliverNext();
  }

  /** Lets everything arrive. */
  deliverAll(): void {
    if (!this.isConnected) this.connect();
    // Things happen while this arrives; then there is a pause, in which the server says once more where the chats are.
    while (this.queue.length > 0) this.deliverNext();
    this.isQuiet = true;
    this.tellPositions();
    while (this.queue.length > 0) this.deliverNext();
  }

  /** States that changed up to the client's resume position and that it does not hold, from its oldest message on. */
  missing({ chatId, messages, membership }: ModelChat): readonly Message[] {
    const held = this.chats.get(chatId);
    if (held?.seq === undefined || membership === undefined || held.seq < membership.joinedSeq) return [];
    const states = new Set(held.window.messages.map(({ seq }) => seq));
    const from = Math.max(held.window.first ?? 1, membership.joinedN + 1);
    return messages.slice(from - 1).filter(({ seq }) => seq <= held.seq! && !states.has(seq));
  }

  isMember({ membership }: ModelChat): boolean {
    return membership !== undefined;
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private change(truth: ModelChat, n: number, text: string): void {
    const { chatId } = truth;
    const state = message({ n, seq: ++truth.seq, chatId, text, _id: `${chatId.slice(12)}${n.toString(16).padStart(12, "0")}` });
    truth.messages[n - 1] = state;
    if (this.subscriptions.has(chatId)) this.queue.push({ kind: "event", message: state });
  }
  private changeAtRandom(truth: ModelChat): void {
    const dice = this.random();
    if (dice < 0.57) this.post(truth);
    else if (dice < 0.95) this.edit(truth);
    else if (this.isMember(truth)) this.remove(truth);
    else this.add(truth);
  }
  private post(truth: ModelChat): void {
    this.change(truth, truth.messages.length + 1, `new ${truth.seq}`);
  }
  private edit(truth: ModelChat): void {
    const { joinedN } = truth.membership ?? { joinedN: 0 };
    if (truth.messages.length > joinedN) this.change(truth, joinedN + 1 + this.below(truth.messages.length - joinedN), `edit ${truth.seq}`);
  }
  private remove(truth: ModelChat): void {
    truth.seq++;
    truth.membership = undefined;
    if (this.subscriptions.delete(truth.chatId)) this.queue.push({ kind: "removed", chatId: truth.chatId });
  }
  private add(truth: ModelChat): void {
    const { chatId } = truth;
    truth.membership = { joinedN: truth.messages.length, joinedSeq: truth.seq + 1 };
    if (this.isConnected) {
      this.queue.push({ kind: "added", chatId });
      this.subscriptions.add(chatId);
    }
    this.post(truth);
  }

  private cut(): void {
    this.isConnected = this.isAsking = this.isWanted = false;
    this.queue.length = 0;
    this.subscriptions.clear();
    this.chats.onDisconnected();
  }
  private connect(): void {
    this.isConnected = true;
    this.ask();
  }
  private tellPositions(): void {
    if (!this.isConnected) return;
    const heads = this.serverChats.filter(({ chatId }) => this.subscriptions.has(chatId)).map(({ chatId, seq }) => [chatId, seq] as const);
    this.queue.push({ kind: "positions", heads: Object.fromEntries(heads) });
  }

  /** An act of one's own is answered, before the event comes. */
  private receiveMembership({ membership, messages }: ModelChat): void {
    const state = messages[this.below(messages.length)];
    if (state !== undefined && membership !== undefined && state.n > membership.joinedN) this.chats.applyMessageResponse(state);
  }

  private ask(): void {
    this.isAsking = true;
    this.isWanted = false;
    const question = this.chats.syncQuery();
    const answer = this.answer(question);
    // The answer is computed; what happens until it is sent comes before it on the line.
    for (let i = this.isQuiet ? 0 : this.below(3); i > 0; i--) this.changeAtRandom(this.serverChats[this.below(this.serverChats.length)]!);
    this.queue.push({ kind: "answer", question, answer });
    this.seat(answer);
  }

  private answer({ since }: SyncQuery): SyncAnswer {
    const mine = this.serverChats.filter((truth) => this.isMember(truth));
    const reset = mine.filter(({ chatId, membership }) => (since[chatId] ?? Infinity) > 0 && since[chatId]! < membership!.joinedSeq);
    const isReset = new Set(reset.map(({ chatId }) => chatId));
    const parts = mine.map((truth) => {
      const visible = truth.messages.filter(({ n }) => n > truth.membership!.joinedN);
      const from = isReset.has(truth.chatId) ? undefined : since[truth.chatId];
      const changes = visible.filter(({ seq }) => seq > (from ?? 0)).sort((a, b) => a.seq - b.seq);
      const page = from === undefined ? visible.slice(-newest) : changes.slice(0, perAnswer);
      const more = from !== undefined && changes.length > perAnswer;
      return { truth, page, more, seq: more ? page.at(-1)!.seq : truth.seq };
    });
    const reached = parts.filter((_, index) => index < 2 || this.random() < 0.7);
    const named = Object.keys(since);
    return {
      chats: reached.map(({ truth }) => this.view(truth)),
      messages: Object.fromEntries(reached.map(({ truth, page }) => [truth.chatId, page])),
      seq: Object.fromEntries(reached.map(({ truth, seq }) => [truth.chatId, seq])),
      more: parts.filter((part) => part.more || !reached.includes(part)).map(({ truth }) => truth.chatId),
      removed: named.filter((chatId) => !mine.some((truth) => truth.chatId === chatId)),
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
  private seat({ seq, more }: SyncAnswer): void {
    for (const truth of this.serverChats) {
      const from = seq[truth.chatId];
      if (from === undefined || more.includes(truth.chatId) || this.subscriptions.has(truth.chatId)) continue;
      if (!this.isMember(truth)) {
        this.queue.push({ kind: "removed", chatId: truth.chatId });
        continue;
      }
      this.subscriptions.add(truth.chatId);
      const missed = truth.messages.filter((state) => state.seq > from && state.n > truth.membership!.joinedN);
      for (const state of missed.sort((a, b) => a.seq - b.seq)) this.queue.push({ kind: "event", message: state });
    }
  }

  private deliverNext(): void {
    const item = this.queue.shift();
    if (item === undefined) return;
    if (this.applyDelivery(item)) this.isWanted = true;
    if (item.kind === "answer") this.isAsking = false;
    if (this.isWanted && !this.isAsking) this.ask();
  }

  /** @returns whether there is something to ask for */
  private applyDelivery(item: ModelDelivery): boolean {
    if (item.kind === "answer") return this.chats.applyAnswer(item.question, item.answer);
    if (item.kind === "positions") return this.chats.onPositions(item.heads);
    if (item.kind === "event") {
      const isMissing = this.chats.onMessage(item.message);
      return this.random() < 0.05 ? this.chats.onMessage(item.message) : isMissing; // now and then twice
    }
    if (item.kind === "removed") {
      this.chats.removeChat(item.chatId);
      return false;
    }
    const truth = this.serverChats.find(({ chatId }) => chatId === item.chatId)!;
    return this.isMember(truth) && this.chats.onChatChanged(this.view(truth));
  }
}
