/**
 * The marks of a chat's members on this gateway: those that its room has told, which only rise, and those that rise because the room
 * hands messages to their devices. In large chats nobody's deliveries are marked.
 */
import { maxMembersForReceipts, type Receipt, type SyncAnswer } from "../../chat/contract.ts";
import { Deliveries } from "./deliveries.ts";

interface MarksParts {
  readonly tell: (receipt: Receipt) => void;
  readonly raiseDelivered: (marks: Readonly<Record<string, number>>) => Promise<unknown>;
}

export class Marks {
  memberCount = 0;
  private readonly tell: (receipt: Receipt) => void;
  private readonly deliveries: Deliveries;
  private readonly told = new Map<string, Receipt>();

  constructor({ tell, raiseDelivered }: MarksParts) {
    this.tell = tell;
    this.deliveries = new Deliveries(raiseDelivered);
  }

  get isDeliveryMarked(): boolean {
    return this.memberCount <= maxMembersForReceipts;
  }

  /** Tells a receipt if one of its marks rose. */
  hear({ userId, deliveredN, readN }: Receipt): void {
    this.deliveries.learn(userId, deliveredN);
    const known = this.told.get(userId) ?? { userId, deliveredN: 0, readN: 0 };
    if (deliveredN <= known.deliveredN && readN <= known.readN) return;
    const risen = { userId, deliveredN: Math.max(deliveredN, known.deliveredN), readN: Math.max(readN, known.readN) };
    this.told.set(userId, risen);
    this.tell(risen);
  }

  /**
   * A socket of theirs was seated with everything up to `n`.
   * @param known  the members' marks as an answer told them to it
   * @returns what was told to the others since, and it does not know
   */
  seat(userId: string, n: number, known: readonly Receipt[]): Receipt[] {
    const byUser = new Map(known.map((mark) => [mark.userId, mark]));
    this.deliveries.learn(userId, byUser.get(userId)?.deliveredN ?? 0);
    if (this.isDeliveryMarked) this.deliveries.hand(userId, n, true);
    return [...this.told.values()].filter((told) => {
      const mark = byUser.get(told.userId);
      return told.deliveredN > (mark?.deliveredN ?? 0) || told.readN > (mark?.readN ?? 0);
    });
  }

  /** Their sockets were handed everything up to `n`, new messages of these senders last. */
  hand(userIds: Iterable<string>, n: number, senders: ReadonlySet<string>): void {
    for (const userId of userIds) this.deliveries.hand(userId, n, senders.size > 1 || !senders.has(userId));
  }

  /** No member any more. */
  forget(userId: string): void {
    this.told.delete(userId);
    this.deliveries.forget(userId);
  }

  close(): void {
    this.deliveries.close();
  }
}

/** The members' marks as an answer tells them, by chat. */
export const marksIn = ({ chats, receipts }: SyncAnswer): ReadonlyMap<string, readonly Receipt[]> =>
  new Map([...chats.map(({ _id, members }) => [_id, members] as const), ...Object.entries(receipts)]);
