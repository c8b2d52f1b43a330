/**
 * Tells a room how all see its chat. In a large one not each time: a thousand members who are added one by one are a thousand views
 * for each of those there, so the first goes out at once, and what follows within a second as the newest.
 */
import { maxShownMembers, type SharedChat } from "../../../chat/contract.ts";

interface ChatUpdate {
  readonly chat: SharedChat;
  /** Since which change it is so. */
  readonly seq: number;
}
const minIntervalMs = 1000;

export class ChatUpdates {
  private readonly emit: (chat: SharedChat, seq: number) => void;
  private pending: ChatUpdate | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(emit: (chat: SharedChat, seq: number) => void) {
    this.emit = emit;
  }

  publish(update: ChatUpdate): void {
    const isLarge = update.chat.memberCount > maxShownMembers;
    if (isLarge && this.timer !== undefined) {
      this.pending = update;
      return;
    }
    this.emitNow(update, isLarge);
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private emitNow({ chat, seq }: ChatUpdate, isLarge: boolean): void {
    clearTimeout(this.timer);
    this.pending = undefined;
    this.timer = isLarge ? setTimeout(() => this.emitPending(), minIntervalMs) : undefined;
    this.emit(chat, seq);
  }

  private emitPending(): void {
    this.timer = undefined;
    if (this.pending !== undefined) this.emitNow(this.pending, true);
  }
}
