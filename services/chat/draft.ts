/**
 * The working copy of a chat while a batch of changes is numbered: its head, its members and messages as they will be, what the
 * next commit will write, and what the feed will say of it. Pure: it reads nothing and writes nothing.
 */
import { newId } from "../../core/ids.ts";
import { storeTime, type Operation } from "../../core/store/store.ts";
import { chats, members, messages, type ChatRow, type MemberRow, type MessageRow, type RelationRow } from "./collections.ts";
import type { Batch, Message, Role, SharedChat, SystemNote } from "./contract.ts";
import { isActive } from "./policy.ts";
import { presentMembership, presentMessage } from "./present.ts";
import type { Scene } from "./scene.ts";
import { WorkingRow } from "./working-row.ts";

/** A new message's own fields: all but those that the draft fills in. */
export type NewMessage = Omit<MessageRow, "_id" | "chatId" | "n" | "seq" | "authorId" | "createdAt" | "editedAt" | "deletedAt">;
/** Fields that never change after the send, and `seq`, which the draft fills in. */
type Fixed =
  "_id" | "chatId" | "n" | "seq" | "kind" | "senderId" | "authorId" | "clientId" | "bodyHash" | "replyTo" | "system" | "createdAt";
/** Fields that a change of a message may set. */
export type MessageChange = Partial<Omit<MessageRow, Fixed>>;

/** Characters of a message that a chat's preview shows. */
const previewLength = 100;

export class Draft {
  readonly scene: Scene;
  /** Epoch milliseconds, for the times that people see. */
  readonly now: number;
  /** Files that changes of this batch refer to. */
  readonly claimed = new Set<string>();
  private readonly head: WorkingRow<ChatRow>;
  private readonly messages = new Map<string, WorkingRow<MessageRow>>();
  private readonly members = new Map<string, WorkingRow<MemberRow>>();
  private readonly others: Operation[] = [];
  private readonly changes: Message[] = [];
  private readonly sent = new Map<string, MessageRow>();

  constructor(scene: Scene, now: number) {
    this.scene = scene;
    this.now = now;
    this.head = new WorkingRow(chats, scene.chat);
  }

  get chat(): ChatRow {
    return this.head.row;
  }
  /** Nothing to commit, so no commit validates what was decided. */
  get isEmpty(): boolean {
    return this.chat === this.scene.chat;
  }
  /** The name, picture, members or roles are others than before. */
  get isShared(): boolean {
    return this.chat.sharedSeq > this.scene.chat.sharedSeq;
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
    const n = this.chat.n + 1;
    const authorId = message.kind === "system" ? "system" : message.senderId;
    const place = { _id: newId(), chatId: this.chat._id, n, seq: this.nextSeq(), authorId };
    const row: MessageRow = { ...message, ...place, createdAt: this.now, editedAt: null, deletedAt: null };
    this.messages.set(row._id, new WorkingRow(messages, row, { isNew: true }));
    this.sent.set(sentKey(row.senderId, row.clientId), row);
    this.head.set({ n, preview: previewOf(row), lastActivityAt: this.now });
    return this.tell(row);
  }
  /** A message of the chat itself: who did what. */
  note(senderId: string, text: string, system: SystemNote): Message {
    return this.add({ kind: "system", senderId, clientId: newId(), bodyHash: "", text, replyTo: null, system });
  }

  /** Changes a message: the next `seq`. */
  change(message: MessageRow, fields: MessageChange): Message {
    const working = this.messages.get(message._id) ?? new WorkingRow(messages, message);
    working.set({ ...fields, seq: this.nextSeq() });
    this.messages.set(message._id, working);
    if (this.chat.preview?.messageId === message._id) this.head.set({ preview: previewOf(working.row) });
    return this.tell(working.row);
  }

  /** Someone becomes a member, with the message that comes next: they see it, and nothing before it. */
  join(userId: string, role: Role = "member"): void {
    const { _id: chatId, n, seq } = this.chat;
    // Settings of an earlier membership may have changed since they were read, so they are reset whatever the row says.
    const place = { role, joinedN: n, joinedSeq: seq + 1, leftSeq: null, mutedUntil: null, archived: false, pinned: false };
    const known = this.member(userId);
    const born: MemberRow = { _id: newId(), chatId, userId, changedSeq: 0, changedAt: this.now, deliveredN: 0, readN: 0, ...place };
    if (known === undefined) this.members.set(userId, new WorkingRow(members, born, { isNew: true }));
    this.setMember(known ?? born, place);
    this.count(1, role === "admin" ? 1 : 0);
  }
  /** A member is one no more, with the message that comes next. */
  leave(member: MemberRow): void {
    this.setMember(member, { leftSeq: this.chat.seq + 1 });
    this.count(-1, member.role === "admin" ? -1 : 0);
  }
  setRole(member: MemberRow, role: Role): void {
    this.setMember(member, { role });
    this.count(0, role === "admin" ? 1 : -1);
  }
  /** Renames the chat or changes its picture, with the message that comes next. */
  setShared(fields: Pick<ChatRow, "name"> | Pick<ChatRow, "picture">): void {
    this.head.set({ ...fields, sharedSeq: this.chat.seq + 1 });
  }

  /** Takes over how a direct chat's two people stand; moves the head, so that a send judged before it meets a conflict. */
  relate(relation: NonNullable<ChatRow["relation"]>): void {
    this.head.set({ seq: this.nextSeq(), relation });
  }
  /** Something else that belongs into the commit. */
  also(...operations: readonly Operation[]): void {
    this.others.push(...operations);
  }

  /** What is written beside the chat's row. */
  get writes(): Operation[] {
    return [
      ...[...this.messages.values()].map((message) => message.write({ _id: message.row._id })),
      ...[...this.members.values()].map((member) => member.write({ _id: member.row._id }, { changedAt: storeTime })),
      ...this.others,
    ];
  }
  /** The commit: it happens on the head it was numbered from, or not at all. */
  operations(): Operation[] {
    const { _id, seq } = this.scene.chat;
    const endedAt = this.chat.memberCount === 0 ? storeTime : undefined;
    return [this.head.write({ _id, seq }, { changedAt: storeTime, endedAt }), ...this.writes];
  }

  /** The same for the feed. @param shared  how all see the chat now, when that changed */
  batch(shared?: SharedChat): Batch {
    const { _id: chatId, seq, n, memberCount } = this.chat;
    const memberChanges = this.people.map(presentMembership);
    const chat = shared === undefined ? {} : { chat: shared };
    return { chatId, prevSeq: this.scene.chat.seq, seq, n, memberCount, changes: this.changes, memberChanges, ...chat };
  }

  private nextSeq(): number {
    const seq = this.chat.seq + 1;
    this.head.set({ seq });
    return seq;
  }
  private tell(row: MessageRow): Message {
    const presented = presentMessage(row, this.scene.readers);
    this.changes.push(presented);
    return presented;
  }
  /** Marks and settings are also written outside the sequence, so the row's may be old: only `fields` are stored. */
  private setMember(member: MemberRow, fields: Partial<MemberRow>): void {
    const changedSeq = this.chat.seq + 1;
    const working = this.members.get(member.userId) ?? new WorkingRow(members, member);
    working.set({ ...fields, changedSeq });
    this.members.set(member.userId, working);
    this.head.set({ sharedSeq: changedSeq });
  }
  private count(memberChange: number, adminChange: number): void {
    const { memberCount, adminCount } = this.chat;
    this.head.set({ memberCount: memberCount + memberChange, adminCount: adminCount + adminChange });
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
