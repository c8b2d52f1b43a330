/**
 * Classifies a run of changes in a chat's sequence: which messages are new, which changed, and whether a membership ended. A run is
 * one batch, or all pages of a repair. Pure: no I/O.
 */
import type { Batch, Membership, Message, SharedChat } from "../../../chat/contract.ts";

/** A position in a chat's sequence: the last change seen, and how many messages the chat had then. */
export interface SequencePosition {
  readonly seq: number;
  readonly n: number;
}
export type RoomSubscriber = Pick<Membership, "userId" | "joinedN" | "joinedSeq">;

export class ChangeRun {
  readonly from: SequencePosition;
  /** Senders of the run's new messages. System messages have no sender. */
  readonly senders = new Set<string>();
  private readonly emittedAsNew = new Set<number>();
  private chat: SharedChat | undefined;
  private chatSeq = 0;

  constructor(from: SequencePosition) {
    this.from = from;
  }

  /** The first change of a message sent within the run is `receiveMessage`; every other change is `messageChanged`. */
  eventFor({ n, senderId, kind }: Message): "receiveMessage" | "messageChanged" {
    if (n <= this.from.n || this.emittedAsNew.has(n)) return "messageChanged";
    this.emittedAsNew.add(n);
    if (kind !== "system") this.senders.add(senderId);
    return "receiveMessage";
  }

  /**
   * Keeps the shared view of the chat after these changes. A change of members, name or picture comes with a system message, and the
   * view dates from its `seq`.
   */
  record({ chat, changes, seq }: Batch): void {
    const systemMessage = changes.findLast(({ kind }) => kind === "system");
    if (systemMessage !== undefined) this.chatSeq = systemMessage.seq;
    if (chat === undefined) return;
    this.chat = chat;
    if (this.chatSeq === 0) this.chatSeq = seq;
  }

  /** The shared view of the chat at the end of the run, and the change it dates from. Undefined if that change was before the run. */
  get chatUpdate(): { readonly chat: SharedChat; readonly seq: number } | undefined {
    return this.chat === undefined || this.chatSeq <= this.from.seq ? undefined : { chat: this.chat, seq: this.chatSeq };
  }
}

/** The end of a subscription: it receives nothing from change `at` on. The membership ended at `leftSeq` or earlier. */
export interface SubscriptionEnd {
  readonly at: number;
  readonly leftSeq: number;
}

/**
 * Finds out whether a membership, as it is now, ends a subscription made earlier. A member who was removed and added again has one
 * row, which shows only the latest join. When the earlier membership ended is unknown then, so the subscription ends immediately.
 * @returns undefined if the subscription goes on
 */
export function subscriptionEnd(subscriber: RoomSubscriber, { userId, joinedSeq, leftSeq }: Membership): SubscriptionEnd | undefined {
  if (subscriber.userId !== userId || subscriber.joinedSeq > joinedSeq) return undefined;
  if (subscriber.joinedSeq < joinedSeq) return { at: 0, leftSeq: joinedSeq - 1 };
  return leftSeq === null ? undefined : { at: leftSeq, leftSeq };
}
