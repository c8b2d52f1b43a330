/**
 * The working copy of a chat's head while a batch of changes is numbered: what the next commit will write, and what the feed will
 * say of it. Pure: it reads nothing and writes nothing.
 */
import { newId } from "../../core/ids.ts";
import { insert, storeTime, update, type Operation } from "../../core/store/store.ts";
import { chats, messages, type ChatRow, type MessageRow } from "./collections.ts";
import type { Batch, Message, SystemNote } from "./contract.ts";
import { presentMessage } from "./present.ts";

/** What a new message brings; the draft gives it its place. */
export interface NewMessage {
  readonly kind: Message["kind"];
  readonly senderId: string;
  readonly clientId: string;
  readonly bodyHash: string;
  readonly text: string;
  readonly replyTo: string | null;
  readonly system?: SystemNote;
}

/** Characters of a message that a chat's preview shows. */
const previewLength = 100;

export class Draft {
  private readonly base: ChatRow;
  private head: ChatRow;
  private readonly writes: Operation[] = [];
  private readonly changes: Message[] = [];
  private readonly sent = new Map<string, MessageRow>();
  private readonly now: number;

  /** @param now  epoch milliseconds, for the times that people see */
  constructor(base: ChatRow, now: number) {
    this.base = base;
    this.head = base;
    this.now = now;
  }

  get chat(): ChatRow {
    return this.head;
  }
  get isEmpty(): boolean {
    return this.head === this.base;
  }
  /** What is written beside the chat's row. */
  get inserts(): readonly Operation[] {
    return this.writes;
  }

  /** Appends a message: the next `n`, the next `seq`. */
  add(message: NewMessage): Message {
    const n = this.head.n + 1;
    const seq = this.head.seq + 1;
    const authorId = message.kind === "system" ? "system" : message.senderId;
    const row: MessageRow = {
      _id: newId(),
      chatId: this.base._id,
      n,
      seq,
      authorId,
      ...message,
      createdAt: this.now,
      editedAt: null,
      deletedAt: null,
    };
    const { senderId, kind, text } = message;
    const preview = { messageId: row._id, n, senderId, kind, text: text.slice(0, previewLength), at: this.now };
    this.head = { ...this.head, n, seq, preview, lastActivityAt: this.now };
    this.writes.push(insert(messages, row));
    this.sent.set(sentKey(senderId, message.clientId), row);
    const presented = presentMessage(row);
    this.changes.push(presented);
    return presented;
  }

  /** The message that this batch already holds under a sender's clientId. */
  sentBefore(senderId: string, clientId: string): MessageRow | undefined {
    return this.sent.get(sentKey(senderId, clientId));
  }

  /** Takes over how a direct chat's two people stand; moves the head, so that a send judged before it meets a conflict. */
  relate(relation: NonNullable<ChatRow["relation"]>): void {
    this.head = { ...this.head, seq: this.head.seq + 1, relation };
  }

  /** The commit: it happens on the head it was numbered from, or not at all. */
  operations(): Operation[] {
    const { n, seq, membersSeq, memberCount, preview, lastActivityAt, relation } = this.head;
    const head = { n, seq, membersSeq, memberCount, preview, lastActivityAt, ...(relation === undefined ? {} : { relation }) };
    return [update(chats, { _id: this.base._id, seq: this.base.seq }, { ...head, changedAt: storeTime }), ...this.writes];
  }

  /** The same for the feed. */
  batch(): Batch {
    const { seq, n, membersSeq } = this.head;
    return { chatId: this.base._id, prevSeq: this.base.seq, seq, n, membersSeq, changes: this.changes, memberChanges: [] };
  }
}

const sentKey = (senderId: string, clientId: string): string => `${senderId} ${clientId}`;
