/** Keeps who is typing in a chat. A start is emitted once; the end at the latest six seconds after the user's last report. */
export interface TypingNote {
  readonly userId: string;
  readonly isTyping: boolean;
}

export const expireAfterMs = 6000;
/** Typists emitted at once; further ones are ignored, because users do not read so many names. */
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

  /** Ends a user's typing: they stopped, sent a message or left. */
  stop(userId: string): void {
    const timer = this.typists.get(userId);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.typists.delete(userId);
    this.emit({ userId, isTyping: false });
  }

  /** Emits nothing, because the room has no subscribers left. */
  close(): void {
    for (const timer of this.typists.values()) clearTimeout(timer);
    this.typists.clear();
  }
}
