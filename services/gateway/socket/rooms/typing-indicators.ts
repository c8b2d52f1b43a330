/** Who types in a chat, as its room has told it: each beginning once, and its end at the latest after six seconds without another word. */
export interface TypingNote {
  readonly userId: string;
  readonly isTyping: boolean;
}

export const expireAfterMs = 6000;
/** More who type at once are not told: nobody reads their names. */
const maxTypists = 20;

export class TypingIndicators {
  private readonly emit: (note: TypingNote) => void;
  private readonly typists = new Map<string, NodeJS.Timeout>();

  constructor(emit: (note: TypingNote) => void) {
    this.emit = emit;
  }

  update({ userId, isTyping }: TypingNote): void {
    const timer = this.typists.get(userId);
    if (!isTyping) this.stop(userId);
    else if (timer !== undefined) timer.refresh();
    else if (this.typists.size < maxTypists) {
      this.typists.set(userId, setTimeout(() => this.stop(userId), expireAfterMs).unref());
      this.emit({ userId, isTyping: true });
    }
  }

  /** Someone types no more: they said so, their message came, they left. */
  stop(userId: string): void {
    const timer = this.typists.get(userId);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.typists.delete(userId);
    this.emit({ userId, isTyping: false });
  }

  /** Nobody hears any more. */
  close(): void {
    for (const timer of this.typists.values()) clearTimeout(timer);
    this.typists.clear();
  }
}
