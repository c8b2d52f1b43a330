/**
 * One chat as this client holds it: its view as last told, its messages, its members' marks, and how far it is known. What changes
 * with every message - what is unread, the preview, the last activity - the server does not tell again: it is computed here.
 */
import type { Chat, Message, OwnPart, SharedChat } from "./documents.ts";
import { Log } from "./log.ts";
import { Watermarks } from "./watermarks.ts";

/** Unread messages are counted up to this, and previews cut to this, as the server does it. */
const unreadCap = 100;
const previewLength = 100;

export class HeldChat {
  readonly log = new Log();
  readonly marks = new Watermarks();
  /**
   * Every change up to this one is held, or lies before the oldest message held: where to resume. Undefined until an answer
   * gave a beginning.
   */
  seq: number | undefined;
  /** A read mark that the server has not confirmed yet. */
  wantedN: number | undefined;
  /** The server voided what was held, and has not said yet how the chat is now. */
  isVoid = false;
  /** What is heard now follows `seq` without a gap. */
  isFollowing = false;
  /** Without the marks as they are now, and without what came by messages. */
  told: Chat;
  /** What the server counted as unread, up to which message. */
  private counted: { readonly unread: number; readonly lastN: number };
  private readonly myId: string;

  constructor(chat: Chat, myId: string) {
    this.told = chat;
    this.counted = chat;
    this.myId = myId;
    this.tell(chat);
  }

  /**
   * Takes over what the server says of the chat. A room is told what all see alike; one's own part stays.
   * What is older than what is known changes nothing but one's own part.
   */
  tell(chat: Chat | SharedChat): void {
    const isNewer = chat.lastSeq >= this.told.lastSeq;
    this.told = { ...this.told, ...(isNewer ? chat : {}), ...ownPart(chat, this.told) };
    this.marks.raise(chat.members);
    if (!isOwn(chat)) return;
    this.marks.raise([{ userId: this.myId, deliveredN: 0, readN: chat.readN }]);
    if (chat.lastN >= this.counted.lastN) this.counted = chat;
  }

  hasOtherSettings({ muted, mutedUntil, archived, pinned }: Omit<OwnPart, "readN">): boolean {
    const settings = { muted, mutedUntil, archived, pinned };
    return (Object.keys(settings) as (keyof typeof settings)[]).some((key) => settings[key] !== this.told[key]);
  }

  /** Takes over one's own part, changed at another device. @returns whether anything is another */
  tellOwn({ readN, ...settings }: OwnPart): boolean {
    const isRaised = this.marks.raise([{ userId: this.myId, deliveredN: 0, readN }]);
    const isChanged = this.hasOtherSettings(settings);
    this.told = { ...this.told, ...settings };
    return isRaised || isChanged;
  }

  /** What a read mark was answered with: the count as of now, wherever the mark is. */
  tellUnread(readN: number, unread: number): void {
    this.marks.raise([{ userId: this.myId, deliveredN: 0, readN }]);
    this.counted = { unread, lastN: this.lastN };
  }

  /** Up to which message one has read. */
  get readN(): number {
    return Math.max(this.marks.of(this.myId).readN, this.told.joinedN, this.wantedN ?? 0);
  }

  get lastN(): number {
    return Math.max(this.told.lastN, this.log.messages.at(-1)?.n ?? 0);
  }

  /** There are messages before those held. */
  get hasOlder(): boolean {
    return this.log.first !== undefined && this.log.first > this.told.joinedN + 1;
  }

  /** The chat as it is now, and as the server will show it once it has one's read mark. */
  get view(): Chat {
    return { ...this.confirmed, readN: Math.max(this.marks.of(this.myId).readN, this.wantedN ?? 0) };
  }

  /** The same with the read mark that the server has. */
  get confirmed(): Chat {
    const last = this.log.messages.at(-1);
    const isLast = last !== undefined && last.n >= (this.told.lastMessagePreview?.n ?? 0);
    return {
      ...this.told,
      ...(isLast ? lastMessage(last) : {}),
      ...(isLast && last.createdAt > this.told.updatedAt ? { updatedAt: last.createdAt } : {}),
      members: this.marks.members(this.told),
      lastN: this.lastN,
      lastSeq: Math.max(this.told.lastSeq, this.seq ?? 0, last?.seq ?? 0),
      readN: this.marks.of(this.myId).readN,
      unread: this.unread,
    };
  }

  /** Exact where all messages after the read mark are held; else what the server counted, and what came since. */
  private get unread(): number {
    const { readN, log, counted } = this;
    const isWhole = log.first !== undefined && log.first <= readN + 1;
    const [after, known] = isWhole ? [readN, 0] : [Math.max(readN, counted.lastN), readN < counted.lastN ? counted.unread : 0];
    let count = known;
    for (let i = log.messages.length - 1; i >= 0 && count < unreadCap; i--) {
      const message = log.messages[i]!;
      if (message.n <= after) break;
      if (message.senderId !== this.myId && message.kind !== "system") count++;
    }
    return count;
  }
}

const isOwn = (chat: Chat | SharedChat): chat is Chat => "unread" in chat;

/** What only the reader sees: as told now, or as it was. */
function ownPart(chat: Chat | SharedChat, before: Chat): Partial<Chat> {
  if (isOwn(chat)) {
    const { title, muted, mutedUntil, archived, pinned, joinedN } = chat;
    return { title, muted, mutedUntil, archived, pinned, joinedN };
  }
  return chat.chatType === "group" && chat.lastSeq >= before.lastSeq ? { title: chat.name ?? before.title } : {};
}

function lastMessage({ _id, n, senderId, text, kind, createdAt }: Message): Partial<Chat> {
  return { lastMessage: _id, lastMessagePreview: { n, senderId, text: text.slice(0, previewLength), kind, at: createdAt } };
}
