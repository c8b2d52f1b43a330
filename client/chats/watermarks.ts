/** How far each member of a chat is: marks that only rise. From them come who has read a message, and what became of one's own. */
import type { Chat, MemberView, Message, Receipt, SharedChat } from "../documents.ts";

/** The server's limits: user ids in a message's `readBy`, and members of a chat whose receipts it sends. */
export const maxListedReaders = 50;
export const maxMembersForReceipts = 20;

/** What became of a message one sent; anyone else's is `sent`. */
export type DeliveryState = "sent" | "delivered" | "read";

export class Watermarks {
  private readonly byUserId = new Map<string, Receipt>();

  /** @returns whether any of them rose */
  raise(receipts: readonly Receipt[]): boolean {
    let hasRisen = false;
    for (const { userId, deliveredN, readN } of receipts) {
      const known = this.byUserId.get(userId) ?? { userId, deliveredN: 0, readN: 0 };
      if (deliveredN <= known.deliveredN && readN <= known.readN) continue;
      this.byUserId.set(userId, { userId, deliveredN: Math.max(deliveredN, known.deliveredN), readN: Math.max(readN, known.readN) });
      hasRisen = true;
    }
    return hasRisen;
  }

  of(userId: string): Receipt {
    return this.byUserId.get(userId) ?? { userId, deliveredN: 0, readN: 0 };
  }

  /** The chat's members with their marks as they are now. */
  members({ members }: SharedChat): readonly MemberView[] {
    return members.map((member) => ({ ...member, ...this.of(member.userId) }));
  }

  /** Who has read a message: computed where all members are known, else as the server said last. */
  readers(chat: Chat, message: Message): Pick<Message, "readBy" | "readCount"> {
    if (!areAllMembersKnown(chat)) return message;
    const readers = otherMembers(chat, message).filter(({ userId }) => this.of(userId).readN >= message.n);
    const readBy = [message.senderId, ...readers.map(({ userId }) => userId)];
    return { readBy: readBy.slice(0, maxListedReaders), readCount: readBy.length };
  }

  /** `delivered` and `read` mean: to all others who were in the chat then. Where not all members are known it stays `sent`. */
  deliveryState(chat: Chat, message: Message): DeliveryState {
    const receipts = areAllMembersKnown(chat) ? otherMembers(chat, message).map(({ userId }) => this.of(userId)) : [];
    if (receipts.length === 0) return "sent";
    if (receipts.every(({ readN }) => readN >= message.n)) return "read";
    return receipts.every(({ deliveredN, readN }) => Math.max(deliveredN, readN) >= message.n) ? "delivered" : "sent";
  }
}

/** Receipts are told only in chats of up to 20 members; there all of them are shown. */
const areAllMembersKnown = ({ members, memberCount }: SharedChat): boolean =>
  memberCount <= maxMembersForReceipts && members.length === memberCount;

const otherMembers = ({ members }: SharedChat, { senderId, n }: Message): readonly MemberView[] =>
  members.filter(({ userId, joinedN }) => userId !== senderId && joinedN < n);
