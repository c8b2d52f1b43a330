/**
 * The working copy of a chat while a batch of changes is numbered: its head, its members and messages as they will be, what the
 * next commit will write, and what the feed will say of it. Pure: it reads nothing and writes nothing.
 */
import { newId } from "../../core/ids.ts";
import { insert, storeTime, update, type Operation } from "../../core/store/store.ts";
import {
  chats,
  members,
  messages,
  type AttachedFile,
  type ChatRow,
  type MemberRow,
  type MessageRow,
  type RelationRow,
} from "./collections.ts";
import type { Batch, Message, Role, SharedChat, SystemNote } from "./contract.ts";
import { isActive } from "./policy.ts";
import { presentMembership, presentMessage } from "./present.ts";
import type { Scene } from "./scene.ts";

/** What a new message brings; the draft gives it its place. */
export interface NewMessage {
  readonly kind: Message["kind"];
  readonly senderId: string;
  readonly clientId: string;
  readonly bodyHash: string;
  readonly text: string;
  readonly replyTo: string | null;
  readonly file?: AttachedFile;
  readonly system?: SystemNote;
}
/** What may change of a message. */
export type MessageChange = Partial<Pick<MessageRow, "text" | "file" | "reactions" | "editedAt" | "deletedAt">>;
/** A row as it will be. */
interface Working<R> {
  readonly row: R;
  readonly isNew: boolean;
}
interface WorkingMember extends Working<MemberRow> {
  /** Became a member in this batch, with settings as they are at first. */
  readonly isFresh: boolean;
}

/** Characters of a message that a chat's preview shows. */
const previewLength = 100;

export class Draft {
  readonly scene: Scene;
  /** Epoch milliseconds, for the times that people see. */
  readonly now: number;
  /** Files that changes of this batch refer to. */
  readonly claimed = new Set<string>();
  private head: ChatRow;
  private readonly messages = new Map<string, Working<MessageRow>>();
  private readonly members = new Map<string, WorkingMember>();
  private readonly others: Operation[] = [];
  private readonly changes: Message[] = [];
  private readonly sent = new Map<string, MessageRow>();

  constructor(scene: Scene, now: number) {
    this.scene = scene;
    this.now = now;
    this.head = scene.chat;
  }

  get chat(): ChatRow {
    return this.head;
  }
  /** Nothing to commit: what was judged rests on nothing that a commit checks. */
  get isEmpty(): boolean {
    return this.head === this.scene.chat;
  }
  /** The name, picture, members or roles are others than before. */
  get isShared(): boolean {
    return this.head.sharedSeq > this.scene.chat.sharedSeq;
  }
  /** Member rows that the commit changes. */
  get people(): readonly MemberRow[] {
    return [...this.members.values()].map(({ row }) => row);
  }

  member(userId: string): MemberRow | undefined {
    return this.members.get(userId)?.row ?? this.scene.people.get(userId) ?? undefined;
  }
  message(messageId: string): MessageRow | undefined {
    return this.messages.get(messageId)?.row ?? this.scene.messages.get(messageId);
  }
  relation(pair: string): RelationRow | undefined {
    return this.scene.relations.get(pair);
  }
  /** The message that this batch already holds under a sender's clientId. */
  sentBefore(senderId: string, clientId: string): MessageRow | undefined {
    return this.sent.get(sentKey(senderId, clientId));
  }
  /** The longest-standing member but one; needs `seniors`. */
  senior(exceptUserId: string): MemberRow | undefined {
    const candidates = [...this.scene.seniors.map((row) => this.member(row.userId) ?? row), ...this.people];
    return candidates.find((member) => isActive(member) && member.userId !== exceptUserId);
  }

  /** Appends a message: the next `n`, the next `seq`. */
  add(message: NewMessage): Message {
    const n = this.head.n + 1;
    const authorId = message.kind === "system" ? "system" : message.senderId;
    const place = { _id: newId(), chatId: this.head._id, n, seq: this.nextSeq(), authorId };
    const row: MessageRow = { ...place, ...message, createdAt: this.now, editedAt: null, deletedAt: null };
    this.messages.set(row._id, { row, isNew: true });
    this.sent.set(sentKey(row.senderId, row.clientId), row);
    this.head = { ...this.head, n, preview: previewOf(row), lastActivityAt: this.now };
    return this.tell(row);
  }
  /** A message of the chat itself: who did what. */
  note(senderId: string, text: string, system: SystemNote): Message {
    return this.add({ kind: "system", senderId, clientId: newId(), bodyHash: "", text, replyTo: null, system });
  }

  /** Changes a message: the next `seq`. */
  change(message: MessageRow, fields: MessageChange): Message {
    const isNew = this.messages.get(message._id)?.isNew ?? false;
    const row: MessageRow = { ...message, ...fields, seq: this.nextSeq() };
    this.messages.set(row._id, { row, isNew });
    if (this.head.preview?.messageId === row._id) this.head = { ...this.head, preview: previewOf(row) };
    return this.tell(row);
  }

  /** Someone becomes a member, with the message that comes next: they see it, and nothing before it. */
  join(userId: string, role: Role = "member"): void {
    const known = this.member(userId);
    const place = { role, joinedN: this.head.n, joinedSeq: this.head.seq + 1, leftSeq: null };
    const fresh = { mutedUntil: null, archived: false, pinned: false };
    const born = { _id: newId(), chatId: this.head._id, userId, changedSeq: 0, changedAt: this.now, deliveredN: 0, readN: 0 };
    this.setMember({ ...(known ?? born), ...place, ...fresh }, { isNew: known === undefined, isFresh: true });
    this.count(1, role === "admin" ? 1 : 0);
  }
  /** A member is one no more, with the message that comes next. */
  leave(member: MemberRow): void {
    this.setMember({ ...member, leftSeq: this.head.seq + 1 });
    this.count(-1, member.role === "admin" ? -1 : 0);
  }
  setRole(member: MemberRow, role: Role): void {
    this.setMember({ ...member, role });
    this.count(0, role === "admin" ? 1 : -1);
  }
  /** Renames the chat or changes its picture, with the message that comes next. */
  setShared(fields: Pick<ChatRow, "name"> | Pick<ChatRow, "picture">): void {
    this.head = { ...this.head, ...fields, sharedSeq: this.head.seq + 1 };
  }

  /** Takes over how a direct chat's two people stand; moves the head, so that a send judged before it meets a conflict. */
  relate(relation: NonNullable<ChatRow["relation"]>): void {
    this.head = { ...this.head, seq: this.nextSeq(), relation };
  }
  /** Something else that belongs into the commit. */
  also(...operations: readonly Operation[]): void {
    this.others.push(...operations);
  }

  /** What is written beside the chat's row. */
  get writes(): Operation[] {
    return [
      ...[...this.messages.values()].map(({ row, isNew }) => (isNew ? insert(messages, row) : changed(row))),
      ...[...this.members.values()].map(({ row, isNew, isFresh }) =>
        isNew ? insert(members, { ...row, changedAt: storeTime }) : changedMember(row, isFresh),
      ),
      ...this.others,
    ];
  }
  /** The commit: it happens on the head it was numbered from, or not at all. */
  operations(): Operation[] {
    const { n, seq, sharedSeq, memberCount, adminCount, name, picture, preview, lastActivityAt, relation } = this.head;
    const head = { n, seq, sharedSeq, memberCount, adminCount, name, picture, preview, lastActivityAt, relation };
    const endedAt = memberCount === 0 ? storeTime : undefined;
    const { _id, seq: from } = this.scene.chat;
    return [update(chats, { _id, seq: from }, { ...head, changedAt: storeTime, endedAt }), ...this.writes];
  }

  /** The same for the feed. @param shared  how all see the chat now, when that changed */
  batch(shared?: SharedChat): Batch {
    const { _id: chatId, seq, n, memberCount } = this.head;
    const memberChanges = this.people.map(presentMembership);
    const chat = shared === undefined ? {} : { chat: shared };
    return { chatId, prevSeq: this.scene.chat.seq, seq, n, memberCount, changes: this.changes, memberChanges, ...chat };
  }

  private nextSeq(): number {
    const seq = this.head.seq + 1;
    this.head = { ...this.head, seq };
    return seq;
  }
  private tell(row: MessageRow): Message {
    const presented = presentMessage(row, this.scene.readers);
    this.changes.push(presented);
    return presented;
  }
  private setMember(member: MemberRow, born = { isNew: false, isFresh: false }): void {
    const before = this.members.get(member.userId) ?? born;
    const changedSeq = this.head.seq + 1;
    const row = { ...member, changedSeq };
    this.members.set(member.userId, { row, isNew: before.isNew, isFresh: before.isFresh || born.isFresh });
    this.head = { ...this.head, sharedSeq: changedSeq };
  }
  private count(memberChange: number, adminChange: number): void {
    const { memberCount, adminCount } = this.head;
    this.head = { ...this.head, memberCount: memberCount + memberChange, adminCount: adminCount + adminChange };
  }
}

const sentKey = (senderId: string, clientId: string): string => `${senderId} ${clientId}`;

const previewOf = ({ _id, n, senderId, kind, text, file, createdAt }: MessageRow): NonNullable<ChatRow["preview"]> => ({
  messageId: _id,
  n,
  senderId,
  kind,
  text: (text === "" ? (file?.name ?? "") : text).slice(0, previewLength),
  at: createdAt,
});

const changed = ({ _id, seq, text, file, reactions, editedAt, deletedAt }: MessageRow): Operation =>
  update(messages, { _id }, { seq, text, file, reactions, editedAt, deletedAt });

/** Only what belongs to the sequence: marks and settings are written beside it. */
function changedMember({ _id, mutedUntil, archived, pinned, ...row }: MemberRow, isFresh: boolean): Operation {
  const { role, joinedN, joinedSeq, leftSeq, changedSeq } = row;
  const settings = isFresh ? { mutedUntil, archived, pinned } : {};
  return update(members, { _id }, { role, joinedN, joinedSeq, leftSeq, changedSeq, changedAt: storeTime, ...settings });
}
