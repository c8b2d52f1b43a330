/**
 * Emits the shared view of a chat to its room. In a large chat the first view goes out immediately, and then at most the newest one per
 * second: otherwise adding a thousand members one by one would send a thousand views to every member.
 */
import { maxShownMembers, type SharedChat } from "../../../chat/contract.ts";

interface ChatUpdate {
  readonly chat: SharedChat;
  /** The change that the view dates from. */
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
