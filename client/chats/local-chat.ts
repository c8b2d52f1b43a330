/**
 * One chat as this client holds it: its view as last told, its messages, its members' marks, and how far it is known. What changes
 * with every message - what is unread, the preview, the last activity - the server does not tell again: it is computed here.
 */
import type { Chat, Message, OwnPart, SharedChat } from "../documents.ts";
import type { ChatRecord } from "../storage/records.ts";
import { MessageWindow } from "./message-window.ts";
import { Watermarks } from "./watermarks.ts";

/** The server's limits for a chat's unread count and its preview. */
export const maxUnread = 100;
export const maxPreviewCharacters = 100;
/** Messages of a chat that are saved. */
const maxSavedMessages = 100;

export class LocalChat {
  readonly window = new MessageWindow();
  readonly watermarks = new Watermarks();
  /**
   * Every change up to this one is held, or lies before the oldest message held: where to resume. Undefined until an answer
   * gave a beginning.
   */
  seq: number | undefined;
  /** A read mark that the server has not confirmed yet. */
  pendingReadN: number | undefined;
  /** The server voided what was held, and has not said yet how the chat is now. */
  isVoid = false;
  /** What is heard now follows `seq` without a gap. */
  isContiguous = false;
  /** Without the marks as they are now, and without what came by messages. */
  serverChat: Chat;
  /** What the server counted as unread, up to which message. */
  private serverUnread: { readonly unread: number; readonly lastN: number };
  private readonly myId: string;

  constructor(chat: Chat, myId: string) {
    this.serverChat = chat;
    this.serverUnread = chat;
    this.myId = myId;
    this.applyChat(chat);
  }

  /**
   * Takes over what the server says of the chat. A room is told what all see alike; one's own part stays.
   * What is older than what is known changes nothing but one's own part.
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

  /** Takes over one's own part, changed at another device. @returns whether anything is another */
  applyOwnPart({ readN, ...settings }: OwnPart): boolean {
    const isRaised = this.watermarks.raise([{ userId: this.myId, deliveredN: 0, readN }]);
    const isChanged = this.hasDifferentSettings(settings);
    this.serverChat = { ...this.serverChat, ...settings };
    return isRaised || isChanged;
  }

  /** What a read mark was answered with: the count as of now, wherever the mark is. */
  applyUnread(readN: number, unread: number): void {
    this.watermarks.raise([{ userId: this.myId, deliveredN: 0, readN }]);
    this.serverUnread = { unread, lastN: this.lastN };
  }

  /** Up to which message one has read. */
  get readN(): number {
    return Math.max(this.watermarks.of(this.myId).readN, this.serverChat.joinedN, this.pendingReadN ?? 0);
  }

  get lastN(): number {
    return Math.max(this.serverChat.lastN, this.window.messages.at(-1)?.n ?? 0);
  }

  /** There are messages before those held. */
  get hasOlder(): boolean {
    return this.window.first !== undefined && this.window.first > this.serverChat.joinedN + 1;
  }

  /** The chat as it is now, and as the server will show it once it has one's read mark. */
  get view(): Chat {
    return { ...this.confirmedView, readN: Math.max(this.watermarks.of(this.myId).readN, this.pendingReadN ?? 0) };
  }

  /** The same with the read mark that the server has. */
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

  /** Exact where all messages after the read mark are held; else what the server counted, and what came since. */
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

/** What only the reader sees: as told now, or as it was. */
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

/** A chat as it is saved; undefined when it is not known well enough, or gone. */
export function chatRecordOf(local: LocalChat | undefined): ChatRecord | undefined {
  if (local?.seq === undefined) return undefined;
  const { confirmedView, seq, window, pendingReadN } = local;
  // From within the unbroken run, that what is still missing after it finds its place.
  const messages = window.messages.filter(({ n }) => n > window.contiguousUpTo - maxSavedMessages);
  return { chat: confirmedView, seq, messages, ...(pendingReadN === undefined ? {} : { wantedN: pendingReadN }) };
}
