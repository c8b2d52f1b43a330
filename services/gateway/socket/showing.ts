/**
 * Tells a room how all see its chat. In a large one not each time: a thousand members who are added one by one are a thousand views
 * for each of those there, so the first goes out at once, and what follows within a second as the newest.
 */
import { maxShownMembers, type SharedChat } from "../../chat/contract.ts";

interface Shared {
  readonly chat: SharedChat;
  /** Since which change it is so. */
  readonly seq: number;
}
const everyMs = 1000;

export class Showing {
  private readonly emit: (chat: SharedChat, seq: number) => void;
  private waiting: Shared | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(emit: (chat: SharedChat, seq: number) => void) {
    this.emit = emit;
  }

  show(shared: Shared): void {
    const isLarge = shared.chat.memberCount > maxShownMembers;
    if (isLarge && this.timer !== undefined) {
      this.waiting = shared;
      return;
    }
    this.tell(shared, isLarge);
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private tell({ chat, seq }: Shared, isLarge: boolean): void {
    clearTimeout(this.timer);
    this.waiting = undefined;
    this.timer = isLarge ? setTimeout(() => this.next(), everyMs) : undefined;
    this.emit(chat, seq);
  }

  private next(): void {
    this.timer = undefined;
    if (this.waiting !== undefined) this.tell(this.waiting, true);
  }
}
