/** Tracks who is typing, and limits how often the user's own typing is sent. */
import type { Typing } from "../documents.ts";

export interface TypistsContext {
  /** Sends without waiting for the result: a lost note is repeated or expires. */
  readonly send: (payload: { chatId: string; isTyping: boolean }) => void;
  readonly emit: (typing: Typing) => void;
}

/** Minimum interval between notes. The server expires a note after 6 s. */
export const repeatMs = 3000;

export class Typists {
  private readonly context: TypistsContext;
  private readonly lastSentAt = new Map<string, number>();
  private readonly typing = new Map<string, Typing>();

  constructor(context: TypistsContext) {
    this.context = context;
  }

  /** Reports that the user is typing, or stopped. May be called at every keystroke. */
  sendTyping(chatId: string, isTyping: boolean): void {
    const last = this.lastSentAt.get(chatId);
    if (isTyping ? last !== undefined && Date.now() - last < repeatMs : last === undefined) return;
    if (isTyping) this.lastSentAt.set(chatId, Date.now());
    else this.lastSentAt.delete(chatId);
    this.context.send({ chatId, isTyping });
  }

  /** Ends the user's typing without a note: the message ends it on the server. */
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

  /** Clears all typing when the connection is lost. */
  clear(): void {
    for (const typing of [...this.typing.values()]) this.onTyping({ ...typing, isTyping: false });
    this.lastSentAt.clear();
  }

  inChat(chatId: string): readonly string[] {
    return [...this.typing.values()].filter((typing) => typing.chatId === chatId).map(({ userId }) => userId);
  }
}
