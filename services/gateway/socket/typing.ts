/** Who types in a chat, as its room has told it: each beginning once, and its end at the latest after six seconds without another word. */
export interface TypingNote {
  readonly userId: string;
  readonly isTyping: boolean;
}

const forgottenAfterMs = 6000;
/** More who type at once are not told: nobody reads their names. */
const mostTypists = 20;

export class Typing {
  private readonly tell: (note: TypingNote) => void;
  private readonly typists = new Map<string, NodeJS.Timeout>();

  constructor(tell: (note: TypingNote) => void) {
    this.tell = tell;
  }

  hear({ userId, isTyping }: TypingNote): void {
    const known = this.typists.get(userId);
    if (!isTyping) this.stop(userId);
    else if (known !== undefined) known.refresh();
    else if (this.typists.size < mostTypists) {
      this.typists.set(userId, setTimeout(() => this.stop(userId), forgottenAfterMs).unref());
      this.tell({ userId, isTyping: true });
    }
  }

  /** Someone types no more: they said so, their message came, they left. */
  stop(userId: string): void {
    const known = this.typists.get(userId);
    if (known === undefined) return;
    clearTimeout(known);
    this.typists.delete(userId);
    this.tell({ userId, isTyping: false });
  }

  /** Nobody hears any more. */
  close(): void {
    for (const timer of this.typists.values()) clearTimeout(timer);
    this.typists.clear();
  }
}
