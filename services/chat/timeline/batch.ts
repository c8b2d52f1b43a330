/**
 * Collects the changes of one commit: the chat's head, members and messages as they will be, the operations that store them, and the
 * batch that the feed publishes. Pure: it neither reads nor writes.
 */
import { newId } from "../../../core/ids.ts";
import { storeTime, type Operation } from "../../../core/store/store.ts";
import {
  chats,
  members,
  messages,
  type ChatRow,
  type MemberRow,
  type MessageChange,
  type MessageRow,
  type RelationRow,
} from "../store/collections.ts";
import type { Batch, Message, Role, SharedChat, SystemNote } from "../contract.ts";
import { isActive } from "../policy.ts";
import { presentMembership, presentMessage } from "../present.ts";
import type { ChatSnapshot } from "./snapshot.ts";
import { TrackedRow } from "./tracked-row.ts";

/** The fields of a new message that its sender's change sets. The batch fills in the others. */
export type NewMessage = Omit<MessageRow, "_id" | "chatId" | "n" | "seq" | "authorId" | "createdAt" | "editedAt" | "deletedAt">;

/** Length of a chat's preview, in characters of the message. */
export const maxPreviewCharacters = 100;

export class ChangeBatch {
  readonly snapshot: ChatSnapshot;
  /** Epoch milliseconds. For times that users see. */
  readonly now: number;
  /** Files to which changes of this batch refer. */
  readonly claimedFileIds = new Set<string>();
  private readonly head: TrackedRow<ChatRow>;
  private readonly messages = new Map<string, TrackedRow<MessageRow>>();
  private readonly members = new Map<string, TrackedRow<MemberRow>>();
  private readonly otherWrites: Operation[] = [];
  private readonly changedMessages: Message[] = [];
  private readonly sentByKey = new Map<string, MessageRow>();

  constructor(snapshot: ChatSnapshot, now: number) {
    this.snapshot = snapshot;
    this.now = now;
    this.head = new TrackedRow(chats, snapshot.chat);
  }

  get chat(): ChatRow {
    return this.head.row;
  }
  /** Whether there is nothing to commit. Then no commit validates what was decided. */
  get isEmpty(): boolean {
    return this.chat === this.snapshot.chat;
  }
  /** Whether the name, the picture, the members or their roles changed. */
  get isSharedViewChanged(): boolean {
    return this.chat.sharedSeq > this.snapshot.chat.sharedSeq;
  }
  /** Member rows that the commit changes. */
  get changedMembers(): readonly MemberRow[] {
    return [...this.members.values()].map(({ row }) => row);
  }

  member(userId: string): MemberRow | undefined {
    return this.members.get(userId)?.row ?? this.snapshot.people.get(userId) ?? undefined;
  }
  message(messageId: string): MessageRow | undefined {
    return this.messages.get(messageId)?.row ?? this.snapshot.messages.get(messageId);
  }
  relation(pair: string): RelationRow | undefined {
    return this.snapshot.relations.get(pair);
  }
  /** The message with this sender and clientId, if this batch already has it. */
  sentBefore(senderId: string, clientId: string): MessageRow | undefined {
    return this.sentByKey.get(sentKey(senderId, clientId));
  }
  /** The longest-standing member except the given user. Needs the read `seniors`. */
  seniorExcept(exceptUserId: string): MemberRow | undefined {
    const candidates = [...this.snapshot.seniors.map((row) => this.member(row.userId) ?? row), ...this.changedMembers];
    return candidates.find((member) => isActive(member) && member.userId !== exceptUserId);
  }

  /** Appends a message with the next `n` and the next `seq`. */
  addMessage(message: NewMessage): Message {
    const n = this.chat.n + 1;
    const authorId = message.kind === "system" ? "system" : message.senderId;
    const identity = { _id: newId(), chatId: this.chat._id, n, seq: this.nextSeq(), authorId };
    const row: MessageRow = { ...message, ...identity, createdAt: this.now, editedAt: null, deletedAt: null };
    this.messages.set(row._id, new TrackedRow(messages, row, { isNew: true }));
    this.sentByKey.set(sentKey(row.senderId, row.clientId), row);
    this.head.set({ n, preview: previewOf(row), lastActivityAt: this.now });
    return this.recordChange(row);
  }
  /** Appends a system message, which says who did what. */
  addSystemMessage(senderId: string, text: string, system: SystemNote): Message {
    return this.addMessage({ kind: "system", senderId, clientId: newId(), bodyHash: "", text, replyTo: null, system });
  }

  /** Changes a message, which gets the next `seq`. */
  changeMessage(message: MessageRow, fields: MessageChange): Message {
    const tracked = this.messages.get(message._id) ?? new TrackedRow(messages, message);
    tracked.set({ ...fields, seq: this.nextSeq() });
    this.messages.set(message._id, tracked);
    if (this.chat.preview?.messageId === message._id) this.head.set({ preview: previewOf(tracked.row) });
    return this.recordChange(tracked.row);
  }

  /** Adds a member, from the next message on: they see it, and nothing before it. */
  addMember(userId: string, role: Role = "member"): void {
    const { _id: chatId, n, seq } = this.chat;
    // Settings of an earlier membership may have changed since they were read, so they are reset whatever the row says.
    const membership = { role, joinedN: n, joinedSeq: seq + 1, leftSeq: null, mutedUntil: null, archived: false, pinned: false };
    const known = this.member(userId);
    const newRow: MemberRow = { _id: newId(), chatId, userId, changedSeq: 0, changedAt: this.now, deliveredN: 0, readN: 0, ...membership };
    if (known === undefined) this.members.set(userId, new TrackedRow(members, newRow, { isNew: true }));
    this.setMember(known ?? newRow, membership);
    this.adjustCounts(1, role === "admin" ? 1 : 0);
  }
  /** Ends a membership with the next message. */
  removeMember(member: MemberRow): void {
    this.setMember(member, { leftSeq: this.chat.seq + 1 });
    this.adjustCounts(-1, member.role === "admin" ? -1 : 0);
  }
  setRole(member: MemberRow, role: Role): void {
    this.setMember(member, { role });
    this.adjustCounts(0, role === "admin" ? 1 : -1);
  }
  /** Renames the chat or changes its picture, with the next message. */
  setSharedFields(fields: Pick<ChatRow, "name"> | Pick<ChatRow, "picture">): void {
    this.head.set({ ...fields, sharedSeq: this.chat.seq + 1 });
  }

  /** Stores the relation of a direct chat's users. Moves the head, so that a send decided on the old relation gets a conflict. */
  setRelation(relation: NonNullable<ChatRow["relation"]>): void {
    this.head.set({ seq: this.nextSeq(), relation });
  }
  /** Adds other operations to the commit. */
  addWrites(...operations: readonly Operation[]): void {
    this.otherWrites.push(...operations);
  }

  /** All operations except the update of the chat's row. */
  get writes(): Operation[] {
    return [
      ...[...this.messages.values()].map((message) => message.write({ _id: message.row._id })),
      ...[...this.members.values()].map((member) => member.write({ _id: member.row._id }, { changedAt: storeTime })),
      ...this.otherWrites,
    ];
  }
  /** The operations of the commit. It fails if the head is not the one that the batch was numbered from. */
  operations(): Operation[] {
    const { _id, seq } = this.snapshot.chat;
    const endedAt = this.chat.memberCount === 0 ? storeTime : undefined;
    return [this.head.write({ _id, seq }, { changedAt: storeTime, endedAt }), ...this.writes];
  }

  /** The batch for the feed. @param shared  the chat as all members see it now, if that changed */
  publication(shared?: SharedChat): Batch {
    const { _id: chatId, seq, n, memberCount } = this.chat;
    const memberChanges = this.changedMembers.map(presentMembership);
    const chat = shared === undefined ? {} : { chat: shared };
    return { chatId, prevSeq: this.snapshot.chat.seq, seq, n, memberCount, changes: this.changedMessages, memberChanges, ...chat };
  }

  private nextSeq(): number {
    const seq = this.chat.seq + 1;
    this.head.set({ seq });
    return seq;
  }
  private recordChange(row: MessageRow): Message {
    const presented = presentMessage(row, this.snapshot.readers);
    this.changedMessages.push(presented);
    return presented;
  }
  /** Stores only `fields`: watermarks and settings are also written outside the sequence, so the row's values may be old. */
  private setMember(member: MemberRow, fields: Partial<MemberRow>): void {
    const changedSeq = this.chat.seq + 1;
    const tracked = this.members.get(member.userId) ?? new TrackedRow(members, member);
    tracked.set({ ...fields, changedSeq });
    this.members.set(member.userId, tracked);
    this.head.set({ sharedSeq: changedSeq });
  }
  private adjustCounts(memberChange: number, adminChange: number): void {
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
  text: (text === "" ? (file?.name ?? "") : text).slice(0, maxPreviewCharacters),
  at: createdAt,
});
