/** Who types: what one tells of oneself, seldom enough, and what one hears of others, until it is not known any more. */
import type { Typing } from "./documents.ts";

export interface TypistsParts {
  /** Whether it arrived is not waited for: it is said again, or forgotten. */
  readonly tell: (payload: { chatId: string; isTyping: boolean }) => void;
  readonly emit: (typing: Typing) => void;
}

/** The server forgets after 6 s; every keystroke would be too many. */
const againMs = 3000;

export class Typists {
  private readonly parts: TypistsParts;
  private readonly told = new Map<string, number>();
  private readonly typing = new Map<string, Typing>();

  constructor(parts: TypistsParts) {
    this.parts = parts;
  }

  /** Says that one types, or has stopped; may be called at every keystroke. */
  say(chatId: string, isTyping: boolean): void {
    const last = this.told.get(chatId);
    if (isTyping ? last !== undefined && Date.now() - last < againMs : last === undefined) return;
    if (isTyping) this.told.set(chatId, Date.now());
    else this.told.delete(chatId);
    this.parts.tell({ chatId, isTyping });
  }

  /** A message says it by itself. */
  sent(chatId: string): void {
    this.told.delete(chatId);
  }

  hear(typing: Typing): void {
    const key = `${typing.chatId} ${typing.userId}`;
    if (typing.isTyping === this.typing.has(key)) return;
    if (typing.isTyping) this.typing.set(key, typing);
    else this.typing.delete(key);
    this.parts.emit(typing);
  }

  /** The connection went: nobody is known to type. */
  clear(): void {
    for (const typing of [...this.typing.values()]) this.hear({ ...typing, isTyping: false });
    this.told.clear();
  }

  in(chatId: string): readonly string[] {
    return [...this.typing.values()].filter((typing) => typing.chatId === chatId).map(({ userId }) => userId);
  }
}
