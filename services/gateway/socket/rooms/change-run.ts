/**
 * A run of changes from one place in a chat's sequence to another, in one batch or over the pages of a repair: what of it is new,
 * what has changed, and what became of a membership. Pure.
 */
import type { Batch, Membership, Message, SharedChat } from "../../../chat/contract.ts";

/** Where someone is in a chat's sequence: the last change seen, and the messages there were then. */
export interface SequencePosition {
  readonly seq: number;
  readonly n: number;
}
export type RoomSubscriber = Pick<Membership, "userId" | "joinedN" | "joinedSeq">;

export class ChangeRun {
  readonly from: SequencePosition;
  /** Whose messages are new in it; the chat's own notes are nobody's. */
  readonly senders = new Set<string>();
  private readonly emittedAsNew = new Set<number>();
  private chat: SharedChat | undefined;
  private chatSeq = 0;

  constructor(from: SequencePosition) {
    this.from = from;
  }

  /** A message that was not there before is new, once; any other change is one of a message known. */
  eventFor({ n, senderId, kind }: Message): "receiveMessage" | "messageChanged" {
    if (n <= this.from.n || this.emittedAsNew.has(n)) return "messageChanged";
    this.emittedAsNew.add(n);
    if (kind !== "system") this.senders.add(senderId);
    return "receiveMessage";
  }

  /** Keeps how all see the chat after these changes; what a membership, a name or a picture changed has a note of the chat's own. */
  record({ chat, changes, seq }: Batch): void {
    const systemMessage = changes.findLast(({ kind }) => kind === "system");
    if (systemMessage !== undefined) this.chatSeq = systemMessage.seq;
    if (chat === undefined) return;
    this.chat = chat;
    if (this.chatSeq === 0) this.chatSeq = seq;
  }

  /** How all see the chat at the end of the run, and since which change; undefined when they saw it so before. */
  get chatUpdate(): { readonly chat: SharedChat; readonly seq: number } | undefined {
    return this.chat === undefined || this.chatSeq <= this.from.seq ? undefined : { chat: this.chat, seq: this.chatSeq };
  }
}

/** The end of a seat: from the change `at` on it hears nothing; its membership ended at `leftSeq`, or before. */
export interface SubscriptionEnd {
  readonly at: number;
  readonly leftSeq: number;
}

/**
 * What a membership as it is now says of a seat taken before. Someone removed and added again has one row, and it shows the last
 * joining only: when the seat's own membership ended is not known then, so it ends at once.
 */
export function subscriptionEnd(subscriber: RoomSubscriber, { userId, joinedSeq, leftSeq }: Membership): SubscriptionEnd | undefined {
  if (subscriber.userId !== userId || subscriber.joinedSeq > joinedSeq) return undefined;
  if (subscriber.joinedSeq < joinedSeq) return { at: 0, leftSeq: joinedSeq - 1 };
  return leftSeq === null ? undefined : { at: leftSeq, leftSeq };
}
