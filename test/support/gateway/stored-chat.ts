/** A chat in memory, as the store would keep it, for tests of live delivery: messages and memberships in their last state. */
import type { Batch, ChatNote, Membership, Message, SharedChat } from "../../../services/chat/contract.ts";

/** Maximum changes in an answer, so few that a gap needs several pages. */
const pageSize = 5;

type StoredMembership = Membership & { readonly changedSeq: number };

export class StoredChat {
  readonly chatId: string;
  readonly messages = new Map<number, Message>();
  readonly members = new Map<string, StoredMembership>();
  seq = 0;
  n = 0;
  /** The `seq` of the last change of members or name. */
  sharedSeq = 0;
  private readonly changes: Message[] = [];
  private readonly changed = new Set<string>();

  constructor(chatId: string, people: readonly string[] = []) {
    this.chatId = chatId;
    if (people.length > 0) this.commit(() => people.forEach((userId) => this.add(userId)));
  }

  /** Applies changes as one commit. @returns the batch that the feed would carry */
  commit(change: () => void): Extract<ChatNote, { kind: "batch" }> {
    const { seq: prevSeq, sharedSeq: before } = this;
    this.changes.length = 0;
    this.changed.clear();
    change();
    const memberChanges = [...this.changed].map((userId) => this.membership(userId)!);
    const shared = this.sharedSeq > before ? { chat: this.shared() } : {};
    return { kind: "batch", ...this.head(), prevSeq, changes: [...this.changes], memberChanges, ...shared };
  }

  send(senderId = "someone"): void {
    this.put({ n: ++this.n, senderId, kind: "text" });
  }
  edit(n: number): void {
    const { senderId, kind } = this.messages.get(n)!;
    // System messages never change.
    if (kind === "text") this.put({ n, senderId, kind });
  }
  rename(): void {
    this.sharedSeq = this.seq + 1;
    this.sendSystemMessage();
  }
  add(userId: string): void {
    this.setMember({ chatId: this.chatId, userId, joinedN: this.n, joinedSeq: this.seq + 1, leftSeq: null });
    this.sendSystemMessage();
  }
  remove(userId: string): void {
    this.setMember({ ...this.members.get(userId)!, leftSeq: this.seq + 1 });
    this.sendSystemMessage();
  }

  isMember(userId: string): boolean {
    return this.members.get(userId)?.leftSeq === null;
  }
  membership(userId: string): Membership | undefined {
    const row = this.members.get(userId);
    if (row === undefined) return undefined;
    const { joinedN, joinedSeq, leftSeq } = row;
    return { chatId: this.chatId, userId, joinedN, joinedSeq, leftSeq };
  }
  /** The messages that a member may see, sorted by `n`. */
  visibleTo(userId: string): Message[] {
    const { joinedN } = this.members.get(userId)!;
    return [...this.messages.values()].filter(({ n }) => n > joinedN).sort((a, b) => a.n - b.n);
  }

  head() {
    return {
      chatId: this.chatId,
      seq: this.seq,
      n: this.n,
      memberCount: [...this.members.keys()].filter((id) => this.isMember(id)).length,
    };
  }
  shared(): SharedChat & { readonly sharedSeq: number } {
    const { chatId: _id, seq: lastSeq, n: lastN, memberCount } = this.head();
    const now = new Date(0).toISOString();
    const { sharedSeq } = this;
    const people = { participants: [], admins: [], members: [], memberCount };
    const last = { lastMessage: null, lastMessagePreview: null, lastN, lastSeq };
    return { _id, chatType: "group", picture: null, ...people, ...last, sharedSeq, createdAt: now, updatedAt: now, __v: 0 };
  }
  /** A page of the changes after `since`, as chat answers a gateway that missed them. */
  since(since: number): Batch & { more: boolean } {
    const changed = [...this.messages.values()].filter(({ seq }) => seq > since).sort((a, b) => a.seq - b.seq);
    const changes = changed.slice(0, pageSize);
    const more = changed.length > changes.length;
    const seq = more ? changes.at(-1)!.seq : this.seq;
    const memberChanges = [...this.members].flatMap(([userId, row]) => (row.changedSeq > since ? [this.membership(userId)!] : []));
    const shared = this.sharedSeq > since && this.sharedSeq <= seq ? { chat: this.shared() } : {};
    return { ...this.head(), prevSeq: since, seq, changes, memberChanges, more, ...shared };
  }

  private sendSystemMessage(): void {
    this.put({ n: ++this.n, senderId: "someone", kind: "system" });
  }
  private setMember(membership: Membership): void {
    this.members.set(membership.userId, { ...membership, changedSeq: this.seq + 1 });
    this.changed.add(membership.userId);
    this.sharedSeq = this.seq + 1;
  }
  private put(message: Pick<Message, "n" | "senderId" | "kind">): void {
    const stored = { ...message, seq: ++this.seq, chatId: this.chatId } as Message;
    this.messages.set(message.n, stored);
    this.changes.push(stored);
  }
}
