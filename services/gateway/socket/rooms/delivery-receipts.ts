/**
 * Tracks the receipts of a chat's members on this gateway: emits those that rise, and reports deliveries to members' devices.
 * Deliveries in large chats are not tracked.
 */
import { maxMembersForReceipts, type Receipt, type SyncAnswer } from "../../../chat/contract.ts";
import { DeliveredWatermarks } from "./delivered-watermarks.ts";

interface DeliveryReceiptsContext {
  readonly emit: (receipt: Receipt) => void;
  readonly raiseDelivered: (watermarks: Readonly<Record<string, number>>) => Promise<unknown>;
}

export class DeliveryReceipts {
  memberCount = 0;
  private readonly emit: (receipt: Receipt) => void;
  private readonly watermarks: DeliveredWatermarks;
  private readonly emitted = new Map<string, Receipt>();

  constructor({ emit, raiseDelivered }: DeliveryReceiptsContext) {
    this.emit = emit;
    this.watermarks = new DeliveredWatermarks(raiseDelivered);
  }

  get tracksDelivery(): boolean {
    return this.memberCount <= maxMembersForReceipts;
  }

  /** Emits a receipt if one of its watermarks rose. */
  update({ userId, deliveredN, readN }: Receipt): void {
    this.watermarks.recordStored(userId, deliveredN);
    const known = this.emitted.get(userId) ?? { userId, deliveredN: 0, readN: 0 };
    if (deliveredN <= known.deliveredN && readN <= known.readN) return;
    const raised = { userId, deliveredN: Math.max(deliveredN, known.deliveredN), readN: Math.max(readN, known.readN) };
    this.emitted.set(userId, raised);
    this.emit(raised);
  }

  /**
   * Records that a user's socket subscribed with everything up to `n`.
   * @param known  the members' receipts in the answer that the socket got
   * @returns receipts emitted since that answer, which the socket lacks
   */
  addSocket(userId: string, n: number, known: readonly Receipt[]): Receipt[] {
    const knownByUser = new Map(known.map((receipt) => [receipt.userId, receipt]));
    this.watermarks.recordStored(userId, knownByUser.get(userId)?.deliveredN ?? 0);
    if (this.tracksDelivery) this.watermarks.recordDelivered(userId, n, true);
    return [...this.emitted.values()].filter((receipt) => {
      const before = knownByUser.get(receipt.userId);
      return receipt.deliveredN > (before?.deliveredN ?? 0) || receipt.readN > (before?.readN ?? 0);
    });
  }

  /** Records that the users' sockets got everything up to `n`. @param senders  senders of the new messages among them */
  recordDelivered(userIds: Iterable<string>, n: number, senders: ReadonlySet<string>): void {
    for (const userId of userIds) this.watermarks.recordDelivered(userId, n, senders.size > 1 || !senders.has(userId));
  }

  /** Call it when the user is no longer a member. */
  forget(userId: string): void {
    this.emitted.delete(userId);
    this.watermarks.forget(userId);
  }

  close(): void {
    this.watermarks.close();
  }
}

/** The members' receipts in an answer, by chat. */
export const receiptsByChat = ({ chats, receipts }: SyncAnswer): ReadonlyMap<string, readonly Receipt[]> =>
  new Map([...chats.map(({ _id, members }) => [_id, members] as const), ...Object.entries(receipts)]);
