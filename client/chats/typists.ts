/** Who types: what one tells of oneself, seldom enough, and what one hears of others, until it is not known any more. */
import type { Typing } from "../documents.ts";

export interface TypistsContext {
  /** Whether it arrived is not waited for: it is said again, or forgotten. */
  readonly send: (payload: { chatId: string; isTyping: boolean }) => void;
  readonly emit: (typing: Typing) => void;
}

/** The server forgets after 6 s; every keystroke would be too many. */
export const repeatMs = 3000;

export class Typists {
  private readonly context: TypistsContext;
  private readonly lastSentAt = new Map<string, number>();
  private readonly typing = new Map<string, Typing>();

  constructor(context: TypistsContext) {
    this.context = context;
  }

  /** Says that one types, or has stopped; may be called at every keystroke. */
  sendTyping(chatId: string, isTyping: boolean): void {
    const last = this.lastSentAt.get(chatId);
    if (isTyping ? last !== undefined && Date.now() - last < repeatMs : last === undefined) return;
    if (isTyping) this.lastSentAt.set(chatId, Date.now());
    else this.lastSentAt.delete(chatId);
    this.context.send({ chatId, isTyping });
  }

  /** A message says it by itself. */
  onMessageSent(chatId: string): void {
    this.lastSentAt.delete(chatId);
  }

  onTyping(typing: Typing): void {
    const key = `${typing.chatId} ${typing.userId}`;
    if (typing.isTyping === this.typing.has(key)) return;
    if (typing.isTyping) this.typing.set(key, typing);
    else this.typing.delete(key);
    this.context.emit(typing);
  }

  /** The connection went: nobody is known to type. */
  clear(): void {
    for (const typing of [...this.typing.values()]) this.onTyping({ ...typing, isTyping: false });
    this.lastSentAt.clear();
  }

  inChat(chatId: string): readonly string[] {
    return [...this.typing.values()].filter((typing) => typing.chatId === chatId).map(({ userId }) => userId);
  }
}
