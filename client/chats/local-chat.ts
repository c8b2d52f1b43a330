/**
 * Holds one chat: its last view from the server, its messages, its members' watermarks, and the position to resume from. The server does
 * not send the chat again for each message, so the unread count, the preview and the last activity are computed here.
 */
import type { Chat, Message, OwnPart, SharedChat } from "../documents.ts";
import type { ChatRecord } from "../storage/records.ts";
import { MessageWindow } from "./message-window.ts";
import { Watermarks } from "./watermarks.ts";

/** The server's limits for a chat's unread count and its preview. */
export const maxUnread = 100;
export const maxPreviewCharacters = 100;
/** Saved messages per chat, counted from the last contiguous one. */
const maxSavedMessages = 100;

export class LocalChat {
  readonly window = new MessageWindow();
  readonly watermarks = new Watermarks();
  /**
   * The position to resume from: every change up to this `seq` is in the window or concerns a message before it. Undefined until the
   * chat was synced.
   */
  seq: number | undefined;
  /** A read mark that the server has not confirmed yet. */
  pendingReadN: number | undefined;
  /** The server invalidated the held messages, and has not sent the chat since. */
  isVoid = false;
  /** Whether live events follow `seq` without a gap. */
  isContiguous = false;
  /** The chat as the server last sent it: later receipts and messages are not in it. */
  serverChat: Chat;
  /** The server's last unread count, and the last message that it counted. */
  private serverUnread: { readonly unread: number; readonly lastN: number };
  private readonly myId: string;

  constructor(chat: Chat, myId: string) {
    this.serverChat = chat;
    this.serverUnread = chat;
    this.myId = myId;
    this.applyChat(chat);
  }

  /**
   * Applies a chat from the server. If it has only the fields that all members share, the user's own fields stay. If it is older than
   * the known one, only the user's own fields change.
   */
  applyChat(chat: Chat | SharedChat): void {
    const isNewer = chat.lastSeq >= this.serverChat.lastSeq;
    this.serverChat = { ...this.serverChat, ...(isNewer ? chat : {}), ...ownPart(chat, this.serverChat) };
    this.watermarks.raise(chat.members);
    if (!isOwnView(chat)) return;
    this.watermarks.raise([{ userId: this.myId, deliveredN: 0, readN: chat.readN }]);
    if (chat.lastN >= this.serverUnread.lastN) this.serverUnread = chat;
  }

  hasDifferentSettings({ muted, mutedUntil, archived, pinned }: Omit<OwnPart, "readN">): boolean {
    const settings = { muted, mutedUntil, archived, pinned };
    return (Object.keys(settings) as (keyof typeof settings)[]).some((key) => settings[key] !== this.serverChat[key]);
  }

  /** Applies the user's own fields, changed on another device. @returns whether anything changed */
  applyOwnPart({ readN, ...settings }: OwnPart): boolean {
    const isRaised = this.watermarks.raise([{ userId: this.myId, deliveredN: 0, readN }]);
    const isChanged = this.hasDifferentSettings(settings);
    this.serverChat = { ...this.serverChat, ...settings };
    return isRaised || isChanged;
  }

  /** Applies the answer to a read mark. `unread` is the server's count at that time, wherever the mark is. */
  applyUnread(readN: number, unread: number): void {
    this.watermarks.raise([{ userId: this.myId, deliveredN: 0, readN }]);
    this.serverUnread = { unread, lastN: this.lastN };
  }

  /** The `n` of the last message that the user has read, confirmed or not. */
  get readN(): number {
    return Math.max(this.watermarks.of(this.myId).readN, this.serverChat.joinedN, this.pendingReadN ?? 0);
  }

  get lastN(): number {
    return Math.max(this.serverChat.lastN, this.window.messages.at(-1)?.n ?? 0);
  }

  /** Whether there are messages before the window. */
  get hasOlder(): boolean {
    return this.window.first !== undefined && this.window.first > this.serverChat.joinedN + 1;
  }

  /** The chat now, as the server will show it once it has the pending read mark. */
  get view(): Chat {
    return { ...this.confirmedView, readN: Math.max(this.watermarks.of(this.myId).readN, this.pendingReadN ?? 0) };
  }

  /** The same, with the read mark that the server has confirmed. */
  get confirmedView(): Chat {
    const last = this.window.messages.at(-1);
    const isLast = last !== undefined && last.n >= (this.serverChat.lastMessagePreview?.n ?? 0);
    return {
      ...this.serverChat,
      ...(isLast ? lastMessage(last) : {}),
      ...(isLast && last.createdAt > this.serverChat.updatedAt ? { updatedAt: last.createdAt } : {}),
      members: this.watermarks.members(this.serverChat),
      lastN: this.lastN,
      lastSeq: Math.max(this.serverChat.lastSeq, this.seq ?? 0, last?.seq ?? 0),
      readN: this.watermarks.of(this.myId).readN,
      unread: this.unread,
    };
  }

  /** Exact if the window has all messages after the read mark; otherwise the server's count plus the messages since. */
  private get unread(): number {
    const { readN, window, serverUnread } = this;
    const isWhole = window.first !== undefined && window.first <= readN + 1;
    const [after, known] = isWhole
      ? [readN, 0]
      : [Math.max(readN, serverUnread.lastN), readN < serverUnread.lastN ? serverUnread.unread : 0];
    let count = known;
    for (let i = window.messages.length - 1; i >= 0 && count < maxUnread; i--) {
      const message = window.messages[i]!;
      if (message.n <= after) break;
      if (message.senderId !== this.myId && message.kind !== "system") count++;
    }
    return count;
  }
}

const isOwnView = (chat: Chat | SharedChat): chat is Chat => "unread" in chat;

/** The fields that only the user sees, as far as `chat` has them. A group's title is its name. */
function ownPart(chat: Chat | SharedChat, before: Chat): Partial<Chat> {
  if (isOwnView(chat)) {
    const { title, muted, mutedUntil, archived, pinned, joinedN } = chat;
    return { title, muted, mutedUntil, archived, pinned, joinedN };
  }
  return chat.chatType === "group" && chat.lastSeq >= before.lastSeq ? { title: chat.name ?? before.title } : {};
}

function lastMessage({ _id, n, senderId, text, file, kind, createdAt }: Message): Partial<Chat> {
  const preview = (text === "" ? (file?.name ?? "") : text).slice(0, maxPreviewCharacters);
  return { lastMessage: _id, lastMessagePreview: { n, senderId, text: preview, kind, at: createdAt } };
}

/** Makes the chat's saved record; undefined if the chat is gone or was never synced. */
export function chatRecordOf(local: LocalChat | undefined): ChatRecord | undefined {
  if (local?.seq === undefined) return undefined;
  const { confirmedView, seq, window, pendingReadN } = local;
  // Count from the last contiguous message: a later sync fills the gaps after it.
  const messages = window.messages.filter(({ n }) => n > window.contiguousUpTo - maxSavedMessages);
  return { chat: confirmedView, seq, messages, ...(pendingReadN === undefined ? {} : { wantedN: pendingReadN }) };
}
