/** Tracks who is typing, and limits how often the user's own typing is sent. */
import type { Typing } from "../documents.ts";

export interface TypistsContext {
  /** Sends without waiting for the result: a lost note is repeated or expires. */
  readonly send: (payload: { chatId: string; isTyping: boolean }) => void;
  readonly emit: (typing: Typing) => void;
}

/** Minimum interval between notes. The server expires a note after 6 s. */
export const sendIntervalMs = 3000;

export class Typists {
  private readonly context: TypistsContext;
  private readonly lastSentAtByChat = new Map<string, number>();
  private readonly typists = new Map<string, Typing>();

  constructor(context: TypistsContext) {
    this.context = context;
  }

  /** Reports that the user is typing, or stopped. May be called at every keystroke. */
  sendTyping(chatId: string, isTyping: boolean): void {
    const last = this.lastSentAtByChat.get(chatId);
    const now = performance.now();
    const isSilent = isTyping ? last !== undefined && now - last < sendIntervalMs : last === undefined;
    if (isSilent) return;
    if (isTyping) this.lastSentAtByChat.set(chatId, now);
    else this.lastSentAtByChat.delete(chatId);
    this.context.send({ chatId, isTyping });
  }

  /** Ends the user's typing without a note: the message ends it on the server. */
  onMessageSent(chatId: string): void {
    this.lastSentAtByChat.delete(chatId);
  }

  /** Handles the server's note about another user; emits it only if it changes something. */
  onTyping(typing: Typing): void {
    const key = `${typing.chatId} ${typing.userId}`;
    if (typing.isTyping === this.typists.has(key)) return;
    if (typing.isTyping) this.typists.set(key, typing);
    else this.typists.delete(key);
    this.context.emit(typing);
  }

  /** Ends all typing, also the user's own. Called when the connection is lost. */
  clear(): void {
    for (const typing of [...this.typists.values()]) this.onTyping({ ...typing, isTyping: false });
    this.lastSentAtByChat.clear();
  }

  /** Returns the ids of the chat's typists. */
  inChat(chatId: string): readonly string[] {
    return [...this.typists.values()].filter((typing) => typing.chatId === chatId).map(({ userId }) => userId);
  }
}
