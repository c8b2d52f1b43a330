/** Keeps each member's watermarks, and derives from them who has read a message and its delivery state. They only rise. */
import type { Chat, MemberView, Message, Receipt, SharedChat } from "../documents.ts";

/** The server's limits: user ids in a message's `readBy`, and members of a chat whose receipts it sends. */
export const maxListedReaders = 50;
export const maxMembersForReceipts = 20;

/** The state of a stored message of the user's own. */
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

  /** The chat's members with their current watermarks. */
  members({ members }: SharedChat): readonly MemberView[] {
    return members.map((member) => ({ ...member, ...this.of(member.userId) }));
  }

  /** The readers of a message: computed if all members are known, otherwise as the server last sent them. */
  readers(chat: Chat, message: Message): Pick<Message, "readBy" | "readCount"> {
    if (!areAllMembersKnown(chat)) return message;
    const readers = otherMembers(chat, message).filter(({ userId }) => this.of(userId).readN >= message.n);
    const readBy = [message.senderId, ...readers.map(({ userId }) => userId)];
    return { readBy: readBy.slice(0, maxListedReaders), readCount: readBy.length };
  }

  /** `delivered` or `read` once it is so for everyone else who was in the chat at the time. `sent` if not all members are known. */
  deliveryState(chat: Chat, message: Message): DeliveryState {
    const receipts = areAllMembersKnown(chat) ? otherMembers(chat, message).map(({ userId }) => this.of(userId)) : [];
    if (receipts.length === 0) return "sent";
    if (receipts.every(({ readN }) => readN >= message.n)) return "read";
    return receipts.every(({ deliveredN, readN }) => Math.max(deliveredN, readN) >= message.n) ? "delivered" : "sent";
  }
}

/** The server sends receipts only in small chats, and those list all their members. */
const areAllMembersKnown = ({ members, memberCount }: SharedChat): boolean =>
  memberCount <= maxMembersForReceipts && members.length === memberCount;

const otherMembers = ({ members }: SharedChat, { senderId, n }: Message): readonly MemberView[] =>
  members.filter(({ userId, joinedN }) => userId !== senderId && joinedN < n);
